// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include "base/tsc.h"
#include "base/util.h"
#include "state/record.h"

_Static_assert(sizeof(struct kh_vm_record) <= KH_RECORD_STRIDE, "a record fits its place");

unsigned int record_room(const struct state *s)
{
	return s->part[KH_PART_RECORDS].room / (2 * KH_RECORD_STRIDE);
}

static char *place(const struct state *s, unsigned int index, unsigned int copy)
{
	return state_part(s, KH_PART_RECORDS) + (2 * (size_t)index + copy) * KH_RECORD_STRIDE;
}

/* A record may be longer than this khctl knows; its crc is its last field. */
static bool valid(const char *at, unsigned int index)
{
	const struct kh_vm_record *r = (const void *)at;
	uint32_t crc;

	if (r->magic != KH_RECORD_MAGIC || r->header_size < sizeof(*r) ||
	    r->header_size > KH_RECORD_STRIDE || r->index != index || r->state >= KH_NR_REC_STATES ||
	    !text_ends(r->boot_id, sizeof(r->boot_id)))
		return false;
	memcpy(&crc, at + r->header_size - sizeof(crc), sizeof(crc));
	return crc == kh_crc(at, r->header_size - sizeof(crc));
}

struct kh_vm_record record_get(const struct state *s, const uint8_t *run_id, unsigned int index)
{
	struct kh_vm_record best = { .index = index };
	const struct kh_vm_record *r;
	unsigned int copy;

	memcpy(best.run_id, run_id, sizeof(best.run_id));
	for (copy = 0; index < record_room(s) && copy < 2; copy++) {
		r = (const void *)place(s, index, copy);
		if (valid((const char *)r, index) && r->seq > best.seq &&
		    !memcmp(r->run_id, run_id, sizeof(r->run_id)))
			best = *r;
	}
	return best;
}

struct kh_vm_record record_of_boot(const struct state *s, const uint8_t *run_id, unsigned int index,
				   const char *boot)
{
	struct kh_vm_record r = record_get(s, run_id, index);

	if (!strcmp(r.boot_id, boot))
		return r;
	if (r.state == KH_REC_STARTED || r.state == KH_REC_UNUSED)
		r.state = KH_REC_NONE;
	r.pid = 0;
	r.start = 0;
	copy_str(r.boot_id, sizeof(r.boot_id), boot);
	return r;
}

int record_put(struct state *s, struct kh_vm_record *r)
{
	char *at;

	if (!s->writable)
		return -EROFS;
	if (r->index >= record_room(s))
		return -ENOSPC;
	state_take_over(s);
	r->magic = KH_RECORD_MAGIC;
	r->version = KH_STATE_VERSION;
	r->header_size = sizeof(*r);
	r->seq++;
	if (r->state == KH_REC_STARTED)
		r->started_tsc = tsc_now();
	if (r->state == KH_REC_USED)
		r->used_tsc = tsc_now();
	if (r->state == KH_REC_RUNNING)
		r->run_tsc = tsc_now();
	r->crc = kh_crc(r, offsetof(struct kh_vm_record, crc));
	at = place(s, r->index, r->seq & 1);
	/* The copy is invalid until its last field is there; the other copy counts until then. */
	memset(at + offsetof(struct kh_vm_record, crc), 0, sizeof(r->crc));
	store_barrier();
	memcpy(at, r, offsetof(struct kh_vm_record, crc));
	store_barrier();
	memcpy(at + offsetof(struct kh_vm_record, crc), &r->crc, sizeof(r->crc));
	store_barrier();
	return 0;
}

const char *record_state_name(uint32_t state)
{
	static const char * const names[KH_NR_REC_STATES] = {
		[KH_REC_NONE] = "none", [KH_REC_STARTED] = "started", [KH_REC_USED] = "used",
		[KH_REC_RUNNING] = "running", [KH_REC_UNUSED] = "unused",
	};

	return state < KH_NR_REC_STATES ? names[state] : "unknown";
}
