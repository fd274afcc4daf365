// SPDX-License-Identifier: GPL-2.0
/* How much memory to set aside, and where: in RAM, over nothing that firmware has reserved. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "format/state.h"
#include "host/kram.h"
#include "preflight/preflight.h"
#include "preflight/survey_parts.h"

#define MAP		"sys/firmware/memmap"
#define MIB		(1ULL << 20)
#define GIB		(1ULL << 30)

/* libnvdimm makes no namespace of a region whose size is no multiple of this. */
#define STEP		(16 * MIB)

/*
 * A devdax namespace keeps its first page for itself, and khctl resume is quickest if guests have pages of a GiB.
 * Such a region has to begin and end at whole GiB. Guests below this size have pages of 2 MiB.
 */
#define BIG_GUEST	(4 * GIB)

/* Tables of the host's own devices come from KRAM, too. They are few beside those of guests, but not none. */
#define KRAM_HOST_PAGES	(STEP / KRAM_PAGE_SIZE)

/* Device state of a VM with a VGA card, whose video memory is part of it. */
#define STREAM_ROOM	(8 * PREFLIGHT_STREAM_MIN)

/* Without a wish, an example is planned that leaves the host this part of its RAM. */
#define HOST_PART	4

struct map {
	struct survey *s;
	struct mem_range *ram;	/* sorted, free of what the command line has reserved */
	unsigned int nr;
	unsigned int other;	/* entries of the map that are no RAM, and what the command line has reserved */
	uint64_t next;		/* the ranges are laid out from here on, ascending */
};

const char *survey_memmap(char *buf, size_t size, const struct mem_range *r)
{
	return path_fmt(buf, size, "%lluM%c%#llx", (unsigned long long)(r->size / MIB), r->type,
			(unsigned long long)r->start);
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

static int add_ram(struct map *m, uint64_t start, uint64_t end)
{
	struct mem_range *p = realloc(m->ram, (m->nr + 1) * sizeof(*p));

	if (!p)
		return -ENOMEM;
	m->ram = p;
	m->ram[m->nr++] = (struct mem_range){ .start = start, .size = end - start };
	return 0;
}

static int read_entry(void *ctx, const char *name)
{
	struct map *m = ctx;
	char path[96], type[64];
	uint64_t start, end;
	ssize_t n;

	if (survey_read_u64(&m->s->src, path_fmt(path, sizeof(path), MAP "/%s/start", name), true, &start) ||
	    survey_read_u64(&m->s->src, path_fmt(path, sizeof(path), MAP "/%s/end", name), true, &end) || end < start)
		return 0;
	n = survey_read(&m->s->src, path_fmt(path, sizeof(path), MAP "/%s/type", name), type, sizeof(type));
	if (n < 0)
		return 0;
	archive_file(m->s->src.archive, path, type, n);
	m->s->plan.e820++;
	type[strcspn(type, "\n")] = '\0';
	if (strcmp(type, "System RAM") || end == UINT64_MAX) {
		m->other++;
		return 0;
	}
	m->s->plan.ram += end + 1 - start;
	return add_ram(m, start, end + 1);
}

static int by_start(const void *a, const void *b)
{
	const struct mem_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Takes [start, end) out of the RAM. Return: 1 if any of it was RAM, 0, or -ENOMEM. */
static int take_out(struct map *m, uint64_t start, uint64_t end)
{
	struct mem_range *r;
	unsigned int i;
	uint64_t last;
	int found = 0;

	for (i = 0; i < m->nr; i++) {
		r = &m->ram[i];
		last = r->start + r->size;
		if (start >= last || end <= r->start)
			continue;
		found = 1;
		if (start > r->start && end < last && add_ram(m, end, last))
			return -ENOMEM;
		r = &m->ram[i];
		if (start > r->start) {
			r->size = start - r->start;
		} else {
			r->start = end < last ? end : last;
			r->size = last - r->start;
		}
	}
	if (m->nr)
		qsort(m->ram, m->nr, sizeof(*m->ram), by_start);
	return found;
}

/* What memmap= has set aside is RAM to the firmware, and is taken all the same. */
static int take_out_reserved(struct map *m)
{
	char text[CMDLINE_MAX], *word, *elem, *save_word, *save;
	struct survey_plan *p = &m->s->plan;
	struct mem_range r;
	int rc = 0;

	if (m->nr)
		qsort(m->ram, m->nr, sizeof(*m->ram), by_start);
	copy_str(text, sizeof(text), m->s->cmdline);
	for (word = strtok_r(text, " ", &save_word); rc >= 0 && word; word = strtok_r(NULL, " ", &save_word)) {
		if (!has_prefix(word, "memmap="))
			continue;
		for (elem = strtok_r(word + 7, ",", &save); rc >= 0 && elem; elem = strtok_r(NULL, ",", &save)) {
			if (cmdline_parse_memmap(elem, &r) || !strchr(":!$", r.type) || r.start + r.size <= r.start)
				continue;
			if (r.type != '$' && p->nr_have < SURVEY_MAX_E820)
				p->have[p->nr_have++] = r;
			rc = take_out(m, r.start, r.start + r.size);
			/* After a kexec the map has the range already. */
			m->other += rc > 0;
		}
	}
	return rc < 0 ? rc : 0;
}

/* The first free place at or behind m->next. Return: false if there is none. */
static bool place(struct map *m, uint64_t size, uint64_t align, char type)
{
	struct survey_plan *p = &m->s->plan;
	uint64_t start, end;
	unsigned int i;

	for (i = 0; i < m->nr; i++) {
		end = m->ram[i].start + m->ram[i].size;
		start = m->ram[i].start > m->next ? m->ram[i].start : m->next;
		start = round_up(start, align);
		if (start >= end || end - start < size)
			continue;
		p->range[p->nr_ranges++] = (struct mem_range){ start, size, type };
		m->next = start + size;
		p->low |= start < 4 * GIB;
		return true;
	}
	return false;
}

/* Bytes of the region of a guest, and where it may begin. */
static uint64_t region_size(uint64_t guest, uint64_t *align)
{
	*align = guest < BIG_GUEST ? STEP : GIB;
	return round_up(guest, *align) + *align;
}

static uint64_t kram_size(struct survey *s)
{
	struct survey_plan *p = &s->plan;
	unsigned int units = 0, i;
	uint64_t pages, need = KRAM_HOST_PAGES;

	for (i = 0; i < s->nr_units; i++)
		units += !s->unit[i].ignored;
	need += kram_need(0, units ? units : 1, s->buses);
	for (i = 0; i < p->nr_guests; i++)
		need += kram_need(p->guest[i], 0, 0);
	p->kram_pages = need;
	/* Header, fixed pages, and the map of 4 bytes for each page. */
	pages = need + 1 + KRAM_FIXED_PAGES;
	pages += pages / (KRAM_PAGE_SIZE / sizeof(struct kram_map_entry) - 1) + 1;
	return round_up(pages * KRAM_PAGE_SIZE, STEP);
}

static bool lay_out(struct map *m, uint64_t from)
{
	struct survey_plan *p = &m->s->plan;
	uint64_t align, size;
	unsigned int i;

	p->nr_ranges = 0;
	p->low = false;
	m->next = from;
	for (i = 0; i < p->nr_guests; i++) {
		size = region_size(p->guest[i], &align);
		if (!place(m, size, align, '!'))
			return false;
	}
	size = round_up(KH_DATA_OFFSET + p->nr_guests * STREAM_ROOM, STEP) + STEP;
	return place(m, size, STEP, '!') && place(m, kram_size(m->s), STEP, ':');
}

/* Each range is an entry, and so is what is left of the RAM around them. Return: how many, or -ENOMEM. */
static int entries_after(struct map *m)
{
	const struct survey_plan *p = &m->s->plan;
	unsigned int n = m->other + p->nr_ranges, i;

	for (i = 0; i < p->nr_ranges; i++)
		if (take_out(m, p->range[i].start, p->range[i].start + p->range[i].size) < 0)
			return -ENOMEM;
	for (i = 0; i < m->nr; i++)
		n += m->ram[i].size > 0;
	return n;
}

static uint64_t total(const struct survey_plan *p)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < p->nr_ranges; i++)
		sum += p->range[i].size;
	return sum;
}

/* The largest guest, of a power of two, that leaves enough to the host. */
static bool lay_out_example(struct map *m, uint64_t from)
{
	struct survey_plan *p = &m->s->plan;

	p->invented = true;
	p->nr_guests = 1;
	for (p->guest[0] = 1ULL << 46; p->guest[0] >= STEP; p->guest[0] /= 2)
		if (p->guest[0] < p->ram && lay_out(m, from) && total(p) <= p->ram - p->ram / HOST_PART)
			return true;
	return false;
}

int survey_guests(struct survey *s, const struct str_list *guests, struct kh_err *e)
{
	struct survey_plan *p = &s->plan;
	char text[64];
	struct mem_range r;
	unsigned int i;

	if (guests && guests->n > SURVEY_MAX_GUESTS)
		return err_set(e, -EINVAL, "%u guests, and at most %u can be planned for", guests->n, SURVEY_MAX_GUESTS);
	for (i = 0; guests && i < guests->n; i++) {
		path_fmt(text, sizeof(text), "%s!0", guests->v[i]);
		if (!text[0] || cmdline_parse_memmap(text, &r) || !r.size || r.size > 1ULL << 46)
			return err_set(e, -EINVAL, "%s is no size of a guest (for example 16G)", guests->v[i]);
		p->guest[p->nr_guests++] = r.size;
	}
	return 0;
}

static int plan(struct map *m)
{
	/* Boot loaders put kernels and initial RAM disks below 4 GiB: that is the second choice. */
	static const uint64_t from[] = { 4 * GIB, 256 * MIB };
	struct survey_plan *p = &m->s->plan;
	bool asked = p->nr_guests, done = false;
	unsigned int i;
	int n;

	/* Whoever has set memory aside needs no example of it. */
	if (!asked && p->nr_have) {
		n = entries_after(m);
		p->e820_after = n < 0 ? 0 : n;
		return n < 0 ? n : 0;
	}

	for (i = 0; !done && i < ARRAY_SIZE(from); i++)
		done = asked ? lay_out(m, from[i]) : lay_out_example(m, from[i]);
	if (!done) {
		p->nr_ranges = 0;
		path_fmt(p->error, sizeof(p->error), p->e820 ? "no free RAM is large enough" :
			 "the firmware's memory map cannot be read");
		return 0;
	}
	n = entries_after(m);
	if (n < 0)
		return n;
	p->e820_after = n;
	if (p->e820_after > SURVEY_MAX_E820)
		path_fmt(p->error, sizeof(p->error),
			 "the memory map would have %u entries, and at most %u reach the next kernel",
			 p->e820_after, SURVEY_MAX_E820);
	return 0;
}

int survey_plan(struct survey *s)
{
	struct map m = { .s = s };
	int rc;

	rc = survey_foreach(&s->src, MAP, read_entry, &m);
	if (rc != -ENOMEM)
		rc = take_out_reserved(&m);
	if (!rc)
		rc = plan(&m);
	free(m.ram);
	return rc;
}
