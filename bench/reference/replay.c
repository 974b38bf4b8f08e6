/*
 * Usage: replay [--read] [--quiet] [--verify DIR] [--out DIR] FILE
 *
 * FILE is ftrace text of tracefs or trace.dat version 7 (none, zstd). Prints one line per
 * dirty_sync_begin marker and one of totals; --verify adds the number of pages in which each
 * policy's log differs from the kernel's own.
 */
#include "replay.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct options options;

int main(int argc, char **argv) {
  const char *path = NULL;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--read")) options.use_read = true;
    else if (!strcmp(argv[i], "--quiet")) options.quiet = true;
    else if (!strcmp(argv[i], "--verify") && i + 1 < argc) options.verify = argv[++i];
    else if (!strcmp(argv[i], "--out") && i + 1 < argc) options.out = argv[++i];
    else if (argv[i][0] == '-' || path) fail("unknown argument", argv[i]);
    else path = argv[i];
  }
  if (!path) fail("usage", "replay [--read] [--quiet] [--verify DIR] [--out DIR] FILE");
  if (options.out) mkdir(options.out, 0777);
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot open", path);
  char magic[3] = {0};
  size_t got = fread(magic, 1, sizeof magic, file);
  fclose(file);
  model_init();
  if (got == 3 && !memcmp(magic, "\x17\x08\x44", 3)) replay_dat(path);
  else replay_text(path);
  model_finish();
  return 0;
}
