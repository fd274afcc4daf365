// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include "base/out.h"
#include "base/util.h"
#include "preflight/survey_parts.h"

static void json_fact(struct json_object *o, const char *key, enum survey_fact f)
{
	if (f == SURVEY_NOT_KNOWN)
		json_object_object_add(o, key, NULL);
	else
		out_bool(o, key, f == SURVEY_TRUE);
}

static void json_reasons(struct json_object *o, uint64_t reasons)
{
	struct json_object *a = out_array(o, "reasons");
	unsigned int i;

	for (i = 0; i < SURVEY_REASONS; i++)
		if (reasons >> i & 1)
			json_object_array_add(a, json_object_new_string(survey_rules[i].id));
}

static void json_host(const struct survey *s, struct json_object *o)
{
	struct json_object *h = out_object(o, "host");

	out_str(h, "kernel", s->kernel);
	out_bool(h, "kram", s->kram);
	out_str(h, "cpu_vendor", s->vendor);
	out_bool(h, "virtual", s->virtual);
	out_bool(h, "kvm", s->kvm);
	out_bool(h, "dmar_table", s->have_dmar);
	if (s->dmar_error[0])
		out_str(h, "dmar_error", s->dmar_error);
	if (s->other_iommu[0])
		out_str(h, "other_iommu", s->other_iommu);
	json_fact(h, "interrupt_remapping", s->remapping);
	out_u64(h, "pci_buses", s->buses);
	json_reasons(h, s->host_reasons);
}

static void json_units(const struct survey *s, struct json_object *o)
{
	struct json_object *a = out_array(o, "units"), *j;
	const struct survey_unit *u;
	char name[24];
	unsigned int i;

	for (i = 0; i < s->nr_units; i++) {
		u = &s->unit[i];
		j = out_element(a);
		out_str(j, "name", path_fmt(name, sizeof(name), "dmar%d", u->number));
		out_hex(j, "registers", u->base);
		out_u64(j, "segment", u->segment);
		out_bool(j, "used", u->on);
		if (u->cap) {
			out_hex(j, "cap", u->cap);
			out_hex(j, "ecap", u->ecap);
		}
		json_fact(j, "scalable_mode", u->scalable);
		if (u->ignored)
			out_str(j, "ignored", u->ignored);
	}
}

static void json_function(const struct survey *s, const struct survey_fn *f, struct json_object *a)
{
	struct json_object *j = out_element(a);
	char text[24];

	out_str(j, "bdf", f->name);
	out_str(j, "id", path_fmt(text, sizeof(text), "%04x:%04x", f->vendor, f->device));
	out_str(j, "class", path_fmt(text, sizeof(text), "%06x", f->class));
	if (f->driver[0])
		out_str(j, "driver", f->driver);
	if (f->group >= 0)
		out_u64(j, "group", f->group);
	if (f->unit >= 0)
		out_str(j, "unit", path_fmt(text, sizeof(text), "dmar%d", s->unit[f->unit].number));
	out_str(j, "keep", survey_verdict_name(f->verdict));
	json_reasons(j, f->reasons);
	out_u64(j, "group_mates", f->mates);
	if (f->mates)
		out_str(j, "group_mate", f->mate);
}

/* The functions of a group have one verdict. */
static void json_groups(const struct survey *s, struct json_object *o)
{
	struct json_object *a = out_array(o, "groups"), *j, *list;
	const struct survey_fn *f;
	unsigned int i, k;
	int group;

	for (i = 0; i < s->nr_fns; i++) {
		group = s->fn[i].group;
		if (s->fn[i].bridge || group < 0)
			continue;
		for (k = 0; k < i && (s->fn[k].bridge || s->fn[k].group != group); k++)
			;
		if (k < i)
			continue;
		j = out_element(a);
		out_u64(j, "group", group);
		out_str(j, "keep", survey_verdict_name(s->fn[i].verdict));
		list = out_array(j, "functions");
		for (k = i; k < s->nr_fns; k++) {
			f = &s->fn[k];
			if (!f->bridge && f->group == group)
				json_object_array_add(list, json_object_new_string(f->name));
		}
	}
}

static void json_rules(struct json_object *o)
{
	struct json_object *a = out_array(o, "rules"), *j;
	unsigned int i;

	for (i = 0; i < SURVEY_REASONS; i++) {
		j = out_element(a);
		out_str(j, "id", survey_rules[i].id);
		out_str(j, "keep", survey_verdict_name(survey_rules[i].verdict));
		out_str(j, "found", survey_rules[i].found);
		out_str(j, "change", survey_rules[i].change);
	}
}

static void json_note(void *ctx, const char *id, const char *text)
{
	struct json_object *j = out_element(ctx);

	out_str(j, "id", id);
	out_str(j, "text", text);
}

static void json_memory(const struct survey_plan *p, struct json_object *o)
{
	struct json_object *m = out_object(o, "memory"), *a, *j;
	unsigned int i;
	char text[64];

	out_u64(m, "ram_bytes", p->ram);
	out_u64(m, "e820_entries", p->e820);
	out_u64(m, "e820_entries_after", p->e820_after);
	out_u64(m, "e820_limit", SURVEY_MAX_E820);
	out_u64(m, "kram_pages", p->kram_pages);
	out_bool(m, "example", p->invented);
	if (p->error[0])
		out_str(m, "error", p->error);
	a = out_array(m, "set_aside");
	for (i = 0; i < p->nr_have; i++)
		json_object_array_add(a, json_object_new_string(survey_memmap(text, sizeof(text), &p->have[i])));
	a = out_array(m, "ranges");
	for (i = 0; i < p->nr_ranges; i++) {
		j = out_element(a);
		out_str(j, "for", p->range[i].type == ':' ? "kram" : i < p->nr_guests ? "guest" : "state");
		if (i < p->nr_guests)
			out_u64(j, "guest_bytes", p->guest[i]);
		out_u64(j, "start", p->range[i].start);
		out_u64(j, "bytes", p->range[i].size);
		out_str(j, "memmap", survey_memmap(text, sizeof(text), &p->range[i]));
	}
}

void survey_json(const struct survey *s, struct json_object *o)
{
	struct json_object *a, *j;
	unsigned int i;

	json_host(s, o);
	json_units(s, o);
	json_groups(s, o);
	a = out_array(o, "functions");
	for (i = 0; i < s->nr_fns; i++)
		if (!s->fn[i].bridge)
			json_function(s, &s->fn[i], a);
	json_rules(o);
	survey_notes(s, json_note, out_array(o, "notes"));
	json_memory(&s->plan, o);
	a = out_array(o, "unread");
	for (i = 0; i < s->src.nr_unread && i < SURVEY_MAX_UNREAD; i++) {
		j = out_element(a);
		out_str(j, "path", s->src.unread[i].path);
		out_str(j, "error", strerror(-s->src.unread[i].rc));
	}
	out_u64(o, "unread_files", s->src.nr_unread);
}
