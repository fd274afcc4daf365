// SPDX-License-Identifier: GPL-2.0
/* DMA-remapping units for the survey: those of the DMAR table and those that the running kernel uses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "preflight/survey_parts.h"

#define CLASS_DISPLAY	0x03

/* VT-d 11.4.2, 11.4.3, 11.4.5. */
#define CAP_SAGAW(cap)	((cap) >> 8 & 0x1f)
#define ECAP_SLTS	(1ULL << 46)
#define ECAP_SMTS	(1ULL << 43)
#define RTADDR		0x20
#define RTADDR_MODE	0xc00	/* of translation, 0 is legacy */

static int secondary_of(void *ctx, uint32_t segment, uint8_t bus, uint8_t devfn)
{
	const struct survey_fn *f = survey_find(ctx, segment, bus, devfn);

	return f && f->secondary ? f->secondary : -ENOENT;
}

/* The function that a scope names, if it is present. */
static const struct survey_fn *scope_fn(const struct survey *s, const struct dmar_entry *n, unsigned int i)
{
	const struct dmar_scope *scope = &s->dmar.scope[n->scope + i];
	uint8_t bus, devfn;

	if (scope->type != DMAR_SCOPE_ENDPOINT && scope->type != DMAR_SCOPE_BRIDGE)
		return NULL;
	if (dmar_scope_find(scope, n->segment, secondary_of, (void *)s, &bus, &devfn))
		return NULL;
	return survey_find(s, n->segment, bus, devfn);
}

bool survey_covers(const struct survey *s, const struct dmar_entry *n, const struct survey_fn *f)
{
	const struct survey_fn *named, *up;
	unsigned int i;

	if (n->segment != f->segment)
		return false;
	for (i = 0; i < n->nr_scopes; i++) {
		named = scope_fn(s, n, i);
		if (!named)
			continue;
		if (named == f)
			return true;
		if (s->dmar.scope[n->scope + i].type != DMAR_SCOPE_BRIDGE)
			continue;
		for (up = survey_bridge_above(s, f); up; up = survey_bridge_above(s, up))
			if (up == named)
				return true;
	}
	return false;
}

/* Linux does the same in init_no_remapping_devices(). */
static const char *why_ignored(const struct survey *s, const struct dmar_entry *n)
{
	bool igfx_off = survey_cmdline_has(s, "intel_iommu", "igfx_off"), display = true;
	const struct survey_fn *f;
	unsigned int present = 0, i;

	if (!n->base || n->base == UINT64_MAX)
		return "the table names no address of its registers";
	if (n->flags & DMAR_INCLUDE_ALL)
		return NULL;
	for (i = 0; i < n->nr_scopes; i++) {
		f = scope_fn(s, n, i);
		/* The survey does not know whether a device that is not on PCI is present. */
		if (!f && s->dmar.scope[n->scope + i].type != DMAR_SCOPE_ACPI)
			continue;
		present++;
		display &= f && f->class >> 16 == CLASS_DISPLAY;
	}
	if (!present)
		return "no function of its scope is present";
	return display && igfx_off ? "it serves graphics alone, and the command line says igfx_off" : NULL;
}

static struct survey_unit *add_unit(struct survey *s)
{
	struct survey_unit *u = realloc(s->unit, (s->nr_units + 1) * sizeof(*u));

	if (!u)
		return NULL;
	s->unit = u;
	u += s->nr_units++;
	memset(u, 0, sizeof(*u));
	u->entry = -1;
	u->number = -1;
	return u;
}

/* Those of the table, in its order: Linux numbers them so. */
static int units_of_table(struct survey *s)
{
	const struct dmar_entry *n;
	struct survey_unit *u;
	unsigned int i;

	for (i = 0; s->have_dmar && i < s->dmar.nr_entries; i++) {
		n = &s->dmar.entry[i];
		if (n->type != DMAR_DRHD)
			continue;
		u = add_unit(s);
		if (!u)
			return -ENOMEM;
		u->entry = i;
		u->number = s->nr_units - 1;
		u->base = n->base;
		u->segment = n->segment;
		u->ignored = why_ignored(s, n);
	}
	return 0;
}

static enum survey_fact scalable(struct survey *s, const struct survey_unit *u)
{
	bool on = survey_cmdline_has(s, "intel_iommu", "sm_on"), off = survey_cmdline_has(s, "intel_iommu", "sm_off");
	uint8_t reg[RTADDR + 9];
	char path[96];
	ssize_t n;

	/* Only a kernel with the patches has this file. */
	n = survey_read(&s->src, path_fmt(path, sizeof(path), "sys/class/iommu/dmar%d/intel-iommu/registers", u->number),
			reg, sizeof(reg));
	if (n == sizeof(reg) - 1) {
		archive_file(s->src.archive, path, reg, n);
		return (reg[RTADDR] | reg[RTADDR + 1] << 8) & RTADDR_MODE ? SURVEY_TRUE : SURVEY_FALSE;
	}
	if (u->ecap && !(u->ecap & ECAP_SMTS))
		return SURVEY_FALSE;
	if (on != off)
		return on ? SURVEY_TRUE : SURVEY_FALSE;
	return SURVEY_NOT_KNOWN;
}

/* A unit that the running kernel uses: dmarN. */
static int running_unit(void *ctx, const char *name)
{
	struct survey *s = ctx;
	struct survey_unit *u = NULL;
	uint64_t number, base = 0;
	char path[96];
	unsigned int i;

	archive_folder(s->src.archive, path_fmt(path, sizeof(path), "sys/class/iommu/%s", name));
	if (!has_prefix(name, "dmar") || parse_u64(name + 4, &number) || number > INT32_MAX) {
		copy_str(s->other_iommu, sizeof(s->other_iommu), name);
		return 0;
	}
	path_fmt(path, sizeof(path), "sys/class/iommu/%s/intel-iommu/address", name);
	if (!survey_read_u64(&s->src, path, true, &base))
		for (i = 0; i < s->nr_units; i++)
			if (s->unit[i].base == base)
				u = &s->unit[i];
	if (!u)
		u = add_unit(s);
	if (!u)
		return -ENOMEM;
	u->base = base;
	u->number = number;
	u->on = true;
	u->ignored = NULL;
	survey_read_u64(&s->src, path_fmt(path, sizeof(path), "sys/class/iommu/%s/intel-iommu/cap", name), true, &u->cap);
	survey_read_u64(&s->src, path_fmt(path, sizeof(path), "sys/class/iommu/%s/intel-iommu/ecap", name), true, &u->ecap);
	return 0;
}

static bool any_on(const struct survey *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_units; i++)
		if (s->unit[i].on)
			return true;
	return false;
}

/* What the running kernel does not use although it uses others, it ignores, whatever the reason. */
static void settle_units(struct survey *s)
{
	bool on = any_on(s);
	struct survey_unit *u;
	unsigned int i;

	for (i = 0; i < s->nr_units; i++) {
		u = &s->unit[i];
		u->scalable = scalable(s, u);
		if (u->ignored)
			continue;
		if (u->cap && !CAP_SAGAW(u->cap) && (!(u->ecap & ECAP_SMTS) || u->ecap & ECAP_SLTS))
			u->ignored = "it has no width of page tables that Linux can use";
		else if (on && !u->on)
			u->ignored = "the running kernel does not use it";
	}
}

/* Index of the unit that the table gives a function to, -1: none. The unit for the rest comes last. */
static int unit_by_table(const struct survey *s, const struct survey_fn *f)
{
	const struct dmar_entry *n;
	unsigned int i;
	int rest = -1;

	for (i = 0; i < s->nr_units; i++) {
		if (s->unit[i].entry < 0)
			continue;
		n = &s->dmar.entry[s->unit[i].entry];
		if (n->flags & DMAR_INCLUDE_ALL && n->segment == f->segment)
			rest = i;
		else if (survey_covers(s, n, f))
			return i;
	}
	return rest;
}

static int unit_by_number(const struct survey *s, int number)
{
	unsigned int i;

	for (i = 0; i < s->nr_units; i++)
		if (s->unit[i].number == number)
			return i;
	return -1;
}

int survey_units(struct survey *s)
{
	struct survey_fn *f;
	unsigned int i;
	int rc;

	rc = units_of_table(s);
	if (!rc)
		rc = survey_foreach(&s->src, "sys/class/iommu", running_unit, s);
	if (rc == -ENOMEM)
		return rc;
	settle_units(s);
	for (i = 0; i < s->nr_fns; i++) {
		f = &s->fn[i];
		f->unit = f->linked ? unit_by_number(s, f->unit) : unit_by_table(s, f);
	}
	return 0;
}
