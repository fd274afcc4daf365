// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/claims_instr.h"
#include "evidence/events.h"
#include "evidence/state_events.h"

#define MSIX_ENABLE	0x8000
#define BRIDGE_CONTROL	0x3e
#define BRIDGE_RESET	0x40

struct side {
	bool have;
	bool complete;		/* nothing can have been missed */
	struct kh_events h;
	const struct kh_event *ev;
};

struct sight {
	struct claims *c;
	const struct kh_plan *plan;
	uint64_t stop;		/* of the first guest */
	uint64_t run;		/* of the last */
	bool recorded;
	struct side side[KH_NR_SIDES];
};

static uint64_t first_start(const struct kh_plan *plan)
{
	uint64_t t = 0;
	unsigned int i;

	for (i = 0; i < plan->vms.count; i++)
		if (plan_vm(plan, i)->start_tsc && (!t || plan_vm(plan, i)->start_tsc < t))
			t = plan_vm(plan, i)->start_tsc;
	return t;
}

/* Did they watch from before the first thing that counts until after the last? */
static const char *coverage(const struct sight *si, enum kh_side side)
{
	const struct kh_events *h = &si->side[side].h;
	const struct kh_plan *plan = si->plan;
	uint64_t from = side == KH_OLD ? si->stop : first_start(plan);
	uint64_t until = side == KH_OLD ? plan->mark[KH_MARK_JUMP] : si->run;

	if (!from || !until)
		return "when the guests stopped and ran is not known";
	if (!h->attached_tsc || h->attached_tsc > from)
		return side == KH_OLD ? "attached after a guest was stopped" :
			"attached after a QEMU was started";
	if (h->drained_tsc < until)
		return "not read to the end";
	if (h->gap_tsc && !si->recorded)
		return "nobody watched between two attempts to resume, and the kernel's recorder is not whole";
	if (h->gap_tsc && (!h->gap_end_tsc || !h->drained_tsc))
		return "the attempt to resume that came last attached nothing";
	return NULL;
}

static void bad_probes(const struct kh_events *h, char *buf, size_t size)
{
	char names[400];
	size_t len = 0;

	buf[0] = '\0';
	if (instr_list(h->probe, h->nr_probes, KH_PROBE_MISSING, names, sizeof(names)))
		len = snprintf(buf, size, "nothing to attach to for: %.150s; ", names);
	if (instr_list(h->probe, h->nr_probes, KH_PROBE_REFUSED, names, sizeof(names)) && len < size)
		snprintf(buf + len, size - len, "could not be attached: %.150s; ", names);
}

static void claim_side(struct sight *si, enum kh_side which)
{
	const char *id = which == KH_OLD ? si->plan->old_boot_id : si->plan->new_boot_id;
	char bad[360], names[KH_MAX_PROBES * 22], subject[16];
	struct side *side = &si->side[which];
	const struct kh_events *h = &side->h;
	const char *why;
	unsigned int attached;

	path_fmt(subject, sizeof(subject), "%s kernel", side_name(which));
	if (!side->have)
		return;
	attached = instr_list(h->probe, h->nr_probes, KH_PROBE_ATTACHED, names, sizeof(names));
	bad_probes(h, bad, sizeof(bad));
	why = coverage(si, which);
	if (memcmp(h->run_id, si->plan->run_id, sizeof(h->run_id)) || strcmp(h->boot_id, id)) {
		side->have = false;
		claims_add(si->c, "instruments", subject, UNKNOWN, "what there is belongs to another upgrade or boot");
	} else if (h->error[0] || bad[0] || !attached || why || h->lost || h->dropped) {
		claims_add(si->c, "instruments", subject, UNKNOWN,
			   "%s%s%s%s%s%u programs attached, %llu events lost, %llu without room",
			   h->error, h->error[0] ? "; " : "", bad, why ? why : "", why ? "; " : "",
			   attached, (unsigned long long)h->lost, (unsigned long long)h->dropped);
	} else {
		side->complete = true;
		claims_add(si->c, "instruments", subject, HOLDS, "%u programs attached, %u events, none lost%s",
			   attached, h->nr_events, h->gap_tsc ?
			   "; between two attempts to resume the kernel's recorder watched" : "");
	}
}

static void read_side(struct sight *si, const void *section, enum kh_side which)
{
	struct side *side = &si->side[which];
	struct kh_err e = { 0 };
	char subject[16];

	side->have = !events_parse(section, which, &side->h, &side->ev, &e);
	if (!side->have)
		claims_add(si->c, "instruments", path_fmt(subject, sizeof(subject), "%s kernel", side_name(which)),
			   UNKNOWN, "%s", e.msg);
	claim_side(si, which);
}

/* The writes of docs/config-writes.md that can reach the device. */
static bool listed_write(const struct kh_plan_dev *d, const struct kh_event *ev)
{
	/* The guest had not set MSI-X up: nothing can be lost. */
	return !(d->msix_ctrl & MSIX_ENABLE) && d->msix_pos && ev->arg[0] == d->msix_pos + 2u;
}

/* Of the other functions only the bridges above are watched: Secondary Bus Reset (PCI-to-PCI bridge, 3.2.5.18). */
static bool bus_reset_write(const struct kh_event *ev)
{
	if (ev->type != KH_EV_PCI_CFG_WRITE || ev->ret)
		return false;
	if (ev->arg[0] == BRIDGE_CONTROL)
		return ev->arg[2] & BRIDGE_RESET;
	return ev->arg[0] == BRIDGE_CONTROL - 2 && ev->arg[1] == 4 &&
	       ev->arg[2] >> 16 & BRIDGE_RESET;
}

static bool forbidden(const struct kh_plan_dev *d, __u32 bdf, const struct kh_event *ev)
{
	unsigned int bus = bdf >> 8 & 0xff;

	if (ev->type == KH_EV_PCI_RESET && ev->arg[0] == KH_RESET_BUS)
		return ev->bdf >> 16 == bdf >> 16 && ev->arg[1] <= bus && bus <= ev->arg[2];
	if (ev->bdf != bdf)
		return bus_reset_write(ev);
	if (ev->ret)
		return false;
	switch (ev->type) {
	case KH_EV_PCI_RESET:
	case KH_EV_PCI_DISABLE:
	case KH_EV_VFIO_DISABLE:
		return true;
	case KH_EV_PCI_MASTER:
		return !ev->arg[0];
	case KH_EV_PCI_POWER:
		return ev->arg[0];
	case KH_EV_PCI_CFG_WRITE:
		return !listed_write(d, ev);
	}
	return false;
}

/* A guest that runs may change its own mappings, also while another one is still to be resumed. */
static bool kept_domain(const struct kh_plan *plan, uint64_t did, uint64_t tsc)
{
	const struct kh_plan_vm *vm;
	unsigned int i, j;

	for (i = 0; i < plan->vms.count; i++) {
		vm = plan_vm(plan, i);
		for (j = 0; j < vm->dev.count; j++)
			if (plan_dev(plan, vm, j)->map.did == did)
				return !vm->run_tsc || tsc <= vm->run_tsc;
	}
	return false;
}

static bool iommu_forbidden(const struct kh_plan *plan, const struct kh_event *ev)
{
	switch (ev->type) {
	case KH_EV_IOMMU_TRANSLATION:
	case KH_EV_IOMMU_ROOT:
	case KH_EV_IRQ_REMAP:
	case KH_EV_IOMMU_FAULT:
		return true;
	case KH_EV_IOMMU_UNMAP:
		return kept_domain(plan, ev->arg[3], ev->tsc);
	}
	return false;
}

/* The first event in the blackout that must not be, as text with its kernel. Return: how many. */
static unsigned int look(const struct sight *si, const struct kh_plan_vm *vm,
			 const struct kh_plan_dev *d, char *buf, size_t size)
{
	uint64_t run = vm && vm->run_tsc ? vm->run_tsc : si->run;
	const struct kh_event *ev;
	const struct side *side;
	unsigned int i, k, found = 0;
	char line[240];
	__u32 bdf = d ? bdf_number(d->bdf) : KH_NO_BDF;

	for (k = 0; k < KH_NR_SIDES; k++) {
		side = &si->side[k];
		for (i = 0; side->have && i < side->h.nr_events; i++) {
			ev = &side->ev[i];
			if (ev->tsc < si->stop || (run && ev->tsc > run))
				continue;
			if (d ? !forbidden(d, bdf, ev) : !iommu_forbidden(si->plan, ev))
				continue;
			if (!found++)
				path_fmt(buf, size, "%s kernel, %llu ns after the stop: %s", side_name(k),
					 (unsigned long long)tsc_to_ns(ev->tsc - si->stop, si->plan->tsc_hz),
					 event_text(ev, line, sizeof(line)));
		}
	}
	return found;
}

static void claim_quiet(struct sight *si, const struct kh_plan_vm *vm,
			const struct kh_plan_dev *d)
{
	const char *id = d ? "untouched" : "iommu-untouched", *subject = d ? d->bdf : "";
	unsigned int n;
	char line[360];

	n = si->stop ? look(si, vm, d, line, sizeof(line)) : 0;
	if (n)
		claims_add(si->c, id, subject, VIOLATED, "%u events; the first: %s", n, line);
	else if (!si->side[KH_OLD].complete || !si->side[KH_NEW].complete)
		claims_add(si->c, id, subject, UNKNOWN, "nothing was seen, but see instruments");
	else
		claims_add(si->c, id, subject, HOLDS, "nothing was seen, by instruments that missed nothing while user processes ran");
}

void claims_instr(struct claims *c, const void * const section[KH_NR_SIDES],
		  const struct kh_plan *plan, bool recorded)
{
	struct sight si = { .c = c, .plan = plan, .stop = plan_first_stop(plan),
			    .run = plan->mark[KH_MARK_RUN], .recorded = recorded };
	unsigned int i, j, devices = 0;

	read_side(&si, section[KH_OLD], KH_OLD);
	read_side(&si, section[KH_NEW], KH_NEW);
	for (i = 0; i < plan->vms.count; i++)
		for (j = 0; j < plan_vm(plan, i)->dev.count; j++, devices++)
			claim_quiet(&si, plan_vm(plan, i),
				    plan_dev(plan, plan_vm(plan, i), j));
	if (devices)
		claim_quiet(&si, NULL, NULL);
}
