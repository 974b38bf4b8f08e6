/* Requests to vhost-scsi: commands, task management, event buffers. */
#include "exercise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_be(u8 *bytes, u64 value, int n)
{
	while (n--) {
		bytes[n] = value;
		value >>= 8;
	}
}

/* struct virtio_scsi_cmd_req, virtio 1.3 section 5.6.6.1 */
void scsi_header(u8 *header, int target, int lun, int lun_byte0, u64 tag, const u8 *cdb)
{
	memset(header, 0, SCSI_REQUEST_BYTES);
	header[0] = lun_byte0;
	header[1] = target;
	header[2] = 0x40 | lun >> 8;
	header[3] = lun;
	memcpy(header + 8, &tag, 8);
	memcpy(header + 19, cdb, 32);
}

void scsi_cdb_rw(u8 *cdb, bool write, bool wide, u64 lba, u32 blocks)
{
	memset(cdb, 0, 32);
	if (wide) {
		cdb[0] = write ? 0x8a : 0x88;
		put_be(cdb + 2, lba, 8);
		put_be(cdb + 10, blocks, 4);
	} else {
		cdb[0] = write ? 0x2a : 0x28;
		put_be(cdb + 2, lba, 4);
		put_be(cdb + 7, blocks, 2);
	}
}

static bool is(const char *a, const char *b)
{
	return !strcmp(a, b);
}

/* The CDB of one command; data: bytes of its buffers, which is also the allocation length. */
static void command(u8 *cdb, const char *op, struct words w, u64 lba, u64 data)
{
	u64 alloc = option_number(w, "alloc", data);
	u32 blocks = option_number(w, "nblk", data / 512);
	memset(cdb, 0, 32);
	if (is(op, "read10") || is(op, "read16")) {
		scsi_cdb_rw(cdb, false, is(op, "read16"), lba, blocks);
	} else if (is(op, "write10") || is(op, "write16")) {
		scsi_cdb_rw(cdb, true, is(op, "write16"), lba, blocks);
	} else if (is(op, "inquiry")) {
		cdb[0] = 0x12;
		cdb[1] = option(w, "page") != NULL; /* EVPD */
		cdb[2] = option_number(w, "page", 0);
		put_be(cdb + 3, alloc, 2);
	} else if (is(op, "modesense6")) {
		cdb[0] = 0x1a;
		cdb[2] = option_number(w, "page", 0x3f);
		cdb[4] = alloc > 255 ? 255 : alloc;
	} else if (is(op, "modesense10")) {
		cdb[0] = 0x5a;
		cdb[2] = option_number(w, "page", 0x3f);
		put_be(cdb + 7, alloc, 2);
	} else if (is(op, "reportluns")) {
		cdb[0] = 0xa0;
		put_be(cdb + 6, alloc, 4);
	} else if (is(op, "readcap10")) {
		cdb[0] = 0x25;
	} else if (is(op, "readcap16")) {
		cdb[0] = 0x9e;
		cdb[1] = 0x10;
		put_be(cdb + 10, alloc, 4);
	} else if (is(op, "reqsense")) {
		cdb[0] = 0x03;
		cdb[4] = alloc > 252 ? 252 : alloc;
	} else if (is(op, "cdb")) {
		const char *hex = option(w, "bytes");
		for (int i = 0; hex && hex[0] && hex[1] && i < 32; i++, hex += 2) {
			unsigned byte;
			if (sscanf(hex, "%2x", &byte) != 1)
				die("bytes=%s", hex);
			cdb[i] = byte;
		}
	} else if (!is(op, "tur")) {
		die("unknown command %s", op);
	}
}

/* struct virtio_scsi_ctrl_tmf_req and virtio_scsi_ctrl_an_req, virtio 1.3 section 5.6.6.2 */
static void control_request(int queue, const char *op, struct words w)
{
	u8 bytes[64] = { 0 };
	u32 type = is(op, "tmf")	? 0
		   : is(op, "an_query") ? 1
		   : is(op, "an_sub")	? 2
					: option_number(w, "type", 77);
	u32 len = option_number(w, "reqlen", type == 0 ? 24 : 20);
	u32 subtype = option_number(w, "subtype", 5); /* LOGICAL UNIT RESET */
	u8 *lun = bytes + (type == 0 ? 8 : 4);
	memcpy(bytes, &type, 4);
	if (type == 0)
		memcpy(bytes + 4, &subtype, 4);
	else
		bytes[12] = 2;
	lun[0] = option_number(w, "lun0", 1);
	lun[1] = option_number(w, "target", 1);
	lun[2] = 0x40;
	lun[3] = option_number(w, "lun", 0);
	u64 gpa = heap_take(len, random_below(4000));
	guest_write(gpa, bytes, len);
	chain_add(gpa, len, false);
	const char *response = option(w, "resp");
	chain_add_pieces(response ? response : type == 0 ? "1" : "5", true);
	if (submit(queue, option_number(w, "ind", DIRECT), option_set(w, "drop"),
		   option_number(w, "badnext", 0), op) < 0)
		die("queue %d is full", queue);
}

/* The response, and the data that the device writes, behind it. */
static void add_response(struct words w, const struct segment *in, int nin, u64 in_bytes)
{
	if (option_set(w, "merge")) { /* response and all data in one descriptor */
		u32 len = SCSI_RESPONSE_BYTES + in_bytes;
		u64 gpa = heap_take(len, option_number(w, "moff", 4000));
		guest_fill(gpa, len, FILL_UNTOUCHED);
		chain_add(gpa, len, true);
		return;
	}
	if (!option_set(w, "noresp")) {
		const char *response = option(w, "resp");
		chain_add_pieces(response ? response : "108", true);
	}
	for (int i = 0; i < nin; i++)
		chain_add(in[i].gpa, in[i].len, true);
}

static int command_request(int queue, const char *op, struct words w, u64 lba)
{
	static struct segment out[MAX_SEGMENTS], in[MAX_SEGMENTS];
	u8 cdb[32], header[SCSI_REQUEST_BYTES];
	chain_start();
	u64 out_bytes = chain_add_pieces(option(w, "out"), false);
	int nout = chain_length();
	memcpy(out, chain_segments(), sizeof *out * nout);
	chain_start();
	u64 in_bytes = chain_add_pieces(option(w, "in"), true);
	int nin = chain_length();
	memcpy(in, chain_segments(), sizeof *in * nin);
	chain_start();

	command(cdb, op, w, lba, in_bytes ? in_bytes : out_bytes);
	scsi_header(header, option_number(w, "target", 1), option_number(w, "lun", 0),
		    option_number(w, "lun0", 1), requests_made, cdb);
	u32 len = option_number(w, "reqlen", SCSI_REQUEST_BYTES), cut = option_number(w, "hsplit", 0);
	u64 gpa = heap_take(len, random_below(4000));
	guest_write(gpa, header, len > SCSI_REQUEST_BYTES ? SCSI_REQUEST_BYTES : len);
	if (cut && cut < len) {
		chain_add(gpa, cut, false);
		chain_add(gpa + cut, len - cut, false);
	} else {
		chain_add(gpa, len, false);
	}
	for (int i = 0; i < nout; i++)
		chain_add(out[i].gpa, out[i].len, false);
	add_response(w, in, nin, in_bytes);
	return submit(queue, option_number(w, "ind", DIRECT), option_set(w, "drop"),
		      option_number(w, "badnext", 0), op);
}

void scsi_request(struct words w)
{
	const char *op = option(w, "op");
	if (!op)
		op = "tur";
	int queue = option_number(w, "vq", 2), count = option_number(w, "count", 1);
	int again = option_number(w, "again", 0);
	u64 lba = option_number(w, "lba", 0), step = option_number(w, "lbastep", 0);
	bool control = is(op, "tmf") || is(op, "an_query") || is(op, "an_sub") || is(op, "ctlraw");
	for (int i = 0; i < count; i++) {
		if (control) {
			chain_start();
			control_request(queue, op, w);
			continue;
		}
		int head = command_request(queue, op, w, lba);
		if (head < 0)
			die("queue %d is full", queue);
		for (int k = 0; k < again; k++)
			submit_again(queue, head);
		lba += step;
	}
	if (!option_set(w, "nokick"))
		kick(queue);
}

void scsi_post_events(int count, u32 len)
{
	for (int i = 0; i < count; i++) {
		u64 gpa = heap_take(len, random_below(4080));
		guest_fill(gpa, len, FILL_UNTOUCHED);
		chain_start();
		chain_add(gpa, len, true);
		if (submit(1, DIRECT, false, 0, "event") < 0)
			die("the event queue is full");
	}
	kick(1);
}
