/* A chain under construction: pieces of guest memory that one request names. */
#include "exercise.h"

#include <stdlib.h>
#include <string.h>

static struct segment chain[MAX_SEGMENTS];
static int nchain;

void chain_start(void)
{
	nchain = 0;
}

int chain_length(void)
{
	return nchain;
}

struct segment *chain_segments(void)
{
	return chain;
}

void chain_add(u64 gpa, u32 len, bool device_writes)
{
	if (nchain == MAX_SEGMENTS)
		die("more than %d segments", MAX_SEGMENTS);
	chain[nchain++] = (struct segment){ gpa, len, device_writes };
}

/* One piece; returns where its text ends. */
static const char *add_piece(const char *text, bool device_writes, u64 *total)
{
	char *end;
	u64 gpa, len;
	if (*text == '@') {
		gpa = strtoull(text + 1, &end, 0);
		if (*end != ':')
			die("a piece is @GPA:LEN, not %s", text);
		len = strtoull(end + 1, &end, 0);
	} else {
		len = strtoull(text, &end, 0);
		int offset = *end == '+' ? (int)strtoull(end + 1, &end, 0) : ANY_OFFSET;
		gpa = heap_take(len, offset);
	}
	if (len && memory_holds(gpa, len))
		guest_fill(gpa, len, device_writes ? FILL_UNTOUCHED : FILL_SENT);
	chain_add(gpa, len, device_writes);
	*total += len;
	return end;
}

u64 chain_add_pieces(const char *pieces, bool device_writes)
{
	u64 total = 0;
	while (pieces && *pieces) {
		char *end;
		u64 times = strtoull(pieces, &end, 0);
		const char *piece = *end == '*' ? end + 1 : pieces, *behind = piece;
		for (u64 i = *end == '*' ? times : 1; i > 0; i--)
			behind = add_piece(piece, device_writes, &total);
		if (*behind != ',' && *behind)
			die("cannot read the pieces at %s", pieces);
		pieces = *behind ? behind + 1 : NULL;
	}
	return total;
}

void chain_put(const void *data, u32 len)
{
	const u8 *bytes = data;
	for (int i = 0; i < nchain && len; i++) {
		if (chain[i].device_writes)
			continue;
		u32 n = chain[i].len < len ? chain[i].len : len;
		guest_write(chain[i].gpa, bytes, n);
		bytes += n;
		len -= n;
	}
}
