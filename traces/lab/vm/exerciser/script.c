/* Reads the script and does what its lines say; lines are described in docs/lab.md. */
#include "exercise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int script_line;
static const char *folder;

static u64 number(struct words w, int index)
{
	if (index >= w.n)
		die("a number is missing");
	return strtoull(w.word[index], NULL, 0);
}

static u64 number_or(struct words w, int index, u64 otherwise)
{
	return index < w.n ? strtoull(w.word[index], NULL, 0) : otherwise;
}

static bool word_is(struct words w, int index, const char *text)
{
	return index < w.n && !strcmp(w.word[index], text);
}

/* --- the device and its memory --- */

static void do_device(struct words w)
{
	device = word_is(w, 0, "net") ? DEVICE_NET : word_is(w, 0, "vsock") ? DEVICE_VSOCK : DEVICE_SCSI;
}

static void do_region(struct words w)
{
	memory_add_region(number(w, 0), number(w, 1));
}

static void do_features(struct words w)
{
	static const struct {
		const char *name;
		int bit;
	} known[] = {
		{ "hotplug", 1 }, { "seqpacket", 1 },	   { "t10pi", 3 },     { "mrg", 15 },
		{ "nethdr", 27 }, { "anylayout", 27 },	   { "indirect", 28 }, { "event_idx", 29 },
		{ "v1", 32 },	  { "in_order", 35 },
	};
	for (int i = 0; i < w.n; i++) {
		unsigned k = 0;
		while (k < sizeof known / sizeof *known && strcmp(known[k].name, w.word[i]))
			k++;
		if (k == sizeof known / sizeof *known)
			die("unknown feature %s", w.word[i]);
		features |= 1ull << known[k].bit;
	}
}

static void do_rings(struct words w)
{
	queue_rings_at(number(w, 0));
}

static void do_heap(struct words w)
{
	heap_set(number(w, 0), number(w, 1), device == DEVICE_SCSI ? 512 : 64);
}

static void do_vq(struct words w)
{
	queue_define(number(w, 0), number(w, 1), w);
}

static void do_setup(struct words w)
{
	(void)w;
	log_create();
	vmm_setup();
}

static void do_attach(struct words w)
{
	vmm_attach_late(number(w, 0));
}

static void do_endpoint(struct words w)
{
	(void)w;
	vmm_endpoint(true);
}

static void do_clear(struct words w)
{
	(void)w;
	vmm_endpoint(false);
}

static void do_workers(struct words w)
{
	(void)w;
	vmm_workers();
}

/* --- logging --- */

static void do_log(struct words w)
{
	vmm_log(word_is(w, 0, "on"));
}

static void do_logbase(struct words w)
{
	(void)w;
	vmm_set_log_base();
}

static void do_setfeat(struct words w)
{
	vmm_set_features(word_is(w, 0, "log"));
}

static void do_vringaddr(struct words w)
{
	vmm_set_all_vring_addr(word_is(w, 0, "log"));
}

static void do_sync(struct words w)
{
	if (w.n < 1)
		die("a sync needs a name");
	sync_log(folder, w.word[0], word_is(w, 1, "live"));
}

/* --- requests --- */

static void do_events(struct words w)
{
	scsi_post_events(number(w, 0), number_or(w, 1, 16));
}

static void do_kick(struct words w)
{
	kick(number(w, 0));
}

static void do_wait(struct words w)
{
	wait_idle(number_or(w, 0, 20000));
}

static void do_waitused(struct words w)
{
	wait_used(number(w, 0), number(w, 1), 20000);
}

static void do_settle(struct words w)
{
	(void)w;
	vmm_settle();
}

static void do_reap(struct words w)
{
	(void)w;
	reap_all();
}

static void do_rand(struct words w)
{
	if (device == DEVICE_SCSI)
		traffic_scsi(w);
	else
		traffic_net(w);
}

/* --- vhost-net and vhost-vsock --- */

static void do_backend(struct words w)
{
	net_backend(word_is(w, 0, "on"));
}

/* Lengths of frames; LENxCOUNT for several. */
static void do_pkt(struct words w)
{
	for (int i = 0; i < w.n; i++) {
		const char *times = strchr(w.word[i], 'x');
		for (int n = times ? atoi(times + 1) : 1; n > 0; n--)
			net_inject(atoi(w.word[i]));
	}
}

static void do_cid(struct words w)
{
	vsock_cid(number(w, 0));
}

static void do_run(struct words w)
{
	vsock_run(number(w, 0));
}

static void do_vconnect(struct words w)
{
	(void)w;
	vsock_connect();
}

static void do_vwait(struct words w)
{
	(void)w;
	vsock_wait_connected();
}

static void do_vsend(struct words w)
{
	vsock_send(number(w, 0));
}

static void do_vread(struct words w)
{
	(void)w;
	vsock_receive();
}

static void do_vclose(struct words w)
{
	(void)w;
	vsock_close();
}

/* --- around them --- */

static void do_sleep(struct words w)
{
	usleep(1000 * number(w, 0));
}

/* A line for whoever counts instructions: host/cost.ts. */
static void do_mark(struct words w)
{
	fprintf(stderr, "  mark %s worker %llu requests %d\n", w.n > 0 ? w.word[0] : "",
		(unsigned long long)worker_ns(), requests_made);
}

static const struct {
	const char *name;
	void (*run)(struct words w);
} commands[] = {
	{ "dev", do_device },	    { "region", do_region },	{ "features", do_features },
	{ "rings", do_rings },	    { "heap", do_heap },	{ "vq", do_vq },
	{ "setup", do_setup },	    { "attach", do_attach },	{ "endpoint", do_endpoint },
	{ "clear", do_clear },	    { "workers", do_workers },	{ "log", do_log },
	{ "logbase", do_logbase },  { "setfeat", do_setfeat },	{ "vringaddr", do_vringaddr },
	{ "sync", do_sync },	    { "req", scsi_request },	{ "events", do_events },
	{ "kick", do_kick },	    { "wait", do_wait },	{ "waitused", do_waitused },
	{ "settle", do_settle },    { "reap", do_reap },	{ "rand", do_rand },
	{ "tap", net_tap },	    { "backend", do_backend },	{ "buf", net_post },
	{ "tx", net_transmit },	    { "pkt", do_pkt },		{ "cid", do_cid },
	{ "run", do_run },	    { "vconnect", do_vconnect },{ "vwait", do_vwait },
	{ "vsend", do_vsend },	    { "vread", do_vread },	{ "vclose", do_vclose },
	{ "vtx", vsock_transmit },  { "sleep", do_sleep },	{ "mark", do_mark },
};

static void run_line(char *line)
{
	static char *word[512];
	struct words w = { .word = word };
	for (char *s = strtok(line, " \t\n"); s; s = strtok(NULL, " \t\n")) {
		if (w.n == sizeof word / sizeof *word)
			die("too many words");
		word[w.n++] = s;
	}
	if (w.n == 0)
		return;
	for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(commands[i].name, word[0]))
			continue;
		w.word++;
		w.n--;
		commands[i].run(w);
		return;
	}
	die("unknown command %s", word[0]);
}

int main(int argc, char **argv)
{
	static char line[65536];
	if (argc != 3) {
		fprintf(stderr, "usage: exercise SCRIPT OUTPUT-FOLDER\n");
		return 2;
	}
	folder = argv[2];
	mkdir(folder, 0755);
	journal_open(folder);
	FILE *script = fopen(argv[1], "re");
	if (!script)
		die("%s", argv[1]);
	while (fgets(line, sizeof line, script)) {
		script_line++;
		if (!strncmp(line, "sh ", 3)) {
			if (system(line + 3) != 0)
				die("the shell command failed: %s", line + 3);
			continue;
		}
		char *comment = strchr(line, '#');
		if (comment)
			*comment = 0;
		run_line(line);
	}
	journal("end", ",\"requests\":%d,\"syncs\":%d", requests_made, syncs_made());
	journal_close();
	if (vhost_fd >= 0)
		close(vhost_fd);
	fprintf(stderr, "  %d requests, %d syncs\n", requests_made, syncs_made());
	return 0;
}
