/*
 * The guest that is migrated: a 32-bit multiboot program that drives a virtio-scsi device by
 * itself (legacy PCI, one request queue, polling) and reads random blocks into random pages for
 * ever. Its processor never writes the data and response pages after the start, so a page of them
 * that differs at the destination was written by the device and not sent again.
 *
 * Command line, all optional: delay=N (time stamp counter ticks between submissions) seed=N pages=N
 * (of the data pool) cpu=N (pages that only the processor writes, one with each submission)
 * heal=N (one of N completions has a byte of its data written by the processor) zero=1 (pools
 * begin as zero pages) ind=% (indirect) sense=% (reads beyond the disk) under=% (reads shorter than
 * their buffer) unal=% (odd addresses) blocks=N (size of the disk) ready=N (completions after which
 * it says that it reads).
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;

/* Where everything lies, so that a checker can name each page: layout.txt has the same numbers. */
enum {
	RINGS = 0x200000, /* queue i at RINGS + i * 0x10000 */
	COUNTERS = 0x2f0000,
	HEADERS = 0x300000, /* 64 bytes a slot, written by the processor */
	TABLES = 0x310000, /* indirect tables, 512 bytes a slot, written by the processor */
	RESPONSES = 0x400000,
	RESPONSE_PAGES = 256,
	DATA = 0x800000,
	PROCESSOR = 0x1400000,
	PAGE = 4096,
	/* Room for a response at any of 31 places of its page. */
	RESPONSE_STEP = 128,
	QUEUES = 3,
	REQUEST_QUEUE = 2,
	SLOTS = 24,
	DIRECT_DESCS = 5, /* descriptors of the ring that a slot owns */
	MAX_SEGMENTS = 8,
};

/* Registers of a legacy virtio device behind I/O BAR 0: virtio 1.3 section 4.1.4.10. */
enum {
	DEVICE_FEATURES = 0,
	DRIVER_FEATURES = 4,
	QUEUE_ADDRESS = 8,
	QUEUE_SIZE = 12,
	QUEUE_SELECT = 14,
	QUEUE_NOTIFY = 16,
	DEVICE_STATUS = 18,
	ACKNOWLEDGE = 1,
	DRIVER = 2,
	DRIVER_OK = 4,
	VIRTIO_SCSI_PCI_ID = 0x10041af4,
	F_INDIRECT_DESC = 1 << 28,
};

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, NO_NOTIFY = 1, NO_INTERRUPT = 1 };

/* Multiboot header and entry: the stack, then main with the loader's information in ebx. */
__asm__(".section .mb,\"a\"\n"
	".align 4\n"
	".long 0x1BADB002, 0, -0x1BADB002\n"
	".text\n"
	".globl _start\n"
	"_start:\n"
	"	mov $stack + 65536, %esp\n"
	"	push %ebx\n"
	"	call guest_main\n"
	"1:	hlt\n"
	"	jmp 1b\n");
u8 stack[65536] __attribute__((aligned(4096)));

static inline void out8(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 in8(u16 port)
{
	u8 value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u16 in16(u16 port)
{
	u16 value;
	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u32 in32(u16 port)
{
	u32 value;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u64 ticks(void)
{
	u64 value;
	__asm__ volatile("rdtsc" : "=A"(value));
	return value;
}

/* --- the serial line --- */

enum { SERIAL = 0x3f8 };

static void serial_start(void)
{
	out8(SERIAL + 1, 0);
	out8(SERIAL + 3, 0x80);
	out8(SERIAL, 1);
	out8(SERIAL + 1, 0);
	out8(SERIAL + 3, 3);
}

static void put_char(char c)
{
	while (!(in8(SERIAL + 5) & 0x20))
		;
	out8(SERIAL, c);
}

static void put_text(const char *text)
{
	while (*text)
		put_char(*text++);
}

static void put_hex(u32 value)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[value >> shift & 15]);
	put_char(' ');
}

/* --- settings and random numbers --- */

static const char *command_line = "";

static u32 setting(const char *key, u32 otherwise)
{
	for (const char *at = command_line; *at; at++) {
		const char *a = at, *b = key;
		while (*b && *a == *b) {
			a++;
			b++;
		}
		if (*b || *a != '=')
			continue;
		u32 value = 0;
		for (a++; *a >= '0' && *a <= '9'; a++)
			value = value * 10 + (*a - '0');
		return value;
	}
	return otherwise;
}

static u32 random_state;

static u32 random_below(u32 limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (u64)random_state * limit >> 32;
}

/* --- the device --- */

struct desc {
	u32 addr, addr_high, len;
	u16 flags, next;
};

static u16 io;
static u32 ring_size;
static struct desc *ring;
static volatile u16 *avail; /* flags, index, entries */
static volatile u8 *used;
static u16 avail_index, used_seen;

static u32 pci_read(u32 function, u32 offset)
{
	out32(0xcf8, 0x80000000u | function << 8 | offset);
	return in32(0xcfc);
}

static void pci_write(u32 function, u32 offset, u32 value)
{
	out32(0xcf8, 0x80000000u | function << 8 | offset);
	out32(0xcfc, value);
}

static void fill_words(u32 from, u32 words, u32 mark)
{
	for (u32 i = 0; i < words; i++)
		((volatile u32 *)from)[i] = mark ? mark | i : 0;
}

static void start_queue(int index)
{
	u32 at = RINGS + index * 0x10000;
	out16(io + QUEUE_SELECT, index);
	u32 size = in16(io + QUEUE_SIZE);
	if (!size)
		return;
	fill_words(at, 0x10000 / 4, 0);
	volatile u16 *entries = (u16 *)(at + 16 * size);
	entries[0] = NO_INTERRUPT;
	out32(io + QUEUE_ADDRESS, at / PAGE);
	if (index != REQUEST_QUEUE)
		return;
	ring_size = size;
	ring = (struct desc *)at;
	avail = entries;
	used = (u8 *)((at + 16 * size + 6 + 2 * size + PAGE - 1) & -PAGE);
}

static int find_device(void)
{
	for (u32 function = 0; function < 256; function++) {
		if (pci_read(function, 0) != VIRTIO_SCSI_PCI_ID)
			continue;
		pci_write(function, 4, pci_read(function, 4) | 5); /* I/O, bus master */
		io = pci_read(function, 0x10) & ~3;
		return 1;
	}
	return 0;
}

static void start_device(void)
{
	out8(io + DEVICE_STATUS, 0);
	out8(io + DEVICE_STATUS, ACKNOWLEDGE);
	out8(io + DEVICE_STATUS, ACKNOWLEDGE | DRIVER);
	out32(io + DRIVER_FEATURES, in32(io + DEVICE_FEATURES) & F_INDIRECT_DESC);
	for (int i = 0; i < QUEUES; i++)
		start_queue(i);
	out8(io + DEVICE_STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
}

/* --- requests --- */

static struct slot {
	u8 busy;
	u32 response, nsegments;
	u32 segment[MAX_SEGMENTS], len[MAX_SEGMENTS];
} slots[SLOTS];
static u32 in_flight, submitted, completed, bad;
static u32 pages, heal, indirect, under, sense, unaligned, blocks, processor_pages, ready;

static void count(void)
{
	volatile u32 *counters = (u32 *)COUNTERS;
	counters[0] = submitted;
	counters[1] = completed;
	counters[2] = bad;
}

static void complete(u32 head)
{
	struct slot *s = &slots[head / DIRECT_DESCS];
	if (head / DIRECT_DESCS >= SLOTS || !s->busy) {
		bad++;
		return;
	}
	const volatile u8 *response = (u8 *)s->response;
	if (response[10] || response[11]) /* status, response */
		bad++;
	if (heal && !random_below(heal))
		*(volatile u8 *)(s->segment[0] + random_below(s->len[0])) ^= 0x80;
	s->busy = 0;
	in_flight--;
	completed++;
	count();
	if (completed == ready)
		put_text("guest: reading\n");
	if (!(completed & 1023)) {
		put_text("guest: done ");
		put_hex(completed);
		put_hex(bad);
		put_text("\n");
	}
}

static void reap(void)
{
	while (used_seen != *(volatile u16 *)(used + 2)) {
		u32 head = *(volatile u32 *)(used + 4 + 8 * (used_seen % ring_size));
		used_seen++;
		complete(head);
	}
}

/* Where the data goes; returns its bytes. */
static u32 choose_segments(struct slot *s)
{
	u32 total = 0;
	s->nsegments = 1 + random_below(random_below(4) ? 2 : MAX_SEGMENTS);
	for (u32 i = 0; i < s->nsegments; i++) {
		u32 len = random_below(3) ? PAGE : 512 * (1 + random_below(8));
		u32 at = DATA + random_below(pages - 1) * PAGE;
		if (random_below(100) < unaligned)
			at += random_below(PAGE);
		else if (len < PAGE)
			at += 512 * random_below((PAGE - len) / 512 + 1);
		s->segment[i] = at;
		s->len[i] = len;
		total += len;
	}
	return total;
}

/* struct virtio_scsi_cmd_req with a READ(10) */
static void write_header(u32 at, u32 slot, u32 lba, u32 count)
{
	u8 *h = (u8 *)at;
	for (int i = 0; i < 51; i++)
		h[i] = 0;
	h[0] = 1; /* LUN: target 1, LUN 0 */
	h[1] = 1;
	h[2] = 0x40;
	*(u32 *)(h + 8) = slot;
	*(u32 *)(h + 12) = submitted;
	h[19] = 0x28;
	h[21] = lba >> 24;
	h[22] = lba >> 16;
	h[23] = lba >> 8;
	h[24] = lba;
	h[26] = count >> 8;
	h[27] = count;
}

static void set_desc(struct desc *d, u32 addr, u32 len, u16 flags, u16 next)
{
	*d = (struct desc){ .addr = addr, .len = len, .flags = flags, .next = next };
}

static void submit(void)
{
	u32 slot = 0;
	while (slots[slot].busy)
		slot++;
	struct slot *s = &slots[slot];
	s->busy = 1;
	s->response = RESPONSES + random_below(RESPONSE_PAGES) * PAGE + RESPONSE_STEP * random_below(31);
	u32 count_blocks = choose_segments(s) / 512;
	if (random_below(100) < under && count_blocks > 1)
		count_blocks -= 1 + random_below(count_blocks - 1);
	u32 lba = random_below(100) < sense ? blocks + random_below(1000)
					    : random_below(blocks - count_blocks);
	u32 header = HEADERS + slot * 64, head = slot * DIRECT_DESCS, n = 2 + s->nsegments;
	write_header(header, slot, lba, count_blocks);
	int table = n > DIRECT_DESCS || random_below(100) < indirect;
	u32 base = table ? 0 : head;
	struct desc *d = table ? (struct desc *)(TABLES + slot * 512) : ring;
	for (u32 i = 0; i < n; i++) {
		u16 flags = (i + 1 < n ? DESC_NEXT : 0) | (i ? DESC_WRITE : 0);
		u32 addr = i == 0 ? header : i == 1 ? s->response : s->segment[i - 2];
		u32 len = i == 0 ? 51 : i == 1 ? 108 : s->len[i - 2];
		set_desc(d + base + i, addr, len, flags, base + i + 1);
	}
	if (table)
		set_desc(ring + head, TABLES + slot * 512, n * 16, DESC_INDIRECT, 0);
	avail[2 + avail_index % ring_size] = head;
	__asm__ volatile("" : : : "memory");
	avail[1] = ++avail_index;
	__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory");
	if (processor_pages)
		++*(volatile u32 *)(PROCESSOR + submitted % processor_pages * PAGE);
	in_flight++;
	submitted++;
	count();
	if (!(*(volatile u16 *)used & NO_NOTIFY))
		out16(io + QUEUE_NOTIFY, REQUEST_QUEUE);
}

void guest_main(const u32 *multiboot)
{
	if (multiboot[0] & 4)
		command_line = (const char *)multiboot[4];
	pages = setting("pages", 3072);
	heal = setting("heal", 0);
	indirect = setting("ind", 30);
	under = setting("under", 30);
	sense = setting("sense", 2);
	unaligned = setting("unal", 25);
	blocks = setting("blocks", 16384);
	processor_pages = setting("cpu", 0);
	ready = setting("ready", 200);
	u32 delay = setting("delay", 2000000);
	random_state = setting("seed", 1) * 2654435761u + 12345;
	for (int i = 0; i < 10; i++)
		random_below(1);
	serial_start();
	if (!find_device()) {
		put_text("guest: no virtio-scsi device\n");
		return;
	}
	if (!setting("zero", 0))
		fill_words(DATA, pages * 1024, 0xa5000000u);
	fill_words(RESPONSES, RESPONSE_PAGES * 1024, 0x5a000000u);
	start_device();
	put_text("guest: started\n");
	for (u64 next = ticks();;) {
		reap();
		if (in_flight < SLOTS && ticks() >= next) {
			next = ticks() + delay / 2 + random_below(delay + 1);
			submit();
		} else {
			__asm__ volatile("pause");
		}
	}
}
