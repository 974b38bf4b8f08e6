/*
 * A vhost-user front end that plays a guest with a virtio-net driver, for a back end that sends back what it
 * gets: receive buffers on queue 0, packets on queue 1, split or packed rings. No probe can be placed in
 * DPDK, so it writes down itself what it does and sees, as `dump` writes events: OUT/trace.ndjson; beside
 * it OUT/syncs/NNN.bin (the back end's log) and OUT/changed/NNN.bin (pages whose bytes the back end changed).
 *
 *   vhost-user-net-front SOCKET OUT [packed [qemu-log-address]]
 *
 * A packed ring stands as a split one: head = buffer id, `idx` counts completions, `logaddr` = log address.
 * Rings: virtio 1.2, 2.7 and 2.8; packets: 5.1.6.
 */
#include "vhost-user-guest.h"
#include <time.h>

#define QUEUES 2
#define SIZE 64
#define F_MRG_RXBUF (1ull << 15)
#define F_RING_PACKED (1ull << 34)
#define HEADER 12
#define P_AVAIL (1u << 7)
#define P_USED (1u << 15)
#define VQ(index) (0xff00000020000000ull + (index) * 0x4a60ull)
#define VS 0xff0000001000d000ull

struct packed_desc { uint64_t addr; uint32_t len; uint16_t id, flags; };
struct piece { uint64_t gpa; uint32_t len; };
struct queue {
	uint64_t desc, avail, used;
	/* Split: free descriptor, next avail index, used index seen. Packed: the same as slots, with wrap counters. */
	uint16_t free, next, seen, completed, outstanding;
	int wrap, used_wrap, log, kick, call;
	uint16_t took[SIZE]; /* Slots of the chain with this id. */
};

static struct queue queues[QUEUES];
static int packed, qemu_address;
static FILE *trace;

static unsigned long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void event(const char *what, int pid)
{
	fprintf(trace, "{\"event\": \"%s\", \"ts\": \"%llu\", \"cpu\": 0, \"pid\": %d", what, now(), pid);
}

/* A message as the ioctl of the same name. */
static void ioctl_event(uint32_t cmd, const uint64_t w[5])
{
	event("ioctl", 100);
	fprintf(trace, ", \"cmd\": %u, \"vs\": \"0x%llx\", \"driver\": \"vhost-user-net\"", cmd, VS);
	for (int i = 0; i < 5; ++i)
		fprintf(trace, ", \"a%d\": \"0x%llx\"", i, (unsigned long long)w[i]);
	fprintf(trace, ", \"file\": \"0x1\", \"arg\": \"0x1\"}\n");
}

static void ioctl_done(void)
{
	event("ioctl_ret", 100);
	fprintf(trace, ", \"ret\": 0}\n");
}

static void noted(uint32_t request, uint64_t w0, uint64_t w1, uint64_t w2)
{
	uint64_t w[5] = { w0, w1, w2, 0, 0 };
	ioctl_event(request == SET_FEATURES ? 0x4008af00 : 0x4008af04, w);
	ioctl_done();
}

static uint64_t log_address(const struct queue *q)
{
	return !packed ? q->used : qemu_address ? q->used : q->desc;
}

static void ring_state(const struct queue *q)
{
	fprintf(trace, ", \"num\": %d, \"logused\": %d, \"logaddr\": \"0x%llx\", \"feat\": \"0x%llx\"", SIZE, q->log,
		(unsigned long long)log_address(q), (unsigned long long)features);
}

static void drain_event(uint32_t index)
{
	struct queue *q = queues + index;
	event("drain", 300 + index);
	fprintf(trace, ", \"vq\": \"0x%llx\", \"avail\": %d, \"used\": %d, \"uflags\": 1, \"logbase\": \"0x%x\"", VQ(index),
		q->next, q->completed, dirty ? 1 : 0);
	fprintf(trace, ", \"dev\": \"0x%llx\", \"q0\": \"0x%llx\", \"q1\": \"0x%llx\"", VS + 0xe8, VQ(0), VQ(1));
	ring_state(q);
	fprintf(trace, "}\n");
}

static void map_memory(void)
{
	uint64_t w[5] = { 2, 0, 0, 0, 0 }, end[2] = { HOLE, MEMORY }, start[2] = { 0, HIGH };

	set_memory(1);
	ioctl_event(0x4008af03, w);
	for (int i = 0; i < 2; ++i) {
		event("mem", 100);
		fprintf(trace, ", \"iotlb\": \"0x1\", \"start\": \"0x%llx\", \"last\": \"0x%llx\", \"addr\": \"0x%llx\", \"perm\": 3}\n",
			(unsigned long long)start[i], (unsigned long long)end[i] - 1,
			(unsigned long long)(uintptr_t)memory + start[i]);
	}
	ioctl_done();
}

static void set_address(uint32_t index, int log)
{
	struct queue *q = queues + index;
	struct { uint32_t index, flags; uint64_t desc, used, avail, log; } addr = { index, log,
		(uintptr_t)memory + q->desc, (uintptr_t)memory + q->used, (uintptr_t)memory + q->avail, log_address(q) };
	uint64_t w[5] = { index | (uint64_t)log << 32, addr.desc, addr.used, addr.avail, addr.log };

	message(SET_VRING_ADDR, &addr, sizeof addr, NULL, 0);
	q->log = log;
	ioctl_event(0x4028af11, w);
	ioctl_done();
}

static void start(uint32_t index)
{
	struct queue *q = queues + index;
	uint32_t state[2] = { index, SIZE };
	uint64_t at = index;
	uint16_t off = 1;

	/* The descriptor ring crosses a page; driver's and device's areas lie on pages of their own. */
	q->desc = 0x10e00 + index * 0x10000;
	q->avail = 0x14000 + index * 0x10000;
	q->used = 0x16ff0 + index * 0x10000;
	q->wrap = q->used_wrap = 1;
	q->kick = eventfd(0, EFD_NONBLOCK);
	q->call = eventfd(0, EFD_NONBLOCK);
	if (packed) /* No notifications: RING_EVENT_FLAGS_DISABLE. */
		put(q->avail + 2, &off, 2);
	message(SET_VRING_NUM, state, 8, NULL, 0);
	state[1] = packed ? 0x80008000u : 0;
	message(SET_VRING_BASE, state, 8, NULL, 0);
	set_address(index, 0);
	message(SET_VRING_CALL, &at, 8, &q->call, 1);
	message(SET_VRING_KICK, &at, 8, &q->kick, 1);
	state[1] = 1;
	message(SET_VRING_ENABLE, state, 8, NULL, 0);
}

static void publish_packed(struct queue *q, const struct piece *pieces, int count, uint16_t flags)
{
	uint16_t first = 0, id = q->free;
	uint64_t first_at = 0;

	for (int i = 0; i < count; ++i) {
		struct packed_desc d = { pieces[i].gpa, pieces[i].len, id, flags | (i + 1 < count ? D_NEXT : 0) };
		d.flags |= q->wrap ? P_AVAIL : P_USED;
		uint64_t at = q->desc + q->free * sizeof d;
		if (!i) {
			first = d.flags;
			first_at = at + 14;
			d.flags ^= P_AVAIL | P_USED;
		}
		put(at, &d, sizeof d);
		if (++q->free == SIZE) {
			q->free = 0;
			q->wrap ^= 1;
		}
	}
	q->took[id] = count;
	put16(first_at, first);
	q->next = q->free;
}

static void publish_split(struct queue *q, const struct piece *pieces, int count, uint16_t flags)
{
	uint16_t head = q->free;

	for (int i = 0; i < count; ++i) {
		struct desc d = { pieces[i].gpa, pieces[i].len, flags, 0 };
		if (i + 1 < count) {
			d.flags |= D_NEXT;
			d.next = (q->free + 1) % SIZE;
		}
		put(q->desc + q->free * sizeof d, &d, sizeof d);
		q->free = (q->free + 1) % SIZE;
	}
	put(q->avail + 4 + q->next % SIZE * 2, &head, 2);
	put16(q->avail + 2, ++q->next);
}

/* Offers a chain; `indirect`: through a table of its own. */
static void offer(uint32_t index, const struct piece *pieces, int count, int writes, int indirect)
{
	struct queue *q = queues + index;
	uint16_t head = q->free, flags = writes ? D_WRITE : 0;
	uint64_t table = 0, one = 1;

	drain_event(index);
	if (indirect) {
		table = buffer(count * 16);
		for (int i = 0; i < count; ++i) {
			struct packed_desc p = { pieces[i].gpa, pieces[i].len, 0, flags };
			struct desc d = { pieces[i].gpa, pieces[i].len, flags | (i + 1 < count ? D_NEXT : 0), i + 1 };
			put(table + i * 16, packed ? (void *)&p : (void *)&d, 16);
		}
		event("desc", 300 + index);
		fprintf(trace, ", \"vq\": \"0x%llx\", \"gpa\": \"0x%llx\", \"len\": %d, \"acc\": 1, \"iov\": \"0x9999000000\"}\n",
			VQ(index), (unsigned long long)table, count * 16);
	}
	for (int i = 0; i < count; ++i) {
		event("desc", 300 + index);
		fprintf(trace, ", \"vq\": \"0x%llx\", \"gpa\": \"0x%llx\", \"len\": %u, \"acc\": %d, \"iov\": \"0x%llx\"}\n", VQ(index),
			(unsigned long long)pieces[i].gpa, pieces[i].len, writes ? 2 : 1, VQ(index) + 0x158);
	}
	event("pop", 300 + index);
	fprintf(trace, ", \"vq\": \"0x%llx\", \"head\": %u}\n", VQ(index), head);
	struct piece whole = { table, count * 16 };
	if (indirect)
		pieces = &whole, count = 1, flags = D_INDIRECT;
	if (packed)
		publish_packed(q, pieces, count, flags);
	else
		publish_split(q, pieces, count, flags);
	++q->outstanding;
	if (write(q->kick, &one, 8) != 8)
		die("kick");
}

/* The next used element, if there is one. */
static int take_used(struct queue *q, uint32_t *id, uint32_t *len)
{
	if (packed) {
		struct packed_desc *d = (void *)(memory + q->desc + q->seen * sizeof *d);
		uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);
		if (!!(flags & P_AVAIL) != q->used_wrap || !!(flags & P_USED) != q->used_wrap)
			return 0;
		*id = d->id;
		*len = d->len;
		q->seen += q->took[*id];
		if (q->seen >= SIZE) {
			q->seen -= SIZE;
			q->used_wrap ^= 1;
		}
		return 1;
	}
	if (__atomic_load_n((uint16_t *)(memory + q->used + 2), __ATOMIC_ACQUIRE) == q->seen)
		return 0;
	uint32_t *element = (uint32_t *)(memory + q->used + 4 + q->seen++ % SIZE * 8);
	*id = element[0];
	*len = element[1];
	return 1;
}

static void collect(uint32_t index)
{
	struct queue *q = queues + index;
	uint32_t id, len;

	while (take_used(q, &id, &len)) {
		event("used", 300 + index);
		fprintf(trace, ", \"vq\": \"0x%llx\", \"head\": %u, \"len\": %u, \"n\": 1, \"idx\": %u", VQ(index), id, len,
			q->completed++);
		ring_state(q);
		fprintf(trace, "}\n");
		--q->outstanding;
	}
}

/* Waits until everything is returned. */
static void settle(void)
{
	for (int tries = 0; queues[0].outstanding || queues[1].outstanding; ++tries) {
		collect(0);
		collect(1);
		if (tries > 5000)
			die("a packet does not come back");
		usleep(1000);
	}
	usleep(20000); /* the log of the index comes behind it */
}

static void mark(const char *what, const char *name)
{
	event("marker", 100);
	fprintf(trace, ", \"text\": \"%s %d%s%s\"}\n", what, syncs, *name ? " " : "", name);
}

static void sync_log(const char *name)
{
	settle();
	mark("dirty_sync_begin", name);
	harvest(name);
	mark("dirty_sync_end", "");
	++syncs;
}

/* Sends a packet of `len` bytes, which comes back into `count` buffers. */
static void echo(uint32_t len, const struct piece *into, int count, int indirect)
{
	static uint8_t packet[4096], seed;
	struct piece from = { buffer(HEADER + len), HEADER + len };

	memset(packet, 0, HEADER);
	for (uint32_t i = 0; i < len; ++i)
		packet[HEADER + i] = i < 12 ? 0x02 + i : i * 7 + seed;
	++seed;
	offer(0, into, count, 1, indirect);
	put(from.gpa, packet, from.len);
	offer(1, &from, 1, 0, 0);
}

static void echo_simple(uint32_t len, uint32_t shift)
{
	struct piece into = { buffer(2048 + shift) + shift, 2048 };
	echo(len, &into, 1, 0);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: vhost-user-net-front SOCKET OUT [packed [qemu-log-address]]\n");
		return 2;
	}
	packed = argc > 3 && !strcmp(argv[3], "packed");
	qemu_address = argc > 4;
	out = argv[2];
	char name[512];
	snprintf(name, sizeof name, "%s/trace.ndjson", out);
	trace = fopen(name, "w");
	if (!trace)
		die(name);
	fprintf(trace, "{\"event\": \"recording\", \"clock\": \"mono\"}\n");
	uint64_t plain = F_VERSION_1 | F_INDIRECT | F_PROTOCOL | F_MRG_RXBUF | (packed ? F_RING_PACKED : 0);
	connect_to(argv[1], plain);
	map_memory();
	for (uint32_t i = 0; i < QUEUES; ++i)
		start(i);

	echo_simple(100, 0);
	sync_log("log-off");
	set_log();
	set_features(plain | F_LOG_ALL);
	for (uint32_t i = 0; i < QUEUES; ++i)
		set_address(i, 1);
	sync_log("log-on");
	echo_simple(64, 0);
	sync_log("one-packet");
	echo_simple(1400, 0xf00);
	sync_log("over-pages");
	uint64_t at = buffer(8192);
	struct piece apart[] = { { at, HEADER }, { at + 4096, 2048 } };
	echo(700, apart, 2, 0);
	sync_log("header-apart");
	at = buffer(12288);
	struct piece split[] = { { at + 4092, 4 }, { at + 8192 + 4090, 2048 } };
	echo(900, split, 2, 0);
	sync_log("header-in-two");
	at = buffer(5 * 4096);
	struct piece many[] = { { at, 300 }, { at + 4096, 300 }, { at + 8192, 300 }, { at + 12288, 300 }, { at + 16384, 2000 } };
	echo(1000, many, 5, 0);
	sync_log("many-pieces");
	at = buffer(3 * 4096);
	struct piece table[] = { { at, HEADER }, { at + 4096, 500 }, { at + 8192, 2000 } };
	echo(1200, table, 3, 1);
	sync_log("indirect");
	for (int i = 0; i < 300; ++i) {
		echo_simple(60 + i, 0);
		if (i % 8 == 7)
			settle();
	}
	sync_log("ring-wraps");
	set_features(plain);
	echo_simple(200, 0);
	sync_log("ring-flag-only");
	set_features(plain | F_LOG_ALL);
	for (uint32_t i = 0; i < QUEUES; ++i)
		set_address(i, 0);
	echo_simple(200, 0);
	sync_log("LOG_ALL-only");
	for (uint32_t i = 0; i < QUEUES; ++i)
		set_address(i, 1);
	echo_simple(200, 0);
	sync_log("both-again");
	return fclose(trace) ? 1 : 0;
}
