/* Journal, time, random numbers, words of a script line. */
#include "exercise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static FILE *journal_file;

void journal_open(const char *folder)
{
	char path[512];
	snprintf(path, sizeof path, "%s/journal.ndjson", folder);
	journal_file = fopen(path, "w");
	if (!journal_file)
		die("cannot write %s", path);
	setvbuf(journal_file, NULL, _IOFBF, 1 << 20);
}

void journal_close(void)
{
	if (journal_file)
		fclose(journal_file);
	journal_file = NULL;
}

void journal(const char *type, const char *format, ...)
{
	va_list list;
	fprintf(journal_file, "{\"t\":\"%s\",\"ns\":%llu", type, (unsigned long long)now_ns());
	va_start(list, format);
	vfprintf(journal_file, format, list);
	va_end(list);
	fputs("}\n", journal_file);
}

void die(const char *format, ...)
{
	int error = errno;
	va_list list;
	fprintf(stderr, "exercise: line %d: ", script_line);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, " (errno %d, %s)\n", error, strerror(error));
	journal_close();
	exit(1);
}

u64 now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void trace_marker(const char *format, ...)
{
	static int fd = -1;
	char text[256], path[256];
	va_list list;
	/* Where the recording that is under way wants its markers; there may be none as yet. */
	const char *folder = getenv("LAB_TRACING");
	snprintf(path, sizeof path, "%s/trace_marker", folder ? folder : "/sys/kernel/tracing");
	if (fd < 0)
		fd = open(path, O_WRONLY | O_CLOEXEC);
	va_start(list, format);
	int len = vsnprintf(text, sizeof text, format, list);
	va_end(list);
	if (fd >= 0 && write(fd, text, len) != len)
		die("trace_marker");
}

/* xorshift64*: the same sequence on every kernel, so that runs can be compared. */
static u64 random_state = 88172645463325252ull;

static u64 random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717ull;
}

void random_seed(u64 seed)
{
	random_state = seed * 0x9E3779B97F4A7C15ull + 1;
	for (int i = 0; i < 8; i++)
		random_next();
}

u64 random_below(u64 limit)
{
	return limit ? (random_next() >> 11) % limit : 0;
}

bool random_percent(u64 percent)
{
	return random_below(100) < percent;
}

const char *option(struct words w, const char *key)
{
	size_t len = strlen(key);
	for (int i = 0; i < w.n; i++)
		if (!strncmp(w.word[i], key, len) && w.word[i][len] == '=')
			return w.word[i] + len + 1;
	return NULL;
}

u64 option_number(struct words w, const char *key, u64 otherwise)
{
	const char *value = option(w, key);
	return value ? strtoull(value, NULL, 0) : otherwise;
}

bool option_set(struct words w, const char *flag)
{
	for (int i = 0; i < w.n; i++)
		if (!strcmp(w.word[i], flag))
			return true;
	return false;
}
