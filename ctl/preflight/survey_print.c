// SPDX-License-Identifier: GPL-2.0
/* The survey as text for a person. */
#include <stdio.h>
#include <string.h>
#include "base/out.h"
#include "base/util.h"
#include "preflight/survey_parts.h"

/* Base class and subclass; subclass 0xff: all others of the class (PCI code and ID assignment, 1). */
static const char *class_name(uint32_t class)
{
	static const struct {
		uint8_t base;
		uint8_t sub;
		const char *name;
	} names[] = {
		{ 0x01, 0x06, "SATA" }, { 0x01, 0x08, "NVMe" }, { 0x01, 0xff, "storage" }, { 0x02, 0xff, "network" },
		{ 0x03, 0xff, "display" }, { 0x04, 0xff, "multimedia" }, { 0x05, 0xff, "memory" },
		{ 0x07, 0xff, "communication" }, { 0x08, 0xff, "system" }, { 0x09, 0xff, "input" },
		{ 0x0b, 0xff, "processor" }, { 0x0c, 0x03, "USB" }, { 0x0c, 0x05, "SMBus" }, { 0x0c, 0xff, "serial bus" },
		{ 0x0d, 0xff, "wireless" }, { 0x10, 0xff, "encryption" }, { 0x11, 0xff, "signal" },
		{ 0x12, 0xff, "accelerator" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].base == class >> 16 && (names[i].sub == 0xff || names[i].sub == (class >> 8 & 0xff)))
			return names[i].name;
	return "other";
}

static const char *fact(enum survey_fact f, const char *yes, const char *no)
{
	return f == SURVEY_NOT_KNOWN ? "not known" : f == SURVEY_TRUE ? yes : no;
}

static void print_host(const struct survey *s)
{
	unsigned int bridges = 0, on = 0, i;

	for (i = 0; i < s->nr_fns; i++)
		bridges += s->fn[i].bridge;
	for (i = 0; i < s->nr_units; i++)
		on += s->unit[i].on;
	printf("Host\n  kernel      %s, %s\n", s->kernel, s->kram ? "with KRAM" : "without KRAM");
	printf("  CPU         %s%s\n", s->vendor[0] ? s->vendor : "not known", s->virtual ? ", a virtual machine" : "");
	printf("  IOMMU       ");
	if (s->nr_units)
		printf("VT-d, units %u, used by the running kernel %u\n", s->nr_units, on);
	else
		printf("%s\n", s->other_iommu[0] ? s->other_iommu : "none");
	printf("  interrupts  %s\n", fact(s->remapping, "remapped", "not remapped"));
	printf("  PCI         functions %u, bridges %u, buses %u\n", s->nr_fns - bridges, bridges, s->buses);
	for (i = 0; i < SURVEY_REASONS; i++)
		if (s->host_reasons >> i & 1)
			printf("  %s: %s\n    change: %s\n", survey_rules[i].id, survey_rules[i].found, survey_rules[i].change);
}

static void print_units(const struct survey *s)
{
	const struct survey_unit *u;
	unsigned int i;

	if (s->nr_units)
		printf("\nDMA-remapping units\n");
	for (i = 0; i < s->nr_units; i++) {
		u = &s->unit[i];
		printf("  dmar%-2d  registers at %#llx, segment %u, ", u->number, (unsigned long long)u->base, u->segment);
		if (u->ignored)
			printf("ignored by Linux: %s\n", u->ignored);
		else
			printf("%s, scalable mode %s\n", u->on ? "used" : "off", fact(u->scalable, "on", "off"));
	}
}

static void print_function(const struct survey *s, const struct survey_fn *f)
{
	uint64_t own = f->reasons & ~s->host_reasons;
	char group[16] = "-", unit[16] = "-";
	unsigned int i;

	if (f->group >= 0)
		path_fmt(group, sizeof(group), "%d", f->group);
	if (f->unit >= 0)
		path_fmt(unit, sizeof(unit), "dmar%d", s->unit[f->unit].number);
	printf("  %-12s  %04x:%04x  %-13s  %-12s  group %-3s  %s", f->name, f->vendor, f->device, class_name(f->class),
	       f->driver[0] ? f->driver : "-", group, unit);
	for (i = 0; i < SURVEY_REASONS; i++)
		if (own >> i & 1)
			printf(" %s", survey_rules[i].id);
	if (f->mates && survey_hit(f, SV_GROUP))
		printf(" (%s)", f->mate);
	else if (f->mates && f->verdict <= SURVEY_AFTER)
		printf(" (together with %s%s)", f->mate, f->mates > 1 ? " and others" : "");
	printf("\n");
}

static void print_functions(const struct survey *s, enum survey_verdict v, const char *title)
{
	unsigned int n = survey_count(s, v), i;

	if (!n && v != SURVEY_YES)
		return;
	printf("\n%s: %u\n", title, n);
	if (n && s->host_reasons)
		printf("  what is named under Host holds for each of them\n");
	for (i = 0; i < s->nr_fns; i++)
		if (!s->fn[i].bridge && s->fn[i].verdict == v)
			print_function(s, &s->fn[i]);
}

static void print_rules(const struct survey *s)
{
	unsigned int n, i, k;
	bool title = false;

	for (i = 0; i < SURVEY_REASONS; i++) {
		for (k = 0, n = 0; k < s->nr_fns; k++)
			n += survey_hit(&s->fn[k], i);
		if (!n || s->host_reasons >> i & 1)
			continue;
		if (!title)
			printf("\nReasons (docs/survey.md)\n");
		title = true;
		printf("  %s (%u): %s\n    change: %s\n", survey_rules[i].id, n, survey_rules[i].found,
		       survey_rules[i].change);
	}
}

static void print_note(void *ctx, const char *id, const char *text)
{
	bool *title = ctx;

	if (!*title)
		printf("\nNotes\n");
	*title = true;
	printf("  %s: %s\n", id, text);
}

static void print_memory(const struct survey *s, bool human)
{
	const struct survey_plan *p = &s->plan;
	const struct mem_range *r;
	char size[32], text[64];
	unsigned int i;

	printf("\nMemory to set aside\n  RAM         %s\n", out_bytes(size, sizeof(size), p->ram, human));
	printf("  E820        %u entries, %u with these ranges, at most %u\n", p->e820, p->e820_after, SURVEY_MAX_E820);
	if (p->error[0])
		printf("  %s\n", p->error);
	for (i = 0; i < p->nr_have; i++)
		printf("  memmap=%s  set aside already\n", survey_memmap(text, sizeof(text), &p->have[i]));
	if (p->invented)
		printf("  an example with one guest; name yours with --guest SIZE\n");
	else if (!p->nr_guests)
		printf("  to plan for more, name each guest with --guest SIZE\n");
	for (i = 0; i < p->nr_ranges; i++) {
		r = &p->range[i];
		printf("  memmap=%s  ", survey_memmap(text, sizeof(text), r));
		if (r->type == ':')
			printf("KRAM, room for %llu pages of tables\n", (unsigned long long)p->kram_pages);
		else if (i < p->nr_guests)
			printf("guest RAM of %s\n", out_bytes(size, sizeof(size), p->guest[i], human));
		else
			printf("state area\n");
	}
}

void survey_print(const struct survey *s, bool human)
{
	bool title = false;
	unsigned int i;

	print_host(s);
	print_units(s);
	print_functions(s, SURVEY_YES, "Can be kept");
	print_functions(s, SURVEY_AFTER, "Can be kept after a change");
	print_functions(s, SURVEY_UNKNOWN, "Not known");
	print_functions(s, SURVEY_NO, "Cannot be kept");
	print_rules(s);
	survey_notes(s, print_note, &title);
	/* Where nothing can be kept nothing need be set aside. */
	if (survey_count(s, SURVEY_YES) + survey_count(s, SURVEY_AFTER) + survey_count(s, SURVEY_UNKNOWN))
		print_memory(s, human);
	if (s->src.nr_unread)
		printf("\nCould not be read: %u files\n", s->src.nr_unread);
	for (i = 0; i < s->src.nr_unread && i < SURVEY_MAX_UNREAD; i++)
		printf("  /%s: %s\n", s->src.unread[i].path, strerror(-s->src.unread[i].rc));
}
