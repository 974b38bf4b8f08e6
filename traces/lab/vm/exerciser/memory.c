/* Guest memory: regions with a shadow copy, and a heap in it. */
#include "exercise.h"

#include <string.h>
#include <sys/mman.h>

enum { MAX_REGIONS = 16 };

static struct region {
	u64 gpa, size;
	u8 *mem, *shadow;
} regions[MAX_REGIONS];
static int nregions;
static u64 end_of_memory;

/* The byte that stands at an address before anybody writes there: top bit set. */
static u8 untouched(u64 gpa)
{
	return 0x80 | (gpa * 0x9E3779B97F4A7C15ull) >> 57;
}

void memory_add_region(u64 gpa, u64 size)
{
	if (nregions == MAX_REGIONS)
		die("more than %d regions", MAX_REGIONS);
	struct region *r = &regions[nregions++];
	r->gpa = gpa;
	r->size = size;
	/* A guard page on either side; and so the host's order is not the guest's. */
	u8 *mapped = mmap(NULL, size + 3 * PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r->shadow = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapped == MAP_FAILED || r->shadow == MAP_FAILED)
		die("no memory for the region at %#llx", (unsigned long long)gpa);
	r->mem = mapped + PAGE_BYTES;
	mprotect(mapped, PAGE_BYTES, PROT_NONE);
	mprotect(r->mem + size, PAGE_BYTES, PROT_NONE);
	for (u64 i = 0; i < size; i++)
		r->mem[i] = untouched(gpa + i);
	memcpy(r->shadow, r->mem, size);
	if (gpa + size > end_of_memory)
		end_of_memory = gpa + size;
}

int memory_regions(void)
{
	return nregions;
}

void memory_region(int index, u64 *gpa, u64 *size, void **host)
{
	*gpa = regions[index].gpa;
	*size = regions[index].size;
	*host = regions[index].mem;
}

u64 memory_end(void)
{
	return end_of_memory;
}

static struct region *find(u64 gpa)
{
	for (int i = 0; i < nregions; i++)
		if (gpa >= regions[i].gpa && gpa - regions[i].gpa < regions[i].size)
			return &regions[i];
	return NULL;
}

bool memory_holds(u64 gpa, u64 len)
{
	return find(gpa) && (len == 0 || find(gpa + len - 1));
}

void *memory_host(u64 gpa, u64 len)
{
	struct region *r = find(gpa);
	if (!r || gpa - r->gpa + len > r->size)
		die("%#llx+%#llx is not in one region", (unsigned long long)gpa,
		    (unsigned long long)len);
	return r->mem + (gpa - r->gpa);
}

/* The next piece of [gpa, gpa+len) that lies in one region, never empty. */
static struct region *piece(u64 gpa, u64 len, u64 *offset, u64 *n)
{
	struct region *r = find(gpa);
	if (!r)
		die("no guest memory at %#llx", (unsigned long long)gpa);
	*offset = gpa - r->gpa;
	*n = r->size - *offset < len ? r->size - *offset : len;
	return r;
}

void guest_write(u64 gpa, const void *data, u32 len)
{
	for (u64 done = 0, offset, n; done < len; done += n) {
		struct region *r = piece(gpa + done, len - done, &offset, &n);
		memcpy(r->mem + offset, (const u8 *)data + done, n);
		memcpy(r->shadow + offset, (const u8 *)data + done, n);
	}
}

void guest_read(u64 gpa, void *data, u32 len)
{
	for (u64 done = 0, offset, n; done < len; done += n) {
		struct region *r = piece(gpa + done, len - done, &offset, &n);
		memcpy((u8 *)data + done, r->mem + offset, n);
	}
}

void guest_fill(u64 gpa, u32 len, enum fill kind)
{
	u8 bytes[PAGE_BYTES];
	for (u32 done = 0; done < len;) {
		u32 n = len - done < sizeof bytes ? len - done : sizeof bytes;
		for (u32 i = 0; i < n; i++) {
			u8 byte = untouched(gpa + done + i);
			bytes[i] = kind == FILL_UNTOUCHED ? byte : byte & 0x7f;
		}
		guest_write(gpa + done, bytes, n);
		done += n;
	}
}

static void note_changed(u64 gpa)
{
	u64 page = gpa / PAGE_BYTES;
	changed_pages[page / 8] |= 1 << page % 8;
}

u64 accept_changes(u64 gpa, u64 len)
{
	u64 bytes = 0;
	for (u64 done = 0, offset, n; done < len; done += n) {
		struct region *r = piece(gpa + done, len - done, &offset, &n);
		u8 *mem = r->mem + offset, *shadow = r->shadow + offset;
		for (u64 i = 0; i < n;) {
			if (i + 64 <= n && !memcmp(mem + i, shadow + i, 64)) {
				i += 64;
				continue;
			}
			if (mem[i] != shadow[i]) {
				shadow[i] = mem[i];
				note_changed(gpa + done + i);
				bytes++;
			}
			i++;
		}
	}
	return bytes;
}

static u64 heap_start, heap_size, heap_next;
static u32 heap_alignment = 512;

void heap_set(u64 gpa, u64 size, u32 alignment)
{
	heap_start = heap_next = gpa;
	heap_size = size;
	heap_alignment = alignment;
}

u64 heap_take(u32 len, int offset)
{
	u32 alignment = offset == ANY_OFFSET ? heap_alignment : PAGE_BYTES;
	for (int tries = 0; tries < 100000; tries++) {
		u64 gpa = (heap_next + alignment - 1) / alignment * alignment;
		if (offset != ANY_OFFSET)
			gpa += offset;
		if (gpa + len > heap_start + heap_size)
			heap_next = heap_start;
		else if (in_flight_overlaps(gpa, len ? len : 1))
			heap_next = gpa + PAGE_BYTES;
		else {
			heap_next = gpa + len;
			return gpa;
		}
	}
	die("the heap is full");
}
