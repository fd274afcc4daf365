/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes a folder with proc/ and sys/ from a few lines of text that describe a host. One line is one thing:
 *
 *   kernel RELEASE | cpu VENDOR [FLAG...] | cmdline TEXT | irq NAME | ivrs
 *   dmar WIDTH FLAGS			the table; what follows until "end" is in it:
 *     drhd BASE SEGMENT FLAGS [SCOPE...] | rmrr BASE END SEGMENT [SCOPE...] | atsr SEGMENT [SCOPE...]
 *					SCOPE: TYPE:BUS/DEV.FN[/DEV.FN...], e endpoint, b bridge, i IOAPIC, a ACPI device
 *   end
 *   unit N BASE CAP ECAP		dmarN of the running kernel | iommu NAME
 *   fn BDF VENDOR:DEVICE CLASS [WORD...]
 *	group=N unit=N driver=NAME physfn=BDF virtio=0|1	links and files
 *	type=N sec=BUS sub=BUS					PCI Express device/port type, buses of a bridge
 *	msix msi msi-on vpd					capabilities
 *	serial ats ats-on pri-on pasid-on vfs			extended capabilities, in the order of their names here
 *	short gone unset					64 bytes only, all ones, a BAR without address
 *   resv GROUP TYPE			a reserved region of a group
 *   mem START END TYPE			of the firmware's map, hexadecimal
 */
#ifndef HOST_SHAPE_H
#define HOST_SHAPE_H

#include <ftw.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"

/* What a copy must not contain. */
#define SHAPE_SECRET "SECRET-SERIAL"

struct shape {
	char root[64];
	uint8_t dmar[4096];
	size_t dmar_len;
	bool in_dmar;
	unsigned int nr_mem;
};

static void shape_put(const struct shape *s, const char *path, const void *data, size_t len)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", s->root, path);
	assert_int_equal(make_parents(full), 0);
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void shape_text(const struct shape *s, const char *path, const char *text)
{
	char line[512];

	snprintf(line, sizeof(line), "%s\n", text);
	shape_put(s, path, line, strlen(line));
}

static void shape_link(const struct shape *s, const char *path, const char *to)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", s->root, path);
	assert_int_equal(make_parents(full), 0);
	assert_int_equal(symlink(to, full), 0);
}

static void shape_folder(const struct shape *s, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s/", s->root, path);
	assert_int_equal(make_parents(full), 0);
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = v;
	p[1] = v >> 8;
}

static void put64(uint8_t *p, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		p[i] = v >> 8 * i;
}

/* TYPE:BUS/DEV.FN[/DEV.FN...] */
static void shape_scope(struct shape *s, const char *text)
{
	static const char types[] = "?ebiha";
	uint8_t *p = s->dmar + s->dmar_len;
	unsigned int dev, fn;
	const char *step;

	p[0] = strchr(types, text[0]) - types;
	p[5] = strtoul(text + 2, NULL, 16);
	p[1] = 6;
	for (step = strchr(text, '/'); step; step = strchr(step + 1, '/')) {
		assert_int_equal(sscanf(step, "/%x.%x", &dev, &fn), 2);
		p[p[1]++] = dev;
		p[p[1]++] = fn;
	}
	s->dmar_len += p[1];
}

static void shape_dmar_line(struct shape *s, char *line)
{
	char *save, *word = strtok_r(line, " ", &save);
	size_t start = s->dmar_len;
	uint8_t *p = s->dmar + start, sum = 0;
	size_t i;

	if (!strcmp(word, "end")) {
		put16(s->dmar + 4, s->dmar_len);
		for (i = 0; i < s->dmar_len; i++)
			sum += s->dmar[i];
		s->dmar[9] = -sum;
		shape_put(s, "sys/firmware/acpi/tables/DMAR", s->dmar, s->dmar_len);
		s->in_dmar = false;
		return;
	}
	if (!strcmp(word, "drhd")) {
		put64(p + 8, strtoull(strtok_r(NULL, " ", &save), NULL, 16));
		put16(p + 6, strtoul(strtok_r(NULL, " ", &save), NULL, 16));
		p[4] = strtoul(strtok_r(NULL, " ", &save), NULL, 16);
		s->dmar_len += 16;
	} else if (!strcmp(word, "rmrr")) {
		p[0] = 1;
		put64(p + 8, strtoull(strtok_r(NULL, " ", &save), NULL, 16));
		put64(p + 16, strtoull(strtok_r(NULL, " ", &save), NULL, 16));
		put16(p + 6, strtoul(strtok_r(NULL, " ", &save), NULL, 16));
		s->dmar_len += 24;
	} else {
		assert_string_equal(word, "atsr");
		p[0] = 2;
		put16(p + 6, strtoul(strtok_r(NULL, " ", &save), NULL, 16));
		s->dmar_len += 8;
	}
	while ((word = strtok_r(NULL, " ", &save)))
		shape_scope(s, word);
	put16(p + 2, s->dmar_len - start);
}

static void shape_dmar(struct shape *s, unsigned int width, unsigned int flags)
{
	memset(s->dmar, 0, sizeof(s->dmar));
	memcpy(s->dmar, "DMAR", 4);
	s->dmar[8] = 1;
	s->dmar[36] = width - 1;
	s->dmar[37] = flags;
	s->dmar_len = 48;
	s->in_dmar = true;
}

struct shape_cfg {
	uint8_t b[4096];
	size_t len;
	unsigned int last;	/* where the offset of the next capability goes */
	unsigned int last_ext;
	unsigned int next_ext;
};

static uint8_t *shape_cap(struct shape_cfg *c, uint8_t id, unsigned int pos)
{
	c->b[c->last] = pos;
	c->last = pos + 1;
	c->b[pos] = id;
	return c->b + pos;
}

static uint8_t *shape_ext(struct shape_cfg *c, uint16_t id)
{
	unsigned int pos = c->next_ext;

	put16(c->b + pos, id);
	put16(c->b + pos + 2, 1);
	if (pos > 0x100)
		put16(c->b + c->last_ext + 2, 1 | pos << 4);
	c->last_ext = pos;
	c->next_ext += 0x40;
	return c->b + pos;
}

/* A word of a function that is about its configuration space. */
static void shape_cfg_word(struct shape_cfg *c, const char *word)
{
	if (has_prefix(word, "type="))
		put16(shape_cap(c, 0x10, 0x60) + 2, 2 | strtoul(word + 5, NULL, 0) << 4);
	else if (has_prefix(word, "sec="))
		c->b[0x19] = strtoul(word + 4, NULL, 16);
	else if (has_prefix(word, "sub="))
		c->b[0x1a] = strtoul(word + 4, NULL, 16);
	else if (!strcmp(word, "msix"))
		shape_cap(c, 0x11, 0x70);
	else if (!strcmp(word, "msi") || !strcmp(word, "msi-on"))
		shape_cap(c, 0x05, 0x50)[2] = word[3] ? 1 : 0;
	else if (!strcmp(word, "vpd"))
		memcpy(shape_cap(c, 0x03, 0xa0) + 4, SHAPE_SECRET, sizeof(SHAPE_SECRET));
	else if (!strcmp(word, "serial"))
		memcpy(shape_ext(c, 0x03) + 4, SHAPE_SECRET, sizeof(SHAPE_SECRET));
	else if (!strcmp(word, "ats") || !strcmp(word, "ats-on"))
		put16(shape_ext(c, 0x0f) + 6, word[3] ? 0x8000 : 0);
	else if (!strcmp(word, "pri-on"))
		put16(shape_ext(c, 0x13) + 4, 1);
	else if (!strcmp(word, "pasid-on"))
		put16(shape_ext(c, 0x1b) + 6, 1);
	else if (!strcmp(word, "vfs"))
		put16(shape_ext(c, 0x10) + 8, 0x19);
	else if (!strcmp(word, "short"))
		c->len = 64;
	else if (!strcmp(word, "gone"))
		memset(c->b, 0xff, sizeof(c->b));
	else
		fail_msg("a function has no word %s", word);
}

/* Return: false if the word is none of these. */
static bool shape_link_word(const struct shape *s, const char *bdf, const char *word)
{
	static const char * const links[] = { "group", "unit", "driver", "physfn" };
	static const char * const files[] = { "iommu_group", "iommu", "driver", "physfn" };
	static const char * const to[] = { "../../../kernel/iommu_groups/", "../../../class/iommu/dmar",
					   "../../../bus/pci/drivers/", "../" };
	char path[256], target[256];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(links); i++) {
		if (!has_prefix(word, links[i]) || word[strlen(links[i])] != '=')
			continue;
		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/%s", bdf, files[i]);
		snprintf(target, sizeof(target), "%s%s", to[i], word + strlen(links[i]) + 1);
		shape_link(s, path, target);
		return true;
	}
	return false;
}

static void shape_virtio(const struct shape *s, const char *bdf, bool platform)
{
	char path[256], features[65];

	memset(features, '1', sizeof(features) - 1);
	features[64] = '\0';
	features[33] = platform ? '1' : '0';
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/virtio3/features", bdf);
	shape_text(s, path, features);
}

static void shape_fn(const struct shape *s, char *line)
{
	struct shape_cfg c = { .len = 256, .last = 0x34, .next_ext = 0x100 };
	unsigned int vendor, device, class, bus;
	char *save, *word, bdf[32], path[256], text[128];
	bool unset = false;
	int used;

	assert_int_equal(sscanf(line, "fn %31s %x:%x %x%n", bdf, &vendor, &device, &class, &used), 4);
	put16(c.b, vendor);
	put16(c.b + 2, device);
	put16(c.b + 6, 0x10);
	c.b[0x0e] = class >> 8 == 0x0604;
	for (word = strtok_r(line + used, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (has_prefix(word, "virtio="))
			shape_virtio(s, bdf, word[7] == '1');
		else if (!strcmp(word, "unset"))
			unset = true;
		else if (!shape_link_word(s, bdf, word))
			shape_cfg_word(&c, word);
	}
	if (c.next_ext > 0x100) {
		c.len = 4096;
		if (!c.b[0x60])
			shape_cfg_word(&c, "type=0");
	}
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/config", bdf);
	shape_put(s, path, c.b, c.len);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/resource", bdf);
	snprintf(text, sizeof(text), "0x00000000fe000000 0x00000000fe00ffff %#018x", unset ? 0x20040200 : 0x40200);
	shape_text(s, path, text);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/vendor", bdf);
	snprintf(text, sizeof(text), "0x%04x", vendor);
	shape_text(s, path, text);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/device", bdf);
	snprintf(text, sizeof(text), "0x%04x", device);
	shape_text(s, path, text);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/class", bdf);
	snprintf(text, sizeof(text), "0x%06x", class);
	shape_text(s, path, text);
	bus = strcspn(bdf, ":") + 3;
	snprintf(path, sizeof(path), "sys/class/pci_bus/%.*s", (int)bus, bdf);
	shape_folder(s, path);
}

static void shape_unit(const struct shape *s, const char *line)
{
	static const char * const files[] = { "address", "cap", "ecap" };
	char path[128], val[3][32];
	unsigned int n, i;

	assert_int_equal(sscanf(line, "unit %u %31s %31s %31s", &n, val[0], val[1], val[2]), 4);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "sys/class/iommu/dmar%u/intel-iommu/%s", n, files[i]);
		shape_text(s, path, val[i]);
	}
}

static void shape_mem(struct shape *s, const char *line)
{
	unsigned long long start, end;
	char path[128], text[64];
	int used;

	assert_int_equal(sscanf(line, "mem %llx %llx %n", &start, &end, &used), 2);
	snprintf(path, sizeof(path), "sys/firmware/memmap/%u/start", s->nr_mem);
	snprintf(text, sizeof(text), "0x%llx", start);
	shape_text(s, path, text);
	snprintf(path, sizeof(path), "sys/firmware/memmap/%u/end", s->nr_mem);
	snprintf(text, sizeof(text), "0x%llx", end);
	shape_text(s, path, text);
	snprintf(path, sizeof(path), "sys/firmware/memmap/%u/type", s->nr_mem++);
	shape_text(s, path, line + used);
}

static void shape_cpu(const struct shape *s, const char *rest)
{
	char text[256];
	size_t len = strcspn(rest, " ");

	snprintf(text, sizeof(text), "processor\t: 0\nvendor_id\t: %.*s\nmodel name\t: a CPU\nflags\t\t: fpu vme%s nx",
		 (int)len, rest, rest + len);
	shape_text(s, "proc/cpuinfo", text);
}

static void shape_line(struct shape *s, char *line)
{
	char path[1024], type[32];
	unsigned int n, flags;

	if (s->in_dmar) {
		shape_dmar_line(s, line);
	} else if (has_prefix(line, "kernel ")) {
		shape_text(s, "proc/sys/kernel/osrelease", line + 7);
	} else if (has_prefix(line, "cpu ")) {
		shape_cpu(s, line + 4);
	} else if (has_prefix(line, "cmdline ")) {
		shape_text(s, "proc/cmdline", line + 8);
	} else if (has_prefix(line, "irq ")) {
		snprintf(path, sizeof(path), "           CPU0\n  24:          7  %s-PCI-MSI 1-edge  eth-" SHAPE_SECRET, line + 4);
		shape_text(s, "proc/interrupts", path);
	} else if (!strcmp(line, "ivrs")) {
		shape_text(s, "sys/firmware/acpi/tables/IVRS", "IVRS");
	} else if (sscanf(line, "dmar %u %x", &n, &flags) == 2) {
		shape_dmar(s, n, flags);
	} else if (has_prefix(line, "unit ")) {
		shape_unit(s, line);
	} else if (has_prefix(line, "iommu ")) {
		snprintf(path, sizeof(path), "sys/class/iommu/%s", line + 6);
		shape_folder(s, path);
	} else if (has_prefix(line, "fn ")) {
		shape_fn(s, line);
	} else if (sscanf(line, "resv %u %31s", &n, type) == 2) {
		snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%u/reserved_regions", n);
		snprintf(line, 128, "0x00000000791f4000 0x00000000791f7fff %s\n0x00000000fee00000 0x00000000feefffff msi", type);
		shape_text(s, path, line);
	} else if (has_prefix(line, "mem ")) {
		shape_mem(s, line);
	} else {
		fail_msg("a host has no line %s", line);
	}
}

static void shape_make(struct shape *s, const char *text)
{
	char copy[512];
	size_t len;

	memset(s, 0, sizeof(*s));
	strcpy(s->root, "/tmp/khctl-shape-XXXXXX");
	assert_non_null(mkdtemp(s->root));
	shape_folder(s, "proc");
	shape_folder(s, "sys/class/iommu");
	shape_folder(s, "sys/class/pci_bus");
	shape_folder(s, "sys/bus/pci/devices");
	for (; *text; text += len + (text[len] == '\n')) {
		text += strspn(text, " \t\n");
		len = strcspn(text, "\n");
		if (!len)
			continue;
		assert_true(len < sizeof(copy));
		snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
		shape_line(s, copy);
	}
	assert_false(s->in_dmar);
}

static int shape_remove_one(const char *path, const struct stat *st, int flag, struct FTW *w)
{
	(void)st;
	(void)flag;
	(void)w;
	return remove(path);
}

static void shape_remove(struct shape *s)
{
	assert_int_equal(nftw(s->root, shape_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
