// SPDX-License-Identifier: GPL-2.0
/* khctl resume: in the new kernel, let every VM run on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/intr.h"
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
#include "vm/vm.h"
#include "vm/vm_attrs.h"
#include "vm/vm_jobs.h"
#include "vm/vm_left.h"

/* From QEMU's word that the guest runs until KVM runs it, on a host that is busy. */
#define RUN_SECONDS 1

/* When no VM has got further for so long, the host and the VMs that run do not wait for the others. */
#define STUCK_MS 5000

struct resume {
	const struct khctl_opts *o;
	struct state state;
	struct kh_plan *plan;
	struct kram kram;
	struct watcher watcher;
	int cancel_fd;
	bool again;		/* not the first attempt in this boot */
	bool adopted;		/* what the old kernel of this very upgrade left */
	bool finished;		/* what was put off for the guests is done */
	char why_not[200];
	char id[40];		/* of this boot */
	uint64_t manifest_took;	/* TSC, 0: there is none */
	struct vm_jobs jobs;
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

static void vm_failed(struct kh_plan_vm *vm, const char *name, const char *why)
{
	vm->state = KH_VM_FAILED;
	copy_str(vm->error, sizeof(vm->error), why);
	talk("%s: %s", name, why);
}

static void start_job(struct resume *r, unsigned int i, pid_t user)
{
	struct kh_plan_vm *vm = plan_vm(r->plan, i);
	struct vm_load *l = &r->jobs.job[i].l;
	const char *name = plan_str(r->plan, vm->name);

	vm->error[0] = '\0';
	/* A guest without preserved devices needs nothing but its RAM. */
	if (vm->dev.count && !r->adopted) {
		vm_failed(vm, name, r->why_not);
		return;
	}
	l->state = &r->state;
	l->plan = r->plan;
	l->vm = vm;
	l->record = record_of_boot(&r->state, r->plan->run_id, i, r->id);
	l->user = user;
	l->cancel_fd = r->cancel_fd;
	if (jobs_start(&r->jobs, i))
		vm_failed(vm, name, "cannot start a thread");
}

static bool asked_for(const struct resume *r, const struct kh_plan_vm *vm)
{
	const struct str_list *names = &r->o->vms;
	unsigned int i;

	for (i = 0; i < names->n; i++)
		if (!strcmp(names->v[i], plan_str(r->plan, vm->name)))
			return true;
	return !names->n;
}

static int start_jobs(struct resume *r)
{
	pid_t *user = calloc(r->plan->vms.count + 1, sizeof(*user));
	struct kh_plan_vm *vm;
	unsigned int i;

	if (!user || jobs_init(&r->jobs, r->plan->vms.count)) {
		free(user);
		return -ENOMEM;
	}
	vm_users(r->plan, user);
	for (i = 0; i < r->plan->vms.count; i++) {
		vm = plan_vm(r->plan, i);
		if (vm->state != KH_VM_RUNNING && vm->state != KH_VM_FORGOTTEN && asked_for(r, vm))
			start_job(r, i, user[i]);
	}
	free(user);
	return 0;
}

/* A guest runs when KVM runs it, some time after QEMU's word. Where nobody sees that, the word has to do. */
static void see_run(struct resume *r, struct vm_job *job, struct kh_plan_vm *vm)
{
	uint64_t until = tsc_now() + RUN_SECONDS * r->plan->tsc_hz, run;

	if (job->l.ran_before)
		return;
	run = watcher_wait_run(&r->watcher, job->l.pid, until);
	if (run)
		vm->run_tsc = run > vm->loaded_tsc ? run : vm->loaded_tsc;
	else
		state_log(&r->state, r->plan->run_id, "run", 0,
			  "%s: nobody saw KVM run it, its time is that of QEMU",
			  plan_str(r->plan, vm->name));
}

/* The guests whose jobs are done: what became of them. */
static void harvest(struct resume *r)
{
	struct kh_plan_vm *vm;
	struct vm_job *job;
	unsigned int i;

	for (i = 0; i < r->jobs.n; i++) {
		job = &r->jobs.job[i];
		vm = plan_vm(r->plan, i);
		if (!job->started || job->told || !atomic_load(&job->done))
			continue;
		job->told = true;
		if (job->e.rc)
			vm_failed(vm, plan_str(r->plan, vm->name), job->e.msg);
		else
			vm->state = KH_VM_RUNNING;
	}
}

/* What can wait until the guests run. The last thing asked of each QEMU is whether its guest runs. */
static void end_loads(struct resume *r)
{
	struct kh_err e = { 0 };
	struct kh_plan_vm *vm;
	struct vm_job *job;
	unsigned int i;

	for (i = 0; i < r->jobs.n; i++) {
		job = &r->jobs.job[i];
		vm = plan_vm(r->plan, i);
		if (!job_loaded(job) || !job->told || job->ended)
			continue;
		job->ended = true;
		memset(&e, 0, sizeof(e));
		if (!job->l.ran_before && vm_load_end(&job->l, &e))
			vm_failed(vm, plan_str(r->plan, vm->name), e.msg);
	}
}

static void mark_times(struct resume *r)
{
	uint64_t *m = r->plan->mark;
	const struct kh_plan_vm *vm;
	unsigned int i;

	m[KH_MARK_LOADED] = 0;
	m[KH_MARK_RUN] = 0;
	for (i = 0; !plan_kept(r->plan) && i < r->plan->vms.count; i++) {
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

	if (r->again)
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

static int report(struct resume *r)
{
	unsigned int failed = plan_kept(r->plan);
	struct claims *c = calloc(1, sizeof(*c));
	enum verdict v = UNKNOWN;
	struct kh_err e = { 0 };
	struct json_object *j;
	struct evidence ev;
	bool *running = calloc(r->jobs.n + 1, sizeof(*running));
	unsigned int i;

	/* end_loads() has heard it from QEMU. */
	for (i = 0; running && i < r->jobs.n; i++)
		running[i] = job_loaded(&r->jobs.job[i]) &&
			     plan_vm(r->plan, i)->state == KH_VM_RUNNING;
	if (c) {
		if (evidence_gather(&ev, &r->state, r->plan, running, &e))
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
	free(running);
	if (failed)
		talk("%u of %u VMs do not run; their memory and device state are kept: khctl resume tries again, khctl forget gives one up",
		     failed, r->plan->vms.count);
	else if (v != HOLDS)
		talk("the VMs run, but the verdict is %s: khctl verify", verdict_name(v));
	return out_done(failed || v != HOLDS ? EXIT_LOST : EXIT_DONE);
}

static void commit(struct resume *r, enum kh_state state)
{
	int rc = state_commit(&r->state, state, r->plan);

	if (rc)
		talk("cannot write the state area: %s", strerror(-rc));
}

/*
 * No guest could be resumed here, and the upgrade asked for the way back. Tried once: in the kernel that
 * was entered on the way back, @back is 1. Not after a signal and not when only some VMs were named: then
 * this kernel has not failed to resume them all. Returns when the guests stay here.
 */
static void go_back(struct resume *r)
{
	struct kh_err e = { 0 };

	if (!(r->plan->flags & KH_PLAN_BACK) || r->plan->back || r->o->vms.n || intr_pending())
		return;
	if (back_possible(&r->state, r->plan, r->id, &e)) {
		talk("no way back: %s", e.msg);
		return;
	}
	talk("no VM could be resumed: going back to %s", plan_str(r->plan, r->plan->back_image));
	back_jump(&r->state, r->plan, &e);
	talk("no way back: %s", e.msg);
}

static void commit_result(struct resume *r)
{
	mark_times(r);
	commit(r, plan_kept(r->plan) ? KH_FAILED : KH_RESUMED);
}

/* Whatever became of the guests: nobody else does what was put off for them. */
static int finish_boot(struct resume *r, int rc)
{
	struct kh_err e = { 0 };

	if (r->finished || !late_finish(&e))
		return rc;
	talk("not all that was put off for the guests could be done: %s", e.msg);
	return rc ? rc : EXIT_LOST;
}

static void see_runs(struct resume *r)
{
	unsigned int i;

	for (i = 0; i < r->jobs.n; i++)
		if (job_loaded(&r->jobs.job[i]) && r->jobs.job[i].told && !r->jobs.job[i].ended)
			see_run(r, &r->jobs.job[i], plan_vm(r->plan, i));
}

/* A VM takes long, and may never come: everything else goes on without it. */
static void go_on_without(struct resume *r)
{
	struct kh_plan_vm *vm;
	unsigned int i;

	see_runs(r);
	end_loads(r);
	commit_result(r);
	for (i = 0; i < r->jobs.n; i++) {
		vm = plan_vm(r->plan, i);
		if (r->jobs.job[i].started && !r->jobs.job[i].told)
			talk("%s: its QEMU is not ready after %d s; the host and the other VMs go on without it",
			     plan_str(r->plan, vm->name), STUCK_MS / 1000);
		state_log(&r->state, r->plan->run_id, "resume", 0, "%s: %s %.120s",
			  plan_str(r->plan, vm->name), vm_state_name(vm->state),
			  r->jobs.job[i].started && !r->jobs.job[i].told ? "not ready yet" : vm->error);
	}
	r->finished = !finish_boot(r, 0);
}

static void wait_for_jobs(struct resume *r)
{
	unsigned int left = jobs_left(&r->jobs), before;
	bool waited = false;

	while (left) {
		before = left;
		left = jobs_wait(&r->jobs, STUCK_MS);
		harvest(r);
		if (left == before && !waited) {
			waited = true;
			go_on_without(r);
		}
	}
	harvest(r);
}

static void begin(struct resume *r)
{
	if (r->again)
		return;
	r->plan->mark[KH_MARK_BOOT] = r->o->start_tsc;
	copy_str(r->plan->new_boot_id, sizeof(r->plan->new_boot_id), r->id);
	kernel_name(r->plan->new_kernel, sizeof(r->plan->new_kernel));
	/* A khctl resume that comes after this one, however this one ends, is not the first. */
	commit(r, r->state.commit.state);
}

/* The QEMU of an earlier khctl resume is asked over its own socket: that khctl's monitor is gone. */
static struct json_object *ask_roles(const struct resume *r, const struct kh_plan_vm *vm)
{
	struct qmp q = { .fd = -1 };
	struct json_object *roles = NULL;
	pid_t pid;

	if (qmp_open(&q, plan_str(r->plan, vm->qmp), r->cancel_fd, &pid, NULL))
		return NULL;
	if ((uint32_t)pid == vm->new_pid)
		attrs_roles(pid, &q, &roles, NULL);
	qmp_close(&q);
	return roles;
}

static void carry_vm(struct resume *r, struct vm_job *job, struct kh_plan_vm *vm)
{
	const char *name = plan_str(r->plan, vm->name);
	struct kh_err e = { 0 };
	char *with;

	if (!job->l.roles)
		job->l.roles = ask_roles(r, vm);
	if (attrs_carry(vm->new_pid, job->l.roles, plan_str(r->plan, vm->attrs), &with, &e))
		talk("%s: %s", name, e.msg);
	if (with && plan_put(r->plan, &vm->attrs, with, strlen(with)))
		talk("%s: the plan has no room for what its process has now", name);
	free(with);
}

/*
 * Threads go back to the CPUs that they were on, which have to be online for that. Then what
 * each process has is written down, for khctl verify to compare.
 */
static void carry_over(struct resume *r)
{
	struct kh_plan_vm *vm;
	unsigned int i;

	if (!r->finished)
		r->finished = !finish_boot(r, 0);
	for (i = 0; i < r->jobs.n; i++) {
		vm = plan_vm(r->plan, i);
		if (vm->state == KH_VM_RUNNING && r->jobs.job[i].ended && vm->attrs.len)
			carry_vm(r, &r->jobs.job[i], vm);
	}
	commit_result(r);
}

static int resume(struct resume *r)
{
	r->again = r->plan->new_boot_id[0];
	look_at_kram(r);
	if (!(r->plan->flags & KH_PLAN_NO_INSTRUMENTS)) {
		take_manifest(r);
		watcher_start(&r->watcher, &r->state, KH_NEW, r->plan, r->id);
	}
	begin(r);
	if (start_jobs(r))
		return say(r->o, EXIT_LOST, "failed", "out of memory");
	wait_for_jobs(r);
	commit_result(r);
	see_runs(r);
	watcher_finish(&r->watcher);
	watcher_stop(&r->watcher);
	end_loads(r);
	/* The recorder goes on while a VM has yet to come. */
	if (!plan_kept(r->plan))
		recorder_stop();
	commit_result(r);
	log_phases(r);
	kram_close(&r->kram);
	if (plan_kept(r->plan) && plan_kept(r->plan) == r->plan->vms.count)
		go_back(r);
	carry_over(r);
	return report(r);
}

static int edit_argv(struct resume *r)
{
	struct kh_err e = { 0 };
	struct kh_plan_vm *vm;

	if (r->o->vms.n != 1)
		return say(r->o, EXIT_USAGE, "failed", "--argv-from goes with the name of one VM");
	vm = plan_vm(r->plan, plan_find_vm(r->plan, r->o->vms.v[0]));
	if (vm->state == KH_VM_RUNNING)
		return say(r->o, EXIT_REFUSED, "refused", "the VM runs");
	return vm_plan_argv(r->plan, vm, r->o->argv_from, &e) ?
	       say(r->o, EXIT_REFUSED, "refused", e.msg) : EXIT_DONE;
}

/* Return: EXIT_DONE, or what was said. */
static int check_names(struct resume *r)
{
	const struct str_list *names = &r->o->vms;
	char why[160];
	unsigned int i;

	for (i = 0; i < names->n; i++)
		if (plan_find_vm(r->plan, names->v[i]) == r->plan->vms.count)
			return say(r->o, EXIT_REFUSED, "refused",
				   path_fmt(why, sizeof(why), "the upgrade has no VM %.64s", names->v[i]));
	return EXIT_DONE;
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
	if (r->plan->new_boot_id[0] && strcmp(r->plan->new_boot_id, r->id))
		return say(r->o, EXIT_LOST, "failed",
			   "the host was booted again since; the guests' memory is not what it was");
	rc = check_names(r);
	if (!rc && r->o->argv_from)
		rc = edit_argv(r);
	return rc ? rc : resume(r);
}

int verb_resume(const void *opts)
{
	struct resume *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return EXIT_FAILED;
	r->o = opts;
	r->jobs.wake = -1;
	/* SIGINT and SIGTERM: guests that cannot run yet are given up for now, the rest is done. */
	r->cancel_fd = intr_init();
	rc = lock_take();
	if (rc < 0)
		rc = say(r->o, EXIT_REFUSED, "refused", lock_error(rc));
	else
		rc = finish_boot(r, open_plan(r));
	jobs_free(&r->jobs);
	free(r->plan);
	free(r);
	return rc;
}
