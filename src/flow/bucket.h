/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket.h - one cache line of the flow table's index: which slots hold the
 * flows of some hashes, by a tag of 16 bits.
 *
 * Where the table is full, a bucket also tells whom to end: a hand goes round
 * its entries, past those that are kept. Who finds a flow to be kept says so;
 * a flow that was droppable once and is kept now never is droppable again.
 *
 * Threading: its writer alone. Memory: nothing is allocated.
 */
#ifndef FLOW_BUCKET_H
#define FLOW_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BUCKET_ENTRIES	  10
#define BUCKET_ALL	  ((1u << BUCKET_ENTRIES) - 1)
#define BUCKET_NONE	  BUCKET_ENTRIES /* no entry */
#define BUCKET_HAND_SHIFT 12

struct bucket {
	uint64_t tags[2];   /* four 16-bit tags each; 0: free */
	uint32_t tags_last; /* two more */
	uint16_t spilled;   /* live flows that have this as their first bucket, in their second */
	uint16_t kept;	    /* entries known not to be droppable; and on top the hand */
	uint32_t slot[BUCKET_ENTRIES];
};

_Static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");

static inline uint16_t bucket_tag(const struct bucket *b, unsigned e)
{
	if (e < 8)
		return (uint16_t)(b->tags[e / 4] >> 16 * (e % 4));
	return (uint16_t)(b->tags_last >> 16 * (e - 8));
}

#ifdef __SSE2__
/* The entries of b that may have the tag, as a bit mask. */
static inline uint32_t bucket_match(const struct bucket *b, uint16_t tag)
{
	const char *at = (const char *)b;
	const __m128i want = _mm_set1_epi16((short)tag);
	const __m128i first = _mm_load_si128((const __m128i *)(const void *)at);
	/* The last two, and what is behind them, which is cut off. */
	const __m128i last = _mm_loadl_epi64(
		(const __m128i *)(const void *)(at + offsetof(struct bucket, tags_last)));

	return (uint32_t)_mm_movemask_epi8(
		       _mm_packs_epi16(_mm_cmpeq_epi16(first, want), _mm_cmpeq_epi16(last, want))) &
	       BUCKET_ALL;
}

/* The free entries of b, as a bit mask. */
static inline uint32_t bucket_free(const struct bucket *b)
{
	return bucket_match(b, 0);
}
#else
#define BUCKET_LANES	 0x0001000100010001ull
#define BUCKET_LANE_TOPS 0x8000800080008000ull

/* The top bit of each 16-bit lane of `tags` that equals tag. Lanes above a
 * true one may be marked falsely; whoever asks compares the keys. */
static inline uint64_t bucket_match_lanes(uint64_t tags, uint16_t tag)
{
	const uint64_t x = tags ^ BUCKET_LANES * tag;

	return (x - BUCKET_LANES) & ~x & BUCKET_LANE_TOPS;
}

/* The entries of b that may have the tag, as a bit mask. */
static inline uint32_t bucket_match(const struct bucket *b, uint16_t tag)
{
	/* One bit a lane, gathered by a multiplication. */
	const uint64_t m0 = bucket_match_lanes(b->tags[0], tag) >> 15;
	const uint64_t m1 = bucket_match_lanes(b->tags[1], tag) >> 15;
	const uint64_t m2 = bucket_match_lanes(b->tags_last, tag) >> 15;

	return (uint32_t)((m0 * 0x1000200040008ull >> 48 & 15) << 0 |
			  (m1 * 0x1000200040008ull >> 48 & 15) << 4 | ((m2 | m2 >> 15) & 3) << 8);
}

/* The free entries of b, as a bit mask. */
static inline uint32_t bucket_free(const struct bucket *b)
{
	uint32_t m = 0;

	for (unsigned e = 0; e < BUCKET_ENTRIES; e++)
		m |= (uint32_t)!bucket_tag(b, e) << e;
	return m;
}
#endif

static inline void bucket_tag_set(struct bucket *b, unsigned e, uint16_t tag)
{
	const uint64_t change = bucket_tag(b, e) ^ tag;

	if (e < 8)
		b->tags[e / 4] ^= change << 16 * (e % 4);
	else
		b->tags_last ^= (uint32_t)change << 16 * (e - 8);
}

/* Whether there are more entries in one mask than in another. */
static inline bool bucket_has_more(uint32_t a, uint32_t b)
{
	while (a && b) {
		a &= a - 1;
		b &= b - 1;
	}
	return a != 0;
}

static inline void bucket_set(struct bucket *b, unsigned e, uint16_t tag, uint32_t slot)
{
	bucket_tag_set(b, e, tag);
	b->slot[e] = slot;
	b->kept &= (uint16_t) ~(1u << e);
}

static inline bool bucket_take(struct bucket *b, uint32_t slot)
{
	for (unsigned e = 0; e < BUCKET_ENTRIES; e++) {
		if (!bucket_tag(b, e) || b->slot[e] != slot)
			continue;
		bucket_tag_set(b, e, 0);
		return true;
	}
	return false;
}

/* The entries of b that may be droppable. */
static inline uint32_t bucket_candidates(const struct bucket *b)
{
	return BUCKET_ALL & ~b->kept & ~bucket_free(b);
}

/* Of some of the entries of b the one that the hand comes to next. */
static inline unsigned bucket_next(const struct bucket *b, uint32_t entries)
{
	const unsigned hand = b->kept >> BUCKET_HAND_SHIFT;
	const uint32_t ahead = entries >> hand << hand;

	return (unsigned)__builtin_ctz(ahead ? ahead : entries);
}

#endif
