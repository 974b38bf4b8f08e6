/*
 * Usage: marks DESCRIPTORS ROUNDS WINDOW:LOGS...
 *
 * The core operations in plain C: marks the descriptors of a file (16 bytes each: u64 gpa, u32
 * length, u32 cause) in flat bit-planes, one a cause, then ends the round for each row (two masks
 * of causes, decimal), counts and lists the pages that were written and not logged, and clears.
 * Prints JSON: nanoseconds per descriptor, microseconds of every other step of every round, and the
 * last counts of each row, and of the runs of the first one.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef uint32_t u32;
typedef uint64_t u64;

enum { CAUSES = 18, ROWS_MAX = 16, BLOCK_WORDS = 8, GPA_BITS = 44 };
#define WORDS (1ull << (GPA_BITS - 18))

struct descriptor { u64 gpa; u32 len, cause; };
struct row { u32 window, logs; u64 *ever_lost, *stale, written_n, logged_n, lost_n, stale_n, differences; };

static u64 *planes[CAUSES], *touched, touched_words;
static struct row rows[ROWS_MAX];

static u64 *reserve(u64 words) {
  void *memory = mmap(NULL, words * 8, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) exit(2);
  return memory;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static inline void mark(u32 cause, u64 gpa, u64 len) {
  if (len == 0 || gpa >> GPA_BITS || (gpa + len - 1) >> GPA_BITS) return;
  u64 *plane = planes[cause];
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

static u64 any(u64 w, u32 mask) {
  u64 bits = 0;
  for (; mask; mask &= mask - 1) bits |= planes[__builtin_ctz(mask)][w];
  return bits;
}

static void sync_rows(u32 row_count, u32 causes) {
  for (u32 r = 0; r < row_count; r++) rows[r].written_n = rows[r].logged_n = rows[r].lost_n = 0;
  for (u64 t = 0; t < touched_words; t++) {
    for (u64 rest = touched[t]; rest; rest &= rest - 1) {
      u64 w = (t * 64 + (u64)__builtin_ctzll(rest)) * BLOCK_WORDS;
      for (u32 r = 0; r < row_count; r++) {
        struct row *row = &rows[r];
        for (u64 i = w; i < w + BLOCK_WORDS; i++) {
          u64 written = any(i, row->window & causes), logged = any(i, row->logs & causes);
          u64 lost = written & ~logged, stale = (row->stale[i] | written) & ~logged;
          row->written_n += __builtin_popcountll(written);
          row->logged_n += __builtin_popcountll(logged);
          row->lost_n += __builtin_popcountll(lost);
          row->ever_lost[i] |= lost;
          row->stale_n += __builtin_popcountll(stale) - __builtin_popcountll(row->stale[i]);
          row->stale[i] = stale;
        }
      }
    }
  }
}

static u64 lost_word(const struct row *row, u64 w, u32 causes) {
  return any(w, row->window & causes) & ~any(w, row->logs & causes);
}

/* Pages written and not logged, counted alone. */
static void differences(u32 row_count, u32 causes) {
  for (u32 r = 0; r < row_count; r++) rows[r].differences = 0;
  for (u64 t = 0; t < touched_words; t++) {
    for (u64 rest = touched[t]; rest; rest &= rest - 1) {
      u64 w = (t * 64 + (u64)__builtin_ctzll(rest)) * BLOCK_WORDS;
      for (u32 r = 0; r < row_count; r++)
        for (u64 i = w; i < w + BLOCK_WORDS; i++)
          rows[r].differences += __builtin_popcountll(lost_word(&rows[r], i, causes));
    }
  }
}

static struct { u64 runs, pages, starts, last, first; } listed;

static void run_ends(void) {
  if (listed.last == listed.first) return;
  listed.runs++;
  listed.pages += listed.last - listed.first;
  listed.starts += listed.first;
}

/* Runs of the same pages of the first row, ascending. */
static void list_runs(u32 causes) {
  listed.runs = listed.pages = listed.starts = listed.first = listed.last = 0;
  for (u64 t = 0; t < touched_words; t++) {
    for (u64 rest = touched[t]; rest; rest &= rest - 1) {
      u64 w = (t * 64 + (u64)__builtin_ctzll(rest)) * BLOCK_WORDS;
      for (u64 i = w; i < w + BLOCK_WORDS; i++) {
        u64 bits = lost_word(&rows[0], i, causes);
        while (bits) {
          u64 bit = (u64)__builtin_ctzll(bits), rising = bits + (1ull << bit);
          u64 end = rising ? (u64)__builtin_ctzll(rising) : 64;
          if (i * 64 + bit != listed.last) {
            run_ends();
            listed.first = i * 64 + bit;
          }
          listed.last = i * 64 + end;
          bits = rising ? bits & rising : 0;
        }
      }
    }
  }
  run_ends();
}

static void clear(u32 causes) {
  for (u64 t = 0; t < touched_words; t++) {
    for (u64 rest = touched[t]; rest; rest &= rest - 1) {
      u64 w = (t * 64 + (u64)__builtin_ctzll(rest)) * BLOCK_WORDS;
      for (u32 mask = causes; mask; mask &= mask - 1)
        memset(&planes[__builtin_ctz(mask)][w], 0, BLOCK_WORDS * 8);
    }
    touched[t] = 0;
  }
}

int main(int argc, char **argv) {
  if (argc < 4 || argc - 3 > ROWS_MAX) return 2;
  FILE *file = fopen(argv[1], "rb");
  if (!file || fseek(file, 0, SEEK_END)) return 2;
  size_t count = (size_t)ftell(file) / sizeof(struct descriptor);
  struct descriptor *list = malloc(count * sizeof *list);
  rewind(file);
  if (!count || !list || fread(list, sizeof *list, count, file) != count) return 2;
  u32 causes = 0, row_count = (u32)argc - 3;
  for (size_t i = 0; i < count; i++) {
    if (list[i].cause >= CAUSES) return 2;
    causes |= 1u << list[i].cause;
  }
  for (u32 mask = causes; mask; mask &= mask - 1) planes[__builtin_ctz(mask)] = reserve(WORDS);
  touched = reserve(WORDS / BLOCK_WORDS / 64);
  for (u32 r = 0; r < row_count; r++) {
    if (sscanf(argv[r + 3], "%u:%u", &rows[r].window, &rows[r].logs) != 2) return 2;
    rows[r].ever_lost = reserve(WORDS);
    rows[r].stale = reserve(WORDS);
  }
  printf("{\"rounds\":[");
  for (int round = 0, rounds = atoi(argv[2]); round < rounds; round++) {
    double start = now();
    for (size_t i = 0; i < count; i++) mark(list[i].cause, list[i].gpa, list[i].len);
    double marked = now();
    sync_rows(row_count, causes);
    double synced = now();
    differences(row_count, causes);
    double counted = now();
    list_runs(causes);
    double walked = now();
    clear(causes);
    printf("%s{\"mark\":%.3f,\"sync\":%.3f,\"differences\":%.3f,\"runs\":%.3f,\"clear\":%.3f}",
           round ? "," : "", (marked - start) / (double)count, (synced - marked) / 1e3,
           (counted - synced) / 1e3, (walked - counted) / 1e3, (now() - walked) / 1e3);
  }
  printf("],\"rows\":[");
  for (u32 r = 0; r < row_count; r++)
    printf("%s{\"written\":%llu,\"logged\":%llu,\"lost\":%llu,\"stale\":%llu}", r ? "," : "",
           (unsigned long long)rows[r].written_n, (unsigned long long)rows[r].logged_n,
           (unsigned long long)rows[r].lost_n, (unsigned long long)rows[r].stale_n);
  printf("],\"differences\":[");
  for (u32 r = 0; r < row_count; r++)
    printf("%s%llu", r ? "," : "", (unsigned long long)rows[r].differences);
  printf("],\"runs\":{\"runs\":%llu,\"pages\":%llu,\"starts\":%llu}}\n",
         (unsigned long long)listed.runs, (unsigned long long)listed.pages,
         (unsigned long long)listed.starts);
  return 0;
}
