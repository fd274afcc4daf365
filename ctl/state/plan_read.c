// SPDX-License-Identifier: GPL-2.0
/*
 * Plans that another khctl wrote. A plan of version 3 may have longer or shorter structures; one of
 * version 2 has arrays of fixed length. Both become a plan with the structures of this khctl.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "format/state_v2.h"
#include "state/plan.h"

/* What version 3 began with. Later fields may be missing. */
#define PLAN_LEAST	920
#define VM_LEAST	448
#define RAM_LEAST	160
#define DEV_LEAST	144
#define LEFT_LEAST	128

/**
 * struct source - the bytes of the plan that is read
 * @base: aligned to 8 bytes
 * @header: bytes of its header; strings and arrays lie behind it
 */
struct source {
	const char *base;
	size_t size;
	size_t header;
};

static void copy_some(void *to, size_t to_size, const void *from, size_t from_size)
{
	memcpy(to, from, to_size < from_size ? to_size : from_size);
}

/* @s: of the source on entry, of @p afterwards */
static int move_str(struct kh_plan *p, const struct source *src, struct kh_str *s)
{
	const struct kh_str was = *s;

	*s = (struct kh_str){ 0 };
	if (!was.len)
		return 0;
	if (was.off < src->header || was.off >= src->size || was.len >= src->size - was.off ||
	    src->base[was.off + was.len])
		return -EBADMSG;
	return plan_put(p, s, src->base + was.off, was.len);
}

/* @a: of the source on entry, of @p afterwards */
static int move_array(struct kh_plan *p, const struct source *src, struct kh_array *a, size_t least,
		      size_t entry_size)
{
	const struct kh_array was = *a;
	unsigned int i;
	int rc;

	if (was.count && (was.entry_size < least || was.entry_size % 8 || was.off % 8 ||
			  was.off < src->header || was.off > src->size ||
			  was.count > (src->size - was.off) / was.entry_size))
		return -EBADMSG;
	rc = plan_array(p, a, was.count, entry_size);
	for (i = 0; !rc && i < was.count; i++)
		copy_some(plan_entry(p, a, i), entry_size,
			  src->base + was.off + (size_t)i * was.entry_size, was.entry_size);
	return rc;
}

static int move_vm_strings(struct kh_plan *p, const struct source *src, struct kh_plan_vm *vm)
{
	struct kh_str *s[] = { &vm->name, &vm->qmp, &vm->exe, &vm->argv, &vm->env, &vm->cwd,
			       &vm->out, &vm->err, &vm->attrs };
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < ARRAY_SIZE(s); i++)
		rc = move_str(p, src, s[i]);
	return rc;
}

static int move_plan_strings(struct kh_plan *p, const struct source *src)
{
	struct kh_str *s[] = { &p->image, &p->initrd, &p->cmdline, &p->back_image, &p->back_initrd,
			       &p->back_cmdline };
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < ARRAY_SIZE(s); i++)
		rc = move_str(p, src, s[i]);
	return rc;
}

static int read_v3(struct kh_plan *p, const struct source *src)
{
	struct kh_plan_vm *vm;
	unsigned int i;
	int rc;

	copy_some(p, sizeof(*p), src->base, src->header);
	p->header_size = sizeof(*p);
	p->size = sizeof(*p);
	rc = move_plan_strings(p, src);
	if (!rc)
		rc = move_array(p, src, &p->vms, VM_LEAST, sizeof(struct kh_plan_vm));
	if (!rc)
		rc = move_array(p, src, &p->left, LEFT_LEAST, sizeof(struct kh_plan_left));
	for (i = 0; !rc && i < p->vms.count; i++) {
		vm = plan_vm(p, i);
		rc = move_vm_strings(p, src, vm);
		if (!rc)
			rc = move_array(p, src, &vm->ram, RAM_LEAST, sizeof(struct kh_plan_ram));
		if (!rc)
			rc = move_array(p, src, &vm->dev, DEV_LEAST, sizeof(struct kh_plan_dev));
	}
	return rc;
}

static int read_v2_vm(struct kh_plan *p, const struct source *src, const struct kh_v2_vm *was,
		      struct kh_plan_vm *vm)
{
	int rc;

	if (was->nr_ram > KH_V2_RAM || was->nr_devs > KH_V2_DEVS)
		return -EBADMSG;
	vm->name = was->name;
	vm->qmp = was->qmp;
	vm->exe = was->exe;
	vm->argv = was->argv;
	vm->env = was->env;
	vm->cwd = was->cwd;
	vm->out = was->out;
	vm->err = was->err;
	vm->state = was->state;
	vm->old_pid = was->old_pid;
	vm->stream_offset = was->stream_offset;
	vm->stream_room = was->stream_room;
	vm->stream_size = was->stream_size;
	vm->stream_hash = was->stream_hash;
	vm->stop_tsc = was->stop_tsc;
	vm->saved_tsc = was->saved_tsc;
	vm->start_tsc = was->start_tsc;
	vm->loaded_tsc = was->loaded_tsc;
	vm->run_tsc = was->run_tsc;
	memcpy(vm->error, was->error, sizeof(vm->error));
	rc = move_vm_strings(p, src, vm);
	if (!rc)
		rc = plan_array(p, &vm->ram, was->nr_ram, sizeof(struct kh_plan_ram));
	if (!rc)
		rc = plan_array(p, &vm->dev, was->nr_devs, sizeof(struct kh_plan_dev));
	if (rc)
		return rc;
	memcpy(plan_ram(p, vm, 0), was->ram, was->nr_ram * sizeof(*was->ram));
	memcpy(plan_dev(p, vm, 0), was->dev, was->nr_devs * sizeof(*was->dev));
	return 0;
}

static int read_v2(struct kh_plan *p, const struct source *src)
{
	const struct kh_v2_plan *was = (const void *)src->base;
	unsigned int i;
	int rc;

	if (was->nr_vms > KH_V2_VMS)
		return -EBADMSG;
	memcpy(p->run_id, was->run_id, sizeof(p->run_id));
	p->tsc_hz = was->tsc_hz;
	p->kram_generation = was->kram_generation;
	p->kram_used_pages = was->kram_used_pages;
	p->kram_start = was->kram_start;
	p->flags = was->flags;
	memcpy(p->old_boot_id, was->old_boot_id, sizeof(p->old_boot_id));
	memcpy(p->new_boot_id, was->new_boot_id, sizeof(p->new_boot_id));
	memcpy(p->old_kernel, was->old_kernel, sizeof(p->old_kernel));
	memcpy(p->new_kernel, was->new_kernel, sizeof(p->new_kernel));
	memcpy(p->image_kernel, was->image_kernel, sizeof(p->image_kernel));
	p->image = was->image;
	p->initrd = was->initrd;
	p->cmdline = was->cmdline;
	memcpy(p->mark, was->mark, sizeof(p->mark));
	rc = move_plan_strings(p, src);
	if (!rc)
		rc = plan_array(p, &p->vms, was->nr_vms, sizeof(struct kh_plan_vm));
	for (i = 0; !rc && i < was->nr_vms; i++)
		rc = read_v2_vm(p, src, &was->vm[i], plan_vm(p, i));
	return rc;
}

static int convert(struct kh_plan *p, const struct source *src)
{
	uint32_t version = ((const struct kh_plan *)src->base)->version;
	int rc = -EPROTONOSUPPORT;

	if (version == 2)
		rc = src->header == sizeof(struct kh_v2_plan) ? read_v2(p, src) : -EBADMSG;
	else if (version == 3)
		rc = src->header >= PLAN_LEAST ? read_v3(p, src) : -EBADMSG;
	return rc ? rc : plan_check(p, p->size);
}

int plan_read(const void *data, size_t size, struct kh_plan **plan, struct kh_err *e)
{
	const struct kh_plan *was = data;
	struct source src = { .base = data, .size = size };
	struct kh_plan *p;
	int rc;

	*plan = NULL;
	if (size < PLAN_LEAST || was->magic != KH_PLAN_MAGIC || was->size != size ||
	    was->header_size > size || size > PLAN_MAX)
		return err_set(e, -EBADMSG, "the plan is damaged");
	p = plan_empty();
	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	src.header = was->header_size;
	rc = plan_check(was, size);
	if (!rc)
		memcpy(p, was, size);	/* the structures are those of this khctl */
	else
		rc = convert(p, &src);
	if (!rc) {
		*plan = p;
		return 0;
	}
	free(p);
	return rc == -EPROTONOSUPPORT ?
	       err_set(e, rc, "plan of version %u, this khctl knows %u to %u", was->version,
		       KH_STATE_OLDEST, KH_STATE_VERSION) :
	       err_set(e, -EBADMSG, "the plan is damaged");
}
