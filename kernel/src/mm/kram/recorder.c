// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder: what happens to preserved devices and tables where no program
 * of userspace can look, from the last process of one kernel to the first of
 * the next. Its events lie in fixed pages of KRAM, and both kernels write to
 * the same ones.
 *
 * Nothing is overwritten: when the room is used up, events are counted and
 * lost. Each event has a checksum that knows its number, written after it, so
 * that one that is torn, missing or altered is known.
 */

#define pr_fmt(fmt) "kram: recorder: " fmt

#include <linux/atomic.h>
#include <linux/crc32.h>
#include <linux/init.h>
#include <linux/kram.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/timex.h>
#include <asm/sections.h>

static_assert(sizeof(struct kh_event) == 64);
static_assert(sizeof(struct kram_recorder) == 128);
static_assert(KRAM_FIXED_RECORDER + KRAM_FIXED_RECORDER_PAGES <= KRAM_FIXED_PAGES);
static_assert(KRAM_FIXED_ROOT + KRAM_MAX_UNITS <= KRAM_FIXED_RECORDER);
static_assert(sizeof(struct kram_recorder) + KRAM_RECORDER_EVENTS * sizeof(u32) <=
	      KRAM_RECORDER_FIRST);

bool kram_recording;

static struct kram_recorder *recorder(void)
{
	return kram_get_fixed_page(0, KRAM_FIXED_RECORDER);
}

static u32 *recorder_checks(struct kram_recorder *r)
{
	return (u32 *)(r + 1);
}

static struct kh_event *recorder_events(struct kram_recorder *r)
{
	return (void *)r + KRAM_RECORDER_FIRST;
}

/* What does not change while it records. */
static u32 recorder_crc(const struct kram_recorder *r)
{
	return crc32_le(~0, (const u8 *)r,
			offsetof(struct kram_recorder, crc)) ^ ~0;
}

static u32 event_check(u32 index, const struct kh_event *ev)
{
	return crc32_le(~index, (const u8 *)ev, sizeof(*ev)) ^ ~0;
}

/**
 * __kram_record - put an event into the recorder
 * @type: enum kh_event_type
 * @bdf: KH_BDF() of the function it is about, or KH_NO_BDF
 * @ip: who called the function that the event is about
 * @a0: arguments as <uapi/linux/kh_events.h> says
 * @a1: likewise
 * @a2: likewise
 * @a3: likewise
 *
 * Context: Any, from kram_init() on; takes no lock.
 */
void __kram_record(u16 type, u32 bdf, unsigned long ip, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct kram_recorder *r = recorder();
	unsigned long text = (unsigned long)_stext;
	struct kh_event *ev;
	u32 i;

	/* The count goes on when there is no room: the rest are the lost ones. */
	i = atomic_fetch_inc((atomic_t *)&r->nr);
	if (i >= KRAM_RECORDER_EVENTS)
		return;
	ev = &recorder_events(r)[i];
	*ev = (struct kh_event) {
		.tsc = get_cycles(),
		.type = type,
		.version = KH_EVENT_VERSION,
		.source = KH_SRC_RECORDER,
		.cpu = raw_smp_processor_id(),
		.pid = current->tgid,
		.bdf = bdf,
		.caller = ip > text ? ip - text : 0,
		.arg = { a0, a1, a2, a3 },
	};
	/* The event first: a kernel that dies here leaves no check. */
	smp_wmb();
	WRITE_ONCE(recorder_checks(r)[i], event_check(i, ev));
}

/**
 * kram_recorder_arm - forget what was recorded and begin anew
 * @run_id: 16 bytes that name the upgrade; NULL: stop recording, keep the events
 *
 * Context: Process context, one caller at a time.
 */
void kram_recorder_arm(const u8 *run_id)
{
	struct kram_recorder *r = recorder();

	if (!r)
		return;
	WRITE_ONCE(kram_recording, false);
	if (!run_id) {
		r->stopped_tsc = get_cycles();
		return;
	}
	memset(r, 0, KRAM_RECORDER_FIRST);
	r->magic = KRAM_RECORDER_MAGIC;
	r->version = KRAM_RECORDER_VERSION;
	r->header_size = sizeof(*r);
	memcpy(r->run_id, run_id, sizeof(r->run_id));
	r->event_version = KH_EVENT_VERSION;
	r->event_size = sizeof(struct kh_event);
	r->capacity = KRAM_RECORDER_EVENTS;
	r->armed_tsc = get_cycles();
	r->generation = kram_areas[0].hdr->generation;
	r->crc = recorder_crc(r);
	WRITE_ONCE(kram_recording, true);
}

/* Is what lies there a recorder that an earlier kernel was writing to? */
static bool __init recorder_alive(const struct kram_recorder *r)
{
	return r->magic == KRAM_RECORDER_MAGIC && r->version == KRAM_RECORDER_VERSION &&
	       r->header_size == sizeof(*r) && r->event_version == KH_EVENT_VERSION &&
	       r->event_size == sizeof(struct kh_event) &&
	       r->capacity == KRAM_RECORDER_EVENTS && r->crc == recorder_crc(r) &&
	       !r->stopped_tsc && !r->adopted_tsc;
}

/**
 * kram_recorder_adopt - go on where the previous kernel stopped
 *
 * Before anything else in the areas is looked at: it is also told what is
 * refused. Goes on at most once for each time it was armed: a second kernel
 * behind the first is none of this upgrade.
 */
void __init kram_recorder_adopt(void)
{
	struct kram_recorder *r = recorder();

	if (!recorder_alive(r))
		return;
	r->adopted_tsc = get_cycles();
	r->adopted_nr = READ_ONCE(r->nr);
	kram_recording = true;
}

/* Called by kram_seal(). */
void kram_recorder_seal(void)
{
	struct kram_recorder *r = recorder();

	if (!kram_recording)
		return;
	kram_record(KH_EV_KRAM_SEAL, KH_NO_BDF, _RET_IP_, kram_areas[0].hdr->generation);
	r->sealed_tsc = get_cycles();
	r->sealed_nr = READ_ONCE(r->nr);
}
