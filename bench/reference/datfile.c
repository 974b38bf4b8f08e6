/* Reading trace.dat version 7: sections, event formats, ring-buffer pages (trace-cmd.dat.v7(5)). */
#define _GNU_SOURCE
#include "datfile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPTION_DONE = 0, OPTION_BUFFER = 3, OPTION_EVENTS = 17, OPTION_FORMATS = 18 };
enum { CHUNK_PAGES = 64 };

static u16 get16(const void *p) { u16 v; memcpy(&v, p, 2); return v; }
static u32 get32(const void *p) { u32 v; memcpy(&v, p, 4); return v; }
static u64 get64(const void *p) { u64 v; memcpy(&v, p, 8); return v; }

static void *allocate(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (!memory) fail("trace.dat", "out of memory");
  return memory;
}

void datfile_read(const struct datfile *file, u64 offset, void *into, size_t size) {
  if (offset > file->size || size > file->size - offset) fail("trace.dat", "truncated");
  for (size_t done = 0; done < size;) {
    ssize_t got = pread(file->fd, (u8 *)into + done, size - done, (off_t)(offset + done));
    if (got <= 0) fail("trace.dat", "cannot read");
    done += (size_t)got;
  }
}

static void unpack(void *to, size_t size, const void *from, size_t packed) {
  if (ZSTD_decompress(to, size, from, packed) != size) fail("trace.dat", "damaged zstd frame");
}

static void read_buffer_option(struct datfile *file, const struct option_entry *option) {
  u8 *data = allocate(option->size);
  datfile_read(file, option->at, data, option->size);
  u64 section = get64(data);
  size_t at = 8;
  for (int names = 0; names < 2; names++) /* buffer name, clock */
    at += strnlen((char *)data + at, option->size - at) + 1;
  file->page_size = get32(data + at);
  file->cpu_count = get32(data + at + 4);
  at += 8;
  if (file->cpu_count > CPUS_MAX || at + 20ull * file->cpu_count > option->size)
    fail("trace.dat", "bad BUFFER option");
  if (file->page_size < 64 || file->page_size > 1 << 20) fail("trace.dat", "bad page size");
  for (u32 i = 0; i < file->cpu_count; i++, at += 20)
    file->cpus[i] = (struct cpu_data){get32(data + at), get64(data + at + 4), get64(data + at + 12)};
  u8 header[SECTION_HEADER];
  datfile_read(file, section, header, sizeof header);
  file->compressed_data = get16(header + 2) & 1;
  free(data);
}

void datfile_open(struct datfile *file, const char *path) {
  struct stat st;
  u8 head[64] = {0};
  memset(file, 0, sizeof *file);
  file->fd = open(path, O_RDONLY);
  if (file->fd < 0 || fstat(file->fd, &st)) fail(path, strerror(errno));
  file->size = (u64)st.st_size;
  datfile_read(file, 0, head, file->size < sizeof head ? file->size : sizeof head);
  if (memcmp(head, "\x17\x08\x44tracing7", 12) || head[12]) fail(path, "not trace.dat 7, little endian");
  size_t at = 18;
  snprintf(file->compressor, sizeof file->compressor, "%.15s", (char *)head + at);
  at += strnlen((char *)head + at, 15) + 1;
  at += strnlen((char *)head + at, 15) + 1;
  u64 next = get64(head + at);
  for (int sections = 0; next && sections < 64; sections++) {
    u8 header[SECTION_HEADER], entry[6];
    datfile_read(file, next, header, sizeof header);
    if (get16(header) || get16(header + 2) & 1) fail(path, "options section expected");
    u64 offset = next + SECTION_HEADER, end = offset + get64(header + 8);
    next = 0;
    while (offset + sizeof entry <= end) {
      datfile_read(file, offset, entry, sizeof entry);
      struct option_entry option = {get16(entry), get32(entry + 2), offset + 6};
      offset = option.at + option.size;
      if (option.id == OPTION_DONE) {
        u8 data[8];
        datfile_read(file, option.at, data, sizeof data);
        next = get64(data);
        break;
      }
      if (option.id == OPTION_BUFFER && !file->cpu_count) read_buffer_option(file, &option);
      if (file->option_count < OPTIONS_MAX) file->options[file->option_count++] = option;
    }
  }
}

struct bytes datfile_section(const struct datfile *file, u16 id) {
  for (u32 i = 0; i < file->option_count; i++) {
    if (file->options[i].id != id) continue;
    u8 data[8], header[SECTION_HEADER + 8];
    datfile_read(file, file->options[i].at, data, sizeof data);
    u64 at = get64(data);
    datfile_read(file, at, header, sizeof header);
    struct bytes body;
    if (get16(header + 2) & 1) {
      u32 packed_size = get32(header + 16);
      body.size = get32(header + 20);
      if (body.size > 1u << 28 || packed_size > file->size) fail("trace.dat", "section too large");
      u8 *packed = allocate(packed_size);
      body.at = allocate(body.size);
      datfile_read(file, at + sizeof header, packed, packed_size);
      unpack(body.at, body.size, packed, packed_size);
      free(packed);
    } else {
      body.size = get64(header + 8);
      if (body.size > file->size) fail("trace.dat", "section too large");
      body.at = allocate(body.size);
      datfile_read(file, at + SECTION_HEADER, body.at, body.size);
    }
    return body;
  }
  return (struct bytes){NULL, 0};
}

static size_t formats(const u8 *at, size_t left, u32 count, const char *system, format_found *found,
                      void *context) {
  size_t start = left;
  while (count-- && left >= 8) {
    u64 size = get64(at);
    if (size > left - 8) fail("trace.dat", "truncated event format");
    found(system, (const char *)at + 8, size, context);
    at += 8 + size;
    left -= 8 + size;
  }
  return start - left;
}

void datfile_formats(const struct datfile *file, format_found *found, void *context) {
  struct bytes own = datfile_section(file, OPTION_EVENTS);
  if (own.at && own.size >= 4)
    formats(own.at + 4, own.size - 4, get32(own.at), "ftrace", found, context);
  struct bytes all = datfile_section(file, OPTION_FORMATS);
  if (!all.at || all.size < 4) fail("trace.dat", "no event formats");
  size_t at = 4;
  for (u32 systems = get32(all.at); systems && at < all.size; systems--) {
    const char *system = (const char *)all.at + at;
    at += strnlen(system, all.size - at) + 1;
    if (at + 4 > all.size) fail("trace.dat", "truncated event formats");
    u32 count = get32(all.at + at);
    at += 4;
    at += formats(all.at + at, all.size - at, count, system, found, context);
  }
  free(own.at);
  free(all.at);
}

bool format_field(const char *text, size_t size, const char *name, u32 *offset, u32 *bytes) {
  const char *end = text + size;
  size_t length = strlen(name);
  for (const char *at = text; (at = memmem(at, (size_t)(end - at), "field:", 6));) {
    const char *semicolon = memchr(at, ';', (size_t)(end - at));
    if (!semicolon) return false;
    const char *stop = memchr(at, '[', (size_t)(semicolon - at));
    if (!stop) stop = semicolon;
    at = semicolon;
    if ((size_t)(stop - text) <= length || stop[-(long)length - 1] != ' ' ||
        memcmp(stop - length, name, length))
      continue;
    return sscanf(semicolon, "; offset:%u; size:%u;", offset, bytes) == 2;
  }
  return false;
}

bool format_name(const char *text, size_t size, char name[64], u32 *id) {
  char head[160];
  snprintf(head, sizeof head, "%.*s", (int)(size < 150 ? size : 150), text);
  return sscanf(head, "name: %63s ID: %u", name, id) == 2;
}

void cpu_reader_open(struct cpu_reader *reader, const struct datfile *file, u32 index,
                     const u8 *mapped) {
  const struct cpu_data *data = &file->cpus[index];
  *reader = (struct cpu_reader){.file = file, .next = data->offset, .cpu = data->cpu};
  reader->end = data->offset + data->size;
  if (data->offset > file->size || data->size > file->size - data->offset)
    fail("trace.dat", "CPU data beyond the end");
  if (file->compressed_data) {
    u8 count[4];
    if (data->size) {
      datfile_read(file, reader->next, count, 4);
      reader->chunks = get32(count);
      reader->next += 4;
    }
    reader->packed = allocate(1 << 20);
    reader->buffer = allocate(1 << 20);
  } else if (mapped) {
    reader->mapped = mapped;
  } else {
    reader->buffer = allocate((size_t)file->page_size * CHUNK_PAGES);
  }
}

static bool fill(struct cpu_reader *reader) {
  const struct datfile *file = reader->file;
  reader->page = 0;
  if (file->compressed_data) {
    if (reader->chunks == 0) return false;
    u8 sizes[8];
    datfile_read(file, reader->next, sizes, 8);
    u32 packed = get32(sizes), size = get32(sizes + 4);
    if (packed > 1 << 20 || size > 1 << 20) fail("trace.dat", "chunk too large");
    datfile_read(file, reader->next + 8, reader->packed, packed);
    unpack(reader->buffer, size, reader->packed, packed);
    reader->next += 8 + packed;
    reader->chunks--;
    reader->pages = reader->buffer;
    reader->filled = size;
    return true;
  }
  u64 left = reader->end - reader->next;
  if (left < file->page_size) return false;
  if (reader->mapped) {
    reader->pages = reader->mapped + reader->next;
    reader->filled = left;
  } else {
    size_t room = (size_t)file->page_size * CHUNK_PAGES;
    reader->filled = left < room ? left : room;
    datfile_read(file, reader->next, reader->buffer, reader->filled);
    reader->pages = reader->buffer;
  }
  reader->next += reader->filled;
  return true;
}

/* Positions on the next page that holds anything. */
static bool next_page(struct cpu_reader *reader) {
  size_t size = reader->file->page_size;
  reader->page += reader->pages ? size : 0;
  if (reader->page + size > reader->filled && !fill(reader)) return false;
  if (reader->page + size > reader->filled) return false;
  const u8 *page = reader->pages + reader->page;
  reader->ts = get64(page);
  reader->at = 16;
  reader->committed = 16 + (get32(page + 8) & 0x7ffffff);
  if (reader->committed > size) fail("trace.dat", "page longer than its size");
  return true;
}

bool cpu_reader_next(struct cpu_reader *reader) {
  for (;;) {
    while (reader->at + 4 <= reader->committed) {
      const u8 *p = reader->pages + reader->page + reader->at;
      u32 word = get32(p), type = word & 31, delta = word >> 5;
      size_t left = reader->committed - reader->at;
      if (type >= 1 && type <= 28) {
        if (4 + 4 * type > left) fail("trace.dat", "record beyond its page");
        reader->ts += delta;
        reader->record = p + 4;
        reader->record_size = 4 * type;
        reader->at += 4 + 4 * type;
        return true;
      }
      if (type == 29 && delta == 0) break;
      if (left < 8) fail("trace.dat", "record beyond its page");
      u64 second = get32(p + 4);
      if (type == 30) reader->ts += delta | second << 27;
      if (type == 31) reader->ts = (reader->ts & 0xf8ull << 56) | delta | second << 27;
      if (type >= 30) {
        reader->at += 8;
        continue;
      }
      if (second < 4 || second > left - 4) fail("trace.dat", "record beyond its page");
      reader->ts += delta;
      reader->at += 4 + ((second + 3) & ~3ull);
      if (type == 29) continue;
      reader->record = p + 8;
      reader->record_size = second - 4;
      return true;
    }
    if (!next_page(reader)) return false;
  }
}
