// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/opts.h"
#include "base/out.h"
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/claims_instr.h"
#include "evidence/events.h"
#include "evidence/judge.h"
#include "state/state_io.h"

struct claim *claims_add(struct claims *c, const char *id, const char *subject, enum verdict v,
		    const char *fmt, ...)
{
	struct claim *n = &c->claim[c->n < CLAIMS_MAX ? c->n++ : CLAIMS_MAX - 1];
	va_list ap;

	memset(n, 0, sizeof(*n));
	copy_str(n->id, sizeof(n->id), id);
	copy_str(n->subject, sizeof(n->subject), subject);
	n->verdict = v;
	va_start(ap, fmt);
	vsnprintf(n->evidence, sizeof(n->evidence), fmt, ap);
	va_end(ap);
	return n;
}

bool in_new(const struct judge *j, const struct kh_event *ev)
{
	return j->ev->rec.h->adopted_tsc && ev - j->ev->rec.ev >= j->ev->rec.h->adopted_nr;
}

void conclude(struct judge *j, const char *id, const char *subject, const struct grounds *f)
{
	const struct kh_event *ev = f->event;
	struct claim *n;

	if (ev) {
		n = claims_add(j->c, id, subject, VIOLATED, "event %u, %s %#llx %#llx %#llx %#llx, called from text+%#llx; %s",
			  (unsigned int)(ev - j->ev->rec.ev), event_name(ev->type),
			  (unsigned long long)ev->arg[0], (unsigned long long)ev->arg[1],
			  (unsigned long long)ev->arg[2], (unsigned long long)ev->arg[3],
			  (unsigned long long)ev->caller, f->text);
		n->tsc = ev->tsc;
		copy_str(n->kernel, sizeof(n->kernel), in_new(j, ev) ? "new" : "old");
	} else if (f->bad) {
		claims_add(j->c, id, subject, VIOLATED, "%s", f->text);
	} else if (f->unknown) {
		claims_add(j->c, id, subject, UNKNOWN, "%s", f->text);
	} else if (!j->whole) {
		claims_add(j->c, id, subject, UNKNOWN, "%s; %s", f->text, j->gap);
	} else {
		claims_add(j->c, id, subject, HOLDS, "%s", f->text);
	}
}

const struct kh_event *find_event(const struct judge *j, uint64_t until,
				  bool (*match)(const struct kh_event *ev, const void *arg),
				  const void *arg)
{
	const struct recorder *r = &j->ev->rec;
	uint32_t i;

	/* What is behind a broken one may be made up. */
	for (i = 0; r->h && i < r->broken; i++)
		if (r->ev[i].tsc >= j->from && (!until || r->ev[i].tsc < until) &&
		    match(&r->ev[i], arg))
			return &r->ev[i];
	return NULL;
}

/* The image said who it is before the jump; the running kernel says it now. */
static bool judge_kernel(struct judge *j)
{
	const struct kh_host *h = j->ev->host;
	const struct kh_plan *plan = j->plan;
	size_t len = strcspn(plan->image_kernel, " ");
	bool same;

	same = len == strlen(h->release) && !strncmp(plan->image_kernel, h->release, len) &&
	       strstr(plan->image_kernel, h->version);
	if (!h->boot_id[0] || !plan->old_boot_id[0])
		claims_add(j->c, "kernel-changed", "", UNKNOWN, "a boot id is missing");
	else if (!strcmp(h->boot_id, plan->old_boot_id))
		claims_add(j->c, "kernel-changed", "", VIOLATED, "still the boot %s", h->boot_id);
	else if (!plan->new_boot_id[0])
		claims_add(j->c, "kernel-changed", "", UNKNOWN, "khctl resume has not run in any boot");
	else if (strcmp(h->boot_id, plan->new_boot_id))
		claims_add(j->c, "kernel-changed", "", UNKNOWN,
		      "the boot %s is not the one after the upgrade, %s", h->boot_id,
		      plan->new_boot_id);
	else if (!same)
		claims_add(j->c, "kernel-changed", "", VIOLATED, "%s %s runs, the image was %s",
		      h->release, h->version, plan->image_kernel);
	else
		claims_add(j->c, "kernel-changed", "", HOLDS, "%s %s; before: %s", h->release,
		      h->version, plan->old_kernel);
	/* What another boot shows says nothing about this upgrade. */
	return plan->new_boot_id[0] && !strcmp(h->boot_id, plan->new_boot_id);
}

static bool recorded_to_the_end(const struct judge *j)
{
	const struct kram_recorder *h = j->ev->rec.h;

	return j->whole && (!h->stopped_tsc || h->stopped_tsc >= j->plan->mark[KH_MARK_RUN]);
}

/* QEMU says these of a guest that cannot go on. */
static bool is_broken(const char *status)
{
	static const char * const broken[] = { "internal-error", "guest-panicked", "io-error",
					       "inmigrate" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(broken); i++)
		if (!strcmp(status, broken[i]))
			return true;
	return false;
}

/* That khctl resume has started it is not enough: QEMU is asked now. */
static void judge_vm(struct claims *c, const struct evidence *ev, unsigned int i)
{
	const struct kh_plan_vm *vm = plan_vm(ev->plan, i);
	const char *name = plan_str(ev->plan, vm->name);
	const char *status = ev->vm ? ev->vm[i].status : "";

	if (vm->state != KH_VM_RUNNING)
		claims_add(c, "vm-resumed", name, VIOLATED, "%s%s%s", vm_state_name(vm->state),
			   vm->error[0] ? ": " : "", vm->error);
	else if (!status[0])
		claims_add(c, "vm-resumed", name, UNKNOWN, "it was resumed, and QEMU could not be asked: %s",
			   ev->vm ? ev->vm[i].error : "the evidence does not say why");
	else if (!strcmp(status, "running"))
		claims_add(c, "vm-resumed", name, HOLDS, "QEMU says that it is running");
	else
		claims_add(c, "vm-resumed", name, is_broken(status) ? VIOLATED : UNKNOWN,
			   "it was resumed, and QEMU says that it is %s", status);
}

void claims_make(struct claims *c, const struct evidence *ev)
{
	struct judge j = { .c = c, .ev = ev, .plan = ev->plan, .from = plan_first_stop(ev->plan) };
	const struct kh_plan_vm *vm;
	const void *sections[KH_NR_SIDES];
	unsigned int i, k, index = 0, n;
	bool foreign;

	c->n = 0;
	c->origin_tsc = ev->plan->mark[KH_MARK_START];
	c->tsc_hz = ev->plan->tsc_hz;
	foreign = !judge_kernel(&j);
	n = c->n;
	judge_instruments(&j);
	judge_host(&j);
	for (i = 0; i < ev->plan->vms.count; i++) {
		vm = plan_vm(ev->plan, i);
		judge_vm(c, ev, i);
		judge_process(&j, vm);
		for (k = 0; k < vm->dev.count; k++, index++) {
			judge_device(&j, vm, index, plan_dev(ev->plan, vm, k));
			judge_config(&j, vm, index, plan_dev(ev->plan, vm, k));
		}
	}
	sections[KH_OLD] = ev->blob[KH_SEC_EVENTS_OLD].size ? ev->blob[KH_SEC_EVENTS_OLD].data : NULL;
	sections[KH_NEW] = ev->blob[KH_SEC_EVENTS_NEW].size ? ev->blob[KH_SEC_EVENTS_NEW].data : NULL;
	claims_instr(c, sections, ev->plan, recorded_to_the_end(&j));
	for (i = n; foreign && i < c->n; i++) {
		c->claim[i].verdict = UNKNOWN;
		copy_str(c->claim[i].evidence, sizeof(c->claim[i].evidence),
			 "this is not the boot after the upgrade");
	}
}

void claims_none(struct claims *c, const char *why)
{
	c->n = 0;
	claims_add(c, "evidence", "", UNKNOWN, "%s", why);
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

int verdict_exit(enum verdict v)
{
	return v == HOLDS ? EXIT_DONE : v == VIOLATED ? EXIT_FAILED : EXIT_UNKNOWN;
}

static uint64_t at_ns(const struct claims *c, uint64_t tsc)
{
	return tsc > c->origin_tsc ? tsc_to_ns(tsc - c->origin_tsc, c->tsc_hz) : 0;
}

void claims_json(const struct claims *c, struct json_object *o)
{
	struct json_object *a, *j;
	const struct claim *n;
	unsigned int i;

	out_str(o, "verdict", verdict_name(claims_verdict(c)));
	a = out_array(o, "claims");
	for (i = 0; i < c->n; i++) {
		n = &c->claim[i];
		j = out_element(a);
		out_str(j, "id", n->id);
		if (n->subject[0])
			out_str(j, "subject", n->subject);
		out_str(j, "verdict", claim_name(n->verdict));
		if (n->tsc) {
			out_u64(j, "tsc", n->tsc);
			out_u64(j, "at_ns", at_ns(c, n->tsc));
		}
		if (n->kernel[0])
			out_str(j, "kernel", n->kernel);
		out_str(j, "evidence", n->evidence);
	}
}

void claims_print(const struct claims *c)
{
	const struct claim *n;
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		n = &c->claim[i];
		printf("%s\t%s\t%s\t", claim_name(n->verdict), n->id, n->subject);
		if (n->tsc)
			printf("%.6f s, %s kernel: ", at_ns(c, n->tsc) / 1e9, n->kernel);
		printf("%s\n", n->evidence);
	}
	printf("verdict\t%s\n", verdict_name(claims_verdict(c)));
}
