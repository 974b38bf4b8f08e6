/* The dirty log, and what really changed, at a sync. */
#include "exercise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

u8 *changed_pages;

static u64 *log_words;
static u64 *behind_log; /* one page behind the end of the log: what stands there was set by mistake */
static u64 bytes_of_log;
static int nsyncs;

void log_create(void)
{
	bytes_of_log = (memory_end() / PAGE_BYTES + 63) / 64 * 8;
	u64 whole = (bytes_of_log + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	u8 *mapped = mmap(NULL, whole + PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mapped == MAP_FAILED)
		die("no memory for the log");
	log_words = (u64 *)(mapped + whole - bytes_of_log);
	behind_log = (u64 *)(mapped + whole);
	changed_pages = calloc(1, bytes_of_log + 8);
}

void *log_memory(void)
{
	return log_words;
}

u64 log_bytes(void)
{
	return bytes_of_log;
}

int syncs_made(void)
{
	return nsyncs;
}

static void save(const char *folder, const char *kind, const void *image)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, kind);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/%s/%02d.bin", folder, kind, nsyncs);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(image, 1, bytes_of_log, f) != bytes_of_log || fclose(f))
		die("cannot write %s", path);
}

static u64 bits(const void *image, const void *but_not)
{
	const u8 *a = image, *b = but_not;
	u64 n = 0;
	for (u64 i = 0; i < bytes_of_log; i++)
		n += __builtin_popcount(a[i] & ~(b ? b[i] : 0));
	return n;
}

void sync_log(const char *folder, const char *name, bool live)
{
	if (!live) {
		if (device == DEVICE_SCSI) {
			wait_idle(20000);
			vmm_barrier();
			reap_all();
		} else {
			vmm_settle();
		}
	}
	u64 *image = malloc(bytes_of_log);
	trace_marker("dirty_sync_begin %d %s", nsyncs, name);
	for (u64 i = 0; i < bytes_of_log / 8; i++)
		image[i] = __atomic_exchange_n(&log_words[i], 0, __ATOMIC_SEQ_CST);
	trace_marker("dirty_sync_end %d %s", nsyncs, name);
	if (live)
		reap_all();
	for (int i = 0; i < memory_regions(); i++) {
		u64 gpa, size;
		void *host;
		memory_region(i, &gpa, &size, &host);
		accept_changes(gpa, size);
	}
	int behind = 0;
	for (u64 i = 0; i < PAGE_BYTES / 8; i++)
		behind += __builtin_popcountll(behind_log[i]);
	memset(behind_log, 0, PAGE_BYTES);
	save(folder, "syncs", image);
	save(folder, "changed", changed_pages);
	u64 logged = bits(image, NULL), changed = bits(changed_pages, NULL),
	    missing = bits(changed_pages, image);
	journal("sync",
		",\"n\":%d,\"name\":\"%s\",\"live\":%s,\"logged\":%llu,\"changed\":%llu,"
		"\"changed_not_logged\":%llu,\"behind_log\":%d",
		nsyncs, name, live ? "true" : "false", (unsigned long long)logged,
		(unsigned long long)changed, (unsigned long long)missing, behind);
	fprintf(stderr, "  sync %02d %-24s logged %5llu  changed %5llu  changed, not logged %5llu\n",
		nsyncs, name, (unsigned long long)logged, (unsigned long long)changed,
		(unsigned long long)missing);
	memset(changed_pages, 0, bytes_of_log);
	free(image);
	nsyncs++;
}
