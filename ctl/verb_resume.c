// SPDX-License-Identifier: GPL-2.0
/* khctl resume: in the new kernel, let every VM run on. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/lock.h"
#include "base/out.h"
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/claims.h"
#include "evidence/recorder.h"
#include "evidence/report.h"
#include "evidence/watcher.h"
#include "host/cmdline.h"
#include "host/kram.h"
#include "host/late.h"
#include "state/manifest.h"
#include "verbs.h"
#include "vm/back.h"
#include "vm/vm_load.h"

/* From QEMU's word that the guest runs until KVM runs it, on a host that is busy. */
#define RUN_SECONDS 1

struct load_job {
	pthread_t thread;
	bool started;
	struct vm_load l;
	struct kh_err e;
};

struct resume {
	const struct khctl_opts *o;
	struct state state;
	struct kh_plan *plan;
	struct kram kram;
	struct watcher watcher;
	bool adopted;		/* what the old kernel of this very upgrade left */
	char why_not[200];
	char id[40];		/* of this boot */
	uint64_t manifest_took;	/* TSC, 0: there is none */
	struct load_job *job;
};

static int say(const struct khctl_opts *o, int rc, const char *result, const char *why)
{
	return out_result("resume", o->json, rc, result, why);
}

/* Is this the kernel that the plan was made for, and did it get what the old one left? */
static void look_at_kram(struct resume *r)
{
	struct kh_err e = { 0 };
	uint64_t want = plan_generation(r->plan), sealed;

	if (kram_read(&r->kram, &e)) {
		copy_str(r->why_not, sizeof(r->why_not), e.msg);
		return;
	}
	if (!kram_adopted(&r->kram) || r->kram.generation != want) {
		path_fmt(r->why_not, sizeof(r->why_not),
			 "KRAM is %s, generation %llu (wanted: adopted, %llu)", r->kram.state,
			 (unsigned long long)r->kram.generation, (unsigned long long)want);
		return;
	}
	r->adopted = true;
	sealed = kram_sealed_tsc(&r->kram);
	if (sealed > r->plan->mark[KH_MARK_JUMP] && sealed < r->o->start_tsc)
		r->plan->mark[KH_MARK_SEALED] = sealed;
}

static void *load_thread(void *arg)
{
	struct load_job *job = arg;

	vm_load(&job->l, &job->e);
	return NULL;
}

static void vm_failed(struct kh_plan_vm *vm, const char *name, const char *why)
{
	vm->state = KH_VM_FAILED;
	copy_str(vm->error, sizeof(vm->error), why);
	talk("%s: %s", name, why);
}

static void start_job(struct resume *r, struct load_job *job, struct kh_plan_vm *vm)
{
	const char *name = plan_str(r->plan, vm->name);

	vm->error[0] = '\0';
	/* A guest without preserved devices needs nothing but its RAM. */
	if (vm->dev.count && !r->adopted) {
		vm_failed(vm, name, r->why_not);
		return;
	}
	if (vm->stream_size > vm->stream_room || vm->stream_offset < r->state.part[KH_PART_DATA].offset ||
	    vm->stream_offset > r->state.size ||
	    vm->stream_size > r->state.size - vm->stream_offset) {
		vm_failed(vm, name, "its device state lies outside of the state area");
		return;
	}
	job->l.plan = r->plan;
	job->l.vm = vm;
	job->l.stream = r->state.base + vm->stream_offset;
	job->started = !pthread_create(&job->thread, NULL, load_thread, job);
	if (!job->started)
		vm_failed(vm, name, "cannot start a thread");
}

static bool loaded(const struct load_job *job)
{
	return job->started && !job->e.rc;
}

/* A guest runs when KVM runs it, some time after QEMU's word. Where nobody sees that, the word has to do. */
static void see_runs(struct resume *r)
{
	uint64_t until = tsc_now() + RUN_SECONDS * r->plan->tsc_hz, run;
	struct kh_plan_vm *vm;
	unsigned int i;

	for (i = 0; i < r->plan->vms.count; i++) {
		vm = plan_vm(r->plan, i);
		if (!loaded(&r->job[i]))
			continue;
		run = watcher_wait_run(&r->watcher, r->job[i].l.pid, until);
		if (run)
			vm->run_tsc = run > vm->loaded_tsc ? run : vm->loaded_tsc;
		else
			state_log(&r->state, r->plan->run_id, "run", 0,
				  "%s: nobody saw KVM run it, its time is that of QEMU",
				  plan_str(r->plan, vm->name));
	}
}

/* Return: how many do not run. */
static unsigned int resume_vms(struct resume *r)
{
	struct load_job *job = r->job;
	unsigned int i, failed = 0;
	struct kh_plan_vm *vm;

	for (i = 0; i < r->plan->vms.count; i++)
		if (plan_vm(r->plan, i)->state != KH_VM_RUNNING)
			start_job(r, &job[i], plan_vm(r->plan, i));
	for (i = 0; i < r->plan->vms.count; i++) {
		vm = plan_vm(r->plan, i);
		if (job[i].started) {
			pthread_join(job[i].thread, NULL);
			if (job[i].e.rc)
				vm_failed(vm, plan_str(r->plan, vm->name), job[i].e.msg);
			else
				vm->state = KH_VM_RUNNING;
		}
		failed += vm->state != KH_VM_RUNNING;
	}
	return failed;
}

static void mark_times(struct resume *r, unsigned int failed)
{
	uint64_t *m = r->plan->mark;
	const struct kh_plan_vm *vm;
	unsigned int i;

	/* A second attempt only moves the end. */
	if (!r->plan->new_boot_id[0])
		m[KH_MARK_BOOT] = r->o->start_tsc;
	m[KH_MARK_LOADED] = 0;
	m[KH_MARK_RUN] = 0;
	for (i = 0; !failed && i < r->plan->vms.count; i++) {
		vm = plan_vm(r->plan, i);
		if (vm->loaded_tsc > m[KH_MARK_LOADED])
			m[KH_MARK_LOADED] = vm->loaded_tsc;
		if (vm->run_tsc > m[KH_MARK_RUN])
			m[KH_MARK_RUN] = vm->run_tsc;
	}
}

static void log_phases(struct resume *r)
{
	struct phase_time p[REPORT_PHASES];
	uint64_t blackout;
	unsigned int i, n = report_phases(r->plan, p, &blackout);

	if (r->manifest_took)
		state_log(&r->state, r->plan->run_id, "manifest", r->manifest_took,
			  "taken before the resume in %llu ns",
			  (unsigned long long)tsc_to_ns(r->manifest_took, r->plan->tsc_hz));
	for (i = 4; i < n; i++)
		state_log(&r->state, r->plan->run_id, p[i].name, 0, "took %llu ns",
			  (unsigned long long)p[i].ns);
	for (i = 0; i < r->plan->vms.count; i++)
		state_log(&r->state, r->plan->run_id, "resume", 0, "%s: %s %.120s",
			  plan_str(r->plan, plan_vm(r->plan, i)->name),
			  vm_state_name(plan_vm(r->plan, i)->state), plan_vm(r->plan, i)->error);
}

/* Once: a second attempt finds the tables in use already. */
static void take_manifest(struct resume *r)
{
	uint64_t begin = tsc_now();
	struct kh_manifest *m;
	size_t size;
	int rc;

	if (r->plan->new_boot_id[0])
		return;
	/* The new kernel has emptied the interrupt-remapping tables: there is nothing to compare. */
	m = manifest_take(r->plan, r->id, &r->kram, IRT_LEAVE, NULL, &size);
	rc = m ? manifest_put(&r->state, KH_NEW, m) : -ENOMEM;
	free(m);
	if (rc)
		talk("no manifest: %s", strerror(-rc));
	else
		r->manifest_took = tsc_now() - begin;
}

static int report(struct resume *r, unsigned int failed)
{
	struct claims *c = calloc(1, sizeof(*c));
	enum verdict v = UNKNOWN;
	struct kh_err e = { 0 };
	struct json_object *j;
	struct evidence ev;

	if (c) {
		if (evidence_gather(&ev, &r->state, r->plan, &e))
			claims_none(c, e.msg);
		else
			claims_make(c, &ev);
		evidence_free(&ev);
		v = claims_verdict(c);
		state_log(&r->state, r->plan->run_id, "verify", 0, "%s", verdict_name(v));
	}
	if (r->o->json) {
		j = out_new("resume");
		out_str(j, "result", failed ? "failed" : "done");
		report_json(&r->state, r->plan, j);
		if (c)
			claims_json(c, j);
		out_json(j);
	} else {
		report_print(&r->state, r->plan, r->o->human);
		if (c)
			claims_print(c);
	}
	free(c);
	if (failed)
		talk("%u of %u VMs do not run; their memory is kept, khctl resume tries again", failed,
		     r->plan->vms.count);
	else if (v != HOLDS)
		talk("the VMs run, but the verdict is %s: khctl verify", verdict_name(v));
	return out_done(failed || v != HOLDS ? EXIT_LOST : EXIT_DONE);
}

static void commit(struct resume *r, unsigned int failed)
{
	int rc = state_commit(&r->state, failed ? KH_FAILED : KH_RESUMED, r->plan);

	if (rc)
		talk("cannot write the state area: %s", strerror(-rc));
}

/*
 * No guest could be resumed here, and the upgrade asked for the way back. Tried once: in the kernel that
 * was entered on the way back, @back is 1. Returns when the guests stay here.
 */
static void go_back(struct resume *r)
{
	struct kh_err e = { 0 };

	if (!(r->plan->flags & KH_PLAN_BACK) || r->plan->back)
		return;
	if (back_possible(&r->state, r->plan, r->id, &e)) {
		talk("no way back: %s", e.msg);
		return;
	}
	talk("no VM could be resumed: going back to %s", plan_str(r->plan, r->plan->back_image));
	back_jump(&r->state, r->plan, &e);
	talk("no way back: %s", e.msg);
}

static int resume(struct resume *r)
{
	unsigned int failed, i;

	if (r->plan->new_boot_id[0] && strcmp(r->plan->new_boot_id, r->id))
		return say(r->o, EXIT_LOST, "failed",
			   "the host was booted again since; the guests' memory is not what it was");
	r->job = calloc(r->plan->vms.count + 1, sizeof(*r->job));
	if (!r->job)
		return say(r->o, EXIT_LOST, "failed", "out of memory");
	look_at_kram(r);
	if (!(r->plan->flags & KH_PLAN_NO_INSTRUMENTS)) {
		take_manifest(r);
		watcher_start(&r->watcher, &r->state, KH_NEW, r->plan, r->id);
	}
	failed = resume_vms(r);
	mark_times(r, failed);
	copy_str(r->plan->new_boot_id, sizeof(r->plan->new_boot_id), r->id);
	kernel_name(r->plan->new_kernel, sizeof(r->plan->new_kernel));
	/* Whatever comes now, nobody starts them a second time. */
	commit(r, failed);
	see_runs(r);
	watcher_finish(&r->watcher);
	watcher_stop(&r->watcher);
	/* Goes on while a VM has yet to come. */
	if (!failed)
		recorder_stop();
	mark_times(r, failed);
	commit(r, failed);
	for (i = 0; i < r->plan->vms.count; i++)
		if (loaded(&r->job[i]))
			vm_load_end(&r->job[i].l);
	log_phases(r);
	kram_close(&r->kram);
	if (failed && failed == r->plan->vms.count)
		go_back(r);
	return report(r, failed);
}

static int open_plan(struct resume *r)
{
	struct kh_err e = { 0 };
	uint64_t address;
	int rc;

	/* Never on its looks alone: what lies in a devdax device may be a guest's memory. */
	if (!r->o->state && cmdline_state_address(&address))
		return say(r->o, EXIT_DONE, "nothing to do",
			   "this kernel was not started by khctl upgrade");
	rc = state_open(&r->state, r->o->state, true, &e);
	if (rc)
		return say(r->o, EXIT_LOST, "failed", e.msg);
	if (r->state.commit.state != KH_SAVED && r->state.commit.state != KH_FAILED)
		return say(r->o, EXIT_DONE, "nothing to do", "no upgrade is pending");
	rc = state_plan(&r->state, &r->plan, &e);
	if (rc || !r->plan)
		return say(r->o, EXIT_LOST, "failed", rc ? e.msg : "the plan is missing");
	if (boot_id(r->id, sizeof(r->id)))
		return say(r->o, EXIT_LOST, "failed", "the boot id cannot be read");
	if (!strcmp(r->id, r->plan->old_boot_id))
		return say(r->o, EXIT_REFUSED, "refused",
			   "this is still the old kernel: khctl abort undoes the upgrade");
	return resume(r);
}

/* Whatever became of the guests: nobody else does what was put off for them. */
static int finish_boot(int rc)
{
	struct kh_err e = { 0 };

	if (!late_finish(&e))
		return rc;
	talk("not all that was put off for the guests could be done: %s", e.msg);
	return rc ? rc : EXIT_LOST;
}

int verb_resume(const void *opts)
{
	struct resume *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return EXIT_FAILED;
	r->o = opts;
	rc = lock_take();
	if (rc < 0)
		rc = say(r->o, EXIT_REFUSED, "refused", lock_error(rc));
	else
		rc = finish_boot(open_plan(r));
	free(r->plan);
	free(r->job);
	free(r);
	return rc;
}
