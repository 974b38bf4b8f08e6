/* The guest's side of the split virtqueues: chains out, used elements in. */
#include "exercise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

struct queue queues[MAX_QUEUES];
int requests_made;

static bool in_order(void)
{
	return features >> VIRTIO_F_IN_ORDER & 1;
}

static u64 align(u64 value, u64 to)
{
	return (value + to - 1) / to * to;
}

/* Rings lie one after the other from here on, unless the script says where. */
static u64 next_ring = 0x10000;

void queue_rings_at(u64 gpa)
{
	next_ring = gpa;
}

static void define_at(struct queue *q, u64 start, struct words w)
{
	u64 avail = start + 16 * q->num, used = align(avail + 6 + 2 * q->num, PAGE_BYTES);
	q->desc = option_number(w, "desc", start);
	q->avail = option_number(w, "avail", avail);
	q->used = option_number(w, "used", used);
	next_ring = used + 6 + 8 * q->num;
}

void queue_define(int index, u32 num, struct words w)
{
	static const u8 zeros[16 * MAX_RING];
	struct queue *q = &queues[index];
	if (num > MAX_RING)
		die("a ring of %u is larger than %d", num, MAX_RING);
	q->on = true;
	q->late = option_set(w, "late");
	q->num = num;
	define_at(q, align(next_ring, PAGE_BYTES), w);
	for (u32 i = 0; i < num; i++)
		q->free_descs[q->nfree++] = i;
	/* base=N: as if N chains had been used already */
	q->base = q->avail_idx = q->last_used = q->next_desc = option_number(w, "base", 0);
	guest_write(q->desc, zeros, 16 * num);
	guest_write(q->avail, zeros, 6 + 2 * num);
	guest_write(q->avail + 2, &q->base, 2);
	/* Flags, index and avail_event of the used ring; its elements keep their untouched bytes. */
	guest_write(q->used, zeros, 4);
	guest_write(q->used + 2, &q->base, 2);
	guest_write(q->used + 4 + 8 * num, zeros, 2);
}

/* --- making it available --- */

/* Descriptors from random places of the free list, so that chains are scattered; or in order. */
static void take_descriptors(struct queue *q, u16 *descs, int n)
{
	for (int i = 0; i < n; i++) {
		if (in_order()) {
			descs[i] = q->next_desc++ & (q->num - 1);
			q->nfree--;
		} else {
			int k = random_below(q->nfree);
			descs[i] = q->free_descs[k];
			q->free_descs[k] = q->free_descs[--q->nfree];
		}
	}
}

static void write_descriptor(u64 at, u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc d = { .addr = addr, .len = len, .flags = flags, .next = next };
	guest_write(at, &d, sizeof d);
}

static void write_table(u64 table, const struct segment *segments, int n)
{
	for (int i = 0; i < n; i++) {
		bool last = i + 1 == n;
		u16 flags = (segments[i].device_writes ? VRING_DESC_F_WRITE : 0) |
			    (last ? 0 : VRING_DESC_F_NEXT);
		write_descriptor(table + 16 * i, segments[i].gpa, segments[i].len, flags,
				 last ? 0 : i + 1);
	}
}

static void list_head(struct queue *q, u16 head)
{
	guest_write(q->avail + 4 + 2 * (q->avail_idx & (q->num - 1)), &head, 2);
	q->order[q->order_in++ % MAX_RING] = head;
	q->avail_idx++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	guest_write(q->avail + 2, &q->avail_idx, 2);
}

int submit(int index, int indirect, bool unanswered, int bad_next, const char *note)
{
	struct queue *q = &queues[index];
	const struct segment *chain = chain_segments();
	int nchain = chain_length(), direct = nchain;
	if (indirect == INDIRECT)
		direct = 0;
	else if (indirect > 1 && indirect - 1 < nchain)
		direct = indirect - 1;
	int intable = nchain - direct, ndescs = direct + (intable > 0);
	if (q->nfree < ndescs)
		return -1;
	u16 *descs = calloc(ndescs + 1, sizeof *descs);
	take_descriptors(q, descs, ndescs);
	struct request *r = &q->requests[descs[0]];
	if (r->listed)
		die("head %u is in flight", descs[0]);
	u64 table = intable ? heap_take(16 * intable, random_percent(75) ? (int)random_below(255) * 16
									 : ANY_OFFSET)
			    : 0;
	for (int i = 0; i < ndescs; i++) {
		bool last = i + 1 == ndescs;
		u64 addr = i < direct ? chain[i].gpa : table;
		u32 len = i < direct ? chain[i].len : 16u * intable;
		u16 flags = i >= direct		   ? VRING_DESC_F_INDIRECT
			    : chain[i].device_writes ? VRING_DESC_F_WRITE
						   : 0;
		u16 next = last ? 0 : descs[i + 1];
		if (last && bad_next) /* 1: a loop to the head; else: outside the table */
			next = bad_next == 1 ? descs[0] : 0xfff0;
		if (!last || bad_next)
			flags |= VRING_DESC_F_NEXT;
		write_descriptor(q->desc + 16 * descs[i], addr, len, flags, next);
	}
	if (intable)
		write_table(table, chain + direct, intable);
	*r = (struct request){ .listed = 1, .unanswered = unanswered, .number = requests_made++,
			       .nsegments = nchain, .ndescs = ndescs, .descs = descs };
	r->segments = malloc(sizeof *chain * (nchain + 1));
	memcpy(r->segments, chain, sizeof *chain * nchain);
	journal("submit", ",\"request\":%d,\"queue\":%d,\"head\":%u,\"note\":\"%s\"", r->number, index,
		descs[0], note);
	list_head(q, descs[0]);
	chain_start();
	return descs[0];
}

void submit_again(int index, int head)
{
	struct queue *q = &queues[index];
	struct request *r = &q->requests[head];
	if (!r->listed)
		die("head %d is not in flight", head);
	r->listed++;
	journal("submit", ",\"request\":%d,\"queue\":%d,\"head\":%d,\"note\":\"again\"", r->number,
		index, head);
	list_head(q, head);
}

void kick(int index)
{
	u64 one = 1;
	if (write(queues[index].kick, &one, sizeof one) != sizeof one)
		die("kick of queue %d", index);
}

/* --- used elements --- */

static u16 used_idx(const struct queue *q)
{
	return __atomic_load_n((u16 *)memory_host(q->used + 2, 2), __ATOMIC_ACQUIRE);
}

static void release(struct queue *q, struct request *r)
{
	if (--r->listed > 0)
		return;
	if (in_order())
		q->nfree += r->ndescs;
	else
		for (int i = 0; i < r->ndescs; i++)
			q->free_descs[q->nfree++] = r->descs[i];
	free(r->segments);
	free(r->descs);
	*r = (struct request){ 0 };
}

/* First bytes of what the device wrote into a chain; returns how many. */
static u32 answer(const struct request *r, u8 *bytes, u32 size)
{
	u32 have = 0;
	for (int i = 0; i < r->nsegments; i++) {
		const struct segment *s = &r->segments[i];
		u32 n = s->len < size - have ? s->len : size - have;
		if (!s->device_writes || !n || !memory_holds(s->gpa, n))
			continue;
		guest_read(s->gpa, bytes + have, n);
		have += n;
	}
	return have;
}

static void reap_chain(int index, u16 head, u32 len)
{
	struct queue *q = &queues[index];
	struct request *r = &q->requests[head];
	u8 bytes[SCSI_RESPONSE_BYTES];
	u32 n = answer(r, bytes, sizeof bytes);
	u64 changed = 0;
	for (int i = 0; i < r->nsegments; i++)
		if (r->segments[i].device_writes && r->segments[i].len &&
		    memory_holds(r->segments[i].gpa, r->segments[i].len))
			changed += accept_changes(r->segments[i].gpa, r->segments[i].len);
	char said[64] = "";
	if (device == DEVICE_SCSI && index >= 2 && n == SCSI_RESPONSE_BYTES)
		/* struct virtio_scsi_cmd_resp: status, response */
		snprintf(said, sizeof said, ",\"status\":%u,\"response\":%u", bytes[10], bytes[11]);
	else if (device == DEVICE_SCSI && index == 0 && n > 0)
		snprintf(said, sizeof said, ",\"response\":%u", bytes[n - 1]);
	journal("used", ",\"request\":%d,\"queue\":%d,\"head\":%u,\"len\":%u,\"changed_bytes\":%llu%s",
		r->number, index, head, len, (unsigned long long)changed, said);
	if (device == DEVICE_VSOCK && index == 0 && n >= 44)
		vsock_seen(bytes);
	release(q, r);
}

/* One used element; with VIRTIO_F_IN_ORDER it may stand for several chains. */
static int reap_element(int index)
{
	struct queue *q = &queues[index];
	struct vring_used_elem e;
	guest_read(q->used + 4 + 8 * (q->last_used & (q->num - 1)), &e, sizeof e);
	u16 heads[MAX_RING];
	int n = 0;
	bool known = false;
	if (in_order()) {
		while (!known && q->order_out != q->order_in) {
			heads[n] = q->order[q->order_out++ % MAX_RING];
			known = heads[n++] == e.id;
		}
	} else if (e.id < q->num && q->requests[e.id].listed) {
		heads[n++] = e.id;
		known = true;
	}
	if (!known) {
		journal("used_unknown", ",\"queue\":%d,\"head\":%u,\"len\":%u", index, e.id, e.len);
		q->last_used++;
		return 1;
	}
	q->last_used += n;
	q->done += n;
	for (int i = 0; i < n; i++)
		reap_chain(index, heads[i], e.len);
	return n;
}

int reap_all(void)
{
	int n = 0;
	for (int i = 0; i < MAX_QUEUES; i++)
		while (queues[i].on && used_idx(&queues[i]) != queues[i].last_used)
			n += reap_element(i);
	return n;
}

/* Chains that the device owes an answer; event buffers of vhost-scsi are never owed. */
int in_flight(void)
{
	int n = 0;
	for (int i = 0; i < MAX_QUEUES; i++) {
		if (!queues[i].on || (device == DEVICE_SCSI && i == 1))
			continue;
		for (u32 head = 0; head < queues[i].num; head++) {
			const struct request *r = &queues[i].requests[head];
			n += r->unanswered ? 0 : r->listed;
		}
	}
	return n;
}

bool in_flight_overlaps(u64 gpa, u64 len)
{
	for (int i = 0; i < MAX_QUEUES; i++)
		for (u32 head = 0; queues[i].on && head < queues[i].num; head++) {
			const struct request *r = &queues[i].requests[head];
			for (int k = 0; r->listed && k < r->nsegments; k++)
				if (gpa < r->segments[k].gpa + r->segments[k].len &&
				    r->segments[k].gpa < gpa + len)
					return true;
		}
	return false;
}

void wait_idle(int milliseconds)
{
	u64 end = now_ns() + milliseconds * 1000000ull;
	for (;;) {
		reap_all();
		if (in_flight() == 0)
			return;
		if (now_ns() > end)
			die("%d requests are still in flight after %d ms", in_flight(), milliseconds);
		usleep(200);
	}
}

void wait_used(int index, u64 chains, int milliseconds)
{
	struct queue *q = &queues[index];
	u64 end = now_ns() + milliseconds * 1000000ull;
	q->awaited += chains;
	for (;;) {
		reap_all();
		if (q->done >= q->awaited)
			return;
		if (now_ns() > end)
			die("queue %d: %llu chains used after %d ms, not %llu", index,
			    (unsigned long long)q->done, milliseconds, (unsigned long long)q->awaited);
		usleep(200);
	}
}
