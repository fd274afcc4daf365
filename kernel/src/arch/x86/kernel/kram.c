// SPDX-License-Identifier: GPL-2.0-only
/*
 * KRAM on x86: areas come from the E820 table, and live devices can be
 * silenced before the PCI core exists.
 */

#define pr_fmt(fmt) "kram: " fmt

#include <linux/init.h>
#include <linux/kexec.h>
#include <linux/kram.h>
#include <linux/memblock.h>
#include <linux/pci.h>
#include <linux/pci_ids.h>
#include <asm/apic.h>
#include <asm/e820/api.h>
#include <asm/kram.h>
#include <asm/pci-direct.h>
#include <asm/pci_x86.h>

/* Areas that came with the boot parameters, that is from a kexec. */
static struct {
	u64 start;
	u64 size;
} kram_inherited[KRAM_MAX_AREAS] __initdata;

/**
 * kram_note_inherited - remember the areas of the table we were booted with
 *
 * Called after the boot loader's table is in place and before the command
 * line adds to it.
 */
void __init kram_note_inherited(void)
{
	int i;

	for (i = 0; i < e820_table->nr_entries; i++) {
		struct e820_entry *entry = &e820_table->entries[i];

		if (entry->type != E820_TYPE_KRAM ||
		    kram_nr_inherited == KRAM_MAX_AREAS)
			continue;
		kram_inherited[kram_nr_inherited].start = entry->addr;
		kram_inherited[kram_nr_inherited].size = entry->size;
		kram_nr_inherited++;
	}
}

static bool __init kram_is_inherited(u64 start, u64 size)
{
	unsigned int i;

	for (i = 0; i < kram_nr_inherited; i++)
		if (kram_inherited[i].start == start &&
		    kram_inherited[i].size == size)
			return true;
	return false;
}

/**
 * kram_reserve - memmap=<size>:<start>
 * @start: physical address
 * @size: bytes
 *
 * The range must be RAM that nobody uses yet, or have been KRAM before. It is
 * taken out of the running kernel's table and out of the one that a kexec
 * hands on.
 *
 * Return: 0 or -EINVAL.
 */
int __init kram_reserve(u64 start, u64 size)
{
	if (e820__mapped_all(start, start + size, E820_TYPE_KRAM))
		return 0;

	if (!size || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(size) ||
	    !e820__mapped_all(start, start + size, E820_TYPE_RAM) ||
	    memblock_is_region_reserved(start, size)) {
		pr_err("memmap=: [mem %#018llx-%#018llx] is not free RAM, not reserved\n",
		       start, start + size - 1);
		return -EINVAL;
	}

	e820__range_update(start, size, E820_TYPE_RAM, E820_TYPE_KRAM);
	e820__update_table(e820_table);
	e820__range_update_table(e820_table_kexec, start, size, E820_TYPE_RAM,
				 E820_TYPE_KRAM);
	e820__update_table(e820_table_kexec);
	return 0;
}

/* What is persistent for us must be so for the next kernel. */
static void __init kram_hand_on_persistent(void)
{
	int i;

	for (i = 0; i < e820_table->nr_entries; i++) {
		struct e820_entry *entry = &e820_table->entries[i];

		if (entry->type == E820_TYPE_PRAM)
			e820__range_update_table(e820_table_kexec, entry->addr,
						 entry->size, E820_TYPE_RAM,
						 E820_TYPE_PRAM);
	}
	e820__update_table(e820_table_kexec);
}

/**
 * kram_find_areas - hand the KRAM entries of the E820 table to KRAM
 *
 * They are memory with struct pages and a place in the direct map, and stay
 * reserved for ever: the page allocator never sees them. With an area, the
 * next kernel is also told of persistent memory that the command line made.
 */
void __init kram_find_areas(void)
{
	int i;

	for (i = 0; i < e820_table->nr_entries; i++) {
		struct e820_entry *entry = &e820_table->entries[i];

		if (entry->type != E820_TYPE_KRAM)
			continue;
		memblock_add(entry->addr, entry->size);
		memblock_reserve(entry->addr, entry->size);
		kram_add_area(entry->addr, entry->size,
			      kram_is_inherited(entry->addr, entry->size));
	}
	if (kram_nr_areas)
		kram_hand_on_persistent();
}

/**
 * kram_image_abi - does a bzImage adopt KRAM
 * @kernel: the file
 * @len: its bytes
 * @setup_sects: sectors of its real-mode part, boot sector not counted
 * @info: kernel_info_offset of its setup header, x86 boot protocol 2.15
 *
 * Return: the ABI version that its kernel_info tells, 0 if it tells none.
 */
u32 kram_image_abi(const void *kernel, unsigned long len, int setup_sects,
		   u32 info)
{
	const u32 *at, *end;
	u64 start = (setup_sects + 1) * 512 + (u64)info;

	/* Header "LToP", size of the fixed part, size of all. */
	if (!info || start & 3 || start + 16 > len)
		return 0;
	at = kernel + start;
	if (at[0] != 0x506f544c || at[1] > at[2] || at[1] & 3 ||
	    start + at[2] > len)
		return 0;
	end = (const void *)at + at[2];
	for (at = (const void *)at + at[1]; at + 3 <= end;
	     at = (const void *)at + at[1]) {
		if (at[0] == KRAM_IMAGE_MAGIC && at[1] == 12)
			return at[2];
		if (at[1] < 8 || at[1] & 3 ||
		    at[1] > (const void *)end - (const void *)at)
			return 0;
	}
	return 0;
}

/**
 * arch_kram_next_adopts - will the kernel that a kexec starts adopt KRAM
 *
 * Known only of one that kexec_file_load() has read.
 */
bool arch_kram_next_adopts(void)
{
	return kexec_in_progress && kexec_image &&
	       kexec_image->arch.kram_abi == KRAM_ABI_VERSION;
}

bool arch_kram_range_survives(phys_addr_t start, u64 size)
{
	u64 end = start + size, from, to;
	int i;

	/* The entries are sorted and do not overlap. */
	for (i = 0; i < e820_table_kexec->nr_entries && start < end; i++) {
		struct e820_entry *entry = &e820_table_kexec->entries[i];

		from = entry->addr;
		to = entry->addr + entry->size;
		if (start < from || start >= to)
			continue;
		if (entry->type != E820_TYPE_PRAM &&
		    entry->type != E820_TYPE_PMEM &&
		    entry->type != E820_TYPE_KRAM)
			return false;
		start = to;
	}
	return start >= end;
}

/**
 * arch_kram_seal_clocks - note what took time to find out
 * @h: the handover, about to be sealed
 */
void arch_kram_seal_clocks(struct kram_handover *h)
{
#ifdef CONFIG_X86_LOCAL_APIC
	u64 hz = (u64)lapic_timer_period * HZ;

	h->apic_hz = hz > U32_MAX ? 0 : hz;
#endif
}

/**
 * arch_kram_adopt_clocks - use what the previous kernel found out
 * @h: what it handed over
 *
 * The machine is the same, so its clocks are. The APIC timer is not calibrated
 * then, which takes a tenth of a second or two.
 */
void arch_kram_adopt_clocks(const struct kram_handover *h)
{
#ifdef CONFIG_X86_LOCAL_APIC
	if (!lapic_timer_period)
		lapic_timer_period = h->apic_hz / HZ;
#endif
}

static void kram_clear_master(u8 bus, u8 slot, u8 func)
{
	bool cleared = false;
	unsigned long flags;
	u16 command;
	u8 type;

	raw_spin_lock_irqsave(&pci_config_lock, flags);
	if (read_pci_config_16(bus, slot, func, PCI_VENDOR_ID) == 0xffff)
		goto unlock;
	type = read_pci_config_byte(bus, slot, func, PCI_HEADER_TYPE);
	command = read_pci_config_16(bus, slot, func, PCI_COMMAND);
	if ((type & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_NORMAL &&
	    command & PCI_COMMAND_MASTER) {
		write_pci_config_16(bus, slot, func, PCI_COMMAND,
				    command & ~PCI_COMMAND_MASTER);
		cleared = true;
	}
unlock:
	raw_spin_unlock_irqrestore(&pci_config_lock, flags);
	if (cleared)
		pr_err("%02x:%02x.%x: bus master cleared\n", bus, slot, func);
}

/**
 * arch_kram_stop_dma - clear bus master of every endpoint of segment 0
 *
 * Bridges are left alone, they do not start DMA themselves. Works before the
 * PCI core, by configuration mechanism #1. Takes tens of milliseconds.
 */
void arch_kram_stop_dma(void)
{
	unsigned int id;

	/* Every function by itself: with ARI, function 0 may be missing. */
	for (id = 0; id < 0x10000; id++)
		kram_clear_master(id >> 8, PCI_SLOT(id), PCI_FUNC(id));
}

/**
 * arch_kram_stop_device - clear bus master of one device of a handover
 * @dev: the device; only segment 0 can be reached
 */
void arch_kram_stop_device(const struct kram_device *dev)
{
	if (!dev->segment)
		kram_clear_master(dev->bus, PCI_SLOT(dev->devfn),
				  PCI_FUNC(dev->devfn));
}
