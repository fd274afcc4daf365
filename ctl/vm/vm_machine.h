/* SPDX-License-Identifier: GPL-2.0 */
/* The machine as it is now, compared with the one that its command line creates. */
#ifndef KHCTL_VM_MACHINE_H
#define KHCTL_VM_MACHINE_H

#include "base/err.h"
#include "vm/qmp.h"

/**
 * enum machine_check - what a difference is about
 *
 * Each has an id, which names it for the operator: machine_text().
 */
enum machine_check {
	MC_ARGS,	/* an option that a second start cannot repeat */
	MC_FD,		/* an inherited file descriptor */
	MC_SNAPSHOT,	/* writes that QEMU throws away at its end */
	MC_BLOCK,	/* images and block nodes */
	MC_MEDIUM,	/* media of removable drives */
	MC_THROTTLE,	/* limits of a disk */
	MC_BITMAP,	/* dirty bitmaps */
	MC_EXPORT,	/* exported disks */
	MC_DEVICE,	/* devices added or removed */
	MC_CPU,		/* vCPUs added or removed */
	MC_OBJECT,	/* objects added or removed */
	MC_CHARDEV,	/* character devices */
	MC_NET,		/* network back ends */
	MC_HELPER,	/* other processes that QEMU needs */
	MC_PASSWORD,	/* passwords of a display */
	MC_NR
};

/** struct machine_text - how a check is told to the operator */
struct machine_text {
	const char *id;
	const char *wanted;
	const char *remedy;
};

const struct machine_text *machine_text(enum machine_check check);

/**
 * struct machine_sink - takes the differences
 * @differs: called for each
 */
struct machine_sink {
	void (*differs)(void *ctx, enum machine_check check, const char *found);
	void *ctx;
};

void machine_differs(const struct machine_sink *sink, enum machine_check check, const char *fmt,
		     ...) __attribute__((format(printf, 3, 4)));

/**
 * machine_learn() - ask QEMU what the machine consists of
 * @now: an object that the caller puts; its members are the answers of QEMU
 *
 * Return: 0 or -errno with a message.
 */
int machine_learn(struct qmp *q, struct json_object **now, struct kh_err *e);

/**
 * machine_compare() - tell each difference between the command line and the machine
 * @opts: of vm_opts_parse()
 * @now: of machine_learn()
 *
 * What cannot be compared counts as a difference.
 */
void machine_compare(struct json_object *opts, struct json_object *now,
		     const struct machine_sink *sink);

/**
 * machine_unchanged() - ask again, shortly before the pause
 * @argv: of QEMU, @len bytes
 * @stdin_now: as machine_learn() was told
 *
 * Return: 0; -EBUSY with the first difference in @e; -errno.
 */
int machine_unchanged(struct qmp *q, const char *argv, size_t len, const char *stdin_now,
		      struct kh_err *e);

/* The parts of machine_compare(). */
void machine_compare_args(struct json_object *opts, const struct machine_sink *sink);
void machine_compare_block(struct json_object *opts, struct json_object *now,
			   const struct machine_sink *sink);
void machine_compare_devices(struct json_object *opts, struct json_object *now,
			     const struct machine_sink *sink);

/* An array of a JSON object; a member that is missing counts as empty. */
size_t jlen(struct json_object *o, const char *key);
struct json_object *jidx(struct json_object *o, const char *key, size_t i);

#endif
