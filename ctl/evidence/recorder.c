// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "base/util.h"
#include "evidence/recorder.h"
#include "state/state_io.h"

#define RECORDER_SYSFS KRAM_SYSFS "/recorder"

bool recorder_there(void)
{
	return !access(RECORDER_SYSFS, W_OK);
}

int recorder_arm(const uint8_t *run_id)
{
	char text[33];

	return write_text(RECORDER_SYSFS, run_id_text(run_id, text));
}

int recorder_stop(void)
{
	return write_text(RECORDER_SYSFS, "0");
}

int recorder_bytes(struct kram *k, void *buf)
{
	uint64_t pa = kram_fixed(k, KRAM_FIXED_RECORDER);
	unsigned int i;
	int rc = pa ? 0 : -EIO;

	for (i = 0; !rc && i < KRAM_FIXED_RECORDER_PAGES; i++)
		rc = kram_page(k, pa + i * KRAM_PAGE_SIZE, (char *)buf + i * KRAM_PAGE_SIZE);
	return rc;
}

/* The kernel begins its CRC with ~index; crc32() inverts what it is given. */
static uint32_t check_of(uint32_t index, const struct kh_event *ev)
{
	return crc32(index, (const void *)ev, sizeof(*ev));
}

int recorder_read(struct recorder *r, const void *data, size_t size, struct kh_err *e)
{
	const struct kram_recorder *h = data;
	const uint32_t *check;

	memset(r, 0, sizeof(*r));
	if (size != RECORDER_BYTES || !h->magic)
		return err_set(e, -ENOENT, "the kernel recorded nothing");
	if (h->magic != KRAM_RECORDER_MAGIC)
		return err_set(e, -EBADMSG, "the recorder is damaged: no header");
	if (h->version != KRAM_RECORDER_VERSION || h->event_version != KH_EVENT_VERSION)
		return err_set(e, -EPROTONOSUPPORT, "recorder of version %u, events of %u; this khctl knows %u, %u",
			       h->version, h->event_version, KRAM_RECORDER_VERSION, KH_EVENT_VERSION);
	if (h->header_size != sizeof(*h) || h->event_size != sizeof(*r->ev) ||
	    h->capacity != KRAM_RECORDER_EVENTS ||
	    h->crc != crc32(0, (const void *)h, offsetof(struct kram_recorder, crc)))
		return err_set(e, -EBADMSG, "the recorder is damaged: its checksum is wrong");
	check = (const uint32_t *)(h + 1);
	r->h = h;
	r->ev = (const void *)((const char *)data + KRAM_RECORDER_FIRST);
	r->n = h->nr < h->capacity ? h->nr : h->capacity;
	r->lost = h->nr - r->n;
	for (r->broken = 0; r->broken < r->n; r->broken++)
		if (check[r->broken] != check_of(r->broken, &r->ev[r->broken]))
			break;
	/* A number is given first. Where all have one, or nobody writes any more, none is to come. */
	if (!r->lost && !h->stopped_tsc)
		while (r->n - r->unwritten > r->broken && !check[r->n - r->unwritten - 1])
			r->unwritten++;
	return 0;
}
