/* One pair of clocks in one line: the realtime clock of QEMU's log, the monotonic one of ftrace. */
#include <stdio.h>
#include <time.h>

static long long ns(struct timespec t)
{
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(void)
{
	struct timespec before, between, after;
	/* The second round has its code and data in the caches. */
	for (int i = 0; i < 2; i++) {
		clock_gettime(CLOCK_REALTIME, &before);
		clock_gettime(CLOCK_MONOTONIC, &between);
		clock_gettime(CLOCK_REALTIME, &after);
	}
	printf("realtime=%lld.%09ld monotonic=%lld.%09ld spread_ns=%lld\n",
	       (long long)before.tv_sec, before.tv_nsec, (long long)between.tv_sec, between.tv_nsec,
	       ns(after) - ns(before));
	return 0;
}
