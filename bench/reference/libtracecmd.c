/*
 * Usage: libtracecmd [--quiet] FILE
 *
 * The same replay as `replay FILE.dat`, with trace-cmd's own library in place of dat.c: what a C
 * programmer writes today to read a trace.dat of any version. Fields are looked up once an event.
 */
#include "replay.h"
#include <stdlib.h>
#include <string.h>
#include <trace-cmd/trace-cmd.h>

struct options options;

struct wanted { const char *name; size_t to; };
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
struct field { struct tep_format_field *field; size_t to; };
struct bound { bool known; enum kind kind; u32 count; struct field fields[12]; u32 text; };
static struct bound bound[65536];

static void bind(struct bound *event, struct tep_event *format) {
  event->known = true;
  event->kind = OTHER;
  if (!strcmp(format->system, "ftrace") && !strcmp(format->name, "print")) {
    struct tep_format_field *text = tep_find_field(format, "buf");
    if (!text) fail("event format without field", "buf");
    event->kind = MARKER;
    event->text = (u32)text->offset;
  }
  if (strcmp(format->system, "vl")) return;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    if (strcmp(format->name, wanted[i].name)) continue;
    event->kind = wanted[i].kind;
    for (const struct wanted *want = wanted[i].fields; want->name; want++) {
      struct tep_format_field *field = tep_find_field(format, want->name);
      if (field) event->fields[event->count++] = (struct field){field, want->to};
      else if (event->kind != POP) fail("event format without field", want->name);
    }
  }
}

static int record(struct tracecmd_input *input, struct tep_record *record, int cpu, void *context) {
  static struct event e;
  (void)context;
  struct tep_handle *tep = tracecmd_get_tep(input);
  int id = tep_data_type(tep, record);
  if (id < 0 || id > 65535) return 0;
  struct bound *event = &bound[id];
  if (!event->known) {
    struct tep_event *format = tep_find_event(tep, id);
    if (!format) return 0;
    bind(event, format);
  }
  e.kind = event->kind;
  e.ts = record->ts;
  e.cpu = (u32)cpu;
  e.pid = (u32)tep_data_pid(tep, record);
  e.has_vq = false;
  if (event->kind == MARKER) {
    e.text = (const char *)record->data + event->text;
    e.text_len = strnlen(e.text, (size_t)record->size - event->text);
    while (e.text_len && e.text[e.text_len - 1] == '\n') e.text_len--;
  }
  for (u32 i = 0; i < event->count; i++) {
    unsigned long long value = 0;
    tep_read_number_field(event->fields[i].field, record->data, &value);
    memcpy((u8 *)&e + event->fields[i].to, &value, 8);
    if (event->kind == POP && event->fields[i].to == offsetof(struct event, vq)) e.has_vq = true;
    if (event->kind == POP && event->fields[i].to == offsetof(struct event, head))
      e.head = (int)value;
  }
  if (event->kind == IOCTL_RET) e.ret = (long long)e.ret;
  model_apply(&e);
  return 0;
}

int main(int argc, char **argv) {
  const char *path = argv[argc - 1];
  if (argc < 2) fail("usage", "libtracecmd [--quiet] FILE");
  options.quiet = argc > 2;
  tracecmd_set_loglevel(TEP_LOG_NONE);
  struct tracecmd_input *input = tracecmd_open(path, TRACECMD_FL_LOAD_NO_PLUGINS);
  if (!input) fail(path, "libtracecmd cannot read it");
  model_init();
  tracecmd_iterate_events(input, NULL, 0, record, NULL);
  model_finish();
  tracecmd_close(input);
  return 0;
}
