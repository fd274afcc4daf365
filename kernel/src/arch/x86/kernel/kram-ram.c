// SPDX-License-Identifier: GPL-2.0-only
/*
 * Did this kernel store to the RAM of guests that do not run? The RAM of a guest is
 * a devdax namespace, and nothing of the kernel stores to one by way of the direct
 * map. It is mapped there clean, so the CPU itself notes who does, in the dirty bit.
 * Neither the guest nor its devices use that mapping.
 */

#include <linux/kram.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <asm/e820/api.h>
#include <asm/pgtable.h>
#include <asm/tlbflush.h>

/**
 * kram_ram_prot - how devdax memory is mapped
 * @prot: as it would be otherwise
 */
pgprot_t kram_ram_prot(pgprot_t prot)
{
	return __pgprot(pgprot_val(prot) & ~_PAGE_DIRTY);
}

/* Who is told what: a dirty entry, and what was looked at in one piece. */
struct ram_look {
	void (*dirty)(pte_t *pte, u64 start, u64 size);
	void (*piece)(u64 start, u64 size);
};

/* Where the device's memory ends that @addr lies in, 0: in none */
static u64 ram_map_end(const struct dev_pagemap *map, u64 addr)
{
	int i;

	for (i = 0; map && i < map->nr_range; i++)
		if (addr >= map->ranges[i].start && addr <= map->ranges[i].end)
			return map->ranges[i].end + 1;
	return 0;
}

/* The entry behind @pte, if it is one of the same table that maps memory, too */
static pte_t *ram_next_entry(pte_t *pte, unsigned int level)
{
	pte++;
	if (!((unsigned long)pte & ~PAGE_MASK) ||
	    (level != PG_LEVEL_4K && !pmd_leaf(*(pmd_t *)pte)))
		return NULL;
	return pte;
}

/*
 * Looks at the entries that map devdax memory. What nothing maps yet counts as
 * looked at: nobody can have stored to it.
 */
static void ram_walk(const struct e820_entry *entry, const struct ram_look *look)
{
	u64 addr, next, size, start = entry->addr, end = entry->addr + entry->size;
	struct dev_pagemap *map = NULL;
	unsigned int level;
	pte_t *pte = NULL;

	for (addr = start; addr < end; addr = next) {
		if (pte)
			pte = ram_next_entry(pte, level);
		if (!pte)
			pte = lookup_address((unsigned long)__va(addr), &level);
		size = page_level_size(level);
		/* To where the entry ends, which is a virtual address */
		next = addr + size - ((unsigned long)__va(addr) & (size - 1));
		next = min(next, end);
		if (!pte || !pte_present(*pte))
			continue;
		map = get_dev_pagemap(PHYS_PFN(addr), map);
		if (map && map->type == MEMORY_DEVICE_GENERIC) {
			if (pte_flags(*pte) & _PAGE_DIRTY)
				look->dirty(pte, addr, next - addr);
			continue;
		}
		if (look->piece && addr > start)
			look->piece(start, addr - start);
		/* All of a file system or a disk at once: guests stand */
		next = max(next, min(ram_map_end(map, addr), end));
		start = next;
		pte = NULL;
	}
	if (look->piece && end > start)
		look->piece(start, end - start);
	put_dev_pagemap(map);
}

static void ram_walk_all(const struct ram_look *look)
{
	int i;

	for (i = 0; i < e820_table->nr_entries; i++)
		if (e820_table->entries[i].type == E820_TYPE_PRAM ||
		    e820_table->entries[i].type == E820_TYPE_PMEM)
			ram_walk(&e820_table->entries[i], look);
}

static void ram_clean(pte_t *pte, u64 start, u64 size)
{
	clear_bit(_PAGE_BIT_DIRTY, (unsigned long *)&pte->pte);
}

static void ram_tell(pte_t *pte, u64 start, u64 size)
{
	kram_record(KH_EV_RAM_WRITTEN, KH_NO_BDF, 0, start, size);
}

static void ram_looked(u64 start, u64 size)
{
	kram_record(KH_EV_RAM_LOOK, KH_NO_BDF, 0, start, size);
}

/**
 * kram_ram_forget - what was stored so far is of no interest
 *
 * Context: Process context, when the guests stand.
 */
void kram_ram_forget(void)
{
	const struct ram_look look = { .dirty = ram_clean };

	if (!kram_recording)
		return;
	ram_walk_all(&look);
	/* A CPU that knows an entry as dirty would not note it again. */
	flush_tlb_all();
}

/**
 * kram_ram_look - record which parts of guests' RAM were stored to
 *
 * Since kram_ram_forget(), or since this kernel mapped the memory. Takes the time to
 * look at each entry of the direct map: some of 1 GiB, a thousand of 2 MiB.
 *
 * Context: Any, while nobody maps or unmaps such memory.
 */
void kram_ram_look(void)
{
	const struct ram_look look = { .dirty = ram_tell, .piece = ram_looked };

	if (!kram_recording)
		return;
	kram_inject_look();
	ram_walk_all(&look);
}
