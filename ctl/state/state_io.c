// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>
#include <zlib.h>
#include "base/tsc.h"
#include "base/util.h"
#include "format/manifest.h"
#include "state/state_io.h"

uint64_t kh_hash(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}

uint32_t kh_crc(const void *data, size_t len)
{
	return crc32(crc32(0, NULL, 0), data, len);
}

void store_barrier(void)
{
	__asm__ __volatile__("sfence" ::: "memory");
}

const char *state_name(uint32_t state)
{
	static const char * const names[KH_NR_STATES] = {
		[KH_IDLE] = "idle", [KH_PREPARED] = "prepared", [KH_SAVED] = "saved",
		[KH_RESUMED] = "resumed", [KH_FAILED] = "failed", [KH_ABORTED] = "aborted",
	};

	return state < KH_NR_STATES ? names[state] : "unknown";
}

const char *vm_state_name(uint32_t state)
{
	static const char * const names[KH_NR_VM_STATES] = {
		[KH_VM_PLANNED] = "planned", [KH_VM_SAVED] = "saved",
		[KH_VM_RUNNING] = "running", [KH_VM_FAILED] = "failed",
		[KH_VM_FORGOTTEN] = "forgotten",
	};

	return state < KH_NR_VM_STATES ? names[state] : "unknown";
}

/* The layout of a small area, and of every area of version 2. */
static const struct kh_extent small_layout[KH_NR_PARTS] = {
	[KH_PART_LOG] = { KH_LOG_OFFSET, KH_LOG_RECORDS * sizeof(struct kh_log_record) },
	[KH_PART_EVENTS_OLD] = { KH_EVENTS_OFFSET(KH_OLD), KH_EVENTS_ROOM },
	[KH_PART_EVENTS_NEW] = { KH_EVENTS_OFFSET(KH_NEW), KH_EVENTS_ROOM },
	[KH_PART_MANIFEST_OLD] = { KH_MANIFEST_OFFSET(KH_OLD), KH_MANIFEST_ROOM },
	[KH_PART_MANIFEST_NEW] = { KH_MANIFEST_OFFSET(KH_NEW), KH_MANIFEST_ROOM },
	[KH_PART_PLAN_0] = { KH_PLAN_OFFSET(0), KH_PLAN_ROOM },
	[KH_PART_PLAN_1] = { KH_PLAN_OFFSET(1), KH_PLAN_ROOM },
	[KH_PART_RECORDS] = { KH_RECORDS_OFFSET, KH_RECORDS_ROOM },
	[KH_PART_DATA] = { KH_DATA_OFFSET, 0 },
};

/* Room for the plan and the records of 1024 VMs, and for manifests of 512 devices. */
static const struct kh_extent large_layout[KH_NR_PARTS] = {
	[KH_PART_LOG] = { KH_LOG_OFFSET, KH_LOG_RECORDS * sizeof(struct kh_log_record) },
	[KH_PART_EVENTS_OLD] = { KH_EVENTS_OFFSET(KH_OLD), KH_EVENTS_ROOM },
	[KH_PART_EVENTS_NEW] = { KH_EVENTS_OFFSET(KH_NEW), KH_EVENTS_ROOM },
	[KH_PART_MANIFEST_OLD] = { 0x200000, 0x200000 },
	[KH_PART_MANIFEST_NEW] = { 0x400000, 0x200000 },
	[KH_PART_PLAN_0] = { 0x800000, 0x800000 },
	[KH_PART_PLAN_1] = { 0x1000000, 0x800000 },
	[KH_PART_RECORDS] = { 0x700000, 0x80000 },
	[KH_PART_DATA] = { 0x1800000, 0 },
};

static void set_parts(struct state *s, const struct kh_extent *part)
{
	memcpy(s->part, part, sizeof(s->part));
	s->part[KH_PART_DATA].room = s->size - s->part[KH_PART_DATA].offset;
}

static void write_layout(void *base, const struct kh_extent *part)
{
	struct kh_layout l = {
		.magic = KH_LAYOUT_MAGIC,
		.version = KH_STATE_VERSION,
		.header_size = sizeof(l),
		.nr_parts = KH_NR_PARTS,
	};

	memcpy(l.part, part, KH_NR_PARTS * sizeof(*part));
	l.crc = kh_crc(&l, offsetof(struct kh_layout, crc));
	memcpy((char *)base + KH_LAYOUT_OFFSET, &l, sizeof(l));
}

int state_format(void *base, uint64_t size, uint64_t resource)
{
	struct kh_super super = {
		.magic = KH_SUPER_MAGIC,
		.version = KH_STATE_VERSION,
		.header_size = sizeof(super),
		.size = size,
		.resource = resource,
		.created = time(NULL),
	};
	bool large = size >= KH_AREA_LARGE;

	if (size < KH_AREA_MIN)
		return -EINVAL;
	super.layout = large ? KH_LAYOUT_OFFSET : 0;
	super.crc = kh_crc(&super, offsetof(struct kh_super, crc));
	memset(base, 0, large ? large_layout[KH_PART_PLAN_0].offset : KH_PLAN_OFFSET(0));
	store_barrier();
	if (large)
		write_layout(base, large_layout);
	memcpy(base, &super, sizeof(super));
	store_barrier();
	return 0;
}

static bool crc_good(const void *p, size_t size)
{
	uint32_t crc;

	memcpy(&crc, (const char *)p + size - sizeof(crc), sizeof(crc));
	return crc == kh_crc(p, size - sizeof(crc));
}

/* A commit record may be longer than this khctl knows; its crc is its last field. */
static bool commit_valid(const struct state *s, const char *at)
{
	const struct kh_commit *c = (const void *)at;

	return c->magic == KH_COMMIT_MAGIC && c->version >= KH_STATE_OLDEST &&
	       c->version <= KH_STATE_VERSION && c->header_size >= sizeof(*c) &&
	       c->header_size <= KH_COMMIT_OFFSET(1) - KH_COMMIT_OFFSET(0) &&
	       c->state < KH_NR_STATES && c->slot < 2 &&
	       c->plan_size <= s->part[KH_PART_PLAN_0 + c->slot].room &&
	       crc_good(at, c->header_size);
}

static bool all_zero(const void *p, size_t len)
{
	const char *c = p;

	return !c[0] && !memcmp(c, c + 1, len - 1);
}

static int find_commit(struct state *s, struct kh_err *e)
{
	struct kh_commit c[2];
	int i, best = -1, blank = 0;

	for (i = 0; i < 2; i++) {
		memcpy(&c[i], s->base + KH_COMMIT_OFFSET(i), sizeof(c[i]));
		if (commit_valid(s, s->base + KH_COMMIT_OFFSET(i))) {
			if (best < 0 || c[i].seq > c[best].seq)
				best = i;
		} else if (all_zero(&c[i], sizeof(c[i]))) {
			blank++;
		}
	}
	memset(&s->commit, 0, sizeof(s->commit));
	if (best >= 0)
		s->commit = c[best];
	else if (!blank)
		return err_set(e, -EBADMSG, "both commit records of the state area are damaged");
	return 0;
}

int state_reread(struct state *s, struct kh_err *e)
{
	s->log_seq = 0;
	return find_commit(s, e);
}

static bool super_good(const struct kh_super *super)
{
	struct kh_super was = *super;

	if (super->header_size != sizeof(*super))
		return false;
	if (crc_good(super, sizeof(*super)))
		return true;
	/* Turned into version 3, and cut before the second store. */
	was.version = 2;
	return super->version == 3 && crc_good(&was, sizeof(was));
}

/* A part that an older khctl did not have lies where the small layout has it. */
static int read_layout(struct state *s, uint64_t offset, struct kh_err *e)
{
	struct kh_extent part[KH_NR_PARTS];
	const struct kh_layout *l;
	unsigned int i;

	set_parts(s, small_layout);
	if (!offset)
		return 0;
	l = (const void *)(s->base + offset);
	if (offset != KH_LAYOUT_OFFSET || l->magic != KH_LAYOUT_MAGIC ||
	    l->header_size != sizeof(*l) || l->nr_parts < KH_NR_PARTS || !crc_good(l, sizeof(*l)))
		return err_set(e, -EBADMSG, "the layout of the state area is damaged");
	memcpy(part, l->part, sizeof(part));
	for (i = 0; i < KH_NR_PARTS; i++)
		if (part[i].offset > s->size || part[i].room > s->size - part[i].offset ||
		    part[i].offset < KH_RECORDS_OFFSET || part[i].offset % 64)
			return err_set(e, -EBADMSG, "part %u of the state area lies outside of it", i);
	if (part[KH_PART_EVENTS_OLD].room < KH_EVENTS_ROOM ||
	    part[KH_PART_EVENTS_NEW].room < KH_EVENTS_ROOM ||
	    part[KH_PART_LOG].room < small_layout[KH_PART_LOG].room)
		return err_set(e, -EBADMSG, "a part of the state area is too small");
	set_parts(s, part);
	return 0;
}

int state_attach(struct state *s, void *base, uint64_t size, struct kh_err *e)
{
	struct kh_super super;
	int rc;

	memset(s, 0, sizeof(*s));
	if (size < KH_AREA_MIN)
		return err_set(e, -ENOENT, "too small for a state area");
	memcpy(&super, base, sizeof(super));
	if (super.magic != KH_SUPER_MAGIC)
		return err_set(e, -ENOENT, "no state area (magic %#llx)",
			       (unsigned long long)super.magic);
	if (super.version < KH_STATE_OLDEST || super.version > KH_STATE_VERSION)
		return err_set(e, -EPROTONOSUPPORT,
			       "state area of version %u, this khctl knows %u to %u",
			       super.version, KH_STATE_OLDEST, KH_STATE_VERSION);
	if (!super_good(&super))
		return err_set(e, -EBADMSG, "header of the state area is damaged");
	if (super.size > size || super.size < KH_AREA_MIN)
		return err_set(e, -EBADMSG, "state area of %llu bytes in a device of %llu",
			       (unsigned long long)super.size, (unsigned long long)size);
	s->base = base;
	s->size = super.size;
	rc = read_layout(s, super.version > 2 ? super.layout : 0, e);
	return rc ? rc : find_commit(s, e);
}

char *state_part(const struct state *s, enum kh_part part)
{
	return s->base + s->part[part].offset;
}

/*
 * Before the first change to an area of version 2: a khctl that knows only version 2 must not use it
 * any more, for that khctl would not see the change.
 */
void state_take_over(struct state *s)
{
	struct kh_super *super = (void *)s->base;
	struct kh_super now = *super;

	if (now.version == KH_STATE_VERSION)
		return;
	now.version = KH_STATE_VERSION;
	*(volatile uint32_t *)&super->version = now.version;
	store_barrier();
	*(volatile uint32_t *)&super->crc = kh_crc(&now, offsetof(struct kh_super, crc));
	store_barrier();
}

int state_plan(const struct state *s, struct kh_plan **plan, struct kh_err *e)
{
	const struct kh_commit *c = &s->commit;
	void *copy;
	int rc;

	*plan = NULL;
	if (!c->plan_size)
		return 0;
	copy = malloc(c->plan_size);
	if (!copy)
		return err_set(e, -ENOMEM, "out of memory");
	memcpy(copy, state_part(s, KH_PART_PLAN_0 + c->slot), c->plan_size);
	if (kh_hash(copy, c->plan_size) != c->plan_hash)
		rc = err_set(e, -EBADMSG, "the plan in the state area is damaged");
	else
		rc = plan_read(copy, c->plan_size, plan, e);
	free(copy);
	return rc;
}

int state_commit(struct state *s, enum kh_state state, const struct kh_plan *plan)
{
	struct kh_commit c = {
		.magic = KH_COMMIT_MAGIC,
		.version = KH_STATE_VERSION,
		.header_size = sizeof(c),
		.seq = s->commit.seq + 1,
		.state = state,
		.slot = s->commit.plan_size ? !s->commit.slot : 0,
	};
	char *at = s->base + KH_COMMIT_OFFSET(c.seq & 1);

	if (!s->writable)
		return -EROFS;
	if (plan && plan->size > s->part[KH_PART_PLAN_0 + c.slot].room)
		return -ENOSPC;
	state_take_over(s);
	if (plan) {
		/* Of the copy: a thread may note a time in the plan meanwhile. */
		c.plan_size = plan->size;
		memcpy(state_part(s, KH_PART_PLAN_0 + c.slot), plan, c.plan_size);
		c.plan_hash = kh_hash(state_part(s, KH_PART_PLAN_0 + c.slot), c.plan_size);
	}
	c.crc = kh_crc(&c, offsetof(struct kh_commit, crc));
	store_barrier();
	/* The record is invalid until its last field is there. */
	memset(at + offsetof(struct kh_commit, crc), 0, sizeof(c.crc));
	store_barrier();
	memcpy(at, &c, offsetof(struct kh_commit, crc));
	store_barrier();
	memcpy(at + offsetof(struct kh_commit, crc), &c.crc, sizeof(c.crc));
	store_barrier();
	s->commit = c;
	return 0;
}

const struct kh_log_record *state_log_get(const struct state *s, uint64_t seq)
{
	const struct kh_log_record *r;

	r = (const void *)state_part(s, KH_PART_LOG);
	r += (seq - 1) % KH_LOG_RECORDS;
	if (!seq || r->magic != KH_LOG_MAGIC || r->seq != seq ||
	    r->crc != kh_crc(&r->seq, sizeof(*r) - offsetof(struct kh_log_record, seq)) ||
	    r->text[sizeof(r->text) - 1])
		return NULL;
	return r;
}

uint64_t state_log_last(const struct state *s)
{
	const struct kh_log_record *r = (const void *)state_part(s, KH_PART_LOG);
	uint64_t last = 0;
	int i;

	for (i = 0; i < KH_LOG_RECORDS; i++)
		if (r[i].magic == KH_LOG_MAGIC && r[i].seq > last &&
		    state_log_get(s, r[i].seq) == &r[i])
			last = r[i].seq;
	return last;
}

void state_log(struct state *s, const uint8_t *run_id, const char *phase, uint64_t duration,
	       const char *fmt, ...)
{
	struct kh_log_record r = { .magic = KH_LOG_MAGIC, .duration = duration };
	struct kh_log_record *at;
	va_list ap;

	if (!s->writable)
		return;
	if (!s->log_seq)
		s->log_seq = state_log_last(s);
	r.seq = ++s->log_seq;
	r.tsc = tsc_now();
	if (run_id)
		memcpy(r.run_id, run_id, sizeof(r.run_id));
	copy_str(r.phase, sizeof(r.phase), phase);
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	r.crc = kh_crc(&r.seq, sizeof(r) - offsetof(struct kh_log_record, seq));
	at = (struct kh_log_record *)state_part(s, KH_PART_LOG) + (r.seq - 1) % KH_LOG_RECORDS;
	memcpy(at, &r, sizeof(r));
	store_barrier();
}
