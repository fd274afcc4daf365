// SPDX-License-Identifier: GPL-2.0
/* khctl trace: what the instruments see, as it happens, or as it was during the last upgrade. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/intr.h"
#include "base/out.h"
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/events.h"
#include "evidence/instr.h"
#include "evidence/report_instr.h"
#include "evidence/timeline.h"
#include "host/symbol.h"
#include "verbs.h"

#define PAUSE_NS 20000000

struct trace {
	const struct khctl_opts *o;
	const char *kernel;		/* "old" or "new" when it was, NULL when it is */
	uint64_t lost;
};

/* One line for each, or one object on a line of its own. */
static void show(void *ctx, const struct kh_event *ev)
{
	struct trace *t = ctx;
	struct json_object *j;
	char line[400];

	if (!t->o->json) {
		if (t->kernel)
			printf("%s\t%s\t", t->kernel, event_source(ev->source));
		puts(event_text(ev, line, sizeof(line)));
		return;
	}
	j = out_new("trace");
	if (t->kernel)
		out_str(j, "kernel", t->kernel);
	event_json(ev, j);
	puts(json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(j);
}

static void show_own(struct trace *t, unsigned int type, uint64_t a0, uint64_t a1)
{
	struct kh_event ev = {
		.tsc = tsc_now(), .type = type, .version = KH_EVENT_VERSION,
		.source = KH_SRC_KHCTL, .bdf = KH_NO_BDF, .arg = { a0, a1 },
	};

	show(t, &ev);
}

static int fail(const struct khctl_opts *o, const char *why)
{
	struct json_object *j;

	talk("trace: %s", why);
	if (o->json) {
		j = out_new("trace");
		out_str(j, "error", why);
		out_json(j);
	}
	return out_done(EXIT_FAILED);
}

/* Return: programs that are attached. */
static unsigned int name_the_missing(const struct kh_probe *probe, unsigned int n)
{
	char names[KH_MAX_PROBES * 22];

	report_bad_probes("trace", probe, n);
	return instr_list(probe, n, KH_PROBE_ATTACHED, names, sizeof(names));
}

static void watch_all(const struct khctl_opts *o, struct instr *in)
{
	unsigned int i;

	for (i = 0; i < o->device.n; i++)
		if (instr_watch(in, o->device.v[i]))
			talk("trace: %s is no PCI function", o->device.v[i]);
}

static bool lost_some(struct trace *t, struct instr *in)
{
	uint64_t lost = instr_lost(in) + instr_missed(in);

	if (lost == t->lost)
		return false;
	show_own(t, KH_EV_GAP, lost - t->lost, 0);
	t->lost = lost;
	return true;
}

static int live(struct trace *t)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	const struct kh_probe *probe;
	struct instr *in;
	unsigned int n, attached;

	intr_init();
	in = instr_start(INSTR_ALL, false);
	if (!in)
		return fail(t->o, "out of memory");
	n = instr_probes(in, &probe);
	attached = name_the_missing(probe, n);
	if (instr_error(in)[0] || !attached) {
		fail(t->o, instr_error(in)[0] ? instr_error(in) : "no program could be attached");
		instr_stop(in);
		return EXIT_FAILED;
	}
	watch_all(t->o, in);
	if (symbol_load())
		talk("trace: /proc/kallsyms tells no addresses, callers are numbers");
	show_own(t, KH_EV_ATTACHED, n, attached);
	while (!intr_pending() && !out_done(EXIT_DONE)) {
		nanosleep(&pause, NULL);
		instr_drain(in, show, t);
		lost_some(t, in);
	}
	instr_drain(in, show, t);
	lost_some(t, in);
	show_own(t, KH_EV_DETACHED, 0, 0);
	instr_stop(in);
	if (t->lost)
		talk("trace: %llu events were lost", (unsigned long long)t->lost);
	return out_done(t->lost ? EXIT_FAILED : EXIT_DONE);
}

/*
 * Return: 0; -ENOENT when there is nothing, -ESTALE when it is of another upgrade
 * than that of @plan; -errno with a message.
 */
static int add_programs(struct timeline *line, const struct state *s, enum kh_side side,
			const struct kh_plan *plan, struct kh_err *e)
{
	const struct kh_event *ev;
	struct kh_events h;
	int rc;

	rc = events_get(s, side, &h, &ev, e);
	if (rc)
		return rc;
	if (memcmp(plan->run_id, h.run_id, sizeof(h.run_id)))
		return err_set(e, -ESTALE, "what programs saw in the %s kernel is of another upgrade",
			       side_name(side));
	if (h.error[0])
		talk("trace: %s kernel: %s", side_name(side), h.error);
	name_the_missing(h.probe, h.nr_probes);
	if (timeline_programs(line, side, &h, ev))
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

/* The same, with a copy of the recorder in @bytes. */
static int add_recorder(struct timeline *line, struct kram *k, void *bytes,
			const struct kh_plan *plan, struct kh_err *e)
{
	struct recorder r;
	int rc;

	rc = kram_read(k, e);
	if (rc)
		return rc;
	if (!recorder_there())
		return err_set(e, -ENOENT, "the running kernel has no recorder");
	rc = recorder_bytes(k, bytes);
	if (rc)
		return err_set(e, rc, "cannot read the kernel's recorder: %s", strerror(-rc));
	rc = recorder_read(&r, bytes, RECORDER_BYTES, e);
	if (rc)
		return rc;
	if (memcmp(plan->run_id, r.h->run_id, sizeof(r.h->run_id)))
		return err_set(e, -ESTALE, "the kernel's recorder is of another upgrade");
	if (timeline_recorder(line, &r))
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

/* What a cold boot or another upgrade took away is told; only what is there and cannot be used is a failure. */
static bool use(int rc, const struct kh_err *e)
{
	if (rc)
		talk("trace: %s", e->msg);
	return !rc || rc == -ENOENT || rc == -ESTALE;
}

static bool gather(struct timeline *line, const struct state *s, const struct kh_plan *plan)
{
	void *bytes = malloc(RECORDER_BYTES);
	struct kh_err e = { 0 };
	struct kram k = { 0 };
	bool good = bytes;
	int side;

	if (!bytes)
		talk("trace: out of memory");
	for (side = 0; side < KH_NR_SIDES; side++)
		good &= use(add_programs(line, s, side, plan, &e), &e);
	if (bytes)
		good &= use(add_recorder(line, &k, bytes, plan, &e), &e);
	kram_close(&k);
	free(bytes);
	return good && line->n;
}

static int saved(struct trace *t)
{
	struct timeline line = { 0 };
	struct kh_plan *plan;
	struct kh_err e = { 0 };
	struct state s;
	unsigned int i;
	bool good;

	if (state_open(&s, t->o->state, false, &e))
		return fail(t->o, e.msg);
	if (state_plan(&s, &plan, &e) || !plan) {
		state_close(&s);
		return fail(t->o, e.msg[0] ? e.msg : "there was no upgrade");
	}
	good = gather(&line, &s, plan);
	free(plan);
	state_close(&s);
	timeline_sort(&line);
	for (i = 0; i < line.n; i++) {
		t->kernel = side_name(line.event[i].side);
		show(t, &line.event[i].ev);
	}
	good &= !line.lost;
	timeline_free(&line);
	return out_done(good ? EXIT_DONE : EXIT_FAILED);
}

int verb_trace(const void *opts)
{
	struct trace t = { .o = opts };

	return t.o->saved ? saved(&t) : live(&t);
}
