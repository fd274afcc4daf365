// SPDX-License-Identifier: GPL-2.0
/* Claims about the instruments and about the host as a whole. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/out.h"
#include "base/util.h"
#include "evidence/judge.h"
#include "host/klog.h"
#include "state/state_io.h"

#define GSTS_TES	(1U << 31)
#define GSTS_IRES	(1U << 25)
#define FSTS_FAULTS	0x7f

static bool is_type(const struct kh_event *ev, const void *arg)
{
	return ev->type == *(const uint16_t *)arg;
}

/* The steps of a kexec, each of which must be there, in this order. */
static const char *missing_step(const struct judge *j)
{
	static const struct {
		uint16_t type;
		const char *name;
	} steps[] = {
		{ KH_EV_KEXEC_BEGIN, "the call of reboot(2)" },
		{ KH_EV_MACHINE_SHUTDOWN, "the stop of the CPUs" },
		{ KH_EV_IOMMU_SHUTDOWN, "the shutdown of the IOMMU" },
		{ KH_EV_KRAM_SEAL, "the seal of KRAM" },
		{ KH_EV_MACHINE_KEXEC, "the jump" },
		{ KH_EV_KRAM_ADOPT, "the adoption of KRAM" },
	};
	const struct kh_event *last = NULL, *ev;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		ev = find_event(j, 0, is_type, &steps[i].type);
		if (!ev || (last && (ev < last || ev->tsc < last->tsc)))
			return steps[i].name;
		last = ev;
	}
	return NULL;
}

static void judge_recorder(struct judge *j)
{
	const struct recorder *r = &j->ev->rec;
	const char *step = r->h ? missing_step(j) : NULL;

	if (!r->h)
		copy_str(j->gap, sizeof(j->gap), j->ev->rec_error);
	else if (memcmp(r->h->run_id, j->plan->run_id, sizeof(r->h->run_id)))
		copy_str(j->gap, sizeof(j->gap), "the recorder is of another upgrade");
	else if (!j->from || r->h->armed_tsc > j->from)
		copy_str(j->gap, sizeof(j->gap), "the recorder was started after the pause");
	else if (r->lost)
		path_fmt(j->gap, sizeof(j->gap), "the recorder lost %u events", r->lost);
	else if (r->broken < r->n)
		path_fmt(j->gap, sizeof(j->gap), "event %u of the recorder is torn or altered",
			 r->broken);
	else if (!r->h->sealed_tsc || !r->h->adopted_tsc)
		path_fmt(j->gap, sizeof(j->gap), "the %s kernel did not write to the recorder",
			 r->h->sealed_tsc ? "new" : "old");
	else if (j->plan->back)
		copy_str(j->gap, sizeof(j->gap),
			 "a kernel was left by khctl back, and the kernel after it did not write to the recorder");
	else if (r->h->sealed_nr > r->h->adopted_nr || r->h->adopted_nr > r->n)
		copy_str(j->gap, sizeof(j->gap), "the counts of the recorder contradict each other");
	else if (step)
		path_fmt(j->gap, sizeof(j->gap), "the recorder has not seen %s", step);
	else
		j->whole = true;
	if (j->whole)
		claims_add(j->c, "recorder-whole", "", HOLDS, "%u events, %u of the old kernel, none lost",
		      r->n, r->h->adopted_nr);
	else
		claims_add(j->c, "recorder-whole", "", UNKNOWN, "%s", j->gap);
}

static void judge_manifests(struct judge *j)
{
	static const char * const what[] = { "at the pause", "before the resume", "now" };
	const struct kh_manifest *h;
	const char *boot;
	unsigned int i;

	for (i = 0; i < NR_MAN; i++) {
		h = j->ev->man[i].h;
		boot = i == MAN_OLD ? j->plan->old_boot_id : j->plan->new_boot_id;
		if (!h)
			claims_add(j->c, "manifest", what[i],
			      j->ev->man_rc[i] == -EBADMSG ? VIOLATED : UNKNOWN, "%s",
			      j->ev->man_error[i]);
		else if (memcmp(h->run_id, j->plan->run_id, sizeof(h->run_id)) ||
			 strcmp(h->boot_id, boot))
			claims_add(j->c, "manifest", what[i], UNKNOWN, "of another upgrade or boot");
		/* The new kernel empties the interrupt-remapping table: there is none to compare. */
		else if (h->missing & (i == MAN_NEW ? ~KH_MISSING_IRT : ~0))
			claims_add(j->c, "manifest", what[i], UNKNOWN, "not whole: %#x", h->missing);
		else
			claims_add(j->c, "manifest", what[i], HOLDS, "%u tables, %u IRTEs, %u devices",
			      h->nr_pages, h->nr_irtes, h->nr_devs);
	}
}

void judge_instruments(struct judge *j)
{
	judge_recorder(j);
	judge_manifests(j);
}

static void judge_kram(struct judge *j)
{
	const struct kh_host *h = j->ev->host;
	uint64_t want = plan_generation(j->plan);

	if (!h->kram_state[0])
		claims_add(j->c, "kram-adopted", "", VIOLATED, "%s", h->kram_error);
	else if (strcmp(h->kram_state, "adopted") || h->kram_generation != want)
		claims_add(j->c, "kram-adopted", "", VIOLATED, "state %s, generation %llu, not %llu",
		      h->kram_state, (unsigned long long)h->kram_generation,
		      (unsigned long long)want);
	else
		claims_add(j->c, "kram-adopted", "", HOLDS, "generation %llu", (unsigned long long)want);
	if (!j->ev->handover)
		claims_add(j->c, "handover-intact", "",
		      j->ev->blob[KH_SEC_HANDOVER].size ? VIOLATED : UNKNOWN, "%s",
		      j->ev->handover_error);
	else if (j->ev->handover->generation != want - 1)
		claims_add(j->c, "handover-intact", "", VIOLATED, "generation %llu, not %llu",
		      (unsigned long long)j->ev->handover->generation,
		      (unsigned long long)want - 1);
	else
		claims_add(j->c, "handover-intact", "", HOLDS, "CRC %#x, %u devices",
		      j->ev->handover->crc, j->ev->handover->nr_devices);
}

static bool is_off(const struct kh_event *ev, const void *arg)
{
	return is_type(ev, arg) && !ev->arg[0];
}

/* A bit of the global status that is on in every manifest and in the handover. */
static void judge_enable(struct judge *j, const char *id, uint16_t type, uint32_t bit)
{
	const struct kram_handover *h = j->ev->handover;
	struct grounds f = { .event = find_event(j, 0, is_off, &type) };
	unsigned int i, u;

	copy_str(f.text, sizeof(f.text), "on at the pause, when sealed, before the resume and now");
	for (i = 0; i < NR_MAN; i++) {
		const struct man *m = &j->ev->man[i];

		f.unknown |= !m->h || m->h->missing & KH_MISSING_REGS || !m->h->nr_units;
		for (u = 0; m->h && !(m->h->missing & KH_MISSING_REGS) && u < m->h->nr_units; u++)
			f.bad |= !(m->unit[u].gsts & bit);
	}
	for (u = 0; h && u < h->nr_units; u++)
		f.bad |= !(h->unit[u].gsts & bit);
	if (f.bad)
		copy_str(f.text, sizeof(f.text), "off in a manifest or in the handover");
	else if (f.unknown || !h)
		copy_str(f.text, sizeof(f.text), "registers or handover are missing");
	f.unknown |= !h;
	conclude(j, id, "", &f);
}

static bool any_faults(const struct judge *j, struct grounds *f)
{
	const struct kram_handover *h = j->ev->handover;
	unsigned int i, u;

	for (u = 0; h && u < h->nr_units; u++)
		f->bad |= h->unit[u].fsts & FSTS_FAULTS;
	for (i = 0; i < NR_MAN; i++) {
		const struct man *m = &j->ev->man[i];

		f->unknown |= !m->h || m->h->missing & KH_MISSING_REGS || !m->h->nr_units;
		for (u = 0; m->h && !(m->h->missing & KH_MISSING_REGS) && u < m->h->nr_units; u++)
			f->bad |= m->unit[u].fsts & FSTS_FAULTS;
	}
	f->unknown |= !h;
	return f->bad;
}

static void judge_faults(struct judge *j)
{
	uint16_t type = KH_EV_IOMMU_FAULT;
	struct grounds f = { .event = find_event(j, 0, is_type, &type) };
	char line[160];
	int n;

	if (any_faults(j, &f)) {
		copy_str(f.text, sizeof(f.text), "a unit has a fault in its status");
	} else if (j->ev->klog && (n = klog_find(j->ev->klog, klog_dma_fault, NULL, line, sizeof(line)))) {
		f.bad = true;
		path_fmt(f.text, sizeof(f.text), "%d lines in the log: %s", n, line);
	} else if (!j->ev->klog || j->ev->host->klog_error) {
		f.unknown = true;
		copy_str(f.text, sizeof(f.text), "the kernel log is not whole");
	} else if (f.unknown) {
		copy_str(f.text, sizeof(f.text), "registers or handover are missing");
	} else {
		copy_str(f.text, sizeof(f.text), "none in any status, nor in the log");
	}
	conclude(j, "no-dma-fault", "", &f);
}

/* A line of /proc/iomem at the margin that says System RAM and overlaps. */
static bool is_system_ram(const char *iomem, uint64_t start, uint64_t size, char *what, size_t room)
{
	unsigned long long from, to;
	const char *p, *nl;
	char name[64];

	for (p = iomem; p && *p; p = nl ? nl + 1 : NULL) {
		nl = strchr(p, '\n');
		if (*p == ' ' || sscanf(p, "%llx-%llx : %63[^\n]", &from, &to, name) != 3 ||
		    strcmp(name, "System RAM") || from >= start + size || to < start)
			continue;
		path_fmt(what, room, "%#llx-%#llx is System RAM", from, to);
		return true;
	}
	return false;
}

/* Addresses that only root sees are zero for others: then nothing is known. */
static bool iomem_usable(const char *iomem)
{
	unsigned long long from, to;
	const char *p = iomem ? strstr(iomem, " : System RAM") : NULL;

	while (p && p > iomem && p[-1] != '\n')
		p--;
	return p && sscanf(p, "%llx-%llx", &from, &to) == 2 && to;
}

static bool from_buddy(const struct kh_event *ev, const void *arg)
{
	const struct kh_host *h = arg;
	unsigned int i;

	if (ev->type != KH_EV_IOMMU_PAGE_ALLOC && ev->type != KH_EV_IOMMU_PAGE_FREE)
		return false;
	if (ev->arg[2] != KH_PAGE_BUDDY)
		return false;
	if (ev->type == KH_EV_IOMMU_PAGE_ALLOC)
		return true;
	for (i = 0; i < h->nr_areas; i++)
		if (ev->arg[0] >= h->area[i].start && ev->arg[0] - h->area[i].start < h->area[i].size)
			return true;
	return false;
}

static void judge_pages(struct judge *j)
{
	const struct kh_host *h = j->ev->host;
	struct grounds f = { .event = find_event(j, 0, from_buddy, h) };
	unsigned int i;

	for (i = 0; j->ev->iomem && i < h->nr_areas && !f.bad; i++)
		f.bad = is_system_ram(j->ev->iomem, h->area[i].start, h->area[i].size, f.text,
				      sizeof(f.text));
	if (!f.bad && h->pages_bad) {
		f.bad = true;
		path_fmt(f.text, sizeof(f.text),
			 "%llu pages of KRAM are with the page allocator, the first is %#llx",
			 (unsigned long long)h->pages_bad, (unsigned long long)h->first_bad << 12);
	} else if (!f.bad && (h->pages_error || !h->pages_seen || !iomem_usable(j->ev->iomem))) {
		f.unknown = true;
		copy_str(f.text, sizeof(f.text), "/proc/kpageflags or /proc/iomem cannot be read");
	} else if (!f.bad) {
		path_fmt(f.text, sizeof(f.text), "%llu pages of KRAM, none with the page allocator",
			 (unsigned long long)h->pages_seen);
	}
	conclude(j, "pages-not-allocated", "", &f);
}

static void judge_ram(struct judge *j)
{
	const struct kh_plan *plan = j->plan;
	const struct kh_plan_ram *r;
	struct grounds f = { 0 };
	uint64_t bytes = 0;
	unsigned int i, k;

	for (i = 0; i < plan->vms.count; i++)
		for (k = 0; k < plan_vm(plan, i)->ram.count && !f.bad && j->ev->iomem; k++) {
			r = plan_ram(plan, plan_vm(plan, i), k);
			bytes += r->dax_size;
			f.bad = is_system_ram(j->ev->iomem, r->resource, r->dax_size, f.text,
					      sizeof(f.text));
		}
	if (!f.bad && (!iomem_usable(j->ev->iomem) || !bytes)) {
		f.unknown = true;
		copy_str(f.text, sizeof(f.text), "/proc/iomem cannot be read");
	} else if (!f.bad) {
		path_fmt(f.text, sizeof(f.text), "%llu bytes, none of them System RAM",
			 (unsigned long long)bytes);
	}
	claims_add(j->c, "guest-ram", "", f.bad ? VIOLATED : f.unknown ? UNKNOWN : HOLDS, "%s", f.text);
}

/* What the direct map tells of stores to the RAM of a guest of this upgrade. */
static bool stored_to_guest(const struct kh_event *ev, const void *arg)
{
	const struct kh_plan *plan = arg;
	const struct kh_plan_ram *r;
	unsigned int i, k;

	if (ev->type != KH_EV_RAM_WRITTEN)
		return false;
	for (i = 0; i < plan->vms.count; i++)
		for (k = 0; k < plan_vm(plan, i)->ram.count; k++) {
			r = plan_ram(plan, plan_vm(plan, i), k);
			if (ev->arg[0] < r->resource + r->dax_size &&
			    ev->arg[0] + ev->arg[1] > r->resource)
				return true;
		}
	return false;
}

/* How far from @at on a kernel has looked, piece by piece. */
static uint64_t looked_from(const struct judge *j, enum kh_side side, uint64_t at)
{
	const struct recorder *r = &j->ev->rec;
	uint64_t from;
	uint32_t i;

	do {
		from = at;
		for (i = 0; r->h && i < r->broken; i++) {
			const struct kh_event *ev = &r->ev[i];

			if (ev->type == KH_EV_RAM_LOOK && ev->tsc >= j->from &&
			    (in_new(j, ev) ? KH_NEW : KH_OLD) == side && ev->arg[0] <= at &&
			    ev->arg[1] > at - ev->arg[0])
				at = ev->arg[0] + ev->arg[1];
		}
	} while (at > from);
	return at;
}

static bool looked_at_all(const struct judge *j, enum kh_side side)
{
	const struct kh_plan_ram *r;
	bool any = false;
	unsigned int i, k;

	for (i = 0; i < j->plan->vms.count; i++)
		for (k = 0; k < plan_vm(j->plan, i)->ram.count; k++) {
			r = plan_ram(j->plan, plan_vm(j->plan, i), k);
			if (looked_from(j, side, r->resource) < r->resource + r->dax_size)
				return false;
			any = true;
		}
	return any;
}

/* Each kernel must have looked at all that the guests have, or it says nothing. */
static void judge_stores(struct judge *j)
{
	struct grounds f = { .event = find_event(j, 0, stored_to_guest, j->plan) };
	bool old = looked_at_all(j, KH_OLD), new = looked_at_all(j, KH_NEW);

	f.unknown = !old || !new;
	if (f.unknown)
		path_fmt(f.text, sizeof(f.text), "the %s kernel has not looked at all of it",
			 old ? "new" : "old");
	else
		copy_str(f.text, sizeof(f.text), "what maps it for the kernel was looked at in both kernels");
	conclude(j, "guest-ram-unwritten", "", &f);
}

/* Pages in use at the pause, and each one taken or given back since, make those before the resume. */
static void judge_balance(struct judge *j)
{
	const struct kh_manifest *old = j->ev->man[MAN_OLD].h, *new = j->ev->man[MAN_NEW].h;
	const struct recorder *r = &j->ev->rec;
	struct grounds f = { 0 };
	int64_t sum = 0;
	uint32_t i;

	if (!old || !new) {
		f.unknown = true;
		copy_str(f.text, sizeof(f.text), "a manifest is missing");
		conclude(j, "kram-balance", "", &f);
		return;
	}
	for (i = 0; r->h && i < r->broken; i++) {
		const struct kh_event *ev = &r->ev[i];

		if (ev->tsc < old->tsc || ev->tsc > new->tsc || ev->arg[2] != KH_PAGE_KRAM ||
		    ev->arg[1] > 20)
			continue;
		if (ev->type == KH_EV_IOMMU_PAGE_ALLOC)
			sum += 1LL << ev->arg[1];
		else if (ev->type == KH_EV_IOMMU_PAGE_FREE)
			sum -= 1LL << ev->arg[1];
	}
	f.bad = j->whole && (int64_t)old->used_pages + sum != (int64_t)new->used_pages;
	path_fmt(f.text, sizeof(f.text), "%llu pages at the pause, %+lld since, %llu before the resume",
		 (unsigned long long)old->used_pages, (long long)sum,
		 (unsigned long long)new->used_pages);
	conclude(j, "kram-balance", "", &f);
}

static bool any_device(const struct kh_plan *plan)
{
	unsigned int i;

	for (i = 0; i < plan->vms.count; i++)
		if (plan_vm(plan, i)->dev.count)
			return true;
	return false;
}

void judge_host(struct judge *j)
{
	judge_kram(j);
	/* A kernel that has no device to keep sets its IOMMU up as a stock one does. */
	if (any_device(j->plan)) {
		judge_enable(j, "translation-on", KH_EV_IOMMU_TRANSLATION, GSTS_TES);
		judge_enable(j, "remapping-on", KH_EV_IRQ_REMAP, GSTS_IRES);
	}
	judge_faults(j);
	judge_pages(j);
	judge_ram(j);
	judge_stores(j);
	judge_balance(j);
}
