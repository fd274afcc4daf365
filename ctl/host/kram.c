// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "base/util.h"
#include "host/kram.h"

static int read_area(struct kram_area *a, unsigned int i)
{
	static const char * const names[] = {
		"start", "size", "pool_pages", "used_pages", "free_pages"
	};
	uint64_t *vals[] = {
		&a->start, &a->size, &a->pool_pages, &a->used_pages, &a->free_pages
	};
	char path[96];
	unsigned int j;
	int rc;

	a->raw = -1;
	for (j = 0; j < ARRAY_SIZE(names); j++) {
		rc = read_u64(path_fmt(path, sizeof(path), KRAM_SYSFS "/area%u/%s", i, names[j]),
			      vals[j]);
		if (rc)
			return rc;
	}
	return 0;
}

int kram_read(struct kram *k, struct kh_err *e)
{
	uint64_t n;
	ssize_t len;
	unsigned int i;
	int rc;

	memset(k, 0, sizeof(*k));
	if (access(KRAM_SYSFS, F_OK))
		return err_set(e, -ENOENT, "the running kernel has no KRAM area");
	rc = read_u64(KRAM_SYSFS "/abi_version", &k->abi_version);
	if (!rc)
		rc = read_u64(KRAM_SYSFS "/generation", &k->generation);
	if (!rc)
		rc = read_u64(KRAM_SYSFS "/nr_areas", &n);
	if (rc)
		return err_set(e, rc, "cannot read " KRAM_SYSFS ": %s", strerror(-rc));
	if (!n || n > KRAM_MAX_AREAS)
		return err_set(e, n ? -EPROTO : -ENOENT, "the running kernel has %llu KRAM areas",
			       (unsigned long long)n);
	len = read_text(KRAM_SYSFS "/state", k->state, sizeof(k->state));
	if (len < 0)
		return err_set(e, len, "cannot read " KRAM_SYSFS "/state: %s", strerror(-len));
	for (i = 0; i < n; i++) {
		rc = read_area(&k->area[i], i);
		if (rc)
			return err_set(e, rc, "cannot read " KRAM_SYSFS "/area%u: %s", i,
				       strerror(-rc));
		k->nr_areas = i + 1;
	}
	if (read_u64(KRAM_SYSFS "/owners/iommu_root", &k->root_pages))
		k->root_pages = 0;
	if (read_u64(KRAM_SYSFS "/owners/iommu_irt", &k->irt_pages))
		k->irt_pages = 0;
	return 0;
}

int kram_recount(struct kram *k)
{
	char path[96];
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < k->nr_areas; i++)
		rc = read_u64(path_fmt(path, sizeof(path), KRAM_SYSFS "/area%u/used_pages", i),
			      &k->area[i].used_pages);
	return rc;
}

void kram_close(struct kram *k)
{
	unsigned int i;

	for (i = 0; i < k->nr_areas; i++)
		if (k->area[i].raw >= 0)
			close(k->area[i].raw);
	k->nr_areas = 0;
}

bool kram_adopted(const struct kram *k)
{
	return !strcmp(k->state, "adopted");
}

uint64_t kram_used(const struct kram *k)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < k->nr_areas; i++)
		n += k->area[i].used_pages;
	return n;
}

uint64_t kram_pool(const struct kram *k)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < k->nr_areas; i++)
		n += k->area[i].pool_pages;
	return n;
}

static int area_read(struct kram_area *a, unsigned int i, uint64_t off, void *buf, size_t len)
{
	char path[96];

	if (a->raw < 0) {
		path_fmt(path, sizeof(path), KRAM_SYSFS "/area%u/raw", i);
		a->raw = open(path, O_RDONLY | O_CLOEXEC);
		if (a->raw < 0)
			return -errno;
	}
	return pread_full(a->raw, buf, len, off);
}

uint64_t kram_fixed(struct kram *k, unsigned int index)
{
	struct kram_area_header h;

	if (!k->nr_areas || area_read(&k->area[0], 0, 0, &h, sizeof(h)) ||
	    h.magic != KRAM_AREA_MAGIC || index >= h.fixed_pages)
		return 0;
	return h.start + h.fixed_offset + (uint64_t)index * KRAM_PAGE_SIZE;
}

uint64_t kram_root(struct kram *k, unsigned int unit)
{
	return kram_fixed(k, KRAM_FIXED_ROOT + unit);
}

uint64_t kram_sealed_tsc(struct kram *k)
{
	struct kram_area_header h;

	if (!kram_adopted(k) || area_read(&k->area[0], 0, 0, &h, sizeof(h)) ||
	    h.magic != KRAM_AREA_MAGIC)
		return 0;
	return h.sealed_tsc;
}

int kram_page(void *ctx, uint64_t pa, void *buf)
{
	struct kram *k = ctx;
	struct kram_area *a;
	unsigned int i;

	for (i = 0; i < k->nr_areas; i++) {
		a = &k->area[i];
		if (pa >= a->start && pa - a->start < a->size)
			return area_read(a, i, pa - a->start, buf, KRAM_PAGE_SIZE);
	}
	return -EFAULT;
}

int kram_handover(const char *name, struct kram_handover *h, struct kh_err *e)
{
	char path[96];
	int fd, rc;

	path_fmt(path, sizeof(path), KRAM_SYSFS "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "cannot open %s: %s", path, strerror(errno));
	rc = pread_full(fd, h, sizeof(*h), 0);
	close(fd);
	if (rc)
		return err_set(e, rc, "cannot read %s: %s", path, strerror(-rc));
	return 0;
}

int kram_handover_check(const struct kram_handover *h, struct kh_err *e)
{
	static const uint32_t zero;
	uint32_t crc;

	if (h->magic != KRAM_HANDOVER_MAGIC || h->size != sizeof(*h))
		return err_set(e, -EBADMSG, "handover has magic %#llx and size %u",
			       (unsigned long long)h->magic, h->size);
	if (h->abi_version != KRAM_ABI_VERSION)
		return err_set(e, -EBADMSG, "handover of ABI version %u, not %u", h->abi_version,
			       KRAM_ABI_VERSION);
	if (h->nr_units > KRAM_MAX_UNITS || h->nr_devices > KRAM_MAX_DEVICES)
		return err_set(e, -EBADMSG, "handover with %u units and %u devices", h->nr_units,
			       h->nr_devices);
	crc = crc32(0, (const void *)h, offsetof(struct kram_handover, crc));
	crc = crc32(crc, (const void *)&zero, sizeof(zero));
	crc = crc32(crc, (const void *)&h->unit, sizeof(*h) - offsetof(struct kram_handover, unit));
	if (crc != h->crc)
		return err_set(e, -EBADMSG, "handover has CRC %#x, says %#x", crc, h->crc);
	return 0;
}

const struct kram_device *kram_handover_find(const struct kram_handover *h, const char *bdf)
{
	unsigned int seg, bus, dev, fn, i;

	if (sscanf(bdf, "%x:%x:%x.%x", &seg, &bus, &dev, &fn) != 4)
		return NULL;
	for (i = 0; i < h->nr_devices && i < KRAM_MAX_DEVICES; i++)
		if (h->device[i].segment == seg && h->device[i].bus == bus &&
		    h->device[i].devfn == (dev << 3 | fn) &&
		    !(h->device[i].flags & KRAM_DEV_BRIDGE))
			return &h->device[i];
	return NULL;
}

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

uint64_t kram_need(uint64_t ram, unsigned int units, unsigned int buses)
{
	uint64_t tables = 0, level = div_up(ram, KRAM_PAGE_SIZE);
	int i;

	/* All in 4 KiB pages, and at each level one table more where a range begins in its midst. */
	for (i = 0; i < 4; i++) {
		level = div_up(level, 512) + (i < 3);
		tables += level;
	}
	/* VT-d 9.9: an interrupt-remapping table of 65536 entries of 16 bytes. */
	return tables + units * 256 + buses;
}
