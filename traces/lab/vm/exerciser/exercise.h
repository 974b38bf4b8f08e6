/*
 * exercise SCRIPT OUTPUT-FOLDER
 *
 * Drives a real vhost device (/dev/vhost-scsi, /dev/vhost-net or /dev/vhost-vsock) from a text
 * script. It plays the VMM (ioctls, the dirty log), the guest's driver (split virtqueues) and, for
 * vhost-net and vhost-vsock, the peer on the other side. What it leaves behind:
 *
 *   syncs/NN.bin     the dirty log that the kernel wrote, read and cleared at sync NN
 *   changed/NN.bin   the pages whose bytes the kernel really changed since the sync before
 *   journal.ndjson   what was submitted and what came back, one JSON object a line
 *
 * Both images have one bit a page of 4 KiB from guest-physical address 0, least significant first.
 *
 * Guest memory starts as bytes with the top bit set (a hash of the address), and everything the
 * exerciser itself sends has it clear. A shadow copy is kept, so a changed byte is a byte that the
 * kernel wrote; only a write of the very same byte cannot be seen.
 */
#ifndef EXERCISE_H
#define EXERCISE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

enum {
	PAGE_BYTES = 4096,
	MAX_QUEUES = 12,
	MAX_RING = 1024,
	MAX_SEGMENTS = 1200,
	/* Exit status when the kernel does not offer a feature that the script asks for. */
	EXIT_SKIPPED = 77,
};

/* A piece of guest memory that one descriptor names. */
struct segment {
	u64 gpa;
	u32 len;
	bool device_writes;
};

struct request {
	int listed;      /* how often it stands in the available ring unanswered; 0: not in flight */
	bool unanswered; /* the device will never answer it */
	int number;
	int nsegments, ndescs;
	struct segment *segments;
	u16 *descs;
};

struct queue {
	bool on, late; /* late: its addresses are given after the endpoint is set */
	u32 num;
	u64 desc, avail, used; /* guest-physical */
	u16 base;
	int kick, call;
	u16 avail_idx, last_used;
	u16 free_descs[MAX_RING];
	int nfree;
	u16 next_desc; /* VIRTIO_F_IN_ORDER: descriptors are handed out in ring order */
	u16 order[MAX_RING];
	u32 order_in, order_out; /* and these heads are in flight */
	struct request requests[MAX_RING];
	u64 done, awaited;
};

enum device { DEVICE_SCSI, DEVICE_NET, DEVICE_VSOCK };

extern struct queue queues[MAX_QUEUES];
extern enum device device;
extern int vhost_fd;
extern u64 features;      /* as negotiated, without VHOST_F_LOG_ALL */
extern bool log_all;      /* VHOST_F_LOG_ALL is set */
extern u8 *changed_pages; /* one bit a page, since the last sync */
extern int script_line;
extern int requests_made;

/* --- common.c: journal, time, random numbers, words of a script line ------------------------ */

void journal_open(const char *folder);
void journal_close(void);
/* One line: {"t":TYPE,"ns":CLOCK_MONOTONIC,…}; the format gives the fields after a comma. */
void journal(const char *type, const char *format, ...) __attribute__((format(printf, 2, 3)));
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
u64 now_ns(void);
void trace_marker(const char *format, ...) __attribute__((format(printf, 1, 2)));

void random_seed(u64 seed);
u64 random_below(u64 limit);
bool random_percent(u64 percent);

struct words {
	char **word;
	int n;
};
/* KEY=VALUE among the words, or NULL. */
const char *option(struct words w, const char *key);
u64 option_number(struct words w, const char *key, u64 otherwise);
bool option_set(struct words w, const char *flag);

/* --- memory.c: guest memory ----------------------------------------------------------------- */

void memory_add_region(u64 gpa, u64 size);
int memory_regions(void);
void memory_region(int index, u64 *gpa, u64 *size, void **host);
u64 memory_end(void);
bool memory_holds(u64 gpa, u64 len);
/* The host's address of a piece that must lie in one region. */
void *memory_host(u64 gpa, u64 len);
/* Stores and loads by the guest's processor; a piece may cross adjacent regions. */
void guest_write(u64 gpa, const void *data, u32 len);
void guest_read(u64 gpa, void *data, u32 len);
enum fill { FILL_SENT, FILL_UNTOUCHED };
void guest_fill(u64 gpa, u32 len, enum fill kind);
/* Bytes that the kernel changed in this piece; notes their pages and accepts them. */
u64 accept_changes(u64 gpa, u64 len);

void heap_set(u64 gpa, u64 size, u32 alignment);
enum { ANY_OFFSET = -1 };
/* Memory that no request in flight uses; offset within a fresh page, or ANY_OFFSET. */
u64 heap_take(u32 len, int offset);

/* --- chain.c: a chain under construction ------------------------------------------------------- */

void chain_start(void);
void chain_add(u64 gpa, u32 len, bool device_writes);
/* Adds pieces "LEN", "LEN+OFFSET", "@GPA:LEN" or "N*PIECE", commas between; returns their bytes. */
u64 chain_add_pieces(const char *pieces, bool device_writes);
int chain_length(void);
struct segment *chain_segments(void);
/* Puts bytes into the pieces of the chain that the device reads. */
void chain_put(const void *data, u32 len);

/* --- queue.c: the guest's side of the virtqueues --------------------------------------------- */

/* Where the rings that are defined from now on lie. */
void queue_rings_at(u64 gpa);
void queue_define(int index, u32 num, struct words w);
enum { DIRECT = 0, INDIRECT = 1 };
/*
 * Makes the chain available. `indirect`: DIRECT, INDIRECT, or k > 1 for k-1 direct descriptors and
 * the rest in a table. Returns the head, or -1 when the ring has no room.
 */
int submit(int queue, int indirect, bool unanswered, int bad_next, const char *note);
/* Lists a head that is in flight once more, as no correct driver does. */
void submit_again(int queue, int head);
void kick(int queue);
int reap_all(void);
int in_flight(void);
bool in_flight_overlaps(u64 gpa, u64 len);
void wait_idle(int milliseconds);
void wait_used(int queue, u64 chains, int milliseconds);

/* --- vmm.c: what QEMU would do --------------------------------------------------------------- */

void vmm_setup(void);
void vmm_attach_late(int queue);
void vmm_endpoint(bool set);
void vmm_set_features(bool log);
void vmm_set_log_base(void);
void vmm_set_vring_addr(int queue, bool log);
void vmm_set_all_vring_addr(bool log);
void vmm_log(bool on);
void vmm_workers(void);
long vmm_ioctl(const char *name, unsigned long command, void *argument);
/* Takes every vq->mutex once (VHOST_SET_LOG_FD), so no completion is half way afterwards. */
void vmm_barrier(void);
/* Until the worker has nothing to do any more. */
void vmm_settle(void);

/* --- sync.c ----------------------------------------------------------------------------------- */

void log_create(void);
void *log_memory(void);
u64 log_bytes(void);
/* Reads and clears the dirty log; unless live, waits for quiet first. */
void sync_log(const char *folder, const char *name, bool live);
int syncs_made(void);

/* --- worker.c ---------------------------------------------------------------------------------- */

/* Time that vhost's worker has run. */
u64 worker_ns(void);

/* --- scsi.c, net.c, vsock.c, traffic.c: what the commands of a script do ------------------------ */

enum { SCSI_REQUEST_BYTES = 51, SCSI_RESPONSE_BYTES = 108 };
void scsi_header(u8 *header, int target, int lun, int lun_byte0, u64 tag, const u8 *cdb);
void scsi_cdb_rw(u8 *cdb, bool write, bool wide, u64 lba, u32 blocks);
void scsi_request(struct words w);
void scsi_post_events(int count, u32 len);

void net_tap(struct words w);
void net_backend(bool on);
void net_inject(u32 len);
void net_frame(u8 *bytes, u32 len, int tag);
void net_post(struct words w);
void net_transmit(struct words w);

void vsock_cid(u32 cid);
void vsock_run(int on);
void vsock_connect(void);
void vsock_wait_connected(void);
void vsock_send(u32 len);
void vsock_receive(void);
void vsock_close(void);
void vsock_transmit(struct words w);
/* Notes the header of a packet that the host sent to the guest. */
void vsock_seen(const u8 *header);

void traffic_scsi(struct words w);
void traffic_net(struct words w);

#endif
