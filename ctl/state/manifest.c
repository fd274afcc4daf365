// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/tsc.h"
#include "base/util.h"
#include "host/iommu.h"
#include "host/pci.h"
#include "state/manifest.h"

#define IRT_PAGES	256	/* 65536 entries of 16 bytes */
#define IRT_PER_PAGE	256
#define PAGES_MAX	65536	/* of tables, 24 bytes each in the manifest */
#define IRTES_MAX	16384

_Static_assert(sizeof(((struct kh_man_dev *)0)->cfg) == PCI_CONFIG_BYTES, "configuration space");

/*
 * One piece of memory, followed by the devices. The kernel hands out only what is touched, for the
 * guests stand meanwhile.
 */
struct take {
	struct kh_manifest h;
	struct kh_man_unit unit[KRAM_MAX_UNITS];
	struct kh_man_page page[PAGES_MAX];
	struct kh_man_irte irte[IRTES_MAX];
	uint32_t at;		/* index of the device that is walked */
	uint32_t pad;
	struct kh_man_dev dev[];
};

static void add_page(void *ctx, uint64_t pa, const void *data, enum kram_owner kind)
{
	struct take *t = ctx;
	struct kh_man_page *p;

	if (t->h.nr_pages == PAGES_MAX) {
		t->h.missing |= KH_MISSING_ROOM;
		return;
	}
	p = &t->page[t->h.nr_pages++];
	p->pa = pa;
	p->hash = kh_hash(data, KRAM_PAGE_SIZE);
	p->kind = kind;
	p->dev = kind == KRAM_OWNER_IOMMU_IRT ? KH_NO_DEV : t->at;
}

static void take_irt(struct take *t, struct kram *kram, uint32_t unit)
{
	uint64_t e[IRT_PER_PAGE * 2], base = t->unit[unit].irta & ~0xfffULL;
	unsigned int i, page;

	for (page = 0; page < IRT_PAGES; page++) {
		if (kram_page(kram, base + page * KRAM_PAGE_SIZE, e)) {
			t->h.missing |= KH_MISSING_IRT;
			return;
		}
		add_page(t, base + page * KRAM_PAGE_SIZE, e, KRAM_OWNER_IOMMU_IRT);
		for (i = 0; i < IRT_PER_PAGE; i++) {
			if (!(e[2 * i] & 1))
				continue;
			if (t->h.nr_irtes == IRTES_MAX) {
				t->h.missing |= KH_MISSING_ROOM;
				return;
			}
			t->irte[t->h.nr_irtes++] = (struct kh_man_irte){
				.unit = unit, .index = page * IRT_PER_PAGE + i,
				.low = e[2 * i], .high = e[2 * i + 1],
			};
		}
	}
}

/* While a guest stands, a MiB that is known already is not read again. */
static void take_over_irt(struct take *t, const struct kh_manifest *prior)
{
	struct kh_err e = { 0 };
	struct man m;
	uint32_t i;

	if (manifest_read(&m, prior, prior->size, &e) || m.h->missing & KH_MISSING_IRT ||
	    m.h->nr_pages > PAGES_MAX - t->h.nr_pages || m.h->nr_irtes > IRTES_MAX)
		return;
	for (i = 0; i < m.h->nr_units && i < t->h.nr_units; i++)
		if (m.unit[i].irta != t->unit[i].irta)
			return;
	memcpy(&t->page[t->h.nr_pages], m.page, m.h->nr_pages * sizeof(*m.page));
	memcpy(t->irte, m.irte, m.h->nr_irtes * sizeof(*m.irte));
	t->h.nr_pages += m.h->nr_pages;
	t->h.nr_irtes = m.h->nr_irtes;
	t->h.missing &= ~KH_MISSING_IRT;
}

static void take_units(struct take *t, struct kram *kram, enum man_irt irt)
{
	unsigned int i, n;
	char other[64];

	n = iommu_units(other, sizeof(other));
	t->h.nr_units = n < KRAM_MAX_UNITS ? n : KRAM_MAX_UNITS;
	if (!n)
		t->h.missing |= KH_MISSING_REGS | KH_MISSING_IRT;
	for (i = 0; i < t->h.nr_units; i++) {
		if (iommu_registers(i, &t->unit[i])) {
			t->h.missing |= KH_MISSING_REGS | KH_MISSING_IRT;
			break;
		}
		if (irt == IRT_LEAVE)
			t->h.missing |= KH_MISSING_IRT;
		else
			take_irt(t, kram, i);
	}
}

static void take_dev(struct take *t, struct kram *kram, const char *bdf)
{
	struct kh_man_dev *d = &t->dev[t->h.nr_devs];
	struct page_source src = { .page = kram_page, .ctx = kram, .nr_pages = kram_pool(kram),
				   .seen = add_page, .seen_ctx = t };
	struct kh_err e = { 0 };
	uint8_t bus, devfn;
	uint16_t seg;
	int rc;

	t->at = t->h.nr_devs++;
	rc = pci_record(bdf, &d->rec, d->cfg, &e);
	if (!rc)
		rc = pci_parse(bdf, &seg, &bus, &devfn);
	if (!rc)
		rc = iommu_record(&src, kram_root(kram, d->rec.unit), bus, devfn, &d->rec.map, &e);
	copy_str(d->rec.bdf, sizeof(d->rec.bdf), bdf);
	d->error = -rc;
	copy_str(d->why, sizeof(d->why), e.msg);
}

static size_t append(char *out, size_t len, const void *data, size_t size)
{
	memcpy(out + len, data, size);
	return len + size;
}

/* Puts the parts, which were counted while they were taken, behind the header. */
static struct kh_manifest *join(struct take *t, size_t *size)
{
	struct kh_manifest *h;
	size_t len;
	char *out;

	*size = sizeof(t->h) + t->h.nr_units * sizeof(*t->unit) +
		t->h.nr_devs * sizeof(*t->dev) + t->h.nr_pages * sizeof(*t->page) +
		t->h.nr_irtes * sizeof(*t->irte);
	out = malloc(*size);
	if (!out)
		return NULL;
	len = append(out, 0, &t->h, sizeof(t->h));
	len = append(out, len, t->unit, t->h.nr_units * sizeof(*t->unit));
	len = append(out, len, t->dev, t->h.nr_devs * sizeof(*t->dev));
	len = append(out, len, t->page, t->h.nr_pages * sizeof(*t->page));
	append(out, len, t->irte, t->h.nr_irtes * sizeof(*t->irte));
	h = (struct kh_manifest *)out;
	h->size = *size;
	h->hash = kh_hash(h + 1, *size - sizeof(*h));
	h->crc = kh_crc(h, offsetof(struct kh_manifest, crc));
	return h;
}

struct kh_manifest *manifest_take(const struct kh_plan *plan, const char *boot, struct kram *kram,
				  enum man_irt irt, const struct kh_manifest *prior, size_t *size)
{
	size_t room = sizeof(struct take) + plan_devices(plan) * sizeof(struct kh_man_dev);
	struct take *t = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kh_manifest *out;
	const struct kh_plan_vm *vm;
	unsigned int i, j;

	if (t == MAP_FAILED)
		return NULL;
	small_pages(t, room);
	t->h.magic = KH_MANIFEST_MAGIC;
	t->h.version = KH_MANIFEST_VERSION;
	t->h.header_size = sizeof(t->h);
	t->h.tsc = tsc_now();
	t->h.generation = kram->generation;
	t->h.used_pages = kram_used(kram);
	t->h.missing = kram->nr_areas ? 0 : KH_MISSING_KRAM;
	memcpy(t->h.run_id, plan->run_id, sizeof(t->h.run_id));
	copy_str(t->h.boot_id, sizeof(t->h.boot_id), boot);
	take_units(t, kram, irt);
	if (prior)
		take_over_irt(t, prior);
	for (i = 0; irt != IRT_ALONE && i < plan->vms.count; i++) {
		vm = plan_vm(plan, i);
		for (j = 0; j < vm->dev.count; j++)
			take_dev(t, kram, plan_dev(plan, vm, j)->bdf);
	}
	out = join(t, size);
	munmap(t, room);
	return out;
}

int manifest_put(struct state *s, enum kh_side side, const struct kh_manifest *h)
{
	char *at = state_part(s, KH_PART_MANIFEST_OLD + side);

	if (!s->writable)
		return -EROFS;
	memset(at, 0, sizeof(*h));
	if (!h)
		return 0;
	if (h->size > s->part[KH_PART_MANIFEST_OLD + side].room)
		return -ENOSPC;
	/* The header last: what is cut is no manifest. */
	memcpy(at + sizeof(*h), h + 1, h->size - sizeof(*h));
	store_barrier();
	memcpy(at, h, sizeof(*h));
	return 0;
}

const void *manifest_bytes(const struct state *s, enum kh_side side, size_t *size)
{
	const struct kh_manifest *h = (const void *)(state_part(s, KH_PART_MANIFEST_OLD + side));

	*size = 0;
	if (!h->magic && !h->crc)
		return h;
	/* Whatever it is, a damaged one included: manifest_read() tells. */
	*size = h->size >= sizeof(*h) && h->size <= s->part[KH_PART_MANIFEST_OLD + side].room ?
		h->size : sizeof(*h);
	return h;
}

/* Takes @n elements of @size bytes from what is left. */
static const void *part(const char **p, size_t *left, uint32_t n, size_t size)
{
	const void *at = *p;

	if (n > *left / size)
		return NULL;
	*p += n * size;
	*left -= n * size;
	return at;
}

int manifest_read(struct man *m, const void *data, size_t size, struct kh_err *e)
{
	const struct kh_manifest *h = data;
	const char *p;
	size_t left;
	uint32_t i;

	memset(m, 0, sizeof(*m));
	if (!size)
		return err_set(e, -ENOENT, "there is no manifest");
	if (size < sizeof(*h) || h->magic != KH_MANIFEST_MAGIC)
		return err_set(e, -EBADMSG, "the manifest is damaged: no header");
	if (h->version != KH_MANIFEST_VERSION)
		return err_set(e, -EPROTONOSUPPORT, "manifest of version %u, this khctl knows %u",
			       h->version, KH_MANIFEST_VERSION);
	p = (const char *)(h + 1);
	left = size - sizeof(*h);
	if (h->header_size != sizeof(*h) || h->size != size || !text_ends(h->boot_id, sizeof(h->boot_id)) ||
	    h->crc != kh_crc(h, offsetof(struct kh_manifest, crc)) ||
	    h->hash != kh_hash(p, left))
		return err_set(e, -EBADMSG, "the manifest is damaged: its checksum is wrong");
	m->unit = part(&p, &left, h->nr_units, sizeof(*m->unit));
	m->dev = part(&p, &left, h->nr_devs, sizeof(*m->dev));
	m->page = part(&p, &left, h->nr_pages, sizeof(*m->page));
	m->irte = part(&p, &left, h->nr_irtes, sizeof(*m->irte));
	if (!m->unit || !m->dev || !m->page || !m->irte || left)
		return err_set(e, -EBADMSG, "the manifest is damaged: its parts do not fit");
	for (i = 0; i < h->nr_devs; i++)
		if (!text_ends(m->dev[i].why, sizeof(m->dev[i].why)) ||
		    !text_ends(m->dev[i].rec.bdf, sizeof(m->dev[i].rec.bdf)))
			return err_set(e, -EBADMSG, "the manifest is damaged: a name has no end");
	m->h = h;
	return 0;
}
