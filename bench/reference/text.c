/* ftrace text as tracefs prints it (`trace`, `trace_pipe`), already in time order. */
#define _GNU_SOURCE
#include "replay.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* In a line's arguments. Numbers need no bound: the line's newline is no digit. */
struct cursor { const char *at, *eol; bool ok; };

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static inline u64 decimal(const char **at) {
  u64 value = 0;
  while (is_digit(**at)) value = value * 10 + (u64)(*(*at)++ - '0');
  return value;
}

static inline u64 number(const char **at) {
  const char *p = *at;
  u64 value = 0;
  if (p[0] == '0' && p[1] == 'x') {
    p += 2;
    for (;; p++) {
      unsigned c = (unsigned char)*p;
      if (is_digit((char)c)) value = value << 4 | (c - '0');
      else if (c >= 'a' && c <= 'f') value = value << 4 | (c - 'a' + 10);
      else break;
    }
    *at = p;
    return value;
  }
  bool negative = *p == '-';
  *at = p + negative;
  value = decimal(at);
  return negative ? -value : value;
}

/* The value of the next argument, which must be called `key`. */
static inline u64 argument(struct cursor *c, const char *key, size_t key_len) {
  const char *p = c->at + 1; /* after the space */
  if (c->eol - p <= (long)key_len || p[key_len] != '=' || memcmp(p, key, key_len)) {
    c->ok = false;
    return 0;
  }
  c->at = p + key_len + 1;
  return number(&c->at);
}
#define ARG(key) argument(c, key, sizeof key - 1)

static inline void log_fields(struct cursor *c, struct event *e) {
  e->logused = ARG("logused");
  e->logaddr = ARG("logaddr");
}

/* Arguments of one event, by name and in the order of the probe's definition. */
static inline void arguments(struct cursor *c, struct event *e) {
  switch (e->kind) {
    case DESC:
      e->vq = ARG("vq"), e->gpa = ARG("gpa"), e->len = ARG("len"), ARG("iov"), e->acc = ARG("acc");
      break;
    case POP:
      e->has_vq = c->eol - c->at > 2 && c->at[1] == 'v';
      if (e->has_vq) e->vq = ARG("vq");
      e->head = (int64_t)ARG("head");
      break;
    case USED:
      e->vq = ARG("vq"), e->head = (int64_t)ARG("head"), e->len = ARG("len"), e->n = ARG("n");
      e->idx = ARG("idx"), e->num = ARG("num");
      log_fields(c, e);
      e->feat = ARG("feat");
      break;
    case DRAIN:
      e->vq = ARG("vq"), e->num = ARG("num"), ARG("avail"), ARG("used"), e->uflags = ARG("uflags");
      log_fields(c, e);
      e->feat = ARG("feat"), e->logbase = ARG("logbase"), ARG("dev");
      e->q0 = ARG("q0"), e->q1 = ARG("q1");
      break;
    case REARM:
      e->vq = ARG("vq"), e->num = ARG("num"), ARG("avail"), e->uflags = ARG("uflags");
      log_fields(c, e);
      e->feat = ARG("feat");
      break;
    case UFLAGS:
      e->vq = ARG("vq"), e->uflags = ARG("uflags");
      log_fields(c, e);
      break;
    case IOCTL:
      ARG("file"), e->cmd = ARG("cmd"), ARG("vs"), ARG("arg"), e->a0 = ARG("a0");
      break;
    case IOCTL_RET:
      e->ret = (int64_t)ARG("ret");
      break;
    default:
      break;
  }
}

#define IS(name) (len == sizeof name - 1 && memcmp(at, name, sizeof name - 1) == 0)
static inline enum kind kind_of(const char *at, size_t len) {
  if (IS("desc")) return DESC;
  if (IS("pop")) return POP;
  if (IS("used")) return USED;
  if (IS("drain")) return DRAIN;
  if (IS("rearm")) return REARM;
  if (IS("uflags")) return UFLAGS;
  if (IS("ioctl")) return IOCTL;
  if (IS("ioctl_ret")) return IOCTL_RET;
  if (IS("tracing_mark_write")) return MARKER;
  return OTHER;
}

/*
 * `%16s-%-7d [%03d] flags sec.usec: name: (where) arguments`. The name of a task is padded to 16,
 * so the dash before the pid stands in column 16 whatever the name holds.
 */
static bool line(const char *at, const char *eol, struct event *e) {
  if (eol - at < 40 || at[16] != '-') return false;
  at += 17;
  if (!is_digit(*at)) return false;
  e->pid = (u32)decimal(&at);
  while (*at == ' ') at++;
  if (*at == '(') { /* option record-tgid */
    if (!(at = memchr(at, ')', (size_t)(eol - at)))) return false;
    at += 2;
  }
  if (*at++ != '[') return false;
  e->cpu = (u32)decimal(&at);
  if (*at++ != ']') return false;
  while (*at == ' ') at++;
  if (!is_digit(at[0])) { /* flags, unless option irq-info is off */
    while (at < eol && *at != ' ') at++;
    while (*at == ' ') at++;
  }
  u64 seconds = decimal(&at);
  if (*at++ != '.') return false;
  e->ts = (seconds * 1000000 + decimal(&at)) * 1000;
  if (at[0] != ':' || at[1] != ' ') return false;
  at += 2;
  const char *colon = memchr(at, ':', (size_t)(eol - at));
  if (!colon || colon + 1 >= eol) return false;
  e->kind = kind_of(at, (size_t)(colon - at));
  at = colon + 2;
  if (e->kind == MARKER) {
    e->text = at;
    e->text_len = (size_t)(eol - at);
    return true;
  }
  if (e->kind == OTHER) return true;
  if (!(at = memchr(at, ')', (size_t)(eol - at)))) return false;
  struct cursor c = {at + 1, eol, true};
  arguments(&c, e);
  return c.ok;
}

/* Whole lines only; returns how many bytes were used. */
static size_t lines(const char *start, size_t size) {
  struct event e = {0};
  const char *at = start, *end = start + size, *eol;
  while (at < end && (eol = memchr(at, '\n', (size_t)(end - at)))) {
    if (line(at, eol, &e)) model_apply(&e);
    else lines_foreign++;
    at = eol + 1;
  }
  return (size_t)(at - start);
}

static void last_line(const char *rest, size_t size) {
  if (size == 0) return;
  char *copy = malloc(size + 1);
  if (!copy) fail("last line", "out of memory");
  memcpy(copy, rest, size);
  copy[size] = '\n';
  lines(copy, size + 1);
  free(copy);
}

void replay_text(const char *path) {
  int fd = open(path, O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) fail(path, strerror(errno));
  if (!options.use_read && st.st_size > 0) {
    size_t size = (size_t)st.st_size;
    char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED) fail(path, strerror(errno));
    madvise(text, size, MADV_SEQUENTIAL);
    size_t done = lines(text, size);
    last_line(text + done, size - done);
    close(fd);
    return;
  }
  enum { CHUNK = 1 << 20 };
  char *chunk = malloc(CHUNK);
  if (!chunk) fail(path, "out of memory");
  size_t filled = 0;
  for (ssize_t got; (got = read(fd, chunk + filled, CHUNK - filled)) > 0;) {
    filled += (size_t)got;
    size_t done = lines(chunk, filled);
    if (done == 0 && filled == CHUNK) fail(path, "a line longer than 1 MiB");
    memmove(chunk, chunk + done, filled - done);
    filled -= done;
  }
  last_line(chunk, filled);
  free(chunk);
  close(fd);
}
