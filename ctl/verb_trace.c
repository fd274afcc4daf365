// SPDX-License-Identifier: GPL-2.0
/* khctl trace: what the instruments see, as it happens, or as it was during the last upgrade. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lib/events.h"
#include "lib/instr.h"
#include "lib/intr.h"
#include "lib/out.h"
#include "lib/report_instr.h"
#include "lib/state_events.h"
#include "lib/symbol.h"
#include "lib/tsc.h"
#include "lib/util.h"
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
		printf("%s%s%s\n", t->kernel ? t->kernel : "", t->kernel ? "\t" : "",
		       event_text(ev, line, sizeof(line)));
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

static int by_time(const void *a, const void *b)
{
	const struct kh_event *x = a, *y = b;

	return x->tsc < y->tsc ? -1 : x->tsc > y->tsc;
}

/* CPUs write side by side: what arrived is nearly, not wholly, in order. */
static int show_side(struct trace *t, const struct state *s, enum kh_side side)
{
	const struct kh_event *ev;
	struct kh_err e = { 0 };
	struct kh_event *copy;
	struct kh_events h;
	unsigned int i;

	if (events_get(s, side, &h, &ev, &e)) {
		talk("trace: %s", e.msg);
		return e.rc;
	}
	copy = calloc(h.nr_events + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, ev, h.nr_events * sizeof(*copy));
	qsort(copy, h.nr_events, sizeof(*copy), by_time);
	t->kernel = side_name(side);
	for (i = 0; i < h.nr_events; i++)
		show(t, &copy[i]);
	free(copy);
	t->lost += h.lost + h.dropped;
	if (h.lost + h.dropped)
		show_own(t, KH_EV_GAP, h.lost + h.dropped, 0);
	if (h.error[0])
		talk("trace: %s kernel: %s", t->kernel, h.error);
	name_the_missing(h.probe, h.nr_probes);
	return 0;
}

static int saved(struct trace *t)
{
	struct kh_err e = { 0 };
	struct state s;
	int rc;

	if (state_open(&s, t->o->state, false, &e))
		return fail(t->o, e.msg);
	rc = show_side(t, &s, KH_OLD);
	if (!rc || rc == -ENOENT)
		rc = show_side(t, &s, KH_NEW);
	state_close(&s);
	return out_done(rc || t->lost ? EXIT_FAILED : EXIT_DONE);
}

int verb_trace(const void *opts)
{
	struct trace t = { .o = opts };

	return t.o->saved ? saved(&t) : live(&t);
}
