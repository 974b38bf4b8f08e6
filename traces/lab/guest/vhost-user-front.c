/*
 * A vhost-user front end that plays a guest with a virtio-blk driver: memory in a memfd, split rings,
 * requests, and the dirty log, which it reads and clears at each sync. It writes the markers of the syncs,
 * OUT/syncs/NNN.bin (the back end's log) and OUT/changed/NNN.bin (pages whose bytes the back end changed).
 *
 *   vhost-user-front SOCKET OUT MARKER [event-idx]
 *
 * Messages: docs/interop/vhost-user.rst of QEMU. Rings: virtio 1.2, 2.7; requests: 5.2.6.
 */
#include "vhost-user-guest.h"

#define QUEUES 2
#define SIZE 128

enum { READ = 0, WRITE = 1, FLUSH = 4, GET_ID = 8, UNKNOWN = 99 };

struct queue { uint64_t desc, avail, used; uint16_t next, seen, free; int kick, call; };

static int marker;
static struct queue queues[QUEUES];

/* The back end is recorded from inside. */
static void noted(uint32_t request, uint64_t w0, uint64_t w1, uint64_t w2)
{
	(void)request, (void)w0, (void)w1, (void)w2;
}

static void set_address(uint32_t index, int log)
{
	struct queue *q = queues + index;
	struct { uint32_t index, flags; uint64_t desc, used, avail, log; } addr = { index, log,
		(uintptr_t)memory + q->desc, (uintptr_t)memory + q->used, (uintptr_t)memory + q->avail, q->used };
	message(SET_VRING_ADDR, &addr, sizeof addr, NULL, 0);
}

static void start(uint32_t index)
{
	struct queue *q = queues + index;
	uint32_t state[2] = { index, SIZE };
	uint64_t at = index;

	q->desc = 0x10000 + index * 0x8000;
	q->avail = q->desc + 0x2000;
	q->used = q->desc + 0x4ff0; /* flags and index at the end of a page, elements in the next one */
	q->kick = eventfd(0, EFD_NONBLOCK);
	q->call = eventfd(0, EFD_NONBLOCK);
	message(SET_VRING_NUM, state, 8, NULL, 0);
	state[1] = 0;
	message(SET_VRING_BASE, state, 8, NULL, 0);
	set_address(index, 0);
	message(SET_VRING_CALL, &at, 8, &q->call, 1);
	message(SET_VRING_KICK, &at, 8, &q->kick, 1);
	state[1] = 1;
	message(SET_VRING_ENABLE, state, 8, NULL, 0);
}

/* Puts a request into the ring: header, `pieces` of data of `len` bytes each `shift` into its page, status. */
static void submit(uint32_t index, uint32_t type, uint32_t pieces, uint32_t len, uint32_t shift, int indirect)
{
	struct queue *q = queues + index;
	struct desc d[64];
	struct { uint32_t type, reserved; uint64_t sector; } header = { type, 0, 8 * (buffers / PAGE % 64) };
	uint32_t n = 0;
	uint64_t at = buffer(PAGE);

	put(at, &header, sizeof header);
	d[n++] = (struct desc){ at, 16, 0, 0 };
	for (uint32_t i = 0; i < pieces; ++i)
		d[n++] = (struct desc){ buffer(len + shift) + shift, len, type == WRITE ? 0 : D_WRITE, 0 };
	d[n++] = (struct desc){ at + 32, 1, D_WRITE, 0 };
	for (uint32_t i = 0; i + 1 < n; ++i) {
		d[i].flags |= D_NEXT;
		d[i].next = indirect ? i + 1 : (q->free + i + 1) % SIZE;
	}
	uint16_t head = q->free;
	if (indirect) {
		uint64_t table = buffer(n * sizeof *d);
		struct desc one = { table, n * sizeof *d, D_INDIRECT, 0 };
		put(table, d, n * sizeof *d);
		put(q->desc + head * sizeof one, &one, sizeof one);
		q->free = (head + 1) % SIZE;
	} else {
		for (uint32_t i = 0; i < n; ++i)
			put(q->desc + (head + i) % SIZE * sizeof *d, d + i, sizeof *d);
		q->free = (head + n) % SIZE;
	}
	put(q->avail + 4 + q->next % SIZE * 2, &head, 2);
	put16(q->avail + 2, ++q->next);
	uint64_t one = 1;
	if (write(q->kick, &one, 8) != 8)
		die("kick");
}

/* Waits until everything is returned. */
static void settle(void)
{
	for (uint32_t i = 0; i < QUEUES; ++i) {
		struct queue *q = queues + i;
		for (int tries = 0; q->next != q->seen; ++tries) {
			struct pollfd p = { q->call, POLLIN, 0 };
			uint64_t count;
			q->seen = __atomic_load_n((uint16_t *)(memory + q->used + 2), __ATOMIC_ACQUIRE);
			if (q->seen == q->next)
				break;
			if (tries > 500)
				die("a request is not returned");
			if (poll(&p, 1, 20) > 0 && read(q->call, &count, 8) < 0 && errno != EAGAIN)
				die("call");
			/* used_event: a call for the next one. */
			put16(q->avail + 4 + 2 * SIZE, q->seen);
		}
	}
	usleep(20000); /* the log of the index comes behind it */
}

static void mark(const char *what, const char *name)
{
	char line[256];
	int len = snprintf(line, sizeof line, "%s %d%s%s", what, syncs, *name ? " " : "", name);
	if (write(marker, line, len) != len)
		die("marker");
}

static void sync_log(const char *name)
{
	settle();
	mark("dirty_sync_begin", name);
	harvest(name);
	mark("dirty_sync_end", "");
	++syncs;
}

int main(int argc, char **argv)
{
	uint64_t plain = F_VERSION_1 | F_INDIRECT | F_PROTOCOL;

	if (argc < 4) {
		fprintf(stderr, "usage: vhost-user-front SOCKET OUT MARKER [event-idx]\n");
		return 2;
	}
	if (argc > 4 && !strcmp(argv[4], "event-idx"))
		plain |= F_EVENT_IDX;
	out = argv[2];
	marker = open(argv[3], O_WRONLY);
	if (marker < 0)
		die(argv[3]);
	connect_to(argv[1], plain);
	set_memory(1);
	for (uint32_t i = 0; i < QUEUES; ++i)
		start(i);

	submit(0, READ, 1, 4096, 0, 0);
	sync_log("log-off");
	set_log();
	set_features(plain | F_LOG_ALL);
	for (uint32_t i = 0; i < QUEUES; ++i)
		set_address(i, 1);
	sync_log("log-on");
	submit(0, READ, 1, 4096, 0, 0);
	sync_log("read-4k");
	submit(0, READ, 1, 4096, 0x800, 0);
	sync_log("read-4k-unaligned");
	submit(0, READ, 1, 65536, 0x200, 0);
	sync_log("read-64k");
	submit(0, READ, 30, 1024, 0xc00, 0);
	sync_log("read-30-pieces");
	submit(0, WRITE, 1, 4096, 0, 0);
	sync_log("write-4k");
	submit(0, FLUSH, 0, 0, 0, 0);
	sync_log("flush");
	submit(0, GET_ID, 1, 20, 0xff0, 0);
	sync_log("get-id");
	submit(0, UNKNOWN, 1, 4096, 0, 0);
	sync_log("unknown-type");
	submit(0, READ, 1, 4096, 0, 1);
	sync_log("indirect-1");
	submit(0, READ, 30, 4096, 0x200, 1);
	sync_log("indirect-30");
	for (int i = 0; i < 300; ++i) {
		submit(0, READ, 1, 512, 0, i % 2);
		if (i % 16 == 15)
			settle();
	}
	sync_log("ring-wraps");
	for (int i = 0; i < 20; ++i)
		submit(i % QUEUES, READ, 1, 4096, 0x100, 0);
	sync_log("two-queues");
	set_memory(3);
	submit(1, READ, 4, 4096, 0, 0);
	sync_log("memory-table");
	set_features(plain);
	submit(0, READ, 1, 4096, 0, 0);
	sync_log("ring-flag-only");
	set_features(plain | F_LOG_ALL);
	for (uint32_t i = 0; i < QUEUES; ++i)
		set_address(i, 0);
	submit(0, READ, 1, 4096, 0, 0);
	submit(1, READ, 1, 4096, 0, 0);
	sync_log("LOG_ALL-only");
	for (uint32_t i = 0; i < QUEUES; ++i)
		set_address(i, 1);
	submit(1, READ, 1, 4096, 0, 0);
	sync_log("both-again");
	set_log();
	submit(1, READ, 1, 4096, 0, 0);
	sync_log("new-log");
	return 0;
}
