// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/state_events.h"

#define MAX_EVENTS ((KH_EVENTS_ROOM - KH_EVENTS_FIRST) / sizeof(struct kh_event))

const char *side_name(enum kh_side side)
{
	return side == KH_OLD ? "old" : "new";
}

const char *probe_state_name(uint32_t state)
{
	static const char * const names[] = {
		[KH_PROBE_UNUSED] = "unused", [KH_PROBE_ATTACHED] = "attached",
		[KH_PROBE_MISSING] = "missing", [KH_PROBE_REFUSED] = "refused",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static char *section(const struct state *s, enum kh_side side)
{
	return state_part(s, KH_PART_EVENTS_OLD + side);
}

/* Into the copy that is not the valid one, its checksum last. */
void events_sync(struct events_out *out)
{
	char *at = section(out->s, out->side) + KH_EVENTS_HEADER(++out->h.seq & 1);

	out->h.hash = XXH3_64bits_digest(out->sum);
	out->h.crc = kh_crc(&out->h, offsetof(struct kh_events, crc));
	memset(at + offsetof(struct kh_events, crc), 0, sizeof(out->h.crc));
	store_barrier();
	memcpy(at, &out->h, offsetof(struct kh_events, crc));
	store_barrier();
	memcpy(at + offsetof(struct kh_events, crc), &out->h.crc, sizeof(out->h.crc));
	store_barrier();
}

int events_begin(struct events_out *out, struct state *s, enum kh_side side, const uint8_t *run_id,
		 const char *boot_id)
{
	memset(out, 0, sizeof(*out));
	if (!s->writable)
		return -EROFS;
	out->sum = XXH3_createState();
	if (!out->sum)
		return -ENOMEM;
	XXH3_64bits_reset(out->sum);
	out->s = s;
	out->side = side;
	out->h.magic = KH_EVENTS_MAGIC;
	out->h.version = KH_EVENTS_VERSION;
	out->h.header_size = sizeof(out->h);
	out->h.event_version = KH_EVENT_VERSION;
	out->h.event_size = sizeof(struct kh_event);
	memcpy(out->h.run_id, run_id, sizeof(out->h.run_id));
	copy_str(out->h.boot_id, sizeof(out->h.boot_id), boot_id);
	memset(section(s, side), 0, KH_EVENTS_FIRST);
	events_sync(out);
	return 0;
}

int events_continue(struct events_out *out, struct state *s, enum kh_side side,
		    const uint8_t *run_id, const char *boot_id)
{
	const struct kh_event *ev;
	struct kh_events h;
	int rc;

	rc = events_get(s, side, &h, &ev, NULL);
	if (rc)
		return rc;
	if (memcmp(h.run_id, run_id, sizeof(h.run_id)) || strcmp(h.boot_id, boot_id))
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	if (!s->writable)
		return -EROFS;
	out->sum = XXH3_createState();
	if (!out->sum)
		return -ENOMEM;
	XXH3_64bits_reset(out->sum);
	XXH3_64bits_update(out->sum, ev, h.nr_events * sizeof(*ev));
	out->s = s;
	out->side = side;
	out->h = h;
	out->earlier = h;
	/* Of several gaps the section keeps the whole time from the first to the last. */
	if (!out->h.gap_tsc)
		out->h.gap_tsc = h.drained_tsc ? h.drained_tsc : 1;
	return 0;
}

void events_end(struct events_out *out)
{
	XXH3_freeState(out->sum);
	out->sum = NULL;
	out->s = NULL;
}

void events_put(void *ctx, const struct kh_event *ev)
{
	struct events_out *out = ctx;
	struct kh_event *at;

	if (out->h.nr_events == MAX_EVENTS) {
		out->h.dropped++;
		return;
	}
	at = (struct kh_event *)(section(out->s, out->side) + KH_EVENTS_FIRST);
	memcpy(&at[out->h.nr_events++], ev, sizeof(*ev));
	XXH3_64bits_update(out->sum, ev, sizeof(*ev));
}

uint64_t events_first(const struct events_out *out, uint16_t type, uint32_t pid)
{
	const struct kh_event *ev;
	uint64_t i;

	if (!out->s)
		return 0;
	ev = (const void *)(section(out->s, out->side) + KH_EVENTS_FIRST);
	for (i = 0; i < out->h.nr_events; i++)
		if (ev[i].type == type && ev[i].pid == pid)
			return ev[i].tsc;
	return 0;
}

/* What the process before could not see stays unseen. */
static void join_earlier(struct kh_events *h, const struct kh_events *earlier)
{
	unsigned int i;

	h->gap_end_tsc = h->attached_tsc;
	h->began_tsc = earlier->began_tsc;
	h->attached_tsc = earlier->attached_tsc;
	h->lost += earlier->lost;
	if (earlier->error[0])
		memcpy(h->error, earlier->error, sizeof(h->error));
	for (i = 0; i < h->nr_probes && i < earlier->nr_probes; i++)
		if (earlier->probe[i].state > KH_PROBE_ATTACHED)
			h->probe[i] = earlier->probe[i];
}

void events_drain(struct events_out *out, struct instr *in)
{
	const struct kh_probe *probe;

	if (!out->s)
		return;
	/* First: what a ring that cannot be read makes of the programs is told as well. */
	out->h.drained_tsc = instr_drain(in, events_put, out);
	out->h.nr_probes = instr_probes(in, &probe);
	memcpy(out->h.probe, probe, sizeof(out->h.probe));
	copy_str(out->h.error, sizeof(out->h.error), instr_error(in));
	out->h.began_tsc = instr_began(in);
	out->h.attached_tsc = instr_attached(in);
	out->h.lost = instr_lost(in) + out->missed;
	if (out->earlier.magic)
		join_earlier(&out->h, &out->earlier);
	events_sync(out);
}

void events_finish(struct events_out *out, struct instr *in)
{
	out->missed = instr_missed(in);
	events_drain(out, in);
}

static bool header_valid(const struct kh_events *h)
{
	return h->magic == KH_EVENTS_MAGIC && h->version == KH_EVENTS_VERSION &&
	       h->header_size == sizeof(*h) && h->nr_events <= MAX_EVENTS &&
	       h->nr_probes <= KH_MAX_PROBES &&
	       h->crc == kh_crc(h, offsetof(struct kh_events, crc)) &&
	       !h->boot_id[sizeof(h->boot_id) - 1] && !h->error[sizeof(h->error) - 1];
}

const void *events_section(const struct state *s, enum kh_side side)
{
	return section(s, side);
}

int events_get(const struct state *s, enum kh_side side, struct kh_events *h,
	       const struct kh_event **ev, struct kh_err *e)
{
	return events_parse(section(s, side), side, h, ev, e);
}

int events_parse(const void *section, enum kh_side side, struct kh_events *h,
		 const struct kh_event **ev, struct kh_err *e)
{
	const char *base = section;
	struct kh_events c[2];
	int i, best = -1, blank = 0;

	if (!base)
		return err_set(e, -ENOENT, "nothing was recorded in the %s kernel", side_name(side));
	for (i = 0; i < 2; i++) {
		memcpy(&c[i], base + KH_EVENTS_HEADER(i), sizeof(c[i]));
		if (header_valid(&c[i])) {
			if (best < 0 || c[i].seq > c[best].seq)
				best = i;
		} else if (!c[i].magic && !c[i].crc) {
			blank++;
		}
	}
	if (best < 0)
		return blank == 2 ? err_set(e, -ENOENT, "nothing was recorded in the %s kernel",
					    side_name(side)) :
			err_set(e, -EBADMSG, "the events of the %s kernel are damaged", side_name(side));
	*h = c[best];
	*ev = (const void *)(base + KH_EVENTS_FIRST);
	if (h->event_version != KH_EVENT_VERSION || h->event_size != sizeof(**ev))
		return err_set(e, -EPROTONOSUPPORT, "events of version %u, this khctl knows %u",
			       h->event_version, KH_EVENT_VERSION);
	if (kh_hash(*ev, h->nr_events * sizeof(**ev)) != h->hash)
		return err_set(e, -EBADMSG, "the events of the %s kernel are damaged", side_name(side));
	for (i = 0; i < (int)h->nr_probes; i++)
		h->probe[i].name[sizeof(h->probe[i].name) - 1] = '\0';
	return 0;
}
