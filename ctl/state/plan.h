/* SPDX-License-Identifier: GPL-2.0 */
/* A plan in memory. Its format is ctl/format/state.h. */
#ifndef KHCTL_PLAN_H
#define KHCTL_PLAN_H

#include "base/err.h"
#include "format/state.h"

/* Bytes that a plan has room for in memory. The kernel hands out what is touched. */
#define PLAN_MAX	(16U << 20)

/** plan_new() - an empty plan with its own run id. Return: NULL when out of memory. */
struct kh_plan *plan_new(void);

/** plan_empty() - the same without a run id */
struct kh_plan *plan_empty(void);

/**
 * plan_read() - a plan of this or of an older version, as this khctl works with it
 * @data: @size bytes that were written by any khctl whose version is read; may be damaged
 * @plan: freed by the caller
 *
 * Return: 0, -EBADMSG for a damaged one, -EPROTONOSUPPORT for another version, -ENOMEM.
 */
int plan_read(const void *data, size_t size, struct kh_plan **plan, struct kh_err *e);

/** plan_check() - whether memory holds a plan with the sizes of this khctl. Return: 0 or -EBADMSG. */
int plan_check(const struct kh_plan *plan, size_t size);

/** plan_put() - store bytes; a zero byte is added. Return: 0 or -ENOSPC. */
int plan_put(struct kh_plan *plan, struct kh_str *s, const void *data, size_t len);

/** plan_str() - stored bytes, "" when there are none */
const char *plan_str(const struct kh_plan *plan, struct kh_str s);

/** plan_array() - room for @count entries, all zero. Return: 0 or -ENOSPC. */
int plan_array(struct kh_plan *plan, struct kh_array *a, unsigned int count, size_t entry_size);

static inline void *plan_entry(const struct kh_plan *plan, const struct kh_array *a, unsigned int i)
{
	return (char *)plan + a->off + (size_t)i * a->entry_size;
}

/* Entry @i, which must be less than the count of the array. */
static inline struct kh_plan_vm *plan_vm(const struct kh_plan *plan, unsigned int i)
{
	return plan_entry(plan, &plan->vms, i);
}

static inline struct kh_plan_left *plan_left(const struct kh_plan *plan, unsigned int i)
{
	return plan_entry(plan, &plan->left, i);
}

static inline struct kh_plan_ram *plan_ram(const struct kh_plan *plan, const struct kh_plan_vm *vm,
					   unsigned int i)
{
	return plan_entry(plan, &vm->ram, i);
}

static inline struct kh_plan_dev *plan_dev(const struct kh_plan *plan, const struct kh_plan_vm *vm,
					   unsigned int i)
{
	return plan_entry(plan, &vm->dev, i);
}

/** plan_devices() - preserved devices of all VMs */
unsigned int plan_devices(const struct kh_plan *plan);

/** plan_find_vm() - index of the VM of that name, the number of VMs when there is none */
unsigned int plan_find_vm(const struct kh_plan *plan, const char *name);

/** plan_generation() - generation of KRAM in the kernel that resumes the guests */
uint64_t plan_generation(const struct kh_plan *plan);

/** plan_kept() - how many VMs have a saved state that is kept: they do not run, and are not given up */
unsigned int plan_kept(const struct kh_plan *plan);

/** plan_kept_names() - the names of these VMs, as far as they fit. Return: @buf. */
char *plan_kept_names(const struct kh_plan *plan, char *buf, size_t size);

/** plan_first_stop() - TSC when the first guest stopped, 0 while none has */
uint64_t plan_first_stop(const struct kh_plan *plan);

/** run_id_text() - 16 bytes as text. Return: @buf of 33 bytes. */
const char *run_id_text(const uint8_t *run_id, char *buf);

#endif
