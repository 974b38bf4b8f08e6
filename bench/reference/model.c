/*
 * The replay proper: chains per thread, requests per queue and head, captures of log entries, and
 * three bit-planes from which the logs of both policies follow at each sync.
 */
#define _GNU_SOURCE
#include "replay.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LOG_ALL (1ull << 26)
#define EVENT_IDX (1ull << 29)
#define VHOST_SET_OWNER 0xaf01
#define VHOST_SET_FEATURES 0x4008af00
#define VHOST_SET_LOG_BASE 0x4008af04

#define GPA_BITS 44
#define WORDS (1ull << (GPA_BITS - 12 - 6))
#define BLOCK_WORDS 8 /* one cache line, 2 MiB of guest memory */
#define BLOCKS (WORDS / BLOCK_WORDS)

/*
 * RING: used ring and notification writes that any kernel logs. CAPTURED: write descriptors a
 * patched kernel logs. MISSED: written in the logging window, logged by neither.
 */
enum plane { RING, CAPTURED, MISSED, PLANES };
static u64 *planes[PLANES], *ever_lost, *touched;
static u64 touched_words; /* words of `touched` in use */

struct range { u64 gpa; u32 len; };
struct ranges { struct range *list; u32 count, room; };
struct request { struct ranges writes; u32 generation; bool popped, captured, capture_unseen; };
struct queue {
  u64 vq;
  struct request *requests; /* by head */
  u32 heads, index;
  bool drained, capture;
};
struct thread {
  u32 pid;
  struct ranges chain;
  u32 descs; /* of the chain, both directions */
  u64 chain_vq, cmd, a0;
};

#define TABLE 4096 /* open addressing; more queues or threads than half of it are refused */
static struct queue queues[TABLE];
static struct thread threads[TABLE];
static u32 queue_count, thread_count;
static u32 generation; /* counts the SET_FEATURES that dropped captures */
static bool log_base_set = true; /* until something says otherwise: recording attached late */
static u32 round_index;
u64 events_seen, lines_foreign;
static u64 total_requests, total_unknown_heads, total_out_of_range;

void fail(const char *what, const char *detail) {
  fprintf(stderr, "replay: %s: %s\n", what, detail);
  exit(2);
}

static u64 *reserve(u64 words) {
  void *memory = mmap(NULL, words * 8, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap", "cannot reserve bitmaps");
  return memory;
}

void model_init(void) {
  for (int i = 0; i < PLANES; i++) planes[i] = reserve(WORDS);
  ever_lost = reserve(WORDS);
  touched = reserve(BLOCKS / 64);
}

static void mark(enum plane which, u64 gpa, u64 len) {
  if (len == 0) return;
  if (gpa >> GPA_BITS || (gpa + len - 1) >> GPA_BITS) {
    total_out_of_range++;
    return;
  }
  u64 *plane = planes[which];
  u64 first = gpa >> 12, last = (gpa + len - 1) >> 12, w = first >> 6, end = last >> 6;
  u64 head = ~0ull << (first & 63), tail = ~0ull >> (63 - (last & 63));
  if (w == end) {
    plane[w] |= head & tail;
  } else {
    plane[w] |= head;
    for (u64 i = w + 1; i < end; i++) plane[i] = ~0ull;
    plane[end] |= tail;
  }
  for (u64 block = w / BLOCK_WORDS; block <= end / BLOCK_WORDS; block++)
    touched[block >> 6] |= 1ull << (block & 63);
  u64 used = (end / BLOCK_WORDS >> 6) + 1;
  if (used > touched_words) touched_words = used;
}

static u32 slot_of(u64 key) { return (u32)(key * 0x9e3779b97f4a7c15ull >> 52); }

static struct queue *queue_of(u64 vq) {
  static struct queue *last;
  if (last && last->vq == vq) return last;
  u32 i = slot_of(vq);
  while (queues[i].vq && queues[i].vq != vq) i = (i + 1) % TABLE;
  if (!queues[i].vq) {
    if (++queue_count > TABLE / 2) fail("queues", "too many");
    queues[i].vq = vq;
    queues[i].index = UINT32_MAX;
  }
  return last = &queues[i];
}

static struct thread *thread_of(u32 pid) {
  static struct thread *last;
  if (last && last->pid == pid + 1) return last;
  u32 i = slot_of(pid);
  while (threads[i].pid && threads[i].pid != pid + 1) i = (i + 1) % TABLE;
  if (!threads[i].pid) {
    if (++thread_count > TABLE / 2) fail("threads", "too many");
    threads[i].pid = pid + 1; /* 0 is a free slot */
  }
  return last = &threads[i];
}

static struct request *request_of(struct queue *queue, u32 head) {
  if (head >= queue->heads) {
    u32 heads = queue->heads ? queue->heads : 256;
    while (heads <= head) heads *= 2;
    queue->requests = realloc(queue->requests, heads * sizeof *queue->requests);
    if (!queue->requests) fail("requests", "out of memory");
    memset(queue->requests + queue->heads, 0, (heads - queue->heads) * sizeof *queue->requests);
    queue->heads = heads;
  }
  return &queue->requests[head];
}

static void add_desc(const struct event *e) {
  struct thread *thread = thread_of(e->pid);
  struct ranges *chain = &thread->chain;
  thread->descs++;
  thread->chain_vq = e->vq;
  if (e->acc != 2) return;
  if (chain->count == chain->room) {
    if (chain->room >= 65536) fail("chain", "more than 65536 descriptors");
    chain->room = chain->room ? chain->room * 2 : 32;
    chain->list = realloc(chain->list, chain->room * sizeof *chain->list);
    if (!chain->list) fail("chain", "out of memory");
  }
  chain->list[chain->count++] = (struct range){e->gpa, (u32)e->len};
}

static void pop(const struct event *e) {
  struct thread *thread = thread_of(e->pid);
  if (thread->descs && e->head >= 0 && e->head < 32768) {
    struct queue *queue = queue_of(e->has_vq ? e->vq : thread->chain_vq);
    struct request *request = request_of(queue, (u32)e->head);
    struct ranges old = request->writes; /* swap: the chain reuses the old list's memory */
    request->writes = thread->chain;
    request->popped = true;
    request->captured = queue->capture;
    request->capture_unseen = !queue->drained;
    request->generation = generation;
    thread->chain = old;
  }
  thread->chain.count = 0;
  thread->descs = 0;
}

/* A ring write: in the window when log_used is set, logged when there is a log to write to. */
static void mark_ring(const struct event *e, u64 offset, u64 len) {
  if (e->logused) mark(log_base_set ? RING : MISSED, e->logaddr + offset, len);
}

static void used(const struct event *e) {
  struct queue *queue = queue_of(e->vq);
  u64 num = e->num ? e->num : 1, at = e->idx % num, n = e->n;
  u64 before_wrap = n < num - at ? n : num - at;
  mark_ring(e, 4 + 8 * at, 8 * before_wrap);
  if (n > before_wrap) mark_ring(e, 4, 8 * (n - before_wrap < num ? n - before_wrap : num));
  mark_ring(e, 2, 2);
  struct request *request = e->head >= 0 && e->head < 32768 ? request_of(queue, e->head) : NULL;
  if (!request || !request->popped) {
    total_unknown_heads++;
    return;
  }
  total_requests++;
  request->popped = false;
  if (!(e->feat & LOG_ALL)) return;
  bool freed = queue->index >= 2 && request->generation != generation;
  bool captured = (request->captured || request->capture_unseen) && !freed && log_base_set;
  for (u32 i = 0; i < request->writes.count; i++)
    mark(captured ? CAPTURED : MISSED, request->writes.list[i].gpa, request->writes.list[i].len);
}

static void drain(const struct event *e) {
  struct queue *queue = queue_of(e->vq);
  queue->drained = true;
  queue->capture = e->feat & LOG_ALL;
  if (e->q1 > e->q0 && e->vq >= e->q0) queue->index = (u32)((e->vq - e->q0) / (e->q1 - e->q0));
  log_base_set = e->logbase != 0;
}

static void ioctl_done(const struct event *e) {
  struct thread *thread = thread_of(e->pid);
  if (e->ret == 0 && thread->cmd == VHOST_SET_FEATURES && !(thread->a0 & LOG_ALL)) generation++;
  if (e->ret == 0 && thread->cmd == VHOST_SET_LOG_BASE) log_base_set = thread->a0 != 0;
  thread->cmd = 0;
}

static void ioctl_entry(const struct event *e) {
  struct thread *thread = thread_of(e->pid);
  thread->cmd = e->cmd;
  thread->a0 = e->a0;
  if (e->cmd == VHOST_SET_OWNER) log_base_set = false; /* a device just opened or reset */
}

/* Image of this round's log under one policy: bit n = page n, least significant bit first. */
static void write_image(const char *policy, bool patched, unsigned number) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", options.out, policy);
  mkdir(path, 0777);
  snprintf(path, sizeof path, "%s/%s/%03u.bin", options.out, policy, number);
  FILE *file = fopen(path, "wb");
  if (!file) fail("cannot write", path);
  u64 words = touched_words * 64 * BLOCK_WORDS;
  for (u64 w = 0; w < words; w++) {
    u64 word = planes[RING][w] | (patched ? planes[CAPTURED][w] : 0);
    fwrite(&word, 8, 1, file);
  }
  if (fclose(file)) fail("cannot write", path);
}

/* `number` is the marker's own: a recording attached late does not begin with 0. */
static void verify(unsigned number) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%02u.bin", options.verify, number);
  FILE *file = fopen(path, "rb");
  if (!file) fail("no kernel log", path);
  u64 differ[2] = {0, 0}, word = 0, words = touched_words * 64 * BLOCK_WORDS, w = 0;
  while (fread(&word, 1, 8, file) > 0 || w < words) {
    if (w >= WORDS) fail("kernel log too long", path);
    differ[0] += __builtin_popcountll(word ^ planes[RING][w]);
    differ[1] += __builtin_popcountll(word ^ (planes[RING][w] | planes[CAPTURED][w]));
    word = 0;
    w++;
  }
  fclose(file);
  printf("verify %u unpatched=%" PRIu64 " patched=%" PRIu64 "\n", number, differ[0], differ[1]);
}

#define FNV_START 0xcbf29ce484222325ull
static u64 fnv(u64 hash, u64 value) { return (hash ^ value) * 0x100000001b3ull; }

/* Ends a round: counts and hashes both logs, adds to the lost pages, clears what was touched. */
static void end_round(const char *label, size_t label_len, bool is_sync) {
  unsigned number = is_sync ? (unsigned)strtoul(label, NULL, 10) : 0; /* ends at the space */
  if (is_sync && options.out) {
    write_image("unpatched", false, number);
    write_image("patched", true, number);
  }
  if (is_sync && options.verify) verify(number);
  u64 pages[2] = {0, 0}, hash[2] = {FNV_START, FNV_START};
  for (u64 t = 0; t < touched_words; t++) {
    for (u64 rest = touched[t]; rest; rest &= rest - 1) {
      u64 w = (t * 64 + (u64)__builtin_ctzll(rest)) * BLOCK_WORDS;
      for (u64 end = w + BLOCK_WORDS; w < end; w++) {
        u64 ring = planes[RING][w], all = ring | planes[CAPTURED][w];
        if (ring) hash[0] = fnv(fnv(hash[0], w), ring);
        if (all) hash[1] = fnv(fnv(hash[1], w), all);
        pages[0] += __builtin_popcountll(ring);
        pages[1] += __builtin_popcountll(all);
        ever_lost[w] |= (all | planes[MISSED][w]) & ~ring;
        planes[RING][w] = planes[CAPTURED][w] = planes[MISSED][w] = 0;
      }
    }
    touched[t] = 0;
  }
  if (is_sync && !options.quiet)
    printf("%.*s unpatched=%" PRIu64 " patched=%" PRIu64 " fnv=%016" PRIx64 ",%016" PRIx64 "\n",
           (int)label_len, label, pages[0], pages[1], hash[0], hash[1]);
  round_index += is_sync;
}

static void marker(const struct event *e) {
  static const char begin[] = "dirty_sync_begin ";
  size_t skip = sizeof begin - 1;
  if (e->text_len >= skip && memcmp(e->text, begin, skip) == 0)
    end_round(e->text + skip, e->text_len - skip, true);
}

void model_apply(const struct event *e) {
  events_seen++;
  switch (e->kind) {
    case DESC: add_desc(e); break;
    case POP: pop(e); break;
    case USED: used(e); break;
    case DRAIN: drain(e); break;
    case REARM:
      if ((e->uflags & 1) && (e->feat & EVENT_IDX)) mark_ring(e, 4 + 8 * e->num, 2);
      break;
    case UFLAGS: mark_ring(e, 0, 2); break;
    case IOCTL: ioctl_entry(e); break;
    case IOCTL_RET: ioctl_done(e); break;
    case MARKER: marker(e); break;
    default: break;
  }
}

void model_finish(void) {
  u64 extent = touched_words, lost = 0, hash = FNV_START;
  end_round("", 0, false);
  for (u64 w = 0; w < extent * 64 * BLOCK_WORDS; w++) {
    if (ever_lost[w]) hash = fnv(fnv(hash, w), ever_lost[w]);
    lost += __builtin_popcountll(ever_lost[w]);
  }
  printf("total events=%" PRIu64 " foreign=%" PRIu64 " requests=%" PRIu64 " unknown_heads=%" PRIu64
         " out_of_range=%" PRIu64 " syncs=%u lost=%" PRIu64 " fnv=%016" PRIx64 "\n",
         events_seen, lines_foreign, total_requests, total_unknown_heads, total_out_of_range,
         round_index, lost, hash);
}
