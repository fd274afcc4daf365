/* SPDX-License-Identifier: GPL-2.0 */
/* Reading and writing the state area whose format is ctl/format/state.h. */
#ifndef KHCTL_STATE_IO_H
#define KHCTL_STATE_IO_H

#include "base/err.h"
#include "format/state.h"
#include "host/dax.h"
#include "state/plan.h"

/**
 * struct state - an opened state area
 * @base: its bytes
 * @size: how many
 * @dev: where it lies
 * @part: where its parts lie
 * @writable: whether it is mapped for writing
 * @commit: the current commit record, all zero when there was none yet
 * @log_seq: newest line of the log, 0: not looked for yet
 */
struct state {
	char *base;
	uint64_t size;
	struct kh_extent part[KH_NR_PARTS];
	struct dax_dev dev;
	bool writable;
	struct kh_commit commit;
	uint64_t log_seq;
};

/** state_format() - begin anew. @base has @size bytes. Return: 0 or -EINVAL. */
int state_format(void *base, uint64_t size, uint64_t resource);

/**
 * state_attach() - use memory as a state area
 *
 * Return: 0; -ENOENT when it holds none, -EPROTONOSUPPORT for an unknown version,
 * -EBADMSG when it is damaged, with a message in @e.
 */
int state_attach(struct state *s, void *base, uint64_t size, struct kh_err *e);

/**
 * state_open() - the state area of this host
 * @path: devdax node; NULL: the one that the kernel's command line names
 *	  (khctl.state=<physical address>), else the only one there is
 * @write: map it for writing
 *
 * Memory of a guest may hold anything, a forged state area as well: a device
 * that a process maps is never taken for one on its looks.
 *
 * Return: 0; -ENOENT when there is none; -EEXIST when there are several; -errno.
 */
int state_open(struct state *s, const char *path, bool write, struct kh_err *e);
void state_close(struct state *s);

/** state_reread() - learn what another process wrote to it meanwhile. Return: 0 or -EBADMSG. */
int state_reread(struct state *s, struct kh_err *e);

/** state_part() - the first byte of a part */
char *state_part(const struct state *s, enum kh_part part);

/** state_take_over() - make an area of version 2 one of this version, before the first change to it */
void state_take_over(struct state *s);

/** state_name() - of an enum kh_state, as in JSON */
const char *state_name(uint32_t state);
const char *vm_state_name(uint32_t state);

/**
 * state_plan() - a copy of the current plan, with room for more strings
 * @plan: PLAN_MAX bytes, freed by the caller; NULL when there is none
 *
 * Return: 0, -EBADMSG when it is damaged, -EPROTONOSUPPORT for another version.
 */
int state_plan(const struct state *s, struct kh_plan **plan, struct kh_err *e);

/** state_commit() - make @plan (NULL: none) the current one, in @state. Return: 0 or -errno. */
int state_commit(struct state *s, enum kh_state state, const struct kh_plan *plan);

/** state_log() - append a line */
void state_log(struct state *s, const uint8_t *run_id, const char *phase, uint64_t duration,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** state_log_last() - number of the newest line, 0: empty */
uint64_t state_log_last(const struct state *s);

/** state_log_get() - line @seq. Return: the record, NULL when it is gone or damaged. */
const struct kh_log_record *state_log_get(const struct state *s, uint64_t seq);

uint64_t kh_hash(const void *data, size_t len);
uint32_t kh_crc(const void *data, size_t len);

/** store_barrier() - stores before this are in memory before stores after it */
void store_barrier(void);

#endif
