// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/out.h"
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/report_instr.h"
#include "evidence/watcher.h"
#include "host/pci.h"
#include "state/state_io.h"

#define LOOK_PAUSE_NS 1000000
/* which resume.bpf.c is on */
#define RUN_PROBE "kvm_vcpu_thread"

static void say_what_is_missing(struct watcher *w)
{
	const struct kh_probe *probe;
	unsigned int n = instr_probes(w->in, &probe);

	if (instr_error(w->in)[0])
		talk("instruments: %s", instr_error(w->in));
	else
		report_bad_probes("instruments", probe, n);
}

/* A function and the bridges above it, of whose names its link in sysfs is made. Not by realpath(): guests stand. */
static int watch_all(struct instr *in, const char *bdf)
{
	char link[96], path[PATH_MAX], *name, *rest = path;
	uint16_t segment;
	uint8_t bus, devfn;
	ssize_t len;
	int rc = 0;

	path_fmt(link, sizeof(link), "/sys/bus/pci/devices/%s", bdf);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	while (!rc && (name = strtok_r(NULL, "/", &rest)))
		if (!pci_parse(name, &segment, &bus, &devfn))
			rc = instr_watch(in, name);
	return rc;
}

static void watch_devices(struct watcher *w)
{
	const struct kh_plan *plan = w->watch;
	unsigned int i, j;

	w->watch = NULL;
	for (i = 0; plan && i < plan->vms.count; i++)
		for (j = 0; j < plan_vm(plan, i)->dev.count; j++)
			if (watch_all(w->in, plan_dev(plan, plan_vm(plan, i), j)->bdf))
				w->out.h.dropped++;	/* its writes will not be seen */
}

void watcher_start(struct watcher *w, struct state *s, enum kh_side side,
		   const struct kh_plan *plan, const char *boot)
{
	if (events_continue(&w->out, s, side, plan->run_id, boot) &&
	    events_begin(&w->out, s, side, plan->run_id, boot))
		return;
	/* In the new kernel nobody is there yet who could look at pins, and guests wait. */
	w->in = instr_start(side == KH_OLD ? INSTR_OLD : INSTR_NEW, side == KH_OLD);
	if (!w->in)
		return;
	say_what_is_missing(w);
	w->watch = plan;
	/* What resume.bpf.c sends is sorted when it is drained, and guests wait. */
	if (side == KH_OLD)
		watcher_drain(w);
}

/* @take: events_drain() or events_finish(). What goes wrong with the ring only now is told now. */
static void drain(struct watcher *w, void (*take)(struct events_out *out, struct instr *in))
{
	bool good;

	if (!w->in)
		return;
	good = !instr_error(w->in)[0];
	watch_devices(w);
	take(&w->out, w->in);
	if (good && instr_error(w->in)[0])
		say_what_is_missing(w);
}

void watcher_drain(struct watcher *w)
{
	drain(w, events_drain);
}

static bool sees_runs(const struct watcher *w)
{
	const struct kh_probe *probe;
	unsigned int i, n;

	if (!w->in || !w->out.s)
		return false;
	n = instr_probes(w->in, &probe);
	for (i = 0; i < n; i++)
		if (!strcmp(probe[i].name, RUN_PROBE))
			return probe[i].state == KH_PROBE_ATTACHED;
	return false;
}

/* Not woken by the event: that would take the CPU from the guest before its first instruction. */
uint64_t watcher_wait_run(struct watcher *w, pid_t pid, uint64_t until)
{
	const struct timespec pause = { .tv_nsec = LOOK_PAUSE_NS };
	uint64_t tsc;

	if (!sees_runs(w))
		return 0;
	for (;;) {
		watcher_drain(w);
		tsc = events_first(&w->out, KH_EV_KVM_RUN, pid);
		if (tsc || tsc_now() > until || !sees_runs(w))
			return tsc;
		nanosleep(&pause, NULL);
	}
}

void watcher_finish(struct watcher *w)
{
	drain(w, events_finish);
}

static void *drain_on(void *ctx)
{
	const struct timespec pause = { .tv_nsec = LOOK_PAUSE_NS };
	struct watcher *w = ctx;

	while (!atomic_load(&w->end)) {
		watcher_drain(w);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/*
 * The kernel moves the caller of reboot(2) to the first CPU and stops the others
 * last: a thread on one of these sees the devices being shut down.
 */
void watcher_to_the_end(struct watcher *w)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), i;
	pthread_attr_t attr;
	cpu_set_t set;

	if (!w->in || cpus < 2 || cpus > CPU_SETSIZE || pthread_attr_init(&attr))
		return;
	CPU_ZERO(&set);
	for (i = 1; i < cpus; i++)
		CPU_SET(i, &set);
	atomic_store(&w->end, false);
	w->running = !pthread_attr_setaffinity_np(&attr, sizeof(set), &set) &&
		     !pthread_create(&w->thread, &attr, drain_on, w);
	pthread_attr_destroy(&attr);
}

void watcher_back(struct watcher *w)
{
	if (!w->running)
		return;
	atomic_store(&w->end, true);
	pthread_join(w->thread, NULL);
	w->running = false;
}

void watcher_stop(struct watcher *w)
{
	watcher_back(w);
	instr_stop(w->in);
	w->in = NULL;
	if (w->out.s)
		events_end(&w->out);
}
