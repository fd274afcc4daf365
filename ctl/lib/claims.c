// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include "claims.h"
#include "iommu.h"
#include "klog.h"
#include "kram.h"
#include "out.h"
#include "pci.h"
#include "state_io.h"
#include "util.h"

#define CMD_MEMORY	0x2
#define CMD_MASTER	0x4
#define MSIX_ENABLE	0x8000
#define FSTS_FAULTS	0x7f

struct evidence {
	struct claims *c;
	const struct kh_plan *plan;
	struct kram kram;
	bool have_kram;
	struct kram_handover given;	/* by the old kernel */
	bool have_given;
	char given_error[160];
};

static void claim(struct claims *c, const char *id, const char *subject, enum verdict v,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void add(struct claims *c, const char *id, const char *subject, enum verdict v,
		const char *fmt, va_list ap)
{
	struct claim *n = &c->claim[c->n < CLAIMS_MAX ? c->n++ : CLAIMS_MAX - 1];

	copy_str(n->id, sizeof(n->id), id);
	copy_str(n->subject, sizeof(n->subject), subject);
	n->verdict = v;
	vsnprintf(n->evidence, sizeof(n->evidence), fmt, ap);
}

static void claim(struct claims *c, const char *id, const char *subject, enum verdict v,
		  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(c, id, subject, v, fmt, ap);
	va_end(ap);
}

void claims_add(struct claims *c, const char *id, const char *subject, enum verdict v,
		const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(c, id, subject, v, fmt, ap);
	va_end(ap);
}

/* The image said who it is before the jump; the running kernel says it now. */
static void claim_kernel(struct evidence *ev)
{
	const struct kh_plan *plan = ev->plan;
	size_t len = strcspn(plan->image_kernel, " ");
	char id[40], name[192];
	struct utsname u;
	bool same;

	kernel_name(name, sizeof(name));
	if (boot_id(id, sizeof(id)) || uname(&u)) {
		claim(ev->c, "kernel-changed", "", UNKNOWN, "the boot id cannot be read");
		return;
	}
	same = len == strlen(u.release) && !strncmp(plan->image_kernel, u.release, len) &&
	       strstr(plan->image_kernel, u.version);
	if (!strcmp(id, plan->old_boot_id))
		claim(ev->c, "kernel-changed", "", VIOLATED, "still the boot %s", id);
	else if (!same)
		claim(ev->c, "kernel-changed", "", VIOLATED, "%s runs, the image was %s", name,
		      plan->image_kernel);
	else
		claim(ev->c, "kernel-changed", "", HOLDS, "%s; before: %s", name,
		      plan->old_kernel);
}

static void claim_kram(struct evidence *ev)
{
	uint64_t want = ev->plan->kram_generation + 1;
	struct kh_err e = { 0 };

	if (kram_read(&ev->kram, &e)) {
		claim(ev->c, "kram-adopted", "", VIOLATED, "%s", e.msg);
		return;
	}
	ev->have_kram = true;
	if (!kram_adopted(&ev->kram) || ev->kram.generation != want)
		claim(ev->c, "kram-adopted", "", VIOLATED, "state %s, generation %llu, not %llu",
		      ev->kram.state, (unsigned long long)ev->kram.generation,
		      (unsigned long long)want);
	else
		claim(ev->c, "kram-adopted", "", HOLDS, "generation %llu",
		      (unsigned long long)want);
}

static void claim_handover(struct evidence *ev)
{
	struct kh_err e = { 0 };

	if (kram_handover("handover_adopted", &ev->given, &e)) {
		copy_str(ev->given_error, sizeof(ev->given_error), e.msg);
		claim(ev->c, "handover-intact", "", UNKNOWN, "%s", e.msg);
		return;
	}
	if (kram_handover_check(&ev->given, &e)) {
		copy_str(ev->given_error, sizeof(ev->given_error), e.msg);
		claim(ev->c, "handover-intact", "", VIOLATED, "%s", e.msg);
		return;
	}
	if (ev->given.generation != ev->plan->kram_generation) {
		copy_str(ev->given_error, sizeof(ev->given_error), "handover of another generation");
		claim(ev->c, "handover-intact", "", VIOLATED, "generation %llu, not %llu",
		      (unsigned long long)ev->given.generation,
		      (unsigned long long)ev->plan->kram_generation);
		return;
	}
	ev->have_given = true;
	claim(ev->c, "handover-intact", "", HOLDS, "CRC %#x, %u devices", ev->given.crc,
	      ev->given.nr_devices);
}

static void claim_root(struct evidence *ev, const struct kh_plan_dev *d)
{
	uint64_t now, want = d->map.root, sealed;

	if (!ev->have_given || d->unit >= ev->given.nr_units) {
		claim(ev->c, "root-pointer", d->bdf, UNKNOWN, "%s", ev->have_given ?
		      "unit is not in the handover" : ev->given_error);
		return;
	}
	sealed = ev->given.unit[d->unit].rtaddr & ~0xfffULL;
	if (iommu_regset(d->unit, "RTADDR", &now)) {
		claim(ev->c, "root-pointer", d->bdf, UNKNOWN,
		      "the register cannot be read: no debugfs iommu/intel/iommu_regset");
		return;
	}
	now &= ~0xfffULL;
	claim(ev->c, "root-pointer", d->bdf, now == want && sealed == want ? HOLDS : VIOLATED,
	      "before %#llx, sealed %#llx, now %#llx", (unsigned long long)want,
	      (unsigned long long)sealed, (unsigned long long)now);
}

static void claim_map(struct evidence *ev, const struct kh_plan_dev *d)
{
	struct page_source src = { .page = kram_page, .ctx = &ev->kram,
				   .nr_pages = kram_pool(&ev->kram) };
	const struct kh_plan_map *was = &d->map;
	struct kh_plan_map now;
	struct kh_err e = { 0 };
	uint16_t seg;
	uint8_t bus, devfn;
	bool same;

	if (pci_parse(d->bdf, &seg, &bus, &devfn) || !ev->have_kram ||
	    iommu_record(&src, kram_root(&ev->kram, d->unit), bus, devfn, &now, &e)) {
		claim(ev->c, "context-entry", d->bdf, VIOLATED, "%s",
		      e.rc ? e.msg : "there is no KRAM to read it from");
		claim(ev->c, "mappings", d->bdf, UNKNOWN, "cannot be read");
		return;
	}
	same = !memcmp(now.context, was->context, sizeof(now.context));
	claim(ev->c, "context-entry", d->bdf, same ? HOLDS : VIOLATED,
	      "before %#llx %#llx, now %#llx %#llx", (unsigned long long)was->context[0],
	      (unsigned long long)was->context[1], (unsigned long long)now.context[0],
	      (unsigned long long)now.context[1]);
	same = now.tables_hash == was->tables_hash && now.nr_tables == was->nr_tables &&
	       now.runs_hash == was->runs_hash && now.nr_runs == was->nr_runs &&
	       now.mapped == was->mapped && was->mapped;
	claim(ev->c, "mappings", d->bdf, same ? HOLDS : VIOLATED,
	      "before: %llu tables, %llu runs, %llu bytes, hashes %llx %llx; now: %llu, %llu, %llu, %llx %llx",
	      (unsigned long long)was->nr_tables, (unsigned long long)was->nr_runs,
	      (unsigned long long)was->mapped, (unsigned long long)was->tables_hash,
	      (unsigned long long)was->runs_hash, (unsigned long long)now.nr_tables,
	      (unsigned long long)now.nr_runs, (unsigned long long)now.mapped,
	      (unsigned long long)now.tables_hash, (unsigned long long)now.runs_hash);
}

/* A reset of any kind clears bus master, decode, BARs and MSI-X enable. */
static void claim_reset(struct evidence *ev, const struct kh_plan_dev *d)
{
	const uint16_t cmd = CMD_MASTER | CMD_MEMORY;
	const struct kram_device *k;
	struct kh_plan_dev now;
	struct kh_err e = { 0 };
	char line[160];
	int resets;
	bool same;

	if (pci_record(d->bdf, &now, &e)) {
		claim(ev->c, "no-reset", d->bdf, VIOLATED, "%s", e.msg);
		return;
	}
	k = ev->have_given ? kram_handover_find(&ev->given, d->bdf) : NULL;
	if (!k) {
		claim(ev->c, "no-reset", d->bdf, ev->have_given ? VIOLATED : UNKNOWN, "%s",
		      ev->have_given ? "it is not in the handover" : ev->given_error);
		return;
	}
	same = (d->command & cmd) == cmd && (k->command & cmd) == cmd &&
	       (now.command & cmd) == cmd && d->msix_ctrl & k->msix_ctrl & now.msix_ctrl & MSIX_ENABLE &&
	       !memcmp(now.bar, d->bar, sizeof(now.bar)) && now.vendor == d->vendor &&
	       now.device == d->device;
	resets = klog_scan(klog_reset, d->bdf, line, sizeof(line));
	claim(ev->c, "no-reset", d->bdf, !same || resets > 0 ? VIOLATED : resets ? UNKNOWN : HOLDS,
	      "command before %#x, sealed %#x, now %#x; MSI-X control %#x, %#x, %#x; BARs %s; log: %s",
	      d->command, k->command, now.command, d->msix_ctrl, k->msix_ctrl, now.msix_ctrl,
	      memcmp(now.bar, d->bar, sizeof(now.bar)) ? "differ" : "same",
	      resets > 0 ? line : resets ? "not whole" : "no reset");
}

static void claim_faults(struct evidence *ev)
{
	char other[64], line[160];
	unsigned int i, units = iommu_units(other, sizeof(other));
	uint64_t fsts;
	int n;

	for (i = 0; ev->have_given && i < ev->given.nr_units; i++) {
		if (!(ev->given.unit[i].fsts & FSTS_FAULTS))
			continue;
		claim(ev->c, "no-dma-fault", "", VIOLATED, "unit %u was sealed with fault status %#x",
		      i, ev->given.unit[i].fsts);
		return;
	}
	n = klog_scan(klog_dma_fault, NULL, line, sizeof(line));
	if (n > 0) {
		claim(ev->c, "no-dma-fault", "", VIOLATED, "%d lines: %s", n, line);
		return;
	}
	for (i = 0; i < units; i++) {
		if (iommu_regset(i, "FSTS", &fsts)) {
			claim(ev->c, "no-dma-fault", "", UNKNOWN,
			      "the register cannot be read: no debugfs iommu/intel/iommu_regset");
			return;
		}
		if (!(fsts & FSTS_FAULTS))
			continue;
		claim(ev->c, "no-dma-fault", "", VIOLATED, "unit %u has fault status %#llx", i,
		      (unsigned long long)fsts);
		return;
	}
	if (n || !ev->have_given)
		claim(ev->c, "no-dma-fault", "", UNKNOWN, "%s", n ?
		      "the oldest lines of the kernel log are gone" : ev->given_error);
	else
		claim(ev->c, "no-dma-fault", "", HOLDS, "%u units, none has one in its status, nor the log",
		      units);
}

void claims_make(struct claims *c, const struct kh_plan *plan)
{
	struct evidence ev = { .c = c, .plan = plan };
	const struct kh_plan_vm *vm;
	unsigned int i, j;

	c->n = 0;
	claim_kernel(&ev);
	claim_kram(&ev);
	claim_handover(&ev);
	claim_faults(&ev);
	for (i = 0; i < plan->nr_vms; i++) {
		vm = &plan->vm[i];
		claim(c, "vm-resumed", plan_str(plan, vm->name),
		      vm->state == KH_VM_RUNNING ? HOLDS : VIOLATED, "%s%s%s",
		      vm_state_name(vm->state), vm->error[0] ? ": " : "", vm->error);
		for (j = 0; j < vm->nr_devs; j++) {
			claim_root(&ev, &vm->dev[j]);
			claim_map(&ev, &vm->dev[j]);
			claim_reset(&ev, &vm->dev[j]);
		}
	}
	kram_close(&ev.kram);
}

enum verdict claims_verdict(const struct claims *c)
{
	enum verdict v = c->n && c->n < CLAIMS_MAX ? HOLDS : UNKNOWN;
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		if (c->claim[i].verdict == VIOLATED)
			return VIOLATED;
		if (c->claim[i].verdict == UNKNOWN)
			v = UNKNOWN;
	}
	return v;
}

const char *verdict_name(enum verdict v)
{
	return v == HOLDS ? "pass" : v == VIOLATED ? "fail" : "unknown";
}

const char *claim_name(enum verdict v)
{
	return v == HOLDS ? "holds" : v == VIOLATED ? "violated" : "unknown";
}

void claims_json(const struct claims *c, struct json_object *o)
{
	struct json_object *a, *j;
	unsigned int i;

	out_str(o, "verdict", verdict_name(claims_verdict(c)));
	a = out_array(o, "claims");
	for (i = 0; i < c->n; i++) {
		j = out_element(a);
		out_str(j, "id", c->claim[i].id);
		if (c->claim[i].subject[0])
			out_str(j, "subject", c->claim[i].subject);
		out_str(j, "verdict", claim_name(c->claim[i].verdict));
		out_str(j, "evidence", c->claim[i].evidence);
	}
}

void claims_print(const struct claims *c)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		printf("%s\t%s\t%s\t%s\n", claim_name(c->claim[i].verdict), c->claim[i].id,
		       c->claim[i].subject, c->claim[i].evidence);
	printf("verdict\t%s\n", verdict_name(claims_verdict(c)));
}
