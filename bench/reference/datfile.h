/* trace.dat version 7, as far as the benchmark needs it; little endian, one buffer. */
#ifndef DATFILE_H
#define DATFILE_H

#include "replay.h"

#define CPUS_MAX 1024
enum { SECTION_HEADER = 16, OPTIONS_MAX = 64 };

struct option_entry { u16 id; u32 size; u64 at; };
struct cpu_data { u32 cpu; u64 offset, size; };

struct datfile {
  int fd;
  u64 size;
  char compressor[16];
  u32 page_size, cpu_count;
  bool compressed_data;
  struct cpu_data cpus[CPUS_MAX];
  struct option_entry options[OPTIONS_MAX];
  u32 option_count;
};

struct bytes { u8 *at; size_t size; };

void datfile_open(struct datfile *file, const char *path);
void datfile_read(const struct datfile *file, u64 offset, void *into, size_t size);
/* Body of the section that option `id` points at, decompressed; at is NULL when there is none. */
struct bytes datfile_section(const struct datfile *file, u16 id);

/* Calls `found` for each event format with its system's name; the text is not terminated. */
typedef void format_found(const char *system, const char *text, size_t size, void *context);
void datfile_formats(const struct datfile *file, format_found *found, void *context);
/* One `field:` line of a format; false when the format has no field of this name. */
bool format_field(const char *text, size_t size, const char *name, u32 *offset, u32 *bytes);
bool format_name(const char *text, size_t size, char name[64], u32 *id);

/* Events of one CPU, page by page. */
struct cpu_reader {
  const struct datfile *file;
  u64 next, end;          /* in the file */
  u32 chunks;             /* compressed chunks still to come */
  u8 *buffer, *packed;    /* decoded pages; a compressed chunk */
  const u8 *pages;        /* into buffer, or into the mapped file */
  size_t filled, page;    /* bytes of `pages`, offset of the current page */
  size_t at, committed;   /* in the current page */
  u64 ts;
  u32 cpu;
  const u8 *record;       /* current record's payload, record_size bytes at most */
  size_t record_size;
  const u8 *mapped;       /* whole file, or NULL to use read() */
};
void cpu_reader_open(struct cpu_reader *reader, const struct datfile *file, u32 index,
                     const u8 *mapped);
/* Moves on to the next record; false at the end. */
bool cpu_reader_next(struct cpu_reader *reader);

/* libzstd's stable interface; the header is not installed everywhere, the library is. */
size_t ZSTD_decompress(void *to, size_t room, const void *from, size_t size);
size_t ZSTD_compress(void *to, size_t room, const void *from, size_t size, int level);
size_t ZSTD_compressBound(size_t size);
unsigned ZSTD_isError(size_t code);

#endif
