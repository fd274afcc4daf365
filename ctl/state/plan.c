// SPDX-License-Identifier: GPL-2.0
/* A plan in memory: a header, and behind it arrays and strings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/util.h"
#include "state/plan.h"

struct kh_plan *plan_empty(void)
{
	struct kh_plan *p = calloc(1, PLAN_MAX);

	if (!p)
		return NULL;
	small_pages(p, PLAN_MAX);
	p->magic = KH_PLAN_MAGIC;
	p->version = KH_STATE_VERSION;
	p->header_size = sizeof(*p);
	p->size = sizeof(*p);
	return p;
}

struct kh_plan *plan_new(void)
{
	struct kh_plan *p = plan_empty();

	if (p && getrandom(p->run_id, sizeof(p->run_id), 0) != sizeof(p->run_id)) {
		free(p);
		return NULL;
	}
	return p;
}

/* An array lies in the plan, and its entries have the size that this khctl works with. */
static bool array_good(const struct kh_plan *p, const struct kh_array *a, size_t entry_size)
{
	return !a->count ||
	       (a->entry_size == entry_size && a->off % 8 == 0 && a->off >= sizeof(*p) &&
		a->off <= p->size && a->count <= (p->size - a->off) / entry_size);
}

/* Strings are read up to their zero byte. */
static bool str_good(const struct kh_plan *plan, struct kh_str s)
{
	const char *text = plan_str(plan, s);

	return !*text || text[s.len] == '\0';
}

static bool vm_strings_good(const struct kh_plan *p, const struct kh_plan_vm *vm)
{
	return str_good(p, vm->name) && str_good(p, vm->qmp) && str_good(p, vm->exe) &&
	       str_good(p, vm->argv) && str_good(p, vm->env) && str_good(p, vm->cwd) &&
	       str_good(p, vm->out) && str_good(p, vm->err) && str_good(p, vm->attrs) &&
	       text_ends(vm->error, sizeof(vm->error));
}

static bool vm_good(const struct kh_plan *p, const struct kh_plan_vm *vm)
{
	unsigned int i;

	if (vm->state >= KH_NR_VM_STATES || !vm_strings_good(p, vm) ||
	    !array_good(p, &vm->ram, sizeof(struct kh_plan_ram)) ||
	    !array_good(p, &vm->dev, sizeof(struct kh_plan_dev)))
		return false;
	for (i = 0; i < vm->ram.count; i++)
		if (!text_ends(plan_ram(p, vm, i)->id, sizeof(plan_ram(p, vm, i)->id)) ||
		    !text_ends(plan_ram(p, vm, i)->path, sizeof(plan_ram(p, vm, i)->path)))
			return false;
	for (i = 0; i < vm->dev.count; i++)
		if (!text_ends(plan_dev(p, vm, i)->bdf, sizeof(plan_dev(p, vm, i)->bdf)))
			return false;
	return true;
}

int plan_check(const struct kh_plan *p, size_t size)
{
	unsigned int i;

	if (!p || size < sizeof(*p) || p->magic != KH_PLAN_MAGIC ||
	    p->version != KH_STATE_VERSION || p->header_size != sizeof(*p) || p->size != size ||
	    !text_ends(p->old_boot_id, sizeof(p->old_boot_id)) ||
	    !text_ends(p->new_boot_id, sizeof(p->new_boot_id)) ||
	    !text_ends(p->old_kernel, sizeof(p->old_kernel)) ||
	    !text_ends(p->new_kernel, sizeof(p->new_kernel)) ||
	    !text_ends(p->image_kernel, sizeof(p->image_kernel)) || !str_good(p, p->image) ||
	    !str_good(p, p->initrd) || !str_good(p, p->cmdline) || !str_good(p, p->back_image) ||
	    !str_good(p, p->back_initrd) || !str_good(p, p->back_cmdline) ||
	    !array_good(p, &p->vms, sizeof(struct kh_plan_vm)) ||
	    !array_good(p, &p->left, sizeof(struct kh_plan_left)))
		return -EBADMSG;
	for (i = 0; i < p->vms.count; i++)
		if (!vm_good(p, plan_vm(p, i)))
			return -EBADMSG;
	for (i = 0; i < p->left.count; i++)
		if (!text_ends(plan_left(p, i)->comm, sizeof(plan_left(p, i)->comm)) ||
		    !text_ends(plan_left(p, i)->why, sizeof(plan_left(p, i)->why)))
			return -EBADMSG;
	return 0;
}

int plan_put(struct kh_plan *plan, struct kh_str *s, const void *data, size_t len)
{
	if (len + 1 > PLAN_MAX - plan->size)
		return -ENOSPC;
	s->off = plan->size;
	s->len = len;
	memcpy((char *)plan + s->off, data, len);
	((char *)plan)[s->off + len] = '\0';
	plan->size += len + 1;
	return 0;
}

const char *plan_str(const struct kh_plan *plan, struct kh_str s)
{
	if (!s.len || s.off < sizeof(*plan) || s.off >= plan->size ||
	    s.len >= plan->size - s.off)
		return "";
	return (const char *)plan + s.off;
}

int plan_array(struct kh_plan *plan, struct kh_array *a, unsigned int count, size_t entry_size)
{
	uint64_t at = (plan->size + 7) & ~7ULL;

	memset(a, 0, sizeof(*a));
	if (!count)
		return 0;
	if (at > PLAN_MAX || count > (PLAN_MAX - at) / entry_size)
		return -ENOSPC;
	a->off = at;
	a->count = count;
	a->entry_size = entry_size;
	memset((char *)plan + plan->size, 0, at + count * entry_size - plan->size);
	plan->size = at + count * entry_size;
	return 0;
}

unsigned int plan_devices(const struct kh_plan *plan)
{
	unsigned int i, n = 0;

	for (i = 0; i < plan->vms.count; i++)
		n += plan_vm(plan, i)->dev.count;
	return n;
}

unsigned int plan_find_vm(const struct kh_plan *plan, const char *name)
{
	unsigned int i;

	for (i = 0; i < plan->vms.count; i++)
		if (!strcmp(plan_str(plan, plan_vm(plan, i)->name), name))
			break;
	return i;
}

uint64_t plan_generation(const struct kh_plan *plan)
{
	/* Each kernel that adopts KRAM adds one. */
	return plan->kram_generation + 1 + plan->back;
}

static bool is_kept(const struct kh_plan_vm *vm)
{
	return vm->state != KH_VM_RUNNING && vm->state != KH_VM_FORGOTTEN;
}

unsigned int plan_kept(const struct kh_plan *plan)
{
	unsigned int i, n = 0;

	for (i = 0; i < plan->vms.count; i++)
		n += is_kept(plan_vm(plan, i));
	return n;
}

char *plan_kept_names(const struct kh_plan *plan, char *buf, size_t size)
{
	unsigned int i;
	size_t len = 0;

	buf[0] = '\0';
	for (i = 0; i < plan->vms.count && len < size; i++)
		if (is_kept(plan_vm(plan, i)))
			len += snprintf(buf + len, size - len, "%s%s", len ? " " : "",
					plan_str(plan, plan_vm(plan, i)->name));
	return buf;
}

uint64_t plan_first_stop(const struct kh_plan *plan)
{
	uint64_t t = 0, stop;
	unsigned int i;

	for (i = 0; i < plan->vms.count; i++) {
		stop = plan_vm(plan, i)->stop_tsc;
		if (stop && (!t || stop < t))
			t = stop;
	}
	return t;
}

const char *run_id_text(const uint8_t *run_id, char *buf)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		snprintf(buf + 2 * i, 3, "%02x", run_id[i]);
	return buf;
}
