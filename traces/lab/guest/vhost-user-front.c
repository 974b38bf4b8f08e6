/*
 * A vhost-user front end that plays a guest with a virtio-blk driver: memory in a memfd, split rings,
 * requests, and the dirty log, which it reads and clears at each sync. It writes the markers of the syncs,
 * OUT/syncs/NNN.bin (the back end's log) and OUT/changed/NNN.bin (pages whose bytes the back end changed).
 *
 *   vhost-user-front SOCKET OUT MARKER [event-idx]
 *
 * Messages: docs/interop/vhost-user.rst of QEMU. Rings: virtio 1.2, 2.7; requests: 5.2.6.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMORY (32u << 20)
#define HOLE 0xa0000u
#define HIGH 0x100000u
#define PAGE 4096u
#define LOG_BYTES (MEMORY / PAGE / 8)
#define QUEUES 2
#define SIZE 128

#define F_LOG_ALL (1ull << 26)
#define F_INDIRECT (1ull << 28)
#define F_EVENT_IDX (1ull << 29)
#define F_PROTOCOL (1ull << 30)
#define F_VERSION_1 (1ull << 32)
/* Protocol: LOG_SHMFD, REPLY_ACK. */
#define PROTOCOL ((1ull << 1) | (1ull << 3))

enum { GET_FEATURES = 1, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 5, SET_LOG_BASE, SET_VRING_NUM = 8,
	SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL,
	GET_PROTOCOL = 15, SET_PROTOCOL, SET_VRING_ENABLE = 18 };
enum { READ = 0, WRITE = 1, FLUSH = 4, GET_ID = 8, UNKNOWN = 99 };
enum { D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4 };

struct header { uint32_t request, flags, size; };
struct desc { uint64_t addr; uint32_t len; uint16_t flags, next; };
struct queue { uint64_t desc, avail, used; uint16_t next, seen, free; int kick, call; };

static uint8_t *memory, *shadow;
static int memory_fd, log_fd, sock, syncs, marker;
static uint64_t *dirty;
static uint64_t features, buffers = 0x200000;
static struct queue queues[QUEUES];
static const char *out;

static void die(const char *what)
{
	fprintf(stderr, "vhost-user-front: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The guest's own writes: the shadow knows them. */
static void put(uint64_t gpa, const void *bytes, size_t len)
{
	memcpy(memory + gpa, bytes, len);
	memcpy(shadow + gpa, bytes, len);
}

static void put16(uint64_t gpa, uint16_t value)
{
	__atomic_store_n((uint16_t *)(memory + gpa), value, __ATOMIC_RELEASE);
	memcpy(shadow + gpa, &value, 2);
}

/* Sends a message; reads the answer of those that have one into `answer`. */
static uint64_t message(uint32_t request, const void *payload, uint32_t size, const int *fds, int count)
{
	int asks = request == GET_FEATURES || request == GET_PROTOCOL || request == GET_VRING_BASE ||
		   request == SET_LOG_BASE;
	struct header header = { request, 1u | (asks || request < SET_VRING_NUM ? 0 : 8u), size };
	struct { struct cmsghdr header; char fds[sizeof(int) * 8]; } control;
	struct iovec iov[2] = { { &header, sizeof header }, { (void *)payload, size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = size ? 2 : 1 };
	uint8_t answer[256] = { 0 };
	uint64_t value;

	/* Without REPLY_ACK nothing tells that these took effect, so they ask for it, too. */
	if (request == SET_FEATURES || request == SET_MEM_TABLE)
		header.flags |= 8;
	if (request == SET_FEATURES && !(features & F_PROTOCOL))
		header.flags &= ~8u;
	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	if (sendmsg(sock, &msg, 0) < 0)
		die("sendmsg");
	if (!asks && !(header.flags & 8))
		return 0;
	if (recv(sock, &header, sizeof header, MSG_WAITALL) != sizeof header)
		die("no answer: the back end is gone");
	if (header.size > sizeof answer || recv(sock, answer, header.size, MSG_WAITALL) != (ssize_t)header.size)
		die("answer");
	memcpy(&value, answer, sizeof value);
	if (!asks && value) {
		fprintf(stderr, "vhost-user-front: message %u refused\n", request);
		exit(1);
	}
	return value;
}

static void set_features(uint64_t on)
{
	features = on;
	message(SET_FEATURES, &on, 8, NULL, 0);
}

/* The memory table: below the hole, above it, the latter in `pieces`. */
static void set_memory(uint32_t pieces)
{
	struct { uint32_t count, padding; struct { uint64_t gpa, size, uva, offset; } region[8]; } table = { 0 };
	int fds[8];
	uint64_t step = (MEMORY - HIGH) / pieces;

	for (uint32_t i = 0; i <= pieces; ++i) {
		uint64_t gpa = i ? HIGH + (i - 1) * step : 0;
		uint64_t size = i ? step : HOLE;
		table.region[i].gpa = gpa;
		table.region[i].size = size;
		table.region[i].uva = (uintptr_t)memory + gpa;
		table.region[i].offset = gpa;
		fds[i] = memory_fd;
	}
	table.count = pieces + 1;
	message(SET_MEM_TABLE, &table, 8 + 32 * table.count, fds, table.count);
}

static void set_address(uint32_t index, int log)
{
	struct queue *q = queues + index;
	struct { uint32_t index, flags; uint64_t desc, used, avail, log; } addr = { index, log,
		(uintptr_t)memory + q->desc, (uintptr_t)memory + q->used, (uintptr_t)memory + q->avail, q->used };
	message(SET_VRING_ADDR, &addr, sizeof addr, NULL, 0);
}

static void set_log(void)
{
	uint64_t payload[2] = { LOG_BYTES, 0 };
	log_fd = memfd_create("log", 0);
	if (log_fd < 0 || ftruncate(log_fd, LOG_BYTES))
		die("log");
	dirty = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, log_fd, 0);
	message(SET_LOG_BASE, payload, sizeof payload, &log_fd, 1);
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

static uint64_t buffer(uint32_t len)
{
	uint64_t at = buffers;
	buffers += (len + PAGE - 1) / PAGE * PAGE + PAGE;
	if (buffers > MEMORY - (4u << 20))
		buffers = 0x200000;
	return at;
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

static void save(const char *folder, const uint8_t *bits)
{
	char name[512];
	snprintf(name, sizeof name, "%s/%s/%03d.bin", out, folder, syncs);
	FILE *file = fopen(name, "w");
	if (!file || fwrite(bits, 1, LOG_BYTES, file) != LOG_BYTES || fclose(file))
		die(name);
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
	static uint8_t log[LOG_BYTES], changed[LOG_BYTES];
	int pages = 0, unlogged = 0;

	settle();
	mark("dirty_sync_begin", name);
	for (uint32_t i = 0; i < LOG_BYTES / 8; ++i) {
		uint64_t word = dirty ? __atomic_exchange_n(dirty + i, 0, __ATOMIC_SEQ_CST) : 0;
		memcpy(log + 8 * i, &word, 8);
	}
	memset(changed, 0, sizeof changed);
	for (uint32_t page = 0; page < MEMORY / PAGE; ++page) {
		if (!memcmp(memory + page * PAGE, shadow + page * PAGE, PAGE))
			continue;
		memcpy(shadow + page * PAGE, memory + page * PAGE, PAGE);
		changed[page / 8] |= 1 << page % 8;
		++pages;
		unlogged += !(log[page / 8] >> page % 8 & 1);
	}
	save("syncs", log);
	save("changed", changed);
	mark("dirty_sync_end", "");
	printf("{\"sync\": %d, \"name\": \"%s\", \"changed\": %d, \"changedNotLogged\": %d}\n", syncs++, name,
	       pages, unlogged);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint64_t plain = F_VERSION_1 | F_INDIRECT | F_PROTOCOL;

	if (argc < 4) {
		fprintf(stderr, "usage: vhost-user-front SOCKET OUT MARKER [event-idx]\n");
		return 2;
	}
	if (argc > 4 && !strcmp(argv[4], "event-idx"))
		plain |= F_EVENT_IDX;
	out = argv[2];
	marker = open(argv[3], O_WRONLY);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	if (marker < 0 || sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof address))
		die(argv[1]);
	memory_fd = memfd_create("guest", 0);
	if (memory_fd < 0 || ftruncate(memory_fd, MEMORY))
		die("memory");
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	shadow = calloc(1, MEMORY);
	if (memory == MAP_FAILED || !shadow)
		die("memory");
	uint64_t offered = message(GET_FEATURES, NULL, 0, NULL, 0);
	if ((offered & (plain | F_LOG_ALL)) != (plain | F_LOG_ALL)) {
		fprintf(stderr, "vhost-user-front: the back end offers 0x%llx only\n", (unsigned long long)offered);
		return 1;
	}
	uint64_t protocol = PROTOCOL & message(GET_PROTOCOL, NULL, 0, NULL, 0);
	message(SET_PROTOCOL, &protocol, 8, NULL, 0);
	message(SET_OWNER, NULL, 0, NULL, 0);
	set_features(plain);
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
