/* trace.dat version 7: records of all CPUs, merged by time. */
#define _GNU_SOURCE
#include "datfile.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Fields of each event that the model uses, by their place in struct event. */
struct wanted { const char *name; u32 to; };
struct binding { u32 offset, size, to; bool is_signed; };
struct bound_event { enum kind kind; bool known; u32 count, need; struct binding fields[12]; };
#define TO(name) {#name, offsetof(struct event, name)}
static const struct { const char *name; enum kind kind; struct wanted fields[12]; } wanted[] = {
    {"desc", DESC, {TO(vq), TO(gpa), TO(len), TO(acc)}},
    {"pop", POP, {TO(head), TO(vq)}},
    {"used", USED, {TO(vq), TO(head), TO(len), TO(n), TO(idx), TO(num), TO(logused), TO(logaddr),
                    TO(feat)}},
    {"drain", DRAIN, {TO(vq), TO(num), TO(uflags), TO(logused), TO(logaddr), TO(feat), TO(logbase),
                      TO(q0), TO(q1)}},
    {"rearm", REARM, {TO(vq), TO(num), TO(uflags), TO(logused), TO(logaddr), TO(feat)}},
    {"uflags", UFLAGS, {TO(vq), TO(uflags), TO(logused), TO(logaddr)}},
    {"ioctl", IOCTL, {TO(cmd), TO(a0)}},
    {"ioctl_ret", IOCTL_RET, {TO(ret)}},
};
static struct bound_event bound[65536]; /* by common_type */
static bool pop_has_vq;

static void bind(const char *system, const char *text, size_t size, void *context) {
  (void)context;
  char name[64];
  u32 id, offset, bytes;
  if (!format_name(text, size, name, &id) || id > 65535) return;
  struct bound_event *event = &bound[id];
  if (!strcmp(system, "ftrace") && !strcmp(name, "print") &&
      format_field(text, size, "buf", &offset, &bytes)) {
    *event = (struct bound_event){.kind = MARKER, .known = true, .need = offset};
    return;
  }
  event->kind = OTHER;
  event->known = true;
  event->need = 8;
  if (strcmp(system, "vl")) return;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    if (strcmp(name, wanted[i].name)) continue;
    event->kind = wanted[i].kind;
    for (const struct wanted *want = wanted[i].fields; want->name; want++) {
      if (!format_field(text, size, want->name, &offset, &bytes)) {
        if (event->kind == POP && !strcmp(want->name, "vq")) continue;
        fail("event format without field", want->name);
      }
      bool is_signed = !strcmp(want->name, "head") || !strcmp(want->name, "ret");
      event->fields[event->count++] = (struct binding){offset, bytes, want->to, is_signed};
      if (offset + bytes > event->need) event->need = offset + bytes;
      if (event->kind == POP && !strcmp(want->name, "vq")) pop_has_vq = true;
    }
  }
}

static inline u64 load(const u8 *at, u32 size, bool is_signed) {
  u64 v8; u32 v4; u16 v2;
  switch (size) {
    case 8: memcpy(&v8, at, 8); return v8;
    case 4: memcpy(&v4, at, 4); return is_signed ? (u64)(int64_t)(int32_t)v4 : v4;
    case 2: memcpy(&v2, at, 2); return v2;
    default: return *at;
  }
}

static void record(const struct cpu_reader *reader, struct event *e) {
  const u8 *at = reader->record;
  if (reader->record_size < 8) fail("trace.dat", "record without its common fields");
  const struct bound_event *event = &bound[at[0] | at[1] << 8];
  if (!event->known) {
    lines_foreign++;
    return;
  }
  if (event->need > reader->record_size) fail("trace.dat", "record shorter than its format");
  e->kind = event->kind;
  e->ts = reader->ts;
  e->cpu = reader->cpu;
  memcpy(&e->pid, at + 4, 4);
  if (event->kind == MARKER) {
    e->text = (const char *)at + event->need;
    e->text_len = strnlen(e->text, reader->record_size - event->need);
    while (e->text_len && e->text[e->text_len - 1] == '\n') e->text_len--;
  }
  for (u32 i = 0; i < event->count; i++) {
    const struct binding *field = &event->fields[i];
    u64 value = load(at + field->offset, field->size, field->is_signed);
    memcpy((u8 *)e + field->to, &value, 8);
  }
  model_apply(e);
}

void replay_dat(const char *path) {
  static struct datfile file;
  static struct cpu_reader readers[CPUS_MAX];
  datfile_open(&file, path);
  datfile_formats(&file, bind, NULL);
  u8 *mapped = NULL;
  if (!options.use_read && !file.compressed_data) {
    mapped = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (mapped == MAP_FAILED) fail(path, "cannot map");
    madvise(mapped, file.size, MADV_SEQUENTIAL);
  }
  struct cpu_reader *live[CPUS_MAX];
  u32 count = 0;
  for (u32 i = 0; i < file.cpu_count; i++) {
    cpu_reader_open(&readers[i], &file, i, mapped);
    if (cpu_reader_next(&readers[i])) live[count++] = &readers[i];
  }
  struct event e = {.has_vq = pop_has_vq};
  while (count) {
    /* The earliest CPU goes on until another one is earlier; equal times go to the lower CPU. */
    u32 first = 0;
    for (u32 i = 1; i < count; i++)
      if (live[i]->ts < live[first]->ts) first = i;
    u64 limit = UINT64_MAX;
    bool other_first = false;
    for (u32 i = 0; i < count; i++) {
      if (i == first || live[i]->ts > limit) continue;
      other_first = live[i]->ts < limit ? i < first : other_first || i < first;
      limit = live[i]->ts;
    }
    struct cpu_reader *reader = live[first];
    bool more;
    do {
      record(reader, &e);
      more = cpu_reader_next(reader);
    } while (more && (other_first ? reader->ts < limit : reader->ts <= limit));
    if (!more) {
      memmove(&live[first], &live[first + 1], (count - first - 1) * sizeof *live);
      count--;
    }
  }
}
