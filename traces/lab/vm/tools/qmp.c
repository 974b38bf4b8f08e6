/*
 * qmp SOCKET COMMAND…
 *
 * Sends commands to QEMU one after the other and prints what went over the wire, with both clocks,
 * as lines of JSON. A COMMAND is JSON; `wait=TEXT`, which asks query-migrate until TEXT or "failed"
 * is in the answer; `sleep=SECONDS`; or anything else, which is taken for a command of the human
 * monitor. Exit status 1 when QEMU cannot be reached or hangs up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static FILE *answers;
static int sock;
static char *line;
static size_t line_size;

static void print(const char *direction, const char *message)
{
	struct timespec real, mono;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	printf("{\"t\": %lld.%09ld, \"mono\": %lld.%09ld, \"dir\": \"%s\", \"msg\": %s}\n",
	       (long long)real.tv_sec, real.tv_nsec, (long long)mono.tv_sec, mono.tv_nsec, direction,
	       message);
	fflush(stdout);
}

static void read_line(void)
{
	ssize_t n = getline(&line, &line_size, answers);
	if (n < 0)
		exit(1);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = 0;
}

/* The answer is left in `line`; events that come before it are printed. */
static void command(const char *json)
{
	print(">", json);
	if (dprintf(sock, "%s\n", json) < 0)
		exit(1);
	do {
		read_line();
		print("<", line);
	} while (strncmp(line, "{\"return\"", 9) && strncmp(line, "{\"error\"", 8));
}

static void monitor(const char *text)
{
	char json[1024];
	snprintf(json, sizeof json,
		 "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"%s\"}}",
		 text);
	command(json);
}

static void wait_for(const char *text)
{
	for (int i = 0; i < 3000; i++) {
		command("{\"execute\": \"query-migrate\"}");
		if (strstr(line, text) || strstr(line, "\"failed\""))
			return;
		usleep(200000);
	}
	fprintf(stderr, "qmp: the migration does not say %s\n", text);
	exit(1);
}

static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	strncpy(a.sun_path, path, sizeof a.sun_path - 1);
	for (int i = 0; i < 600; i++) {
		sock = socket(AF_UNIX, SOCK_STREAM, 0);
		if (!connect(sock, (void *)&a, sizeof a))
			return 1;
		close(sock);
		usleep(100000);
	}
	fprintf(stderr, "qmp: nobody answers at %s\n", path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2 || !dial(argv[1]))
		return 1;
	answers = fdopen(sock, "r");
	read_line(); /* the greeting */
	command("{\"execute\": \"qmp_capabilities\"}");
	for (int i = 2; i < argc; i++) {
		if (!strncmp(argv[i], "wait=", 5))
			wait_for(argv[i] + 5);
		else if (!strncmp(argv[i], "sleep=", 6))
			usleep(strtod(argv[i] + 6, NULL) * 1e6);
		else if (argv[i][0] == '{')
			command(argv[i]);
		else
			monitor(argv[i]);
	}
	return 0;
}
