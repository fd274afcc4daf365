// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzzer's bytes are read as a bundle, and as each part of a bundle. A
 * wrong checksum ends the reading early, so the harness corrects checksums
 * where the first byte of the input says so.
 *
 * The harness computes each checksum by itself. It aborts when a bundle with a
 * wrong checksum is accepted, and when the verdict is "pass" although a part of
 * the bundle has a wrong checksum.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "evidence/claims.h"
#include "evidence/evidence.h"

#define MEND_BUNDLE	1
#define MEND_PARTS	2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend_manifest(char *p, size_t size)
{
	struct kh_manifest *h = (void *)p;

	if (size < sizeof(*h))
		return;
	h->magic = KH_MANIFEST_MAGIC;
	h->version = KH_MANIFEST_VERSION;
	h->header_size = sizeof(*h);
	h->size = size;
	h->hash = kh_hash(h + 1, size - sizeof(*h));
	h->crc = kh_crc(h, offsetof(struct kh_manifest, crc));
}

static void mend_recorder(char *p, size_t size)
{
	struct kram_recorder *r = (void *)p;

	if (size < sizeof(*r))
		return;
	r->magic = KRAM_RECORDER_MAGIC;
	r->version = KRAM_RECORDER_VERSION;
	r->header_size = sizeof(*r);
	r->crc = crc32(0, (const void *)r, offsetof(struct kram_recorder, crc));
}

static void mend_handover(char *p, size_t size)
{
	struct kram_handover *h = (void *)p;

	if (size != sizeof(*h))
		return;
	h->crc = 0;
	h->crc = crc32(0, (const void *)h, sizeof(*h));
}

static void mend_parts(char *buf, size_t size)
{
	struct kh_bundle b;
	unsigned int i;

	memcpy(&b, buf, sizeof(b));
	for (i = 0; i < KH_NR_SECTIONS; i++) {
		uint64_t off = b.section[i].offset, n = b.section[i].size;

		if (off % 8 || off < sizeof(b) || off > size || n > size - off)
			continue;
		if (i >= KH_SEC_MANIFEST_OLD && i <= KH_SEC_MANIFEST_NOW)
			mend_manifest(buf + off, n);
		else if (i == KH_SEC_RECORDER)
			mend_recorder(buf + off, n);
		else if (i == KH_SEC_HANDOVER)
			mend_handover(buf + off, n);
	}
}

static void mend_bundle(char *buf, size_t size)
{
	struct kh_bundle *b = (void *)buf;

	b->magic = KH_BUNDLE_MAGIC;
	b->version = KH_BUNDLE_VERSION;
	b->header_size = sizeof(*b);
	b->size = size;
	b->hash = kh_hash(b + 1, size - sizeof(*b));
	b->crc = kh_crc(b, offsetof(struct kh_bundle, crc));
}

static bool bundle_right(const char *buf, size_t size)
{
	const struct kh_bundle *b = (const void *)buf;

	return size >= sizeof(*b) && b->size == size &&
	       b->hash == kh_hash(b + 1, size - sizeof(*b)) &&
	       b->crc == kh_crc(b, offsetof(struct kh_bundle, crc));
}

static bool manifest_right(const char *p, size_t size)
{
	const struct kh_manifest *h = (const void *)p;

	return size >= sizeof(*h) && h->hash == kh_hash(h + 1, size - sizeof(*h)) &&
	       h->crc == kh_crc(h, offsetof(struct kh_manifest, crc));
}

static bool handover_right(const char *p, size_t size)
{
	struct kram_handover h;
	uint32_t crc;

	if (size != sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	crc = h.crc;
	h.crc = 0;
	return crc == crc32(0, (const void *)&h, sizeof(h));
}

static bool recorder_right(const char *p, size_t size)
{
	const struct kram_recorder *r = (const void *)p;

	return size >= sizeof(*r) &&
	       r->crc == crc32(0, (const void *)r, offsetof(struct kram_recorder, crc));
}

/* Whether every part with a checksum of its own that @ev has is undamaged. */
static bool parts_right(const struct evidence *ev)
{
	unsigned int i;
	const char *p;
	size_t n;

	for (i = 0; i < KH_NR_SECTIONS; i++) {
		p = ev->blob[i].data;
		n = ev->blob[i].size;
		if (!n)
			continue;
		if ((i == KH_SEC_MANIFEST_OLD || i == KH_SEC_MANIFEST_NEW) && !manifest_right(p, n))
			return false;
		if (i == KH_SEC_HANDOVER && !handover_right(p, n))
			return false;
		if (i == KH_SEC_RECORDER && !recorder_right(p, n))
			return false;
	}
	return true;
}

static void as_bundle(char *buf, size_t size, uint8_t how, struct claims *c)
{
	struct kh_err e = { 0 };
	struct evidence ev;

	if (size >= sizeof(struct kh_bundle)) {
		if (how & MEND_PARTS)
			mend_parts(buf, size);
		if (how & MEND_BUNDLE)
			mend_bundle(buf, size);
	}
	if (!evidence_parse(&ev, buf, size, &e)) {
		if (!bundle_right(buf, size))
			abort();	/* accepted with a wrong checksum */
		claims_make(c, &ev);
		if (claims_verdict(c) == HOLDS && !parts_right(&ev))
			abort();	/* a pass that rests on a damaged part */
	} else if (!e.rc || !e.msg[0]) {
		abort();	/* refused without a reason */
	}
	evidence_free(&ev);
}

static void as_parts(char *buf, size_t size, uint8_t how)
{
	struct kh_err e = { 0 };
	struct recorder r;
	struct man m;
	uint32_t i;
	uint64_t sum = 0;

	if (how & MEND_PARTS)
		mend_manifest(buf, size);
	if (!manifest_read(&m, buf, size, &e))
		for (i = 0; i < m.h->nr_pages; i++)
			sum += m.page[i].pa;
	memset(&e, 0, sizeof(e));
	if (!recorder_read(&r, buf, size, &e) && (r.broken > r.n || r.n > KRAM_RECORDER_EVENTS))
		abort();
	__asm__ __volatile__("" : : "r"(sum));
}

/* A plan that is accepted passes its own check, whichever version it was. */
static void as_plan(char *buf, size_t size, uint8_t how)
{
	struct kh_plan *h = (void *)buf, *p;
	struct kh_err e = { 0 };

	if (how & MEND_PARTS && size >= sizeof(*h)) {
		h->magic = KH_PLAN_MAGIC;
		h->version = how & MEND_BUNDLE ? 2 : 3;
		h->size = size;
	}
	if (plan_read(buf, size, &p, &e)) {
		if (!e.rc || !e.msg[0])
			abort();	/* refused without a reason */
		return;
	}
	if (plan_check(p, p->size))
		abort();
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct claims *c;
	char *buf;

	if (!c)
		c = calloc(1, sizeof(*c));
	if (!size || !c)
		return 0;
	/* A copy of just that size, aligned as memory from malloc() is. */
	buf = malloc(size);
	if (!buf)
		return 0;
	memcpy(buf, data + 1, size - 1);
	as_parts(buf, size - 1, data[0]);
	memcpy(buf, data + 1, size - 1);
	as_bundle(buf, size - 1, data[0], c);
	memcpy(buf, data + 1, size - 1);
	as_plan(buf, size - 1, data[0]);
	free(buf);
	return 0;
}
