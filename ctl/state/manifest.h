/* SPDX-License-Identifier: GPL-2.0 */
/* Taking, keeping and reading manifests. Their format is ctl/format/manifest.h. */
#ifndef KHCTL_LIB_MANIFEST_H
#define KHCTL_LIB_MANIFEST_H

#include <stdbool.h>
#include "base/err.h"
#include "format/manifest.h"
#include "host/kram.h"
#include "state/state_io.h"

/**
 * struct man - a manifest and its parts, which lie in one piece of memory behind @h
 */
struct man {
	const struct kh_manifest *h;
	const struct kh_man_unit *unit;
	const struct kh_man_dev *dev;
	const struct kh_man_page *page;
	const struct kh_man_irte *irte;
};

/**
 * enum man_irt - what a manifest does about the interrupt-remapping tables, 1 MiB each
 * @IRT_READ: reads them
 * @IRT_LEAVE: leaves them out, and says that they are missing
 * @IRT_ALONE: reads them and nothing of devices
 */
enum man_irt {
	IRT_READ,
	IRT_LEAVE,
	IRT_ALONE,
};

/**
 * manifest_take() - what there is now
 * @plan: names the devices
 * @boot: id of the running kernel's boot
 * @irt: see above
 * @prior: taken IRT_ALONE, not long ago, by this process: its tables are taken over; or NULL
 * @size: of the result
 *
 * What cannot be had is noted in it.
 *
 * Return: the manifest, freed by the caller, or NULL when out of memory.
 */
struct kh_manifest *manifest_take(const struct kh_plan *plan, const char *boot, struct kram *kram,
				  enum man_irt irt, const struct kh_manifest *prior, size_t *size);

/** manifest_put() - into the state area. Return: 0 or -errno. */
int manifest_put(struct state *s, enum kh_side side, const struct kh_manifest *h);

/** manifest_bytes() - what the state area holds where @side belongs; *@size is 0 for nothing. */
const void *manifest_bytes(const struct state *s, enum kh_side side, size_t *size);

/**
 * manifest_read() - check and take apart
 * @data: aligned to 8 bytes
 *
 * Return: 0; -ENOENT when @size is 0; -EBADMSG for a damaged one,
 * -EPROTONOSUPPORT for another version, with a message.
 */
int manifest_read(struct man *m, const void *data, size_t size, struct kh_err *e);

#endif
