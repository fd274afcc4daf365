// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/out.h"
#include "base/util.h"
#include "evidence/events.h"
#include "evidence/report_instr.h"
#include "evidence/state_events.h"
#include "host/kram.h"

static void json_side(const struct state *s, enum kh_side side, struct json_object *o)
{
	const struct kh_event *ev;
	struct kh_err e = { 0 };
	struct json_object *a, *j;
	struct kh_events h;
	unsigned int i;

	out_str(o, "kernel", side_name(side));
	if (events_get(s, side, &h, &ev, &e)) {
		out_str(o, "error", e.msg);
		return;
	}
	if (h.error[0])
		out_str(o, "error", h.error);
	out_str(o, "boot_id", h.boot_id);
	out_u64(o, "events", h.nr_events);
	out_u64(o, "lost", h.lost);
	out_u64(o, "dropped", h.dropped);
	out_u64(o, "began_tsc", h.began_tsc);
	out_u64(o, "attached_tsc", h.attached_tsc);
	out_u64(o, "drained_tsc", h.drained_tsc);
	a = out_array(o, "programs");
	for (i = 0; i < h.nr_probes; i++) {
		j = out_element(a);
		out_str(j, "name", h.probe[i].name);
		out_str(j, "state", probe_state_name(h.probe[i].state));
		if (h.probe[i].error)
			out_u64(j, "errno", h.probe[i].error);
	}
}

void report_recorded(const struct state *s, struct json_object *o)
{
	struct json_object *a = out_array(o, "instruments");

	json_side(s, KH_OLD, out_element(a));
	json_side(s, KH_NEW, out_element(a));
}

void report_possible(struct json_object *o)
{
	struct kh_probe probe[KH_MAX_PROBES];
	struct json_object *p = out_object(o, "probes"), *a;
	struct kh_err e = { 0 };
	unsigned int i, n = instr_possible(probe, &e);

	out_bool(p, "attached", !access(INSTR_PINS, F_OK));
	out_u64(p, "programs", n);
	if (e.rc)
		out_str(p, "error", e.msg);
	a = out_array(p, "missing");
	for (i = 0; i < n; i++)
		if (probe[i].state != KH_PROBE_ATTACHED)
			json_object_array_add(a, json_object_new_string(probe[i].name));
}

void report_devices(struct json_object *o)
{
	struct json_object *a = out_array(o, "preserved_devices"), *j;
	struct kram_handover *h = calloc(1, sizeof(*h));
	char bdf[16];
	unsigned int i;

	/* The one of this kernel is not sealed: its numbers are taken with care. */
	if (!h || kram_handover("handover", h, NULL)) {
		free(h);
		return;
	}
	for (i = 0; i < h->nr_devices && i < KRAM_MAX_DEVICES; i++) {
		j = out_element(a);
		out_str(j, "bdf", bdf_text(KH_BDF(h->device[i].segment, h->device[i].bus,
						  h->device[i].devfn), bdf));
		out_u64(j, "vendor", h->device[i].vendor);
		out_u64(j, "device", h->device[i].device);
		out_bool(j, "bridge", (h->device[i].hdr_type & 0x7f) == 1);
		out_u64(j, "domain_id", h->device[i].did);
	}
	free(h);
}

void report_bad_probes(const char *who, const struct kh_probe *probe, unsigned int n)
{
	char names[KH_MAX_PROBES * 22], level[32];

	if (instr_list(probe, n, KH_PROBE_MISSING, names, sizeof(names)))
		talk("%s: this kernel has nothing to attach these to: %s", who, names);
	if (instr_list(probe, n, KH_PROBE_REFUSED, names, sizeof(names)))
		talk("%s: could not be attached: %s", who, names);
	else
		return;
	if (*lockdown(level, sizeof(level)))
		talk("%s: the kernel is locked down (%s)", who, level);
}

static void print_side(const struct state *s, enum kh_side side)
{
	char names[KH_MAX_PROBES * 22];
	const struct kh_event *ev;
	struct kh_err e = { 0 };
	struct kh_events h;

	if (events_get(s, side, &h, &ev, &e)) {
		printf("instruments\t%s kernel\t%s\n", side_name(side), e.msg);
		return;
	}
	printf("instruments\t%s kernel\t%u programs attached\t%u events\t%llu lost\t%s\n",
	       side_name(side), instr_list(h.probe, h.nr_probes, KH_PROBE_ATTACHED, names, sizeof(names)),
	       h.nr_events, (unsigned long long)(h.lost + h.dropped), h.error);
	if (instr_list(h.probe, h.nr_probes, KH_PROBE_MISSING, names, sizeof(names)))
		printf("instruments\t%s kernel\tmissing\t%s\n", side_name(side), names);
	if (instr_list(h.probe, h.nr_probes, KH_PROBE_REFUSED, names, sizeof(names)))
		printf("instruments\t%s kernel\trefused\t%s\n", side_name(side), names);
}

void report_instr_print(const struct state *s)
{
	struct kh_probe probe[KH_MAX_PROBES];
	char names[KH_MAX_PROBES * 22];
	struct kh_err e = { 0 };
	unsigned int n = instr_possible(probe, &e);

	if (e.rc)
		printf("probes\t%u programs\t%s\n", n, e.msg);
	else if (instr_list(probe, n, KH_PROBE_MISSING, names, sizeof(names)))
		printf("probes\t%u programs\tmissing in this kernel: %s\n", n, names);
	else
		printf("probes\t%u programs\tall have a place in this kernel\n", n);
	print_side(s, KH_OLD);
	print_side(s, KH_NEW);
}
