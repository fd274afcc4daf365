// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include "base/out.h"
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/report.h"
#include "evidence/report_instr.h"
#include "host/kram.h"
#include "state/record.h"

unsigned int report_phases(const struct kh_plan *plan, struct phase_time *p,
			   uint64_t *blackout_ns)
{
	const uint64_t *m = plan->mark, stop = plan_first_stop(plan);
	/* Without the instant of the seal, jump and boot are one. */
	const uint64_t sealed = m[KH_MARK_SEALED] ? m[KH_MARK_SEALED] : m[KH_MARK_JUMP];
	const struct {
		const char *name;
		uint64_t from;
		uint64_t to;
		bool in_blackout;
	} ph[REPORT_PHASES] = {
		{ "check", m[KH_MARK_START], m[KH_MARK_PLAN], false },
		{ "plan", m[KH_MARK_PLAN], m[KH_MARK_LOAD], false },
		{ "load", m[KH_MARK_LOAD], m[KH_MARK_SAVE], false },
		{ "prepare", m[KH_MARK_SAVE], stop, false },
		{ "save", stop, m[KH_MARK_JUMP], true },
		{ "jump", m[KH_MARK_JUMP], sealed, true },
		{ "boot", sealed, m[KH_MARK_BOOT], true },
		{ "resume", m[KH_MARK_BOOT], m[KH_MARK_LOADED], true },
		{ "run", m[KH_MARK_LOADED], m[KH_MARK_RUN], true },
	};
	unsigned int n;

	*blackout_ns = 0;
	for (n = 0; n < REPORT_PHASES; n++) {
		if (!ph[n].from || ph[n].to < ph[n].from)
			return n;
		p[n].name = ph[n].name;
		p[n].in_blackout = ph[n].in_blackout;
		/* Ends are scaled, not lengths: so they add up to the last digit. */
		p[n].ns = tsc_to_ns(ph[n].to - m[KH_MARK_START], plan->tsc_hz) -
			  tsc_to_ns(ph[n].from - m[KH_MARK_START], plan->tsc_hz);
		if (ph[n].in_blackout)
			*blackout_ns += p[n].ns;
	}
	return n;
}

static void json_map(const struct kh_plan_map *m, struct json_object *o)
{
	out_hex(o, "root", m->root);
	out_hex(o, "context_low", m->context[0]);
	out_hex(o, "context_high", m->context[1]);
	out_hex(o, "page_table", m->pgd);
	out_u64(o, "domain_id", m->did);
	out_u64(o, "tables", m->nr_tables);
	out_hex(o, "tables_hash", m->tables_hash);
	out_u64(o, "runs", m->nr_runs);
	out_hex(o, "runs_hash", m->runs_hash);
	out_u64(o, "bytes", m->mapped);
}

/* How far the resume has come, also while it is under way and after it was killed. */
static void json_record(const struct state *s, const struct kh_plan *plan, unsigned int index,
			struct json_object *o)
{
	const struct kh_vm_record r = record_get(s, plan->run_id, index);

	out_str(o, "resume", record_state_name(r.state));
	if (r.pid && r.state != KH_REC_NONE && r.state != KH_REC_UNUSED)
		out_u64(o, "pid", r.pid);
}

static void json_vm(const struct kh_plan *plan, const struct kh_plan_vm *vm, struct json_object *o)
{
	struct json_object *a, *d;
	unsigned int i;

	out_str(o, "name", plan_str(plan, vm->name));
	out_str(o, "qmp", plan_str(plan, vm->qmp));
	out_str(o, "state", vm_state_name(vm->state));
	if (vm->error[0])
		out_str(o, "error", vm->error);
	out_u64(o, "stream_bytes", vm->stream_size);
	if (vm->run_tsc > vm->stop_tsc)
		out_u64(o, "blackout_ns", tsc_to_ns(vm->run_tsc - vm->stop_tsc, plan->tsc_hz));
	a = out_array(o, "ram");
	for (i = 0; i < vm->ram.count; i++) {
		d = out_element(a);
		out_str(d, "id", plan_ram(plan, vm, i)->id);
		out_str(d, "path", plan_ram(plan, vm, i)->path);
		out_hex(d, "resource", plan_ram(plan, vm, i)->resource);
		out_u64(d, "bytes", plan_ram(plan, vm, i)->size);
	}
	a = out_array(o, "devices");
	for (i = 0; i < vm->dev.count; i++) {
		d = out_element(a);
		out_str(d, "bdf", plan_dev(plan, vm, i)->bdf);
		out_u64(d, "unit", plan_dev(plan, vm, i)->unit);
		json_map(&plan_dev(plan, vm, i)->map, out_object(d, "mappings"));
	}
}

static void json_plan(const struct state *s, const struct kh_plan *plan, struct json_object *o)
{
	struct phase_time p[REPORT_PHASES];
	struct json_object *a, *j;
	uint64_t blackout;
	unsigned int i, n;
	char id[33];

	out_str(o, "run_id", run_id_text(plan->run_id, id));
	out_str(o, "old_kernel", plan->old_kernel);
	out_str(o, "new_kernel", plan->new_kernel[0] ? plan->new_kernel : plan->image_kernel);
	out_u64(o, "tsc_hz", plan->tsc_hz);
	n = report_phases(plan, p, &blackout);
	if (n == REPORT_PHASES)
		out_u64(o, "blackout_ns", blackout);
	else
		json_object_object_add(o, "blackout_ns", NULL);
	a = out_array(o, "phases");
	for (i = 0; i < n; i++) {
		j = out_element(a);
		out_str(j, "name", p[i].name);
		out_u64(j, "ns", p[i].ns);
		out_bool(j, "in_blackout", p[i].in_blackout);
	}
	a = out_array(o, "left_behind");
	for (i = 0; i < plan->left.count; i++) {
		j = out_element(a);
		out_u64(j, "pid", plan_left(plan, i)->pid);
		out_str(j, "name", plan_left(plan, i)->comm);
		out_str(j, "why", plan_left(plan, i)->why);
	}
	a = out_array(o, "vms");
	for (i = 0; i < plan->vms.count; i++) {
		j = out_element(a);
		json_vm(plan, plan_vm(plan, i), j);
		json_record(s, plan, i, j);
	}
}

static void json_kram(const struct kh_plan *plan, struct json_object *o)
{
	struct kram k;

	if (plan)
		out_u64(o, "used_pages_before", plan->kram_used_pages);
	if (kram_read(&k, NULL))
		return;
	out_str(o, "state", k.state);
	out_u64(o, "generation", k.generation);
	out_u64(o, "used_pages", kram_used(&k));
	out_u64(o, "pool_pages", kram_pool(&k));
	kram_close(&k);
}

void report_json(const struct state *s, const struct kh_plan *plan, struct json_object *o)
{
	out_str(o, "state_area", s->dev.path);
	out_u64(o, "state_area_bytes", s->size);
	out_str(o, "state", state_name(s->commit.state));
	json_kram(plan, out_object(o, "kram"));
	if (plan)
		json_plan(s, plan, o);
	report_recorded(s, o);
}

void report_log(const struct state *s, unsigned int lines, struct json_object *o)
{
	struct json_object *a = out_array(o, "log"), *j;
	uint64_t last = state_log_last(s), seq;
	const struct kh_log_record *r;
	char id[33];

	for (seq = last > lines ? last - lines + 1 : 1; seq <= last; seq++) {
		r = state_log_get(s, seq);
		if (!r)
			continue;
		j = out_element(a);
		out_u64(j, "seq", r->seq);
		out_str(j, "run_id", run_id_text(r->run_id, id));
		out_str(j, "phase", r->phase);
		out_u64(j, "tsc", r->tsc);
		out_u64(j, "tsc_duration", r->duration);
		out_str(j, "text", r->text);
	}
}

void report_print(const struct state *s, const struct kh_plan *plan, bool human)
{
	struct phase_time p[REPORT_PHASES];
	uint64_t blackout;
	unsigned int i, n;
	char b[32];

	printf("state area\t%s\t%s\n", s->dev.path, out_bytes(b, sizeof(b), s->size, human));
	printf("state\t%s\n", state_name(s->commit.state));
	if (!plan)
		return;
	printf("old kernel\t%s\n", plan->old_kernel);
	printf("new kernel\t%s\n", plan->new_kernel[0] ? plan->new_kernel : plan->image_kernel);
	n = report_phases(plan, p, &blackout);
	for (i = 0; i < n; i++)
		printf("phase\t%s\t%s\t%s\n", p[i].name, out_ns(b, sizeof(b), p[i].ns, human),
		       p[i].in_blackout ? "guests stand" : "guests run");
	if (n == REPORT_PHASES)
		printf("blackout\t%s\n", out_ns(b, sizeof(b), blackout, human));
	for (i = 0; i < plan->left.count; i++)
		printf("left behind\t%u\t%s\t%s\n", plan_left(plan, i)->pid,
		       plan_left(plan, i)->comm, plan_left(plan, i)->why);
	for (i = 0; i < plan->vms.count; i++)
		printf("vm\t%s\t%s\t%u devices\t%s\n", plan_str(plan, plan_vm(plan, i)->name),
		       vm_state_name(plan_vm(plan, i)->state), plan_vm(plan, i)->dev.count, plan_vm(plan, i)->error);
}
