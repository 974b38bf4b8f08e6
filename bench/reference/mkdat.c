/*
 * Usage: mkdat TEMPLATE.dat TEXT OUT.dat none|zstd
 *
 * Writes the events of an ftrace text as trace.dat version 7. Headers, event formats, symbols and
 * the bytes of each event that the text does not show (type, flags, probe address) come from
 * TEMPLATE.dat, a real recording that holds each of these events at least once. Text has
 * microseconds: an event at the same one as the event before gets one nanosecond more, so that
 * the order across CPUs stays that of the text.
 */
#define _GNU_SOURCE
#include "datfile.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, CHUNK = 10 * PAGE, PAGE_DATA = 16, RECORD_MAX = 1024, NAMES_MAX = 64 };
enum { HEADER_INFO = 16, CMDLINES = 21, COMPRESSED = 1, SECTION_BUFFER = 3 };

/* An event that may be written: its format, and the first record of it in the template. */
struct name {
  char name[64];
  u32 id, size, text_at; /* text_at: where a print event's text begins, else 0 */
  char *format;
  size_t format_size;
  bool seen;
  u8 record[RECORD_MAX];
};
static struct name names[NAMES_MAX];
static u32 name_count;

struct output {
  FILE *file;
  bool compressed;
  u64 at;             /* bytes written so far */
  u8 chunk[CHUNK];
  size_t chunk_size;  /* whole pages in chunk */
  u8 page[PAGE];
  size_t page_at;     /* 0: no page begun */
  u64 ts;
  u32 chunks;
};

void fail(const char *what, const char *detail) {
  fprintf(stderr, "mkdat: %s: %s\n", what, detail);
  exit(2);
}

static void put(struct output *out, const void *bytes, size_t size) {
  if (fwrite(bytes, 1, size, out->file) != size) fail("write", strerror(errno));
  out->at += size;
}
static void put16(struct output *out, u16 value) { put(out, &value, 2); }
static void put32(struct output *out, u32 value) { put(out, &value, 4); }
static void put64(struct output *out, u64 value) { put(out, &value, 8); }

static void patch(struct output *out, u64 offset, const void *bytes, size_t size) {
  if (fseeko(out->file, (off_t)offset, SEEK_SET) || fwrite(bytes, 1, size, out->file) != size ||
      fseeko(out->file, 0, SEEK_END))
    fail("write", strerror(errno));
}

/* ---- events of the template */

static void keep_format(const char *system, const char *text, size_t size, void *context) {
  (void)context;
  struct name *name = &names[name_count];
  u32 bytes;
  if (!format_name(text, size, name->name, &name->id)) return;
  bool is_print = !strcmp(system, "ftrace") && !strcmp(name->name, "print");
  if (!is_print && strcmp(system, "vl")) return;
  if (name_count + 1 == NAMES_MAX) fail("template", "too many events");
  if (is_print) {
    if (!format_field(text, size, "buf", &name->text_at, &bytes)) fail("template", "odd print");
    strcpy(name->name, "tracing_mark_write");
  }
  name->format = malloc(size);
  memcpy(name->format, text, size);
  name->format_size = size;
  name_count++;
}

static void keep_first_records(const struct datfile *file) {
  for (u32 i = 0; i < file->cpu_count; i++) {
    struct cpu_reader reader;
    cpu_reader_open(&reader, file, i, NULL);
    while (cpu_reader_next(&reader)) {
      u16 id;
      memcpy(&id, reader.record, 2);
      for (u32 n = 0; n < name_count; n++) {
        if (names[n].id != id || names[n].seen || reader.record_size > RECORD_MAX) continue;
        names[n].seen = true;
        names[n].size = (u32)reader.record_size;
        memcpy(names[n].record, reader.record, reader.record_size);
      }
    }
    free(reader.buffer);
    free(reader.packed);
  }
}

/* ---- ring-buffer pages */

static void flush_chunk(struct output *out) {
  if (!out->chunk_size) return;
  if (out->compressed) {
    static u8 packed[2 * CHUNK];
    size_t size = ZSTD_compress(packed, sizeof packed, out->chunk, out->chunk_size, 3);
    if (ZSTD_isError(size)) fail("zstd", "cannot compress");
    put32(out, (u32)size);
    put32(out, (u32)out->chunk_size);
    put(out, packed, size);
    out->chunks++;
  } else {
    put(out, out->chunk, out->chunk_size);
  }
  out->chunk_size = 0;
}

static void flush_page(struct output *out) {
  if (!out->page_at) return;
  u64 committed = out->page_at - PAGE_DATA;
  memcpy(out->page + 8, &committed, 8);
  memset(out->page + out->page_at, 0, PAGE - out->page_at);
  memcpy(out->chunk + out->chunk_size, out->page, PAGE);
  out->chunk_size += PAGE;
  if (out->chunk_size == CHUNK) flush_chunk(out);
  out->page_at = 0;
}

static void put_record(struct output *out, u64 ts, const u8 *record, size_t size) {
  size_t room = (size + 3) & ~3ull;
  size_t head = room <= 112 ? 4 : 8;
  bool extend = out->page_at && ts - out->ts >= 1u << 27;
  if (out->page_at && out->page_at + head + room + 8 * extend > PAGE) flush_page(out);
  if (!out->page_at) {
    memcpy(out->page, &ts, 8);
    out->page_at = PAGE_DATA;
    out->ts = ts;
    extend = false;
  }
  u64 delta = ts - out->ts;
  u32 words[2];
  if (extend) {
    words[0] = 30 | (u32)(delta & 0x7ffffff) << 5;
    words[1] = (u32)(delta >> 27);
    memcpy(out->page + out->page_at, words, 8);
    out->page_at += 8;
    delta = 0;
  }
  words[0] = (head == 4 ? (u32)room / 4 : 0) | (u32)delta << 5;
  words[1] = (u32)room + 4;
  memcpy(out->page + out->page_at, words, head);
  memset(out->page + out->page_at + head, 0, room);
  memcpy(out->page + out->page_at + head, record, size);
  out->page_at += head + room;
  out->ts = ts;
}

/* ---- text to records */

/* Sets the fields that `key=value` arguments name. */
static void set_fields(const struct name *name, u8 *record, char *arguments) {
  for (char *word = strtok(arguments, " "); word; word = strtok(NULL, " ")) {
    char *value = strchr(word, '=');
    u32 offset, bytes;
    if (!value) continue;
    *value++ = 0;
    if (!format_field(name->format, name->format_size, word, &offset, &bytes))
      fail("no such field in the template", word);
    u64 number = *value == '-' ? (u64)strtoll(value, NULL, 0) : strtoull(value, NULL, 0);
    if (bytes <= 8 && offset + bytes <= name->size) memcpy(record + offset, &number, bytes);
  }
}

/* A line of the text: where it stands, when it is, and the next one of its CPU. */
struct line {
  u64 at, ts;
  u32 next;
};
static struct line *lines;
/* The first and the last line of each CPU; 0: none, so that lines are counted from 1. */
static u32 first_line[CPUS_MAX], last_line[CPUS_MAX];

/* Where an event of a line stands in it. */
struct event_text {
  u32 pid, cpu;
  u64 micros;
  char name[64];
  int args;
};

static bool parse_line(const char *line, ssize_t size, struct event_text *event) {
  u64 seconds, micros;
  event->args = 0;
  if (size < 40 || line[0] == '#' ||
      sscanf(line + 16, "-%u [%u] %*s %" SCNu64 ".%" SCNu64 ": %63[^:]: %n", &event->pid,
             &event->cpu, &seconds, &micros, event->name, &event->args) != 5)
    return false;
  event->micros = seconds * 1000000 + micros;
  return true;
}

/* Finds the lines of every CPU in one pass over the text. Returns the highest CPU. */
static u32 find_lines(FILE *text) {
  char *line = NULL;
  size_t room = 0;
  u64 last = 0, at = 0;
  u32 count = 0, cap = 0, highest = 0;
  for (ssize_t size; (size = getline(&line, &room, text)) > 0; at += (u64)size) {
    struct event_text event;
    if (!parse_line(line, size, &event)) continue;
    if (event.cpu >= CPUS_MAX) fail("text", "too many CPUs");
    if (event.cpu > highest) highest = event.cpu;
    u64 ts = event.micros * 1000;
    last = ts > last ? ts : last + 1;
    if (++count >= cap) {
      cap = cap ? cap * 2 : 1 << 16;
      lines = realloc(lines, cap * sizeof *lines);
      if (!lines) fail("text", "out of memory");
    }
    lines[count] = (struct line){at, last, 0};
    if (last_line[event.cpu]) lines[last_line[event.cpu]].next = count;
    else first_line[event.cpu] = count;
    last_line[event.cpu] = count;
  }
  free(line);
  return highest;
}

/* All events of one CPU. Returns their number. */
static u64 write_cpu(struct output *out, FILE *text, u32 cpu) {
  char *line = NULL;
  size_t room = 0;
  u64 events = 0;
  for (u32 i = first_line[cpu]; i; i = lines[i].next) {
    struct event_text event;
    if (fseeko(text, (off_t)lines[i].at, SEEK_SET)) fail("text", strerror(errno));
    ssize_t size = getline(&line, &room, text);
    if (size <= 0 || !parse_line(line, size, &event)) fail("text", "it changes while it is read");
    if (line[size - 1] == '\n') line[--size] = 0;
    struct name *name = NULL;
    for (u32 n = 0; n < name_count && !name; n++)
      if (!strcmp(names[n].name, event.name)) name = &names[n];
    if (!name || !name->seen) fail("event not in the template", event.name);
    u8 record[RECORD_MAX];
    size_t length = name->size;
    memcpy(record, name->record, length);
    memcpy(record + 4, &event.pid, 4);
    char *arguments = line + 16 + event.args;
    if (name->text_at) {
      length = name->text_at + (size_t)snprintf((char *)record + name->text_at,
                                                RECORD_MAX - name->text_at, "%s\n", arguments) + 1;
      if (length > RECORD_MAX) fail("marker too long", arguments);
    } else {
      char *end = strchr(arguments, ')');
      if (end) set_fields(name, record, end + 1);
    }
    put_record(out, lines[i].ts, record, length);
    events++;
  }
  free(line);
  flush_page(out);
  flush_chunk(out);
  return events;
}

/* ---- the file */

static u64 copy_section(struct output *out, const struct datfile *file, u16 id) {
  struct bytes body = datfile_section(file, id);
  if (!body.at) return 0;
  u64 at = out->at;
  size_t packed_size = 0;
  u8 *packed = NULL;
  if (out->compressed) {
    packed = malloc(ZSTD_compressBound(body.size));
    packed_size = ZSTD_compress(packed, ZSTD_compressBound(body.size), body.at, body.size, 3);
    if (ZSTD_isError(packed_size)) fail("zstd", "cannot compress");
  }
  put16(out, id);
  put16(out, out->compressed ? COMPRESSED : 0);
  put32(out, 0);
  put64(out, out->compressed ? packed_size + 8 : body.size);
  if (out->compressed) {
    put32(out, (u32)packed_size);
    put32(out, (u32)body.size);
  }
  put(out, out->compressed ? packed : body.at, out->compressed ? packed_size : body.size);
  free(packed);
  free(body.at);
  return at;
}

static void put_option(struct output *out, u16 id, const void *data, u32 size) {
  put16(out, id);
  put32(out, size);
  put(out, data, size);
}

static void align(struct output *out) {
  static const u8 zeros[PAGE];
  if (out->at % PAGE) put(out, zeros, PAGE - out->at % PAGE);
}

int main(int argc, char **argv) {
  static struct datfile file;
  static struct output out;
  if (argc != 5) fail("usage", "mkdat TEMPLATE.dat TEXT OUT.dat none|zstd");
  datfile_open(&file, argv[1]);
  datfile_formats(&file, keep_format, NULL);
  keep_first_records(&file);

  out.compressed = !strcmp(argv[4], "zstd");
  out.file = fopen(argv[3], "wb");
  if (!out.file) fail(argv[3], strerror(errno));
  static const char start[] = "\x17\x08\x44tracing7\0\0\x08\0\x10\0";
  put(&out, start, 18);
  if (out.compressed) put(&out, "zstd\0001.5.4", 11);
  else put(&out, "none\0", 6);
  u64 options_pointer = out.at;
  put64(&out, 0);

  u64 sections[CMDLINES + 1];
  for (u16 id = HEADER_INFO; id <= CMDLINES; id++) sections[id] = copy_section(&out, &file, id);

  align(&out);
  u64 buffer = out.at;
  put16(&out, SECTION_BUFFER);
  put16(&out, out.compressed ? COMPRESSED : 0);
  put32(&out, 0);
  put64(&out, 0);
  struct cpu_data cpus[CPUS_MAX];
  FILE *text = fopen(argv[2], "r");
  if (!text) fail(argv[2], strerror(errno));
  u32 count = 0, highest = find_lines(text);
  u64 events = 0;
  for (u32 cpu = 0; cpu <= highest; cpu++) {
    if (!out.compressed) align(&out);
    u64 offset = out.at;
    out.chunks = 0;
    if (out.compressed) put32(&out, 0);
    u64 written = write_cpu(&out, text, cpu);
    if (out.compressed) patch(&out, offset, &out.chunks, 4);
    if (written) cpus[count++] = (struct cpu_data){cpu, offset, out.at - offset};
    events += written;
  }
  fclose(text);
  u64 size = out.at - buffer - SECTION_HEADER;
  patch(&out, buffer + 8, &size, 8);

  u64 options = out.at, size_at = options + 8;
  put16(&out, 0);
  put16(&out, 0);
  put32(&out, 0);
  put64(&out, 0);
  for (u16 id = HEADER_INFO; id <= CMDLINES; id++)
    if (sections[id]) put_option(&out, id, &sections[id], 8);
  u32 cpu_count = highest + 1;
  put_option(&out, 8, &cpu_count, 4);
  put_option(&out, 4, "local [mono]\n", 14);
  put16(&out, SECTION_BUFFER);
  put32(&out, 8 + 1 + 5 + 8 + 20 * count);
  put64(&out, buffer);
  put(&out, "\0mono", 6);
  put32(&out, PAGE);
  put32(&out, count);
  for (u32 i = 0; i < count; i++) {
    put32(&out, cpus[i].cpu);
    put64(&out, cpus[i].offset);
    put64(&out, cpus[i].size);
  }
  u64 none = 0;
  put_option(&out, 0, &none, 8);
  size = out.at - options - SECTION_HEADER;
  patch(&out, size_at, &size, 8);
  patch(&out, options_pointer, &options, 8);
  if (fclose(out.file)) fail(argv[3], strerror(errno));
  fprintf(stderr, "mkdat: %" PRIu64 " events\n", events);
  return 0;
}
