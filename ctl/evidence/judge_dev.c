// SPDX-License-Identifier: GPL-2.0
/* Claims about the translation and the interrupts of one device. */
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "evidence/events.h"
#include "evidence/judge.h"

/* What an event must be about. */
struct about {
	uint32_t bdf;
	uint16_t type;
};

static bool root_moved(const struct kh_event *ev, const void *arg)
{
	const uint32_t *unit = arg;

	return ev->type == KH_EV_IOMMU_ROOT && ev->arg[1] == *unit;
}

static bool about_device(const struct kh_event *ev, const void *arg)
{
	const struct about *a = arg;

	return ev->type == a->type && ev->bdf == a->bdf;
}

/* A domain that no device holds any more may be any device's. */
static bool mapping_changed(const struct kh_event *ev, const void *arg)
{
	return (ev->type == KH_EV_IOMMU_MAP || ev->type == KH_EV_IOMMU_UNMAP) &&
	       (ev->bdf == *(const uint32_t *)arg || ev->bdf == KH_NO_BDF);
}

static const struct kh_man_dev *man_dev(const struct judge *j, enum man_when when,
					unsigned int index, const struct kh_plan_dev *d)
{
	const struct man *m = &j->ev->man[when];

	if (!m->h || index >= m->h->nr_devs || strcmp(m->dev[index].rec.bdf, d->bdf))
		return NULL;
	return &m->dev[index];
}

/* Notes what of the manifests is missing or tells of an error. */
static bool all_there(const struct judge *j, unsigned int index, const struct kh_plan_dev *d,
		      struct grounds *f)
{
	const struct kh_man_dev *m;
	unsigned int i;

	for (i = 0; i < NR_MAN; i++) {
		m = man_dev(j, i, index, d);
		if (m && !m->error)
			continue;
		f->unknown = true;
		if (m) {
			/* It was there before: that it cannot be read now is a finding. */
			f->bad = i != MAN_OLD;
			copy_str(f->text, sizeof(f->text), m->why);
		} else if (!f->text[0]) {
			copy_str(f->text, sizeof(f->text), "it is missing in a manifest");
		}
	}
	return !f->unknown;
}

static void judge_root(struct judge *j, unsigned int index, const struct kh_plan_dev *d)
{
	struct grounds f = { .event = find_event(j, 0, root_moved, &d->unit) };
	const struct kram_handover *h = j->ev->handover;
	uint64_t want = d->map.root, at[NR_MAN + 1] = { 0 };
	unsigned int i;

	(void)index;
	for (i = 0; i < NR_MAN; i++) {
		const struct man *m = &j->ev->man[i];

		if (!m->h || m->h->missing & KH_MISSING_REGS || d->unit >= m->h->nr_units)
			f.unknown = true;
		else
			at[i] = m->unit[d->unit].rtaddr & ~0xfffULL;
		f.bad |= at[i] && at[i] != want;
	}
	if (h && d->unit < h->nr_units)
		at[NR_MAN] = h->unit[d->unit].rtaddr & ~0xfffULL;
	f.unknown |= !at[NR_MAN];
	f.bad |= at[NR_MAN] && at[NR_MAN] != want;
	path_fmt(f.text, sizeof(f.text), "planned %#llx, pause %#llx, sealed %#llx, resume %#llx, now %#llx (0: not known)",
		 (unsigned long long)want, (unsigned long long)at[MAN_OLD],
		 (unsigned long long)at[NR_MAN], (unsigned long long)at[MAN_NEW],
		 (unsigned long long)at[MAN_NOW]);
	conclude(j, "root-pointer", d->bdf, &f);
}

static void judge_context(struct judge *j, unsigned int index, const struct kh_plan_dev *d)
{
	const struct about a = { bdf_number(d->bdf), KH_EV_IOMMU_CONTEXT };
	struct grounds f = { .event = find_event(j, 0, about_device, &a) };
	const struct kh_man_dev *m;
	unsigned int i;

	if (all_there(j, index, d, &f)) {
		path_fmt(f.text, sizeof(f.text), "%#llx %#llx at the pause, before the resume and now",
			 (unsigned long long)d->map.context[0], (unsigned long long)d->map.context[1]);
		for (i = 0; i < NR_MAN; i++) {
			m = man_dev(j, i, index, d);
			if (!memcmp(m->rec.map.context, d->map.context, sizeof(d->map.context)))
				continue;
			f.bad = true;
			path_fmt(f.text, sizeof(f.text), "planned %#llx %#llx, then %#llx %#llx",
				 (unsigned long long)d->map.context[0],
				 (unsigned long long)d->map.context[1],
				 (unsigned long long)m->rec.map.context[0],
				 (unsigned long long)m->rec.map.context[1]);
		}
	}
	conclude(j, "context-entry", d->bdf, &f);
}

static const struct kh_man_page *find_page(const struct man *m, uint64_t pa, uint32_t dev)
{
	uint32_t i;

	for (i = 0; i < m->h->nr_pages; i++)
		if (m->page[i].pa == pa && m->page[i].dev == dev &&
		    m->page[i].kind == KRAM_OWNER_IOMMU_PGTABLE)
			return &m->page[i];
	return NULL;
}

/* Page by page, so that it can be told which one. */
static bool pages_differ(const struct judge *j, enum man_when when, unsigned int index,
			 struct grounds *f)
{
	const struct man *old = &j->ev->man[MAN_OLD], *m = &j->ev->man[when];
	const struct kh_man_page *p, *q;
	uint32_t i, seen = 0, now = 0;

	for (i = 0; i < old->h->nr_pages; i++) {
		p = &old->page[i];
		if (p->kind != KRAM_OWNER_IOMMU_PGTABLE || p->dev != index)
			continue;
		seen++;
		q = find_page(m, p->pa, index);
		if (q && q->hash == p->hash)
			continue;
		path_fmt(f->text, sizeof(f->text), "the table at %#llx %s, found %s",
			 (unsigned long long)p->pa, q ? "changed" : "is no longer used",
			 when == MAN_NEW ? "before the resume" : "now");
		return true;
	}
	for (i = 0; i < m->h->nr_pages; i++)
		now += m->page[i].kind == KRAM_OWNER_IOMMU_PGTABLE && m->page[i].dev == index;
	if (now == seen && seen)
		return false;
	path_fmt(f->text, sizeof(f->text), "%u tables at the pause, %u %s", seen, now,
		 when == MAN_NEW ? "before the resume" : "now");
	return true;
}

static bool same_map(const struct kh_plan_map *a, const struct kh_plan_map *b)
{
	return a->tables_hash == b->tables_hash && a->nr_tables == b->nr_tables &&
	       a->runs_hash == b->runs_hash && a->nr_runs == b->nr_runs &&
	       a->mapped == b->mapped && a->mapped;
}

static void judge_map(struct judge *j, const struct kh_plan_vm *vm, unsigned int index,
		      const struct kh_plan_dev *d)
{
	const uint32_t bdf = bdf_number(d->bdf);
	struct grounds f = { .event = find_event(j, vm->run_tsc, mapping_changed, &bdf) };
	unsigned int i;

	if (!all_there(j, index, d, &f)) {
		conclude(j, "mappings", d->bdf, &f);
		return;
	}
	path_fmt(f.text, sizeof(f.text), "%llu tables, %llu runs, %llu bytes, the same at the pause, before the resume and now",
		 (unsigned long long)d->map.nr_tables, (unsigned long long)d->map.nr_runs,
		 (unsigned long long)d->map.mapped);
	for (i = 0; i < NR_MAN && !f.bad; i++) {
		if (i != MAN_OLD && pages_differ(j, i, index, &f)) {
			f.bad = true;
		} else if (!same_map(&man_dev(j, i, index, d)->rec.map, &d->map)) {
			f.bad = true;
			path_fmt(f.text, sizeof(f.text), "they are not those of the plan %s",
				 i == MAN_OLD ? "at the pause" : i == MAN_NEW ? "before the resume" : "now");
		}
	}
	conclude(j, "mappings", d->bdf, &f);
}

static bool irte_of(const struct kh_man_irte *e, uint32_t unit, uint32_t bdf)
{
	return e->unit == unit && (e->high & 0xffff) == (bdf & 0xffff);
}

static uint32_t count_irtes(const struct man *m, uint32_t unit, uint32_t bdf)
{
	uint32_t i, n = 0;

	for (i = 0; i < m->h->nr_irtes; i++)
		n += irte_of(&m->irte[i], unit, bdf);
	return n;
}

struct irte_about {
	uint32_t bdf;
	uint64_t until;
};

/* The old kernel leaves its entries alone: the vectors are masked, nothing is to be set up. */
static bool irte_changed(const struct kh_event *ev, const void *arg)
{
	const struct irte_about *a = arg;

	return ev->type == KH_EV_IRTE && (ev->bdf & 0xffff) == (a->bdf & 0xffff) &&
	       ev->tsc < a->until;
}

static void judge_irtes(struct judge *j, unsigned int index, const struct kh_plan_dev *d)
{
	const struct man *old = &j->ev->man[MAN_OLD], *now = &j->ev->man[MAN_NOW];
	const struct recorder *r = &j->ev->rec;
	const struct irte_about a = {
		.bdf = bdf_number(d->bdf), .until = r->h ? r->h->adopted_tsc : 0,
	};
	struct grounds f = { .event = find_event(j, 0, irte_changed, &a) };
	uint32_t before, after;

	(void)index;
	if (!old->h || !now->h || (old->h->missing | now->h->missing) & KH_MISSING_IRT) {
		f.unknown = true;
		copy_str(f.text, sizeof(f.text), "a manifest has no interrupt-remapping table");
	} else {
		before = count_irtes(old, d->unit, a.bdf);
		after = count_irtes(now, d->unit, a.bdf);
		f.bad = !before || after < before;
		path_fmt(f.text, sizeof(f.text), "%u entries at the pause, %u now", before, after);
	}
	conclude(j, "interrupts", d->bdf, &f);
}

void judge_device(struct judge *j, const struct kh_plan_vm *vm, unsigned int index,
		  const struct kh_plan_dev *d)
{
	judge_root(j, index, d);
	judge_context(j, index, d);
	judge_map(j, vm, index, d);
	judge_irtes(j, index, d);
}
