// SPDX-License-Identifier: GPL-2.0
/* khctl upgrade: from the checks to the jump. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/guard.h"
#include "base/intr.h"
#include "base/out.h"
#include "base/phase.h"
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/instr.h"
#include "evidence/recorder.h"
#include "evidence/state_events.h"
#include "evidence/watcher.h"
#include "host/iommu.h"
#include "host/kexec.h"
#include "host/pci.h"
#include "preflight/preflight.h"
#include "state/manifest.h"
#include "undo.h"
#include "verbs.h"
#include "vm/vm_machine.h"
#include "vm/vm_run_on.h"
#include "vm/vm_save.h"

struct upgrade {
	const struct khctl_opts *o;
	int cancel_fd;
	struct tsc_point begun;
	struct preflight pf;
	char cmdline[CMDLINE_MAX];	/* of the new kernel */
	struct kh_plan *plan;
	struct watcher watcher;
	struct guard guard;		/* lets the guests run on if this process is killed */
	bool refused;
	bool pending;			/* the state area speaks of this upgrade */
	bool paused;			/* guests may be stopped */
	bool recording;
	uint64_t edge[KH_NR_MARKS];	/* when each phase began */
};

enum upgrade_phase { PHASE_CHECK, PHASE_PLAN, PHASE_LOAD, PHASE_SAVE, PHASE_JUMP, NR_PHASES };

/* From the end of this phase's enter on, nothing can be undone. */
#define POINT_OF_NO_RETURN PHASE_JUMP

static int check_enter(void *ctx, struct kh_err *e)
{
	struct upgrade *u = ctx;
	const struct preflight_in in = {
		.kernel = u->o->kernel, .initrd = u->o->initrd, .append = u->o->append,
		.back_kernel = u->o->back_kernel, .back_initrd = u->o->back_initrd,
		.state = u->o->state, .qmp = &u->o->qmp,
		.leave_behind = &u->o->leave_behind, .need_vm = true, .cancel_fd = u->cancel_fd,
	};

	if (!preflight_run(&u->pf, &in))
		return 0;
	if (intr_pending())
		return err_set(e, -EINTR, "interrupted");
	preflight_talk(&u->pf);
#ifdef KHCTL_TEST_NO_PREFLIGHT
	/* What cannot be done without is still needed. */
	if (u->pf.have_state && u->pf.lock >= 0 && u->pf.nr_vms && u->pf.vm_ok[u->pf.nr_vms - 1]) {
		talk("unchecked build: going on all the same");
		return 0;
	}
#endif
	u->refused = true;
	return err_set(e, -EINVAL, "%u checks failed", u->pf.nr_bad);
}

static int plan_device(struct upgrade *u, const struct vm_dev *d, struct kh_plan_dev *rec,
		       struct kh_err *e)
{
	struct page_source src = { .page = kram_page, .ctx = &u->pf.kram,
				   .nr_pages = kram_pool(&u->pf.kram) };
	uint8_t cfg[PCI_CONFIG_BYTES], bus, devfn;
	uint16_t seg;
	int rc;

	rc = pci_record(d->bdf, rec, cfg, e);
	if (!rc)
		rc = pci_parse(d->bdf, &seg, &bus, &devfn);
	if (!rc)
		rc = iommu_record(&src, kram_root(&u->pf.kram, rec->unit), bus, devfn, &rec->map, e);
#ifdef KHCTL_TEST_NO_PREFLIGHT
	rc = 0;
	e->rc = 0;
#endif
	return rc;
}

static int plan_vms(struct upgrade *u, struct kh_err *e)
{
	const struct kh_extent *data = &u->pf.state.part[KH_PART_DATA];
	uint64_t room = data->room / u->pf.nr_vms;
	struct kh_plan *plan = u->plan;
	struct kh_plan_vm *p;
	unsigned int i, j;
	int rc;

	room &= ~(uint64_t)(KH_STREAM_ALIGN - 1);
	if (plan_array(plan, &plan->vms, u->pf.nr_vms, sizeof(*p)))
		return err_set(e, -ENOSPC, "the plan is full");
	for (i = 0; i < u->pf.nr_vms; i++) {
		p = plan_vm(plan, i);
		rc = vm_plan(&u->pf.vm[i], plan, p, e);
		for (j = 0; !rc && j < u->pf.vm[i].nr_devs; j++)
			rc = plan_device(u, &u->pf.vm[i].dev[j], plan_dev(plan, p, j), e);
		if (rc)
			return rc;
		p->stream_offset = data->offset + i * room;
		p->stream_room = room;
	}
	return 0;
}

/* The way back: the command line of this kernel is put down even when no kernel was named. */
static int plan_back(struct upgrade *u, struct kh_plan *plan)
{
	const char *image = u->o->back_kernel ? u->o->back_kernel : "";
	const char *initrd = u->o->back_initrd ? u->o->back_initrd : "";
	char running[CMDLINE_MAX + 1], cmdline[CMDLINE_MAX];
	ssize_t n = read_text("/proc/cmdline", running, sizeof(running));
	int rc = n < 0 ? n : 0;

	if (u->o->back_on_failure)
		plan->flags |= KH_PLAN_BACK;
	if (!rc)
		rc = cmdline_build(cmdline, sizeof(cmdline), running, u->pf.state.dev.resource,
				   plan->tsc_hz / 1000, u->pf.late);
	if (!rc)
		rc = plan_put(plan, &plan->back_image, image, strlen(image));
	if (!rc)
		rc = plan_put(plan, &plan->back_initrd, initrd, strlen(initrd));
	if (!rc)
		rc = plan_put(plan, &plan->back_cmdline, cmdline, strlen(cmdline));
	return rc;
}

static int plan_left_behind(struct upgrade *u, struct kh_err *e)
{
	struct kh_plan_left *p;
	unsigned int i;

	if (plan_array(u->plan, &u->plan->left, u->pf.nr_left, sizeof(*p)))
		return err_set(e, -ENOSPC, "the plan is full");
	for (i = 0; i < u->pf.nr_left; i++) {
		p = plan_left(u->plan, i);
		p->pid = u->pf.left[i].pid;
		copy_str(p->comm, sizeof(p->comm), u->pf.left[i].comm);
		copy_str(p->why, sizeof(p->why), u->pf.left[i].what);
	}
	return 0;
}

/* Runs in the guard, when khctl upgrade was killed before the jump. */
static void rescue(void *ctx)
{
	struct upgrade *u = ctx;
	struct kh_err e = { 0 };
	unsigned int i;

	if (!state_reread(&u->pf.state, &e) && !undo_pending(&u->pf.state))
		return;
	for (i = 0; i < u->pf.nr_vms; i++)
		qmp_take_over(&u->pf.vm[i].q);
	if (undo_upgrade(&u->pf.state, u->plan, u->pf.vm, u->pf.nr_vms, &e))
		talk("the upgrade was killed, and not all of it is undone: %s; khctl abort tries again",
		     e.msg);
	else
		talk("the upgrade was killed: the new kernel is unloaded, the guests run on");
}

static int plan_enter(void *ctx, struct kh_err *e)
{
	struct upgrade *u = ctx;
	struct kh_plan *plan = plan_new();
	const char *initrd = u->o->initrd ? u->o->initrd : "";
	struct tsc_point now;
	int rc;

	u->plan = plan;
	if (!plan)
		return err_set(e, -ENOMEM, "out of memory");
	if (u->o->no_instruments)
		plan->flags |= KH_PLAN_NO_INSTRUMENTS;
	plan->kram_generation = u->pf.kram.generation;
	plan->kram_used_pages = kram_used(&u->pf.kram);
	plan->kram_start = u->pf.kram.area[0].start;
	now = tsc_point_now();
	plan->tsc_hz = tsc_hz(&u->begun, &now);
	/*
	 * The checks went through it without the frequency, which they took time to measure. Not
	 * from what they made: of that, nobody could tell what is the host's own.
	 */
	rc = cmdline_build(u->cmdline, sizeof(u->cmdline), u->pf.asked,
			   u->pf.have_state ? u->pf.state.dev.resource : 0, plan->tsc_hz / 1000,
			   u->pf.late);
	if (rc)
		return err_set(e, rc, "the command line is too long");
	kernel_name(plan->old_kernel, sizeof(plan->old_kernel));
	copy_str(plan->image_kernel, sizeof(plan->image_kernel), u->pf.image.version);
	rc = boot_id(plan->old_boot_id, sizeof(plan->old_boot_id));
	if (!rc)
		rc = plan_put(plan, &plan->image, u->o->kernel, strlen(u->o->kernel));
	if (!rc)
		rc = plan_put(plan, &plan->initrd, initrd, strlen(initrd));
	if (!rc)
		rc = plan_put(plan, &plan->cmdline, u->cmdline, strlen(u->cmdline));
	if (!rc)
		rc = plan_back(u, plan);
	if (rc)
		return err_set(e, rc, "cannot write the plan: %s", strerror(-rc));
	rc = plan_vms(u, e);
	if (!rc)
		rc = plan_left_behind(u, e);
	if (rc)
		return rc;
	rc = guard_start(&u->guard, rescue, u);
	if (rc)
		return err_set(e, rc, "cannot start the process that undoes this upgrade if khctl is killed: %s",
			       strerror(-rc));
	/* From here on, for the guests still run. What cannot be seen makes claims unknown later. */
	if (!u->o->no_instruments)
		watcher_start(&u->watcher, &u->pf.state, KH_OLD, u->plan,
			      u->plan->old_boot_id);
	u->pending = true;
	manifest_put(&u->pf.state, KH_OLD, NULL);
	manifest_put(&u->pf.state, KH_NEW, NULL);
	rc = state_commit(&u->pf.state, KH_PREPARED, plan);
	return rc ? err_set(e, rc, "cannot write the state area: %s", strerror(-rc)) : 0;
}

static int plan_undo(void *ctx, struct kh_err *e)
{
	struct upgrade *u = ctx;
	int rc = 0;

	if (u->pending)
		rc = state_commit(&u->pf.state, KH_ABORTED, u->plan);
	u->pending = false;
	watcher_stop(&u->watcher);
	guard_end(&u->guard);
	return rc ? err_set(e, rc, "cannot write the state area: %s", strerror(-rc)) : 0;
}

static int load_enter(void *ctx, struct kh_err *e)
{
	struct upgrade *u = ctx;

	return kexec_load(u->o->kernel, u->o->initrd, u->cmdline, e);
}

static int load_undo(void *ctx, struct kh_err *e)
{
	int rc = kexec_unload();

	(void)ctx;
	return rc ? err_set(e, rc, "cannot unload the new kernel: %s", strerror(-rc)) : 0;
}

struct save_job {
	pthread_t thread;
	bool started;
	struct vm_save s;
	struct kh_err e;
	int rc;
};

static void *save_thread(void *arg)
{
	struct save_job *job = arg;

	job->rc = vm_save_run(&job->s, &job->e);
	return NULL;
}

static int save_all(struct upgrade *u, struct save_job *job, struct kh_err *e)
{
	unsigned int i, n = u->plan->vms.count;
	struct kh_plan_vm *p;
	int rc = 0;

	u->paused = true;
	for (i = 0; i < n; i++) {
		job[i].started = !pthread_create(&job[i].thread, NULL, save_thread, &job[i]);
		if (!job[i].started)
			rc = err_set(e, -EAGAIN, "cannot start a thread");
	}
	for (i = 0; i < n; i++) {
		if (!job[i].started)
			continue;
		pthread_join(job[i].thread, NULL);
		p = plan_vm(u->plan, i);
		p->stop_tsc = job[i].s.stop_tsc;
		p->saved_tsc = job[i].s.saved_tsc;
		p->stream_size = job[i].s.size;
		p->stream_hash = job[i].s.hash;
		p->state = KH_VM_SAVED;
		if (job[i].rc)
			rc = err_set(e, job[i].rc, "%s: %s", plan_str(u->plan, p->name),
				     job[i].e.msg);
	}
	return rc;
}

/* Before the pause, for it is a MiB; what changes from here on, the recorder tells. */
static struct kh_manifest *take_irt(struct upgrade *u)
{
	size_t size;

	return u->pf.have_kram ?
	       manifest_take(u->plan, u->plan->old_boot_id, &u->pf.kram, IRT_ALONE, NULL, &size) : NULL;
}

/* What fails here makes claims unknown, no more: the guests stand already. */
static void take_manifest(struct upgrade *u, const struct kh_manifest *irt)
{
	uint64_t begin = tsc_now();
	struct kh_manifest *m = NULL;
	size_t size;
	int rc = u->pf.have_kram ? kram_recount(&u->pf.kram) : -ENOENT;

	if (!rc) {
		m = manifest_take(u->plan, u->plan->old_boot_id, &u->pf.kram, IRT_LEAVE, irt, &size);
		rc = m ? manifest_put(&u->pf.state, KH_OLD, m) : -ENOMEM;
	}
	free(m);
	if (rc)
		talk("no manifest: %s", strerror(-rc));
	else
		state_log(&u->pf.state, u->plan->run_id, "manifest", tsc_now() - begin,
			  "taken at the pause in %llu ns",
			  (unsigned long long)tsc_to_ns(tsc_now() - begin, u->plan->tsc_hz));
}

/* Somebody may have added a device since the checks. */
static int same_machine(struct vm *vm, struct kh_err *e)
{
#ifdef KHCTL_TEST_NO_PREFLIGHT
	(void)vm;
	(void)e;
	return 0;
#else
	struct kh_err mine = { 0 };
	int rc = machine_unchanged(&vm->q, vm->argv, vm->argv_len, jstr(vm->machine, "stdin"), &mine);

	return rc ? err_set(e, rc, "%s: %s", vm->qmp_path, mine.msg) : 0;
#endif
}

static int save_enter(void *ctx, struct kh_err *e)
{
	struct upgrade *u = ctx;
	struct save_job *job = calloc(u->plan->vms.count, sizeof(*job));
	struct kh_manifest *irt = NULL;
	struct tsc_point now;
	unsigned int i;
	int rc = 0;

	if (!job)
		return err_set(e, -ENOMEM, "out of memory");
	now = tsc_point_now();
	u->plan->tsc_hz = tsc_hz(&u->begun, &now);
	for (i = 0; i < u->plan->vms.count; i++) {
		job[i].s.vm = &u->pf.vm[i];
		job[i].s.pipe = -1;
		job[i].s.dst = u->pf.state.base + plan_vm(u->plan, i)->stream_offset;
		job[i].s.room = plan_vm(u->plan, i)->stream_room;
		job[i].s.tsc_hz = u->plan->tsc_hz;
	}
	/* Whatever can be done before the pause is done for all of them first. */
	if (!u->o->no_instruments) {
		u->recording = !recorder_arm(u->plan->run_id);
		if (!u->recording)
			talk("the kernel's recorder cannot be started: what happens between the kernels stays unknown");
		irt = take_irt(u);
	}
	for (i = 0; !rc && i < u->plan->vms.count; i++)
		rc = same_machine(&u->pf.vm[i], e);
	u->paused = true;
	for (i = 0; !rc && i < u->plan->vms.count; i++)
		rc = vm_save_prepare(&job[i].s, e);
	/*
	 * The old kernel's page cache ends with the jump. What was written until now goes to disk while the
	 * guests still run; vm_save_run() does the same for what each guest wrote after that.
	 */
	if (!rc)
		sync();
	if (!rc && intr_pending())
		rc = err_set(e, -EINTR, "interrupted");
	/* Room in the ring for what comes while they stand. */
	watcher_drain(&u->watcher);
	if (!rc)
		rc = save_all(u, job, e);
	if (!rc && !u->o->no_instruments)
		take_manifest(u, irt);
	for (i = 0; i < u->plan->vms.count; i++)
		vm_save_end(&job[i].s);
	free(irt);
	free(job);
	return rc;
}

static int save_undo(void *ctx, struct kh_err *e)
{
	struct upgrade *u = ctx;
	int rc = u->paused ? vm_run_on_all(u->pf.vm, u->pf.nr_vms, e) : 0;

	u->paused = false;
	if (u->recording)
		recorder_stop();
	u->recording = false;
	return rc;
}

static int jump_enter(void *ctx, struct kh_err *e)
{
	struct upgrade *u = ctx;
	int rc;

	if (intr_pending())
		return err_set(e, -EINTR, "interrupted");
	memcpy(u->plan->mark, u->edge, sizeof(u->edge));
	watcher_finish(&u->watcher);
	rc = state_commit(&u->pf.state, KH_SAVED, u->plan);
	if (rc)
		return err_set(e, rc, "cannot write the state area: %s", strerror(-rc));
	watcher_to_the_end(&u->watcher);
	rc = kexec_jump();		/* the point of no return */
	watcher_back(&u->watcher);
	return err_set(e, rc, "kexec: %s", strerror(-rc));
}

static const struct phase phases[NR_PHASES] = {
	[PHASE_CHECK] = { "check", check_enter, NULL },
	[PHASE_PLAN] = { "plan", plan_enter, plan_undo },
	[PHASE_LOAD] = { "load", load_enter, load_undo },
	[PHASE_SAVE] = { "save", save_enter, save_undo },
	[POINT_OF_NO_RETURN] = { "jump", jump_enter, NULL },
};

static void phase_edge(void *ctx, unsigned int phase)
{
	struct upgrade *u = ctx;

	u->edge[phase] = tsc_now();
	if (phase == PHASE_CHECK)
		u->edge[phase] = u->o->start_tsc;
	if (!u->plan)
		return;
	state_log(&u->pf.state, u->plan->run_id, phases[phase].name,
		  u->edge[phase] - u->edge[phase - 1], "begins after %s, which took that long",
		  phases[phase - 1].name);
}

static int report(struct upgrade *u, unsigned int failed, const struct kh_err *e,
		  const struct kh_err *undo)
{
	const char *result = u->refused ? "refused" : undo->rc ? "failed" : "undone";
	struct json_object *j;

	if (!u->refused)
		talk("%s: %s", phases[failed].name, e->msg);
	if (undo->rc)
		talk("not undone: %s", undo->msg);
	else if (!u->refused)
		talk("all undone, the guests run on");
	if (u->plan)
		state_log(&u->pf.state, u->plan->run_id, phases[failed].name, 0, "%s: %.150s",
			  result, undo->rc ? undo->msg : e->msg);
	if (u->o->json) {
		j = out_new("upgrade");
		out_str(j, "result", result);
		out_str(j, "phase", phases[failed].name);
		out_str(j, "error", e->msg);
		if (undo->rc)
			out_str(j, "undo_error", undo->msg);
		preflight_json(&u->pf, j);
		out_json(j);
	}
	return out_done(u->refused ? EXIT_REFUSED : EXIT_FAILED);
}

int verb_upgrade(const void *opts)
{
	struct upgrade *u = calloc(1, sizeof(*u));
	struct kh_err e = { 0 }, undo = { 0 };
	unsigned int failed;
	int rc;

	if (!u)
		return EXIT_FAILED;
	u->o = opts;
	if (u->o->append && u->o->reuse_cmdline) {
		talk("upgrade: --append and --reuse-cmdline exclude each other");
		free(u);
		return EXIT_USAGE;
	}
	if (u->o->back_on_failure && !u->o->back_kernel) {
		talk("upgrade: --back-on-failure needs --back-kernel");
		free(u);
		return EXIT_USAGE;
	}
	u->begun = tsc_point_now();
	u->cancel_fd = intr_init();
	failed = phase_run(phases, NR_PHASES, u, phase_edge, &e, &undo);
	rc = report(u, failed, &e, &undo);
	preflight_end(&u->pf);
	free(u->plan);
	free(u);
	return rc;
}
