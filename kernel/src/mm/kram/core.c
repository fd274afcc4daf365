// SPDX-License-Identifier: GPL-2.0-only
/*
 * KRAM: kernel pages at fixed physical addresses that survive a kexec
 *
 * The life of an area:
 *
 *   firmware boot --> format --> ACTIVE --kexec--> SEALED --> adopt --> ACTIVE
 *                       ^                            |
 *                       +--------- refuse <----------+
 *
 * Only a kexec seals, and only the kernel right behind it may adopt: it knows
 * the areas from the E820 table that it was handed, not from its command line.
 * Whatever does not fit ends in refuse, and refuse begins with the DMA of
 * every device that may still be running.
 */

#define pr_fmt(fmt) "kram: " fmt

#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/kram.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timex.h>
#include <linux/utsname.h>

static_assert(sizeof(struct kram_map_entry) == 4);
static_assert(sizeof(struct kram_area_header) == 256);
static_assert(sizeof(struct kram_iommu_unit) == 64);
static_assert(sizeof(struct kram_device) == 256);
static_assert(sizeof(struct kram_handover) <=
	      KRAM_FIXED_HANDOVER_PAGES * KRAM_PAGE_SIZE);

struct kram_area kram_areas[KRAM_MAX_AREAS];
unsigned int kram_nr_areas;
unsigned int kram_nr_inherited;

/* Protects the maps, next, used and unclaimed of all areas, and the counts. */
static DEFINE_RAW_SPINLOCK(kram_lock);
static unsigned long kram_counts[KRAM_NR_OWNERS];

static bool kram_ready;
static bool kram_noadopt;
static struct kram_handover *kram_adopted;	/* a copy, or NULL */
static const char *kram_refused;		/* the first reason */

static int __init kram_parse(char *arg)
{
	if (arg && !strcmp(arg, "noadopt")) {
		kram_noadopt = true;
		return 0;
	}
	return -EINVAL;
}
early_param("kram", kram_parse);

/**
 * kram_add_area - tell KRAM of a reserved range
 * @start: physical address, a multiple of the page size
 * @size: bytes, at least KRAM_MIN_AREA_SIZE
 * @inherited: the range came in the E820 table of a kexec
 *
 * Called by the architecture between parsing the command line and kram_init().
 */
void __init kram_add_area(phys_addr_t start, u64 size, bool inherited)
{
	struct kram_area *a;

	if (kram_nr_areas == KRAM_MAX_AREAS || size < KRAM_MIN_AREA_SIZE ||
	    !PAGE_ALIGNED(start) || !PAGE_ALIGNED(size)) {
		pr_err("area of %llu KiB at %pa not used: at most %d areas, at least %d KiB each, page aligned\n",
		       size >> 10, &start, KRAM_MAX_AREAS,
		       KRAM_MIN_AREA_SIZE >> 10);
		return;
	}

	a = &kram_areas[kram_nr_areas++];
	a->start = start;
	a->size = size;
	a->inherited = inherited;
}

static int __init kram_cmp_area(const void *x, const void *y)
{
	const struct kram_area *a = x, *b = y;

	return a->start < b->start ? -1 : 1;
}

static u32 kram_header_crc(const struct kram_area_header *hdr)
{
	struct kram_area_header tmp = *hdr;

	tmp.header_crc = 0;
	return crc32_le(~0, (u8 *)&tmp, sizeof(tmp)) ^ ~0;
}

static u32 kram_map_crc(const struct kram_area *a)
{
	return crc32_le(~0, (u8 *)a->map,
			a->hdr->map_used * sizeof(*a->map)) ^ ~0;
}

static u32 kram_handover_crc(struct kram_handover *h)
{
	u32 saved = h->crc, crc;

	h->crc = 0;
	crc = crc32_le(~0, (u8 *)h, sizeof(*h)) ^ ~0;
	h->crc = saved;
	return crc;
}

/* The layout follows from the size alone: every kernel derives the same. */
static void __init kram_layout(const struct kram_area *a, unsigned int nr,
			       struct kram_area_header *hdr)
{
	u32 pages = a->size >> PAGE_SHIFT;
	u32 map_pages = DIV_ROUND_UP(pages * sizeof(struct kram_map_entry),
				     PAGE_SIZE);

	memset(hdr, 0, sizeof(*hdr));
	hdr->magic = KRAM_AREA_MAGIC;
	hdr->abi_version = KRAM_ABI_VERSION;
	hdr->header_size = sizeof(*hdr);
	hdr->start = a->start;
	hdr->size = a->size;
	hdr->area = nr;
	hdr->nr_areas = kram_nr_areas;
	hdr->map_offset = PAGE_SIZE;
	hdr->fixed_offset = hdr->map_offset + map_pages * PAGE_SIZE;
	hdr->fixed_pages = KRAM_FIXED_PAGES;
	hdr->pool_offset = hdr->fixed_offset + KRAM_FIXED_PAGES * PAGE_SIZE;
	hdr->pool_pages = pages - (hdr->pool_offset >> PAGE_SHIFT);
}

static void kram_set_entry(struct kram_area *a, u32 i, u8 owner, u8 order)
{
	a->map[i].owner = owner;
	a->map[i].order = order;
	a->map[i].check = kram_map_check(i, owner, order);
}

static bool kram_entry_good(const struct kram_area *a, u32 i)
{
	const struct kram_map_entry *e = &a->map[i];

	return e->owner < KRAM_NR_OWNERS &&
	       e->check == kram_map_check(i, e->owner, e->order);
}

static void __init kram_format_area(struct kram_area *a, unsigned int nr,
				    u64 generation)
{
	u32 i;

	kram_layout(a, nr, a->hdr);
	a->hdr->generation = generation;
	a->hdr->state = KRAM_STATE_ACTIVE;
	strscpy(a->hdr->release, init_uts_ns.name.release,
		sizeof(a->hdr->release));
	/* The recorder of a kernel whose areas are refused tells why. */
	memset((void *)a->hdr + a->hdr->fixed_offset, 0,
	       (kram_recording && !nr ? KRAM_FIXED_RECORDER :
		KRAM_FIXED_PAGES) * PAGE_SIZE);
	for (i = 0; i < a->hdr->pool_pages; i++)
		kram_set_entry(a, i, KRAM_OWNER_FREE, 0);
	a->unclaimed = NULL;
	a->used = 0;
	a->next = 0;
	a->high = 0;
}

static void __init kram_init_handover(u64 generation)
{
	struct kram_handover *h = kram_get_fixed_page(0, KRAM_FIXED_HANDOVER);

	memset(h, 0, sizeof(*h));
	h->magic = KRAM_HANDOVER_MAGIC;
	h->abi_version = KRAM_ABI_VERSION;
	h->size = sizeof(*h);
	h->generation = generation;
}

static void __init kram_format(void)
{
	unsigned int n;

	for (n = 0; n < kram_nr_areas; n++)
		kram_format_area(&kram_areas[n], n, 1);
	memset(kram_counts, 0, sizeof(kram_counts));
	kram_init_handover(1);
}

/* Returns what is wrong with a sealed area, NULL if nothing is. */
static const char *__init kram_check_area(struct kram_area *a, unsigned int nr)
{
	struct kram_area_header *hdr = a->hdr, want;
	u32 i;

	if (hdr->magic != KRAM_AREA_MAGIC)
		return "area header damaged (magic)";
	if (hdr->abi_version != KRAM_ABI_VERSION)
		return "area of another ABI version";
	if (hdr->header_crc != kram_header_crc(hdr))
		return "area header damaged (checksum)";
	if (hdr->state != KRAM_STATE_SEALED)
		return "area not sealed by the previous kernel";

	kram_layout(a, nr, &want);
	if (hdr->header_size != want.header_size ||
	    hdr->start != want.start || hdr->size != want.size ||
	    hdr->area != want.area || hdr->nr_areas != want.nr_areas ||
	    hdr->map_offset != want.map_offset ||
	    hdr->fixed_offset != want.fixed_offset ||
	    hdr->fixed_pages != want.fixed_pages ||
	    hdr->pool_offset != want.pool_offset ||
	    hdr->pool_pages != want.pool_pages)
		return "area does not fit its reservation";
	if (hdr->generation != kram_areas[0].hdr->generation)
		return "areas of different generations";
	if (hdr->map_used > hdr->pool_pages || hdr->map_crc != kram_map_crc(a))
		return "allocation map damaged (checksum)";
	/* One behind these that does not look free is never handed out. */
	for (i = 0; i < hdr->map_used; i++)
		if (!kram_entry_good(a, i))
			return "allocation map damaged (entry)";
	return NULL;
}

static const char *__init kram_check_handover(struct kram_handover *h)
{
	if (h->magic != KRAM_HANDOVER_MAGIC)
		return "handover damaged (magic)";
	if (h->abi_version != KRAM_ABI_VERSION || h->size != sizeof(*h))
		return "handover of another ABI version";
	if (h->crc != kram_handover_crc(h))
		return "handover damaged (checksum)";
	if (h->nr_devices && !(IS_ENABLED(CONFIG_PCI_PRESERVE) &&
			       IS_ENABLED(CONFIG_INTEL_IOMMU)))
		return "this kernel is built without what keeps devices";
	if (h->generation != kram_areas[0].hdr->generation ||
	    h->nr_units > KRAM_MAX_UNITS || h->nr_devices > KRAM_MAX_DEVICES)
		return "handover does not fit its areas";
	return NULL;
}

static const char *__init kram_check(void)
{
	const char *why;
	unsigned int n;

	if (kram_noadopt)
		return "kram=noadopt on the command line";
	if (kram_nr_inherited != kram_nr_areas)
		return "not the areas of the previous kernel";
	for (n = 0; n < kram_nr_areas; n++) {
		if (!kram_areas[n].inherited)
			return "an area was not reserved by the previous kernel";
		why = kram_check_area(&kram_areas[n], n);
		if (why)
			return why;
	}
	return kram_check_handover(kram_get_fixed_page(0, KRAM_FIXED_HANDOVER));
}

static int __init kram_adopt(void)
{
	struct kram_handover *given = kram_get_fixed_page(0, KRAM_FIXED_HANDOVER);
	u64 generation = given->generation + 1;
	unsigned int n;
	u32 i;

	kram_adopted = memblock_alloc(sizeof(*kram_adopted), PAGE_SIZE);
	if (!kram_adopted)
		return -ENOMEM;
	memcpy(kram_adopted, given, sizeof(*given));

	for (n = 0; n < kram_nr_areas; n++) {
		struct kram_area *a = &kram_areas[n];

		a->unclaimed = memblock_alloc(BITS_TO_LONGS(a->hdr->pool_pages) *
					      sizeof(long), sizeof(long));
		if (!a->unclaimed)
			return -ENOMEM;
		a->high = a->hdr->map_used;
		for (i = 0; i < a->high; i++) {
			if (a->map[i].owner == KRAM_OWNER_FREE)
				continue;
			__set_bit(i, a->unclaimed);
			kram_counts[a->map[i].owner]++;
			a->used++;
		}
		a->hdr->state = KRAM_STATE_ACTIVE;
		a->hdr->generation = generation;
		strscpy_pad(a->hdr->release, init_uts_ns.name.release,
			    sizeof(a->hdr->release));
	}
	kram_init_handover(generation);
	arch_kram_adopt_clocks(kram_adopted);
	return 0;
}

/* A kexec brought these areas, or memory still holds what one sealed. */
static bool __init kram_devices_may_run(void)
{
	unsigned int n;

	if (kram_nr_inherited)
		return true;
	for (n = 0; n < kram_nr_areas; n++)
		if (kram_areas[n].hdr->magic == KRAM_AREA_MAGIC &&
		    kram_areas[n].hdr->state == KRAM_STATE_SEALED)
			return true;
	return false;
}

/*
 * The header may be damaged, and says where the fixed pages are: only one that
 * lies where this kernel would put it is looked at.
 */
static void __init kram_init_recorder(void)
{
	struct kram_area_header want;

	kram_layout(&kram_areas[0], 0, &want);
	if (kram_areas[0].hdr->fixed_offset == want.fixed_offset &&
	    kram_areas[0].hdr->fixed_pages == want.fixed_pages)
		kram_recorder_adopt();
}

/**
 * kram_init - adopt the areas or format them
 *
 * Called once, as soon as the direct map is there and long before the page
 * allocator: a device whose tables cannot be trusted loses bus master before
 * any page is handed out.
 */
void __init kram_init(void)
{
	const char *why;
	unsigned int n;

	if (!kram_nr_areas) {
		if (kram_nr_inherited)
			kram_refuse("the areas are gone from the memory map");
		return;
	}

	sort(kram_areas, kram_nr_areas, sizeof(kram_areas[0]), kram_cmp_area,
	     NULL);
	for (n = 0; n < kram_nr_areas; n++) {
		struct kram_area *a = &kram_areas[n];
		struct kram_area_header want;

		kram_layout(a, n, &want);
		a->hdr = phys_to_virt(a->start);
		a->map = (void *)a->hdr + want.map_offset;
	}
	kram_ready = true;

	if (!kram_devices_may_run()) {
		kram_format();
	} else {
		kram_init_recorder();
		why = kram_check();
		if (!why && kram_adopt())
			why = "no memory to adopt with";
		if (why) {
			kram_refuse(why);
			kram_format();
		} else {
			kram_record(KH_EV_KRAM_ADOPT, KH_NO_BDF, 0,
				    kram_areas[0].hdr->generation);
		}
	}
	for (n = 0; n < kram_nr_areas; n++)
		pr_info("area %u at %pa, %llu KiB, %u pages, %u in use\n", n,
			&kram_areas[n].start, kram_areas[n].size >> 10,
			kram_areas[n].hdr->pool_pages, kram_areas[n].used);
	pr_info("%s, generation %llu, %u devices kept\n", kram_state_string(),
		kram_areas[0].hdr->generation,
		kram_adopted ? kram_adopted->nr_devices : 0);
}

/**
 * kram_refuse - do without what the previous kernel left
 * @reason: what is wrong; a string that lives on
 *
 * Takes bus master from every PCI endpoint, then forgets the handover. Pages
 * that nobody claimed stay allocated until kram_release_unclaimed(). May be
 * called more than once; the first reason counts.
 *
 * Context: Any, but it reads the configuration space of the whole segment. Must
 *	    come before the first use of anything that was adopted.
 */
void kram_refuse(const char *reason)
{
	if (kram_refused)
		return;
	kram_refused = reason;
	kram_record(KH_EV_KRAM_ADOPT, KH_NO_BDF, _RET_IP_,
		    kram_areas[0].hdr->generation, 1);
	arch_kram_stop_dma();
	pr_err("refused: %s; bus master of every endpoint is cleared, guest memory is kept\n",
	       reason);
	if (kram_adopted)
		kram_adopted->nr_devices = 0;
}

/**
 * kram_seal - leave the areas to the next kernel
 *
 * The last step of a kexec's machine_shutdown(): one CPU, interrupts off, no
 * allocation behind it.
 */
void kram_seal(void)
{
	struct kram_handover *h = kram_handover_current();
	unsigned int n;

	if (!kram_ready)
		return;

	arch_kram_seal_clocks(h);
	kram_ram_look();
	kram_recorder_seal();
	h->crc = kram_handover_crc(h);
	for (n = 0; n < kram_nr_areas; n++) {
		struct kram_area *a = &kram_areas[n];

		a->hdr->map_used = a->high;
		a->hdr->map_crc = kram_map_crc(a);
		a->hdr->sealed_tsc = get_cycles();
		a->hdr->state = KRAM_STATE_SEALED;
		a->hdr->header_crc = kram_header_crc(a->hdr);
	}
}

/**
 * kram_available - are there areas to allocate from
 *
 * Context: Any, after kram_init().
 */
bool kram_available(void)
{
	return kram_ready;
}
EXPORT_SYMBOL_GPL(kram_available);

/**
 * kram_handover_adopted - what the previous kernel handed over
 *
 * Return: the handover, constant for the life of this kernel but for its
 *	   nr_devices, which becomes 0 if it is refused later; NULL if nothing
 *	   was adopted.
 */
const struct kram_handover *kram_handover_adopted(void)
{
	return kram_refused ? NULL : kram_adopted;
}

/**
 * kram_handover_current - what the next kernel will be handed
 *
 * The device table belongs to the PCI core and is locked there, the units to
 * the IOMMU driver, which fills them while it shuts down.
 *
 * Return: the handover, or NULL without KRAM.
 */
struct kram_handover *kram_handover_current(void)
{
	return kram_get_fixed_page(0, KRAM_FIXED_HANDOVER);
}

/**
 * kram_get_fixed_page - a page that is always at the same place
 * @area: number of the area, in order of address
 * @index: below KRAM_FIXED_PAGES; see KRAM_FIXED_* in <uapi/linux/kram.h>
 *
 * The page is not zeroed: it holds what its owner left there, in this kernel
 * or in the one before.
 *
 * Return: its address in the direct map, or NULL if there is none.
 */
void *kram_get_fixed_page(unsigned int area, unsigned int index)
{
	const struct kram_area *a = &kram_areas[area];

	if (!kram_ready || area >= kram_nr_areas ||
	    index >= a->hdr->fixed_pages)
		return NULL;
	return (void *)a->hdr + a->hdr->fixed_offset + index * PAGE_SIZE;
}

/**
 * kram_put_fixed_page - give a fixed page back
 * @area: as in kram_get_fixed_page()
 * @index: as in kram_get_fixed_page()
 *
 * Clears it, so that nobody finds there what is no longer so.
 */
void kram_put_fixed_page(unsigned int area, unsigned int index)
{
	void *page = kram_get_fixed_page(area, index);

	if (page)
		clear_page(page);
}

/* The index of the first of 1 << order free, aligned pages, or -1. */
static long kram_search(struct kram_area *a, unsigned int order)
{
	u32 pages = a->hdr->pool_pages, step = 1U << order, tried;
	u32 base = a->hdr->pool_offset >> PAGE_SHIFT;
	u32 i, k, first;

	if (pages - a->used < step)
		return -1;

	/* Alignment is of the physical address; areas start at any page. */
	first = (-((a->start >> PAGE_SHIFT) + base)) & (step - 1);
	i = a->next <= first ? first : first + round_up(a->next - first, step);
	for (tried = 0; tried <= pages; tried += step, i += step) {
		if (i + step > pages)
			i = first;
		if (i + step > pages)
			return -1;
		for (k = 0; k < step; k++)
			if (a->map[i + k].owner != KRAM_OWNER_FREE)
				break;
		if (k == step)
			return i;
	}
	return -1;
}

static void *kram_page_address(const struct kram_area *a, u32 i)
{
	return (void *)a->hdr + a->hdr->pool_offset + (size_t)i * PAGE_SIZE;
}

/**
 * kram_alloc_pages - take zeroed pages from the pool
 * @owner: who they belong to
 * @order: log2 of their number; they are contiguous and aligned to their size
 *
 * Context: Any; takes a raw spinlock with interrupts off.
 * Return: their address in the direct map, or NULL.
 */
void *kram_alloc_pages(enum kram_owner owner, unsigned int order)
{
	void *addr = NULL;
	unsigned long flags;
	unsigned int n;
	long i;
	u32 k;

	if (!kram_ready || kram_inject_full)
		return NULL;

	raw_spin_lock_irqsave(&kram_lock, flags);
	for (n = 0; n < kram_nr_areas && !addr; n++) {
		struct kram_area *a = &kram_areas[n];

		i = kram_search(a, order);
		if (i < 0)
			continue;
		/* Nobody has looked at what is passed over. */
		for (; a->high < i; a->high++)
			kram_set_entry(a, a->high, KRAM_OWNER_FREE, 0);
		kram_set_entry(a, i, owner, order);
		for (k = 1; k < 1U << order; k++)
			kram_set_entry(a, i + k, owner, KRAM_ORDER_INSIDE);
		a->next = i + (1U << order);
		a->high = max(a->high, a->next);
		a->used += 1U << order;
		kram_counts[owner] += 1U << order;
		addr = kram_page_address(a, i);
	}
	raw_spin_unlock_irqrestore(&kram_lock, flags);

	if (!addr) {
		pr_warn_once("pool is full\n");
		return NULL;
	}
	memset(addr, 0, PAGE_SIZE << order);
	kram_record(KH_EV_IOMMU_PAGE_ALLOC, KH_NO_BDF, _RET_IP_,
		    virt_to_phys(addr), order, KH_PAGE_KRAM, owner);
	return addr;
}

/* The area and pool index of a physical address; NULL if it is in no pool. */
static struct kram_area *kram_find(phys_addr_t addr, u32 *index)
{
	unsigned int n;

	for (n = 0; n < kram_nr_areas; n++) {
		struct kram_area *a = &kram_areas[n];
		phys_addr_t pool;

		if (addr < a->start || addr >= a->start + a->size)
			continue;
		pool = a->start + a->hdr->pool_offset;
		if (addr < pool)
			return NULL;
		*index = (addr - pool) >> PAGE_SHIFT;
		/* What was never in use is nobody's, whatever its entry says. */
		return *index < a->high ? a : NULL;
	}
	return NULL;
}

static void kram_free_at(struct kram_area *a, u32 i)
{
	u32 k, pages = 1U << a->map[i].order;

	kram_record(KH_EV_IOMMU_PAGE_FREE, KH_NO_BDF, _RET_IP_,
		    virt_to_phys(kram_page_address(a, i)), a->map[i].order,
		    KH_PAGE_KRAM, a->map[i].owner);
	kram_counts[a->map[i].owner] -= pages;
	a->used -= pages;
	for (k = 0; k < pages; k++)
		kram_set_entry(a, i + k, KRAM_OWNER_FREE, 0);
}

/**
 * kram_free_pages - give pages back to the pool
 * @addr: what kram_alloc_pages() returned, in this kernel or in the one that
 *	  it was adopted from; NULL is allowed
 *
 * Context: Any; takes a raw spinlock with interrupts off.
 */
void kram_free_pages(void *addr)
{
	struct kram_area *a;
	unsigned long flags;
	bool bad = true;
	u32 i;

	if (!addr)
		return;

	raw_spin_lock_irqsave(&kram_lock, flags);
	a = kram_find(virt_to_phys(addr), &i);
	if (a && a->map[i].owner != KRAM_OWNER_FREE &&
	    a->map[i].order != KRAM_ORDER_INSIDE) {
		kram_free_at(a, i);
		bad = false;
	}
	raw_spin_unlock_irqrestore(&kram_lock, flags);
	WARN_ONCE(bad, "kram: free of a page that is not allocated\n");
}

/**
 * kram_owns - does an address lie in an area
 * @addr: physical address
 *
 * Context: Any.
 */
bool kram_owns(phys_addr_t addr)
{
	unsigned int n;

	for (n = 0; n < kram_nr_areas; n++)
		if (addr >= kram_areas[n].start &&
		    addr - kram_areas[n].start < kram_areas[n].size)
			return kram_ready;
	return false;
}

/**
 * kram_page_live - is this an allocated page of this owner
 * @addr: physical address
 * @owner: the owner that it should have
 *
 * Context: Any.
 */
bool kram_page_live(phys_addr_t addr, enum kram_owner owner)
{
	struct kram_area *a;
	u32 i;

	a = kram_ready ? kram_find(addr, &i) : NULL;
	return a && a->map[i].owner == owner;
}

/**
 * kram_claim_page - take over an allocation of the previous kernel
 * @addr: physical address of its first page
 * @owner: the owner that it must have
 *
 * What nobody has claimed by kram_release_unclaimed() is freed there. Claiming
 * twice is allowed: tables may be shared.
 *
 * Return: 0, or -ENOENT if no such allocation was adopted.
 */
int kram_claim_page(phys_addr_t addr, enum kram_owner owner)
{
	struct kram_area *a;
	unsigned long flags;
	int ret = -ENOENT;
	u32 i;

	raw_spin_lock_irqsave(&kram_lock, flags);
	a = kram_find(addr, &i);
	if (a && a->unclaimed && a->map[i].owner == owner &&
	    a->map[i].order != KRAM_ORDER_INSIDE) {
		__clear_bit(i, a->unclaimed);
		ret = 0;
	}
	raw_spin_unlock_irqrestore(&kram_lock, flags);
	return ret;
}

/**
 * kram_release_unclaimed - free what was adopted and then not claimed
 *
 * Called once, when the last owner has claimed what is his.
 */
void kram_release_unclaimed(void)
{
	unsigned long flags;
	unsigned int n, freed = 0;
	u32 i;

	raw_spin_lock_irqsave(&kram_lock, flags);
	for (n = 0; n < kram_nr_areas; n++) {
		struct kram_area *a = &kram_areas[n];

		if (!a->unclaimed)
			continue;
		for_each_set_bit(i, a->unclaimed, a->hdr->pool_pages) {
			if (a->map[i].owner == KRAM_OWNER_FREE ||
			    a->map[i].order == KRAM_ORDER_INSIDE)
				continue;
			freed += 1U << a->map[i].order;
			kram_free_at(a, i);
		}
		bitmap_zero(a->unclaimed, a->hdr->pool_pages);
	}
	raw_spin_unlock_irqrestore(&kram_lock, flags);
	if (freed)
		pr_info("%u pages of the previous kernel freed\n", freed);
}

/**
 * kram_range_survives - does memory keep its content over a kexec
 * @start: physical address
 * @size: bytes, not 0
 *
 * Return: true if every byte lies in persistent memory or in KRAM, in the
 *	   table that the next kernel will be given.
 */
bool kram_range_survives(phys_addr_t start, u64 size)
{
	return arch_kram_range_survives(start, size);
}
EXPORT_SYMBOL_GPL(kram_range_survives);

/**
 * kram_next_adopts - will the kernel that is about to run adopt KRAM
 *
 * If not, nothing may be left running for it.
 *
 * Context: While this kernel shuts down.
 * Return: true in a kexec to an image that told so in its kernel_info.
 */
bool kram_next_adopts(void)
{
	return arch_kram_next_adopts();
}

/* For sysfs. */
unsigned long kram_owner_pages(enum kram_owner owner)
{
	return READ_ONCE(kram_counts[owner]);
}

const char *kram_state_string(void)
{
	static char refused[96];

	if (!kram_refused)
		return kram_adopted ? "adopted" : "fresh";
	snprintf(refused, sizeof(refused), "refused: %s", kram_refused);
	return refused;
}

/*
 * The IOMMU driver releases what it did not claim. If it never ran, nobody
 * vouches for the tables that the devices of the handover still use.
 */
static int __init kram_check_claimed(void)
{
	unsigned int n;
	bool left = false;

	for (n = 0; n < kram_nr_areas; n++)
		if (kram_areas[n].unclaimed &&
		    !bitmap_empty(kram_areas[n].unclaimed,
				  kram_areas[n].hdr->pool_pages))
			left = true;
	if (left) {
		if (kram_adopted->nr_devices)
			kram_refuse("no IOMMU driver adopted its tables");
		kram_release_unclaimed();
	}
	return 0;
}
device_initcall(kram_check_claimed);
