/*
 * Plain C reference for the benchmark: what a careful C programmer would write to get the dirty
 * sets of an unpatched and a patched vhost-scsi from a recording. It handles one vhost-scsi device.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

enum kind { DESC, POP, USED, DRAIN, REARM, UFLAGS, IOCTL, IOCTL_RET, MARKER, OTHER };

/* One event; fields that a kind does not have keep whatever they had before. */
struct event {
  u64 ts; /* nanoseconds */
  u64 vq, gpa, len, acc, n, idx, num, uflags, logused, logaddr, feat, logbase, q0, q1, cmd, a0;
  int64_t head, ret;
  const char *text; /* of MARKER, text_len bytes, not terminated */
  size_t text_len;
  u32 pid, cpu;
  enum kind kind;
  bool has_vq; /* POP names its queue (probes by member name) */
};

struct options {
  const char *verify; /* directory with the kernel's own logs, NN.bin */
  const char *out;    /* directory for the images of both policies */
  bool use_read;      /* read() instead of mmap */
  bool quiet;         /* no line per sync */
};
extern struct options options;

/* model.c */
void model_init(void);
void model_apply(const struct event *event);
void model_finish(void);
extern u64 events_seen, lines_foreign;

/* text.c, dat.c: call model_apply() for each event, in time order. */
void replay_text(const char *path);
void replay_dat(const char *path);

void fail(const char *what, const char *detail) __attribute__((noreturn));

#endif
