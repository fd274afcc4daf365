// SPDX-License-Identifier: GPL-2.0
/* PCI functions for the survey, and those reasons that a function has by itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/util.h"
#include "host/pci.h"
#include "preflight/survey_parts.h"

#define DEVICES		"sys/bus/pci/devices"
#define RESOURCE_UNSET	0x20000000	/* IORESOURCE_UNSET of Linux */
#define RESOURCE_BARS	6

/* Configuration space: PCI 3.0, 6.1 and 6.8; PCI Express 5.0, 7.5 to 7.8, 9.3 and 10.5. */
#define CFG_STATUS	0x06
#define CFG_STATUS_CAPS	0x10
#define CFG_HEADER_TYPE	0x0e
#define CFG_SECONDARY	0x19
#define CFG_SUBORDINATE	0x1a
#define CFG_CAPS	0x34
#define CFG_HEADER	0x40
#define CAP_MSI		0x05
#define CAP_EXPRESS	0x10
#define CAP_MSIX	0x11
#define EXT_ATS		0x0f
#define EXT_SRIOV	0x10
#define EXT_PRI		0x13
#define EXT_PASID	0x1b
#define EXT_BYTES	12	/* of an extended capability that this file looks at */

/* Class, or class and subclass. */
#define CLASS_BRIDGE	0x06
#define CLASS_VGA	0x0300
#define CLASS_USB	0x0c03

#define VENDOR_INTEL	0x8086
#define VENDOR_NVIDIA	0x10de
#define VENDOR_REALTEK	0x10ec
#define REALTEK_8168	0x8168
#define VENDOR_VIRTIO	0x1af4
#define VIRTIO_FIRST	0x1000
#define VIRTIO_LAST	0x107f

/* Virtio 1.1, 6: the device's DMA goes through the IOMMU. */
#define VIRTIO_F_ACCESS_PLATFORM 33

static uint16_t cfg16(const uint8_t *cfg, unsigned int off)
{
	return cfg[off] | cfg[off + 1] << 8;
}

static void hit(struct survey_fn *f, enum survey_reason r)
{
	f->reasons |= 1ULL << r;
}

static char *fn_path(char *buf, size_t size, const struct survey_fn *f, const char *file)
{
	return path_fmt(buf, size, DEVICES "/%s/%s", f->name, file);
}

static bool wanted_ext(uint16_t id)
{
	return id == EXT_ATS || id == EXT_SRIOV || id == EXT_PRI || id == EXT_PASID;
}

/*
 * Reads, of configuration space, the header, the first bytes of each capability, and what this file looks at in
 * four of the extended ones. There are devices that do not bear to be read elsewhere, and the rest may name the
 * machine: serial numbers, vital product data, what a vendor has put there. A list that leads in circles ends.
 *
 * Return: bytes of @cfg that the capabilities may lie in, or -errno.
 */
static int read_caps(int fd, uint8_t *cfg)
{
	unsigned int pos, i;
	int rc;

	rc = pread_full(fd, cfg, CFG_HEADER, 0);
	if (rc || cfg16(cfg, 0) == 0xffff || !(cfg16(cfg, CFG_STATUS) & CFG_STATUS_CAPS))
		return rc ? rc : CFG_HEADER;
	for (pos = cfg[CFG_CAPS] & ~3, i = 0; pos >= CFG_HEADER && i < 48; pos = cfg[pos + 1] & ~3, i++) {
		rc = pread_full(fd, cfg + pos, 4, pos);
		if (rc)
			return rc;
	}
	/* Conventional PCI has no extended capabilities, and a host that does not reach them has none to show. */
	if (!pci_find_cap(cfg, PCI_CONFIG_BYTES, CAP_EXPRESS) || pread_full(fd, cfg + PCI_CONFIG_BYTES, 4, PCI_CONFIG_BYTES))
		return PCI_CONFIG_BYTES;
	for (pos = PCI_CONFIG_BYTES, i = 0; pos >= PCI_CONFIG_BYTES && i < 480; pos = cfg16(cfg, pos + 2) >> 4 & ~3, i++) {
		rc = pread_full(fd, cfg + pos, 4, pos);
		if (!rc && wanted_ext(cfg16(cfg, pos)) && pos + EXT_BYTES <= PCI_EXPRESS_CONFIG_BYTES)
			rc = pread_full(fd, cfg + pos, EXT_BYTES, pos);
		if (rc)
			return rc;
	}
	return PCI_EXPRESS_CONFIG_BYTES;
}

static void judge_caps(struct survey_fn *f, const uint8_t *cfg, size_t len)
{
	unsigned int msi = pci_find_cap(cfg, len, CAP_MSI), msix = pci_find_cap(cfg, len, CAP_MSIX), pos;

	pos = pci_find_cap(cfg, len, CAP_EXPRESS);
	f->pcie_type = pos ? cfg16(cfg, pos + 2) >> 4 & 0xf : -1;
	if (f->bridge)
		return;
	if (!msix)
		hit(f, SV_NO_MSIX);
	/* Only of a device that a guest uses it is known that its user wants MSI. */
	else if (!strcmp(f->driver, "vfio-pci") && msi && cfg[msi + 2] & 1)
		hit(f, SV_PLAIN_MSI);
	pos = pci_find_ext_cap(cfg, len, EXT_ATS);
	if (pos && cfg16(cfg, pos + 6) & 0x8000)
		hit(f, SV_ATS);
	pos = pci_find_ext_cap(cfg, len, EXT_PRI);
	if (pos && cfg16(cfg, pos + 4) & 1)
		hit(f, SV_PRI);
	pos = pci_find_ext_cap(cfg, len, EXT_PASID);
	if (pos && cfg16(cfg, pos + 6) & 1)
		hit(f, SV_PASID);
	pos = pci_find_ext_cap(cfg, len, EXT_SRIOV);
	if (pos && pos + EXT_BYTES <= len && cfg[pos + 8] & 1)
		hit(f, SV_HAS_VFS);
}

static void read_config(struct survey *s, struct survey_fn *f)
{
	uint8_t cfg[PCI_EXPRESS_CONFIG_BYTES] = { 0 };
	char path[128];
	int fd, len;

	f->pcie_type = -1;
	fn_path(path, sizeof(path), f, "config");
	fd = survey_open(&s->src, path);
	len = fd < 0 ? fd : read_caps(fd, cfg);
	if (fd >= 0)
		close(fd);
	/* Whoever is not root gets the header alone. */
	if (len == -EIO)
		len = -EACCES;
	if (fd >= 0 && len < 0)
		survey_note_unread(&s->src, path, len);
	f->config_read = len >= 0;
	if (len >= 0)
		archive_file(s->src.archive, path, cfg, len);
	if (len >= 0 && cfg16(cfg, 0) == 0xffff) {
		hit(f, SV_NO_ANSWER);
		return;
	}
	/* The header can be read by everybody. */
	if (cfg[CFG_HEADER_TYPE] & 0x7f)
		f->bridge = true;
	if ((cfg[CFG_HEADER_TYPE] & 0x7f) == 1) {
		f->secondary = cfg[CFG_SECONDARY];
		f->subordinate = cfg[CFG_SUBORDINATE];
	}
	if (len < 0)
		hit(f, SV_CONFIG_UNREAD);
	else
		judge_caps(f, cfg, len);
}

/* A line for each BAR: begin, end, flags. */
static void read_resource(struct survey *s, struct survey_fn *f)
{
	char path[128], text[2048], *line, *save;
	unsigned long long start, end, flags;
	unsigned int i = 0;
	ssize_t n;

	n = survey_read(&s->src, fn_path(path, sizeof(path), f, "resource"), text, sizeof(text));
	if (n < 0)
		return;
	archive_file(s->src.archive, path, text, n);
	for (line = strtok_r(text, "\n", &save); line && i < RESOURCE_BARS; line = strtok_r(NULL, "\n", &save), i++)
		if (sscanf(line, "%llx %llx %llx", &start, &end, &flags) == 3 && flags & RESOURCE_UNSET)
			hit(f, SV_BAR_UNSET);
}

struct in_fn {
	struct survey *s;
	struct survey_fn *f;
};

/* Features of a virtio device: a digit for each, from feature 0 on. */
static int look_for_virtio(void *ctx, const char *name)
{
	struct in_fn *in = ctx;
	char path[128], text[80];
	ssize_t n;

	if (!has_prefix(name, "virtio"))
		return 0;
	path_fmt(path, sizeof(path), DEVICES "/%s/%s/features", in->f->name, name);
	n = survey_read(&in->s->src, path, text, sizeof(text));
	if (n < 0)
		return 0;
	archive_file(in->s->src.archive, path, text, n);
	if (n <= VIRTIO_F_ACCESS_PLATFORM)
		return 0;
	if (text[VIRTIO_F_ACCESS_PLATFORM] == '0')
		hit(in->f, SV_VIRTIO);
	return 1;
}

/* Virtio 1.1, 4.1.2. Only the driver of virtio shows the features. */
static void judge_virtio(struct survey *s, struct survey_fn *f)
{
	struct in_fn in = { s, f };
	char path[128];

	if (f->vendor != VENDOR_VIRTIO || f->device < VIRTIO_FIRST || f->device > VIRTIO_LAST)
		return;
	path_fmt(path, sizeof(path), DEVICES "/%s", f->name);
	if (survey_foreach(&s->src, path, look_for_virtio, &in) != 1)
		hit(f, SV_VIRTIO_UNREAD);
}

static void read_links(struct survey *s, struct survey_fn *f)
{
	char path[128], name[32];
	uint64_t n;

	if (survey_link(&s->src, fn_path(path, sizeof(path), f, "driver"), f->driver, sizeof(f->driver)))
		f->driver[0] = '\0';
	f->group = -1;
	if (!survey_link(&s->src, fn_path(path, sizeof(path), f, "iommu_group"), name, sizeof(name)) &&
	    !parse_u64(name, &n) && n < INT32_MAX)
		f->group = n;
	f->unit = -1;
	f->linked = false;
	/* survey_units() turns the number of the unit into its index. */
	if (!survey_link(&s->src, fn_path(path, sizeof(path), f, "iommu"), name, sizeof(name)) &&
	    has_prefix(name, "dmar") && !parse_u64(name + 4, &n) && n < INT32_MAX) {
		f->unit = n;
		f->linked = true;
	}
	if (!survey_link(&s->src, fn_path(path, sizeof(path), f, "physfn"), name, sizeof(name)))
		hit(f, SV_VIRTUAL_FUNCTION);
}

/* Devices for which QEMU traps part of a BAR: it has state of its own then, which preserve=on does not save. */
static bool needs_quirk(const struct survey_fn *f)
{
	if (f->class >> 8 == CLASS_VGA)
		return f->vendor == VENDOR_INTEL || f->vendor == VENDOR_NVIDIA;
	return f->vendor == VENDOR_REALTEK && f->device == REALTEK_8168;
}

static int read_ids(struct survey *s, struct survey_fn *f)
{
	uint64_t vendor, device, class;
	char path[128];

	if (survey_read_u64(&s->src, fn_path(path, sizeof(path), f, "vendor"), true, &vendor) ||
	    survey_read_u64(&s->src, fn_path(path, sizeof(path), f, "device"), true, &device) ||
	    survey_read_u64(&s->src, fn_path(path, sizeof(path), f, "class"), true, &class))
		return -ENOENT;
	f->vendor = vendor;
	f->device = device;
	f->class = class & 0xffffff;
	f->bridge = f->class >> 16 == CLASS_BRIDGE;
	return 0;
}

/* As pci_parse(), but with segments of 32 bits, which Linux gives to domains of its own (VMD). */
static int parse_name(struct survey_fn *f, const char *name)
{
	unsigned int segment, bus, dev, fn;
	int end = 0;

	if (sscanf(name, "%8x:%2x:%2x.%1x%n", &segment, &bus, &dev, &fn, &end) != 4 || name[end] || dev > 0x1f ||
	    fn > 7 || copy_str(f->name, sizeof(f->name), name))
		return -EINVAL;
	f->segment = segment;
	f->bus = bus;
	f->devfn = dev << 3 | fn;
	return 0;
}

static int add_function(void *ctx, const char *name)
{
	struct survey *s = ctx;
	struct survey_fn *list, f = { 0 };

	if (parse_name(&f, name) || read_ids(s, &f))
		return 0;
	read_links(s, &f);
	read_config(s, &f);
	if (!f.bridge) {
		read_resource(s, &f);
		if (f.segment)
			hit(&f, SV_SEGMENT);
		if (f.class >> 8 == CLASS_USB)
			hit(&f, SV_USB);
		if (needs_quirk(&f))
			hit(&f, SV_QUIRK);
		judge_virtio(s, &f);
	} else {
		f.reasons = 0;
	}
	list = realloc(s->fn, (s->nr_fns + 1) * sizeof(f));
	if (!list)
		return -ENOMEM;
	s->fn = list;
	s->fn[s->nr_fns++] = f;
	return 0;
}

static int count_bus(void *ctx, const char *name)
{
	struct survey *s = ctx;
	char path[128];

	s->buses++;
	archive_folder(s->src.archive, path_fmt(path, sizeof(path), "sys/class/pci_bus/%s", name));
	return 0;
}

int survey_functions(struct survey *s)
{
	int rc;

	survey_foreach(&s->src, "sys/class/pci_bus", count_bus, s);
	rc = survey_foreach(&s->src, DEVICES, add_function, s);
	return rc == -ENOMEM ? rc : 0;
}

struct survey_fn *survey_find(const struct survey *s, uint32_t segment, uint8_t bus, uint8_t devfn)
{
	unsigned int i;

	for (i = 0; i < s->nr_fns; i++)
		if (s->fn[i].segment == segment && s->fn[i].bus == bus && s->fn[i].devfn == devfn)
			return &s->fn[i];
	return NULL;
}

const struct survey_fn *survey_bridge_above(const struct survey *s, const struct survey_fn *f)
{
	unsigned int i;

	for (i = 0; i < s->nr_fns; i++)
		if (s->fn[i].segment == f->segment && s->fn[i].secondary && s->fn[i].secondary == f->bus &&
		    s->fn[i].bus < f->bus)
			return &s->fn[i];
	return NULL;
}
