/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's recorder in KRAM: what no program can see. */
#ifndef KHCTL_RECORDER_H
#define KHCTL_RECORDER_H

#include <linux/kh_events.h>
#include <linux/kram.h>
#include <stdbool.h>
#include "base/err.h"
#include "host/kram.h"

#define RECORDER_BYTES	(KRAM_FIXED_RECORDER_PAGES * KRAM_PAGE_SIZE)

/**
 * struct recorder - what was recorded
 * @h: its header
 * @ev: the events, in order of their numbers
 * @n: how many can be read
 * @lost: events that found no room
 * @broken: number of the first one whose checksum is wrong, @n: none
 * @unwritten: how many of the last ones are not there yet, as it goes on; they count as broken
 */
struct recorder {
	const struct kram_recorder *h;
	const struct kh_event *ev;
	uint32_t n;
	uint32_t lost;
	uint32_t broken;
	uint32_t unwritten;
};

/** recorder_there() - does the running kernel have one */
bool recorder_there(void);

/** recorder_arm() - empty it and start. Return: 0; -ENOENT when the kernel has none; -errno. */
int recorder_arm(const uint8_t *run_id);

/** recorder_stop() - what it holds stays. Return: 0 or -errno. */
int recorder_stop(void);

/** recorder_bytes() - a copy of it. @buf: RECORDER_BYTES. Return: 0 or -errno. */
int recorder_bytes(struct kram *k, void *buf);

/**
 * recorder_read() - check it
 * @data: aligned to 8 bytes
 *
 * Return: 0, also when events are lost or broken; -ENOENT when it was never armed;
 * -EPROTONOSUPPORT for another version; -EBADMSG for a damaged header.
 */
int recorder_read(struct recorder *r, const void *data, size_t size, struct kh_err *e);

#endif
