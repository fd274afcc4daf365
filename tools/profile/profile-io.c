// SPDX-License-Identifier: GPL-2.0
/* The profile's files: what to look at comes in one (profile.c has its lines), what was counted goes into another. */
#include <inttypes.h>
#include <string.h>

#include "profile.h"

static void write_block(FILE *f, const struct block *b)
{
	const struct count *c;
	unsigned int i, k;

	for (i = 0; i < b->nr_counts; i++) {
		c = &b->counts[i];
		fprintf(f, "block %u %u %" PRIx64 " %" PRIx64 " %d %u %" PRIu64 " %" PRId64 " ", c->section,
			c->task, b->vaddr, b->phys, b->guest, b->insns, c->runs, c->ns);
		for (k = 0; k < b->code_len; k++)
			fprintf(f, "%02x", b->code[k]);
		fputc('\n', f);
	}
}

static void write_leaf(gpointer key, gpointer value, gpointer f)
{
	fprintf(f, "leaf %s %" PRId64 "\n", (char *)key, *(int64_t *)value);
}

void write_out(void)
{
	char *temporary = g_strconcat(out_path, ".new", NULL);
	FILE *f = fopen(temporary, "w");
	unsigned int i;

	if (!f) {
		perror(temporary);
		return;
	}
	for (i = 0; (int)i <= current; i++)
		fprintf(f, "section %u %s %" PRId64 "\n", i, sections[i].name, sections[i].start);
	for (i = 0; i < nr_tasks; i++)
		fprintf(f, "task %u %s\n", i, tasks[i].comm[0] ? tasks[i].comm : "?");
	for (i = 0; i < blocks->len; i++)
		write_block(f, g_ptr_array_index(blocks, i));
	g_hash_table_foreach(leaf_ns, write_leaf, f);
	fflush(idle_out);
	fwrite(idle_text, 1, idle_size, f);
	if (!fclose(f) && rename(temporary, out_path))
		perror(out_path);
	g_free(temporary);
}

static void put_hook(uint64_t address, const struct hook *h)
{
	GArray *list = g_hash_table_lookup(hooks, &address);
	uint64_t *key;

	if (!list) {
		list = g_array_new(FALSE, FALSE, sizeof(struct hook));
		key = g_new(uint64_t, 1);
		*key = address;
		g_hash_table_insert(hooks, key, list);
	}
	g_array_append_val(list, *h);
}

static void add_hook(uint64_t address, enum hook_kind kind, unsigned int index, const char *name)
{
	struct hook h = { .kind = kind, .index = index };

	g_strlcpy(h.name, name, NAME);
	put_hook(address, &h);
}

static bool read_stage(const char *line)
{
	struct hook h = { .kind = HOOK_STAGE };

	if (sscanf(line, "stage %" SCNx64 " %" SCNx64 " %" SCNx64, &h.address, &h.start, &h.end) != 3)
		return false;
	put_hook(h.address, &h);
	return true;
}

static bool read_section(const char *line)
{
	struct section *s = &sections[nr_sections];
	uint64_t address;

	if (nr_sections == ARRAY_SIZE(sections))
		return false;
	if (sscanf(line, "section %31s at %" SCNx64, s->name, &address) == 2) {
		s->kind = BEGIN_AT;
		add_hook(address, HOOK_SECTION, nr_sections, "");
	} else if (sscanf(line, "section %31s exec %31s", s->name, s->comm) == 2) {
		s->kind = BEGIN_EXEC;
	} else if (sscanf(line, "section %31s after %" SCNd64, s->name, &s->after) == 2) {
		s->kind = BEGIN_AFTER;
	} else {
		return false;
	}
	nr_sections++;
	return true;
}

static bool read_leaf(const char *line)
{
	struct leaf *l = &leaves[nr_leaves];
	char name[NAME];

	if (nr_leaves == ARRAY_SIZE(leaves) ||
	    sscanf(line, "leaf %" SCNx64 " %" SCNx64 " %31s", &l->start, &l->end, name) != 3)
		return false;
	add_hook(l->start, HOOK_LEAF, nr_leaves++, name);
	return true;
}

static bool read_line(const char *line)
{
	char name[NAME];
	uint64_t a;

	if (!strncmp(line, "section ", 8))
		return read_section(line);
	if (!strncmp(line, "leaf ", 5))
		return read_leaf(line);
	if (!strncmp(line, "stage ", 6))
		return read_stage(line);
	if (sscanf(line, "kernel %" SCNx64 " %" SCNx64, &text_virt, &text_phys) == 2 ||
	    sscanf(line, "guest %" SCNx64 " %" SCNx64, &guest_start, &guest_end) == 2)
		return true;
	if (sscanf(line, "wait %" SCNx64 " %31s", &a, name) == 2)
		add_hook(a, HOOK_WAIT, 0, name);
	else if (sscanf(line, "switch %" SCNx64, &a) == 1)
		add_hook(a, HOOK_SWITCH, 0, "");
	else if (sscanf(line, "comm %" SCNx64, &a) == 1)
		add_hook(a, HOOK_COMM, 0, "");
	else if (sscanf(line, "fork %" SCNx64, &a) == 1)
		add_hook(a, HOOK_FORK, 0, "");
	else if (sscanf(line, "initcall %" SCNx64, &a) == 1)
		add_hook(a, HOOK_INITCALL, 0, "");
	else if (sscanf(line, "reset %" SCNx64, &a) == 1)
		add_hook(a, HOOK_RESET, 0, "");
	else
		return false;
	return true;
}

int read_config(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f) {
		perror(path);
		return -1;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!read_line(line)) {
			fprintf(stderr, "profile: %s: bad line: %s", path, line);
			fclose(f);
			return -1;
		}
	}
	fclose(f);
	return 0;
}
