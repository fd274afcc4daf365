// SPDX-License-Identifier: GPL-2.0
/* What the survey says of the host beside the reasons: it keeps no device from being kept. */
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "preflight/survey_parts.h"

/* Fields of capability registers that show in what units differ (VT-d 11.4.2, 11.4.3). */
static const struct {
	const char *name;
	bool extended;
	unsigned int shift;
	uint64_t mask;
} fields[] = {
	{ "width of addresses", false, 8, 0x1f },
	{ "large pages", false, 34, 0xf },
	{ "domains", false, 0, 0x7 },
	{ "coherent tables", true, 0, 0x1 },
	{ "device TLBs", true, 2, 0x1 },
	{ "interrupt remapping", true, 3, 0x1 },
	{ "x2APIC", true, 4, 0x1 },
	{ "snooping", true, 7, 0x1 },
	{ "scalable mode", true, 43, 0x1 },
};

static bool differs(const struct survey *s, unsigned int field)
{
	const struct survey_unit *u, *first = NULL;
	uint64_t change;
	unsigned int i;

	for (i = 0; i < s->nr_units; i++) {
		u = &s->unit[i];
		if (!u->on || !u->cap)
			continue;
		if (!first)
			first = u;
		change = fields[field].extended ? u->ecap ^ first->ecap : u->cap ^ first->cap;
		if (change >> fields[field].shift & fields[field].mask)
			return true;
	}
	return false;
}

static void note_units(const struct survey *s, survey_note_fn fn, void *ctx)
{
	char text[256] = "";
	unsigned int i;
	size_t len;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!differs(s, i))
			continue;
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "the units differ in: ", fields[i].name);
	}
	if (text[0])
		fn(ctx, "units-differ", text);
}

/* Bridges above functions that could be kept take a place in the handover, each once. */
static void note_limit(const struct survey *s, survey_note_fn fn, void *ctx)
{
	unsigned int functions = survey_count(s, SURVEY_YES) + survey_count(s, SURVEY_AFTER), bridges = 0, i, j;
	const struct survey_fn *f, *up;
	char text[160];
	bool above;

	for (i = 0; i < s->nr_fns; i++) {
		for (j = 0, above = false; s->fn[i].secondary && !above && j < s->nr_fns; j++) {
			f = &s->fn[j];
			if (f->bridge || f->verdict > SURVEY_AFTER)
				continue;
			for (up = survey_bridge_above(s, f); up && !above; up = survey_bridge_above(s, up))
				above = up == &s->fn[i];
		}
		bridges += above;
	}
	if (functions + bridges <= KRAM_MAX_DEVICES)
		return;
	path_fmt(text, sizeof(text), "%u functions could be kept, with %u bridges above them; one upgrade keeps %u in all",
		 functions, bridges, KRAM_MAX_DEVICES);
	fn(ctx, "handover-limit", text);
}

void survey_notes(const struct survey *s, survey_note_fn fn, void *ctx)
{
	char text[160];

	if (s->have_dmar && s->dmar.flags & DMAR_X2APIC_OPT_OUT)
		fn(ctx, "x2apic-opt-out",
		   "the firmware asks to leave x2APIC off; give both kernels the same intremap= and no nox2apic of one alone");
	note_units(s, fn, ctx);
	if (s->have_dmar && !s->dmar.checksum_ok)
		fn(ctx, "dmar-checksum", "the checksum of the DMAR table is wrong; Linux uses the table all the same");
	note_limit(s, fn, ctx);
	if (!s->kvm)
		fn(ctx, "no-kvm", "the CPU shows neither vmx nor svm: no guest can run under KVM here");
	if (s->plan.e820 > SURVEY_MAX_E820) {
		path_fmt(text, sizeof(text), "the firmware's memory map has %u entries; at most %u reach the next kernel",
			 s->plan.e820, SURVEY_MAX_E820);
		fn(ctx, "e820", text);
	}
	if (s->plan.low)
		fn(ctx, "low-memory",
		   "a range lies below 4 GiB, where the boot loader may put the initial RAM disk");
}
