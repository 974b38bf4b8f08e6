/*
 * Usage: timeit COMMAND [ARG...]
 *
 * Runs COMMAND and writes one line of JSON to descriptor 3: wall, user and system time in seconds,
 * the largest resident set of it or any descendant it waited for in bytes (of which the file is
 * mapped pages as well, as the kernel counts them), and its exit status.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct timespec start, end;
  struct rusage usage;
  int status;
  if (argc < 2) return 2;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t child = fork();
  if (child == 0) {
    close(3);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  if (child < 0 || wait4(child, &status, 0, &usage) < 0) return 2;
  clock_gettime(CLOCK_MONOTONIC, &end);
  dprintf(3, "{\"wall\":%.6f,\"user\":%.6f,\"sys\":%.6f,\"peak\":%lld,\"status\":%d}\n",
          (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
          (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
          (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
          (long long)usage.ru_maxrss * 1024,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
