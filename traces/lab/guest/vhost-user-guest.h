/*
 * What the front ends of the lab share: guest memory in a memfd and a shadow of what the guest knows of it,
 * messages (docs/interop/vhost-user.rst of QEMU), the dirty log, which they read and clear at each sync.
 * Whoever includes it says what is written down of a message: noted().
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
enum { D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4 };

struct header { uint32_t request, flags, size; };
struct desc { uint64_t addr; uint32_t len; uint16_t flags, next; };
static uint8_t *memory, *shadow;
static int memory_fd, log_fd, sock, syncs;
static uint64_t *dirty;
static uint64_t features, buffers = 0x200000;
static const char *out;

/* A message took effect: SET_FEATURES, SET_LOG_BASE with their first word. */
static void noted(uint32_t request, uint64_t w0, uint64_t w1, uint64_t w2);

static void die(const char *what)
{
	fprintf(stderr, "front end: %s: %s\n", what, strerror(errno));
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
	/* DPDK answers SET_LOG_BASE without a payload, for which recv() would wait. */
	if (header.size > sizeof answer ||
	    (header.size && recv(sock, answer, header.size, MSG_WAITALL) != (ssize_t)header.size))
		die("answer");
	memcpy(&value, answer, sizeof value);
	if (!asks && value) {
		fprintf(stderr, "front end: message %u refused\n", request);
		exit(1);
	}
	return value;
}

static void set_features(uint64_t on)
{
	features = on;
	message(SET_FEATURES, &on, 8, NULL, 0);
	noted(SET_FEATURES, on, 0, 0);
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

static void set_log(void)
{
	uint64_t payload[2] = { LOG_BYTES, 0 };
	log_fd = memfd_create("log", 0);
	if (log_fd < 0 || ftruncate(log_fd, LOG_BYTES))
		die("log");
	dirty = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, log_fd, 0);
	message(SET_LOG_BASE, payload, sizeof payload, &log_fd, 1);
	noted(SET_LOG_BASE, 1, 0, 0);
}

static uint64_t buffer(uint32_t len)
{
	uint64_t at = buffers;
	buffers += (len + PAGE - 1) / PAGE * PAGE + PAGE;
	if (buffers > MEMORY - (4u << 20))
		buffers = 0x200000;
	return at;
}

static void save(const char *folder, const uint8_t *bits)
{
	char name[512];
	snprintf(name, sizeof name, "%s/%s/%03d.bin", out, folder, syncs);
	FILE *file = fopen(name, "w");
	if (!file || fwrite(bits, 1, LOG_BYTES, file) != LOG_BYTES || fclose(file))
		die(name);
}

/* Reads and clears the log, compares the memory with what the guest knows, saves both. */
static void harvest(const char *name)
{
	static uint8_t log[LOG_BYTES], changed[LOG_BYTES];
	int pages = 0, unlogged = 0;

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
	printf("{\"sync\": %d, \"name\": \"%s\", \"changed\": %d, \"changedNotLogged\": %d}\n", syncs, name,
	       pages, unlogged);
}

/* Connects, makes the guest's memory, negotiates; the features that are `wanted` must all be offered. */
static void connect_to(const char *path, uint64_t wanted)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof address))
		die(path);
	memory_fd = memfd_create("guest", 0);
	if (memory_fd < 0 || ftruncate(memory_fd, MEMORY))
		die("memory");
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	shadow = calloc(1, MEMORY);
	if (memory == MAP_FAILED || !shadow)
		die("memory");
	/* Zeros that a back end writes show, too. */
	memset(memory + buffers, 0x5a, MEMORY - buffers);
	memset(shadow + buffers, 0x5a, MEMORY - buffers);
	uint64_t offered = message(GET_FEATURES, NULL, 0, NULL, 0);
	if ((offered & (wanted | F_LOG_ALL)) != (wanted | F_LOG_ALL)) {
		fprintf(stderr, "front end: the back end offers 0x%llx only\n", (unsigned long long)offered);
		exit(1);
	}
	uint64_t protocol = PROTOCOL & message(GET_PROTOCOL, NULL, 0, NULL, 0);
	message(SET_PROTOCOL, &protocol, 8, NULL, 0);
	message(SET_OWNER, NULL, 0, NULL, 0);
	set_features(wanted);
}
