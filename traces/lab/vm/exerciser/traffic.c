/* Random traffic, the same on every kernel for one seed. */
#include "exercise.h"

#include <string.h>
#include <unistd.h>

enum { TARGET = 1, NO_TARGET = 9, NO_LUN = 77 };

/* Splits a buffer into about `pieces` segments. */
static void add_split(u32 total, int pieces, bool unaligned, bool device_writes)
{
	for (; total; pieces--) {
		u32 n = pieces <= 1 ? total
			: unaligned ? 1 + random_below(2 * total / pieces + 1)
				    : 512 * (1 + random_below(2 * (total / 512) / pieces + 1));
		if (n > total)
			n = total;
		u64 gpa = heap_take(n, unaligned ? random_below(PAGE_BYTES) : random_below(8) * 512);
		guest_fill(gpa, n, device_writes ? FILL_UNTOUCHED : FILL_SENT);
		chain_add(gpa, n, device_writes);
		total -= n;
	}
}

enum direction { NO_DATA, FROM_DEVICE, TO_DEVICE };

struct command {
	u8 cdb[32];
	const char *note;
	enum direction direction;
	u32 bytes;
	bool unaligned;
};

/* READ, WRITE, INQUIRY, MODE SENSE, REPORT LUNS or TEST UNIT READY. */
static struct command choose(u32 read_percent, u32 max_blocks, bool unaligned)
{
	struct command c = { .note = "tur", .unaligned = unaligned };
	u32 die = random_below(100);
	if (die < read_percent + 20) {
		bool write = die >= read_percent;
		u32 blocks = 1 + random_below(max_blocks);
		scsi_cdb_rw(c.cdb, write, random_below(2), random_below(4096), blocks);
		c.bytes = blocks * 512;
		c.direction = write ? TO_DEVICE : FROM_DEVICE;
		c.note = write ? "write" : "read";
		return c;
	}
	if (die >= read_percent + 36)
		return c;
	c.direction = FROM_DEVICE;
	c.unaligned = true;
	if (die < read_percent + 28) {
		c.bytes = 36 + random_below(4000);
		c.cdb[0] = 0x12;
		c.cdb[3] = c.bytes >> 8;
		c.cdb[4] = c.bytes;
		c.note = "inquiry";
	} else if (die < read_percent + 32) {
		c.bytes = 8 + random_below(248);
		c.cdb[0] = 0x1a;
		c.cdb[2] = 0x3f;
		c.cdb[4] = c.bytes;
		c.note = "modesense";
	} else {
		c.bytes = 16 + random_below(6000);
		c.cdb[0] = 0xa0;
		c.cdb[8] = c.bytes >> 8;
		c.cdb[9] = c.bytes;
		c.note = "reportluns";
	}
	return c;
}

/* What the words of a `rand` line say about requests to vhost-scsi. */
struct scsi_mix {
	u32 max_segments, max_blocks, luns, indirect, unaligned, reads, bad;
};

static void random_command(int queue, const struct scsi_mix *mix)
{
	struct queue *q = &queues[queue];
	bool tables = features >> 28 & 1; /* VIRTIO_RING_F_INDIRECT_DESC */
	u8 header[SCSI_REQUEST_BYTES];
	int lun = random_below(mix->luns), target = TARGET;
	struct command c = choose(mix->reads, mix->max_blocks, random_percent(mix->unaligned));
	if (random_percent(mix->bad)) {
		if (random_below(2))
			target = NO_TARGET;
		else
			lun = NO_LUN;
	}
	scsi_header(header, target, lun, 1, requests_made, c.cdb);
	chain_start();
	u64 gpa = heap_take(sizeof header, random_below(PAGE_BYTES));
	guest_write(gpa, header, sizeof header);
	chain_add(gpa, sizeof header, false);
	if (c.direction == TO_DEVICE)
		add_split(c.bytes, 1 + random_below(mix->max_segments), c.unaligned, false);
	gpa = heap_take(SCSI_RESPONSE_BYTES, random_below(PAGE_BYTES));
	guest_fill(gpa, SCSI_RESPONSE_BYTES, FILL_UNTOUCHED);
	chain_add(gpa, SCSI_RESPONSE_BYTES, true);
	if (c.direction == FROM_DEVICE)
		add_split(c.bytes, 1 + random_below(mix->max_segments), c.unaligned, true);
	int indirect = DIRECT;
	if (tables && (random_percent(mix->indirect) || q->nfree < chain_length()))
		indirect = random_percent(75) ? INDIRECT : 2;
	while (submit(queue, indirect, false, 0, c.note) < 0) {
		if (tables)
			indirect = INDIRECT;
		if (!reap_all())
			usleep(100);
	}
}

void traffic_scsi(struct words w)
{
	int count = option_number(w, "n", 100), depth = option_number(w, "depth", 16),
	    burst = option_number(w, "burst", 4), first = option_number(w, "q0", 2),
	    last = option_number(w, "q1", 2);
	/* toggle=K: switch LOG_ALL about every K bursts, without waiting for anything */
	u32 toggle = option_number(w, "toggle", 0);
	struct scsi_mix mix = {
		.max_segments = option_number(w, "maxseg", 8),
		.max_blocks = option_number(w, "maxblk", 64),
		.luns = option_number(w, "nlun", 2),
		.indirect = option_number(w, "indpct", 50),
		.unaligned = option_number(w, "unalpct", 50),
		.reads = option_number(w, "readpct", 45),
		.bad = option_number(w, "badpct", 5),
	};
	random_seed(option_number(w, "seed", 1));
	while (count > 0) {
		while (in_flight() >= depth)
			if (!reap_all())
				usleep(100);
		int queue = first + random_below(last - first + 1);
		for (int n = 1 + random_below(burst); n > 0 && count > 0; n--, count--)
			random_command(queue, &mix);
		if (toggle && random_below(toggle) == 0)
			vmm_set_features(!log_all);
		kick(queue);
	}
	wait_idle(20000);
	if (toggle && !log_all)
		vmm_set_features(true);
}

/* Bytes of receive buffers that are posted and not used. */
static u64 posted_bytes(void)
{
	u64 bytes = 0;
	for (u32 head = 0; head < queues[0].num; head++) {
		const struct request *r = &queues[0].requests[head];
		for (int i = 0; r->listed && i < r->nsegments; i++)
			bytes += r->segments[i].len;
	}
	return bytes;
}

static void random_transmit(void)
{
	static u8 bytes[2048];
	enum { HEADER = 12 };
	u32 total = HEADER + 60 + random_below(1500), cut = 1 + random_below(total - 1);
	memset(bytes, 0, HEADER);
	net_frame(bytes + HEADER, total - HEADER, requests_made);
	chain_start();
	chain_add(heap_take(cut, random_below(PAGE_BYTES)), cut, false);
	chain_add(heap_take(total - cut, random_below(PAGE_BYTES)), total - cut, false);
	chain_put(bytes, total);
	submit(1, DIRECT, false, 0, "tx"); /* a full ring is no fault here */
}

void traffic_net(struct words w)
{
	int count = option_number(w, "n", 200), burst = option_number(w, "burst", 6);
	u32 max_segments = option_number(w, "maxseg", 3), largest = option_number(w, "maxbuf", 2100),
	    smallest = option_number(w, "minbuf", 64), max_frame = option_number(w, "maxpkt", 3000),
	    indirect = option_number(w, "indpct", 0), transmit = option_number(w, "txpct", 30);
	random_seed(option_number(w, "seed", 1));
	while (count > 0) {
		for (int n = random_below(burst + 1); n > 0; n--) {
			chain_start();
			add_split(smallest + random_below(largest - smallest + 1),
				  1 + random_below(max_segments), true, true);
			if (submit(0, random_percent(indirect) ? 1 + random_below(2) : DIRECT, false,
				   0, "rx") < 0)
				break;
		}
		kick(0);
		if (random_percent(transmit)) {
			for (int n = 1 + random_below(burst); n > 0; n--)
				random_transmit();
			kick(1);
		}
		/*
		 * Never more frames than the posted buffers can take: short of buffers, some
		 * kernels spin in handle_rx() and flood the recording.
		 */
		vmm_settle();
		int64_t room = posted_bytes();
		for (int n = random_below(burst); n > 0 && count > 0; n--) {
			u32 len = 60 + random_below(random_percent(75) ? 1455 : max_frame);
			room -= len + 12 + largest;
			if (room < 0)
				break;
			net_inject(len);
			count--;
		}
		reap_all();
	}
	vmm_settle();
}
