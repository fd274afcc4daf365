// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "host/dmar.h"

/* Offsets in bytes. VT-d 8.1: the table, 8.2: each structure, 8.3.1: a device scope. */
#define TABLE_LENGTH	4
#define TABLE_WIDTH	36
#define TABLE_FLAGS	37
#define TABLE_FIRST	48
#define ENTRY_LENGTH	2
#define ENTRY_HEADER	4
#define SCOPE_LENGTH	1
#define SCOPE_BUS	5
#define SCOPE_PATH	6

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* Room for one element more. Arrays grow one by one: a table has a few dozen structures at most. */
static void *grow(void *array, unsigned int nr, size_t size)
{
	return realloc(array, ((size_t)nr + 1) * size);
}

static int add_scope(struct dmar *d, const uint8_t *p, uint8_t len, struct kh_err *e)
{
	struct dmar_scope *s;
	unsigned int i;

	if (len < SCOPE_PATH + 2 || len % 2)
		return err_set(e, -EBADMSG, "a device scope has a length of %u bytes", len);
	if (len > SCOPE_PATH + 2 * DMAR_MAX_PATH)
		return err_set(e, -EBADMSG, "a device scope has a path of %u steps", (len - SCOPE_PATH) / 2);
	s = grow(d->scope, d->nr_scopes, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	d->scope = s;
	s += d->nr_scopes++;
	memset(s, 0, sizeof(*s));
	s->type = p[0];
	s->bus = p[SCOPE_BUS];
	s->nr_path = (len - SCOPE_PATH) / 2;
	for (i = 0; i < s->nr_path; i++)
		s->path[i] = (p[SCOPE_PATH + 2 * i] & 0x1f) << 3 | (p[SCOPE_PATH + 2 * i + 1] & 7);
	return 0;
}

static int add_scopes(struct dmar *d, struct dmar_entry *n, const uint8_t *p, size_t len, struct kh_err *e)
{
	int rc;

	n->scope = d->nr_scopes;
	while (len) {
		if (len < SCOPE_PATH || p[SCOPE_LENGTH] > len)
			return err_set(e, -EBADMSG, "a device scope does not end within its structure");
		rc = add_scope(d, p, p[SCOPE_LENGTH], e);
		if (rc)
			return rc;
		len -= p[SCOPE_LENGTH];
		p += p[SCOPE_LENGTH];
	}
	n->nr_scopes = d->nr_scopes - n->scope;
	return 0;
}

/* Bytes of a structure before its scopes; all of it for a type without scopes. 0: an unknown type. */
static size_t fixed_part(uint16_t type, size_t len)
{
	switch (type) {
	case DMAR_DRHD: return 16;
	case DMAR_RMRR: return 24;
	case DMAR_ATSR:
	case DMAR_SATC: return 8;
	case DMAR_RHSA: return 20;
	/* A name follows, which ends where the structure does. */
	case DMAR_ANDD: return len < 8 ? 8 : len;
	}
	return 0;
}

static int add_entry(struct dmar *d, const uint8_t *p, size_t len, struct kh_err *e)
{
	struct dmar_entry *list, n = { .type = le16(p) };
	size_t fixed = fixed_part(n.type, len);
	int rc = 0;

	if (!fixed) {
		d->nr_unknown++;
		return 0;
	}
	if (len < fixed)
		return err_set(e, -EBADMSG, "a structure of type %u has a length of %zu bytes", n.type, len);
	if (n.type == DMAR_RHSA) {
		n.base = le64(p + 8);
		n.end = le32(p + 16);
	} else if (n.type != DMAR_ANDD) {
		n.segment = le16(p + 6);
		if (n.type != DMAR_RMRR)
			n.flags = p[4];
		if (fixed >= 16)
			n.base = le64(p + 8);
		if (n.type == DMAR_RMRR)
			n.end = le64(p + 16);
		rc = add_scopes(d, &n, p + fixed, len - fixed, e);
	}
	if (rc)
		return rc;
	list = grow(d->entry, d->nr_entries, sizeof(n));
	if (!list)
		return err_set(e, -ENOMEM, "out of memory");
	d->entry = list;
	d->entry[d->nr_entries++] = n;
	return 0;
}

static bool adds_up(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return !sum;
}

static int add_entries(struct dmar *d, const uint8_t *p, size_t len, struct kh_err *e)
{
	size_t off, n;
	int rc;

	for (off = TABLE_FIRST; off < len; off += n) {
		n = len - off < ENTRY_HEADER ? 0 : le16(p + off + ENTRY_LENGTH);
		if (n < ENTRY_HEADER || n > len - off)
			return err_set(e, -EBADMSG, "the structure at byte %zu does not end within the table", off);
		rc = add_entry(d, p + off, n, e);
		if (rc)
			return rc;
	}
	return 0;
}

int dmar_parse(const void *table, size_t len, struct dmar *d, struct kh_err *e)
{
	const uint8_t *p = table;
	uint32_t said;
	int rc;

	memset(d, 0, sizeof(*d));
	if (len < TABLE_FIRST || memcmp(p, "DMAR", 4))
		return err_set(e, -EBADMSG, "%zu bytes that are no DMAR table", len);
	said = le32(p + TABLE_LENGTH);
	if (said < TABLE_FIRST || said > len)
		return err_set(e, -EBADMSG, "the table has %zu bytes, its header says %u", len, said);
	len = said;
	d->checksum_ok = adds_up(p, len);
	d->width = p[TABLE_WIDTH] + 1;
	d->flags = p[TABLE_FLAGS];
	rc = add_entries(d, p, len, e);
	if (rc)
		dmar_free(d);
	return rc;
}

void dmar_free(struct dmar *d)
{
	free(d->entry);
	free(d->scope);
	memset(d, 0, sizeof(*d));
}

int dmar_scope_find(const struct dmar_scope *s, uint32_t segment, dmar_secondary_fn secondary,
		    void *ctx, uint8_t *bus, uint8_t *devfn)
{
	unsigned int i;
	int next;

	*bus = s->bus;
	*devfn = s->path[0];
	for (i = 1; i < s->nr_path; i++) {
		next = secondary(ctx, segment, *bus, *devfn);
		if (next < 0 || next > 0xff)
			return -ENOENT;
		*bus = next;
		*devfn = s->path[i];
	}
	return 0;
}
