// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preserved PCI functions: how a kernel meets what the previous one has left
 * working. The bus is enumerated as always, but no write reaches a kept
 * function; where the core would learn something by writing, it is told here.
 */
#define pr_fmt(fmt) "PCI: preserve: " fmt

#include <linux/init.h>
#include <linux/kram.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/pm_runtime.h>
#include <linux/string.h>

#include "pci.h"

#define BRIDGE_COMMAND_KEPT (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | \
			     PCI_COMMAND_MASTER)

static int __init pci_preserve_init(void)
{
	const struct kram_handover *ho = kram_handover_adopted();
	struct pci_preserve_slot *slot;
	u32 i;

	if (!ho)
		return 0;
	mutex_lock(&pci_preserve_lock);
	for (i = 0; i < min_t(u32, ho->nr_devices, KRAM_MAX_DEVICES); i++) {
		slot = pci_preserve_slot_get(&ho->device[i]);
		if (slot->rec.msix_ctrl & PCI_MSIX_FLAGS_ENABLE)
			set_bit(PCI_PRESERVE_MSIX_ON, &slot->flags);
		set_bit(PCI_PRESERVE_KEPT, &slot->flags);
	}
	/* Kept until somebody releases it, over another kexec if need be. */
	pci_preserve_publish();
	mutex_unlock(&pci_preserve_lock);
	return 0;
}
core_initcall(pci_preserve_init);

static void __init forget(struct pci_preserve_slot *slot)
{
	struct pci_dev *dev;

	dev = pci_get_domain_bus_and_slot(slot->rec.segment, slot->rec.bus,
					  slot->rec.devfn);
	mutex_lock(&pci_preserve_lock);
	pci_preserve_slot_put(slot);
	pci_preserve_publish();
	mutex_unlock(&pci_preserve_lock);
	if (dev && dev->hdr_type == PCI_HEADER_TYPE_NORMAL) {
		pci_preserve_settle_msix(dev);
		pm_runtime_put(&dev->dev);
	}
	pci_dev_put(dev);
}

/*
 * The IOMMU driver, which has just been set up, may have refused what it was
 * given. Bus master is cleared then, and no driver has been bound yet.
 */
static int __init pci_preserve_settle(void)
{
	struct pci_preserve_slot *slot;

	if (kram_handover_adopted())
		return 0;
	while ((slot = pci_preserve_next(NULL)))
		forget(slot);
	return 0;
}
device_initcall(pci_preserve_settle);

static int __init pci_preserve_check(void)
{
	struct pci_preserve_slot *slot = NULL;

	if (!kram_handover_adopted())
		return 0;
	while ((slot = pci_preserve_next(slot))) {
		if (test_bit(PCI_PRESERVE_FOUND, &slot->flags))
			continue;
		pr_err("%04x:%02x:%02x.%d [%04x:%04x] was left working by the previous kernel and is not there\n",
		       slot->rec.segment, slot->rec.bus,
		       PCI_SLOT(slot->rec.devfn), PCI_FUNC(slot->rec.devfn),
		       slot->rec.vendor, slot->rec.device);
		forget(slot);
	}
	mutex_lock(&pci_preserve_lock);
	pci_preserve_sweep_bridges();
	pci_preserve_publish();
	mutex_unlock(&pci_preserve_lock);
	return 0;
}
late_initcall(pci_preserve_check);

/* Of a bridge, what the functions below it depend on stays. */
static bool drop_bridge_write(const struct kram_device *rec, int pos, int len,
			      u32 *value)
{
	if (pos < PCI_CACHE_LINE_SIZE && pos + len > PCI_COMMAND) {
		if (pos == PCI_COMMAND)
			*value |= rec->command & BRIDGE_COMMAND_KEPT;
		return false;
	}
	if (pos == PCI_SEC_STATUS && len == 2)
		return false;		/* write one to clear, no window */
	if (pos < PCI_CAPABILITY_LIST && pos + len > PCI_BASE_ADDRESS_0)
		return true;		/* BARs, bus numbers, windows */
	if (pos < PCI_ROM_ADDRESS1 + 4 && pos + len > PCI_ROM_ADDRESS1)
		return true;
	if (pos <= PCI_BRIDGE_CONTROL && pos + len > PCI_BRIDGE_CONTROL)
		*value &= ~((u32)PCI_BRIDGE_CTL_BUS_RESET <<
			    8 * (PCI_BRIDGE_CONTROL - pos));
	else if (rec->pm_pos && pos == rec->pm_pos + PCI_PM_CTRL)
		*value &= ~PCI_PM_CTRL_STATE_MASK;	/* D0 */
	return false;
}

/*
 * A function that was kept with MSI-X enabled needs no write at all: its
 * vectors are masked one by one, in its table. One that was kept without may
 * have it enabled before it is released.
 */
static bool drop_endpoint_write(const struct pci_preserve_slot *slot, int pos,
				int len)
{
	const struct kram_device *rec = &slot->rec;

	return test_bit(PCI_PRESERVE_MSIX_ON, &slot->flags) || !rec->msix_pos ||
	       pos != rec->msix_pos + PCI_MSIX_FLAGS || len != 2;
}

bool __pci_preserve_drop_write(struct pci_bus *bus, unsigned int devfn,
			       int pos, int len, u32 *value)
{
	struct pci_preserve_slot *slot;
	bool drop;

	slot = pci_preserve_find(pci_domain_nr(bus), bus->number, devfn);
	if (!slot || !test_bit(PCI_PRESERVE_KEPT, &slot->flags) || pci_preserve_leaky)
		return false;
	if (slot->rec.flags & KRAM_DEV_BRIDGE)
		drop = drop_bridge_write(&slot->rec, pos, len, value);
	else
		drop = drop_endpoint_write(slot, pos, len);
	if (drop) {
		atomic_inc(&slot->dropped);
		pr_debug("%04x:%02x:%02x.%d: write of %#x to %#x dropped\n",
			 slot->rec.segment, slot->rec.bus, PCI_SLOT(devfn),
			 PCI_FUNC(devfn), *value, pos);
	}
	return drop;
}

void __pci_preserve_note_write(struct pci_bus *bus, unsigned int devfn, int pos,
			       int len, u32 value, unsigned long ip)
{
	int segment = pci_domain_nr(bus);

	if (pci_preserve_find(segment, bus->number, devfn))
		kram_record(KH_EV_PCI_CFG_WRITE, KH_BDF(segment, bus->number, devfn),
			    ip, pos, len, value);
}

/* It is not what was left: whatever it is, it does no DMA for a guest. */
static void disown(struct pci_dev *dev, struct pci_preserve_slot *slot)
{
	mutex_lock(&pci_preserve_lock);
	pci_preserve_slot_put(slot);
	pci_preserve_sweep_bridges();
	pci_preserve_publish();
	mutex_unlock(&pci_preserve_lock);
	pci_clear_master(dev);
}

/**
 * pci_preserve_found - compare a function with what the handover says of it
 * @dev: a function that enumeration has met, its header type and name known
 *
 * One that is another than was left loses bus master, and is no longer kept.
 */
void pci_preserve_found(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot = pci_preserve_slot(dev);
	u16 cmd;

	if (!slot || !test_bit(PCI_PRESERVE_KEPT, &slot->flags))
		return;
	if (dev->vendor != slot->rec.vendor ||
	    dev->device != slot->rec.device ||
	    dev->hdr_type != slot->rec.hdr_type) {
		pci_err(dev, "is [%04x:%04x] type %02x, but [%04x:%04x] type %02x was left working; bus master cleared\n",
			dev->vendor, dev->device, dev->hdr_type,
			slot->rec.vendor, slot->rec.device, slot->rec.hdr_type);
		disown(dev, slot);
		return;
	}
	pci_read_config_word(dev, PCI_COMMAND, &cmd);
	if (cmd != slot->rec.command)
		pci_err(dev, "left working with command %#06x, found with %#06x\n",
			slot->rec.command, cmd);
	if (test_and_set_bit(PCI_PRESERVE_FOUND, &slot->flags))
		return;
	if (!(slot->rec.flags & KRAM_DEV_BRIDGE))
		pci_info(dev, "left working by the previous kernel\n");
}

static u64 read_bar(struct pci_dev *dev, unsigned int pos, u32 flags)
{
	u32 lo, hi = 0;

	pci_read_config_dword(dev, pos, &lo);
	if (flags & IORESOURCE_MEM_64)
		pci_read_config_dword(dev, pos + 4, &hi);
	if (flags & IORESOURCE_IO)
		lo &= PCI_BASE_ADDRESS_IO_MASK;
	else
		lo &= PCI_BASE_ADDRESS_MEM_MASK;
	return (u64)hi << 32 | lo;
}

static bool take_base(struct pci_dev *dev, int i, unsigned int pos,
		      const struct kram_bar *bar)
{
	struct resource *res = &dev->resource[i];
	struct pci_bus_region region;
	u64 found;

	if (!bar->size)
		return true;
	found = read_bar(dev, pos, bar->flags);
	if (found != bar->start) {
		pci_err(dev, "BAR %d at %#llx was left at %#llx; bus master cleared\n",
			i, found, bar->start);
		return false;
	}
	res->name = pci_name(dev);
	/* Fixed: nobody assigns another address to what cannot be written. */
	res->flags = bar->flags | IORESOURCE_PCI_FIXED;
	region.start = bar->start;
	region.end = bar->start + bar->size - 1;
	pcibios_bus_to_resource(dev->bus, res, &region);
	pci_info(dev, "BAR %d %pR: as it was left\n", i, res);
	return true;
}

/* An address is written into the ROM's BAR only while the ROM is read. */
static void take_rom(struct pci_dev *dev, const struct kram_bar *bar)
{
	struct resource *res = &dev->resource[PCI_ROM_RESOURCE];
	struct pci_bus_region region;

	if (!bar->size)
		return;
	res->name = pci_name(dev);
	res->flags = bar->flags & ~IORESOURCE_ROM_ENABLE;
	region.start = bar->start;
	region.end = bar->start + bar->size - 1;
	pcibios_bus_to_resource(dev->bus, res, &region);
}

/**
 * pci_preserve_read_bases - BARs of a kept function, without sizing them
 * @dev: the function or bridge
 * @howmany: BARs that its header has
 * @rom: offset of its ROM's base address
 *
 * Sizing switches decode off and moves the BAR; a device at work stands neither.
 *
 * Return: true if the resources are set up, false to size them as ever.
 */
bool pci_preserve_read_bases(struct pci_dev *dev, unsigned int howmany,
			     int rom)
{
	struct pci_preserve_slot *slot = pci_preserve_slot(dev);
	const struct kram_bar *bar;
	unsigned int i;
	bool ok = true;

	if (!slot || !test_bit(PCI_PRESERVE_KEPT, &slot->flags))
		return false;
	bar = slot->rec.bar;
	dev->rom_base_reg = rom;
	for (i = 0; ok && i < howmany; i++)
		ok = take_base(dev, i, PCI_BASE_ADDRESS_0 + 4 * i, &bar[i]);
	if (ok) {
		take_rom(dev, &bar[PCI_ROM_RESOURCE]);
		return true;
	}
	memset(dev->resource, 0, sizeof(dev->resource));
	disown(dev, slot);
	return false;
}

/**
 * pci_preserve_pm_init - a kept function stays in D0
 * @dev: the function, runtime PM enabled; released by pci_preserve_remove()
 */
void pci_preserve_pm_init(struct pci_dev *dev)
{
	if (pci_preserve_kept(dev))
		pm_runtime_get_noresume(&dev->dev);
}

/**
 * pci_preserve_may_bind - may a driver have this function
 * @dev: the function
 * @drv: the driver
 *
 * A driver that does not know it is kept would set it up anew.
 */
bool pci_preserve_may_bind(struct pci_dev *dev, const struct pci_driver *drv)
{
	if (!pci_preserve_kept(dev))
		return true;
	if (drv->driver_managed_dma && !strcmp(drv->name, "vfio-pci"))
		return true;
	pci_info(dev, "kept for its guest, not given to %s\n", drv->name);
	return false;
}

/**
 * pci_preserve_enable_ats - ATS of a kept function is as it was left
 * @dev: the function
 * @ps: log2 of the smallest page
 *
 * Return: 0 if ATS is on with that page size, -EBUSY if not, -EOPNOTSUPP if the
 *	   function is not kept.
 */
int pci_preserve_enable_ats(struct pci_dev *dev, int ps)
{
	u16 ctrl;

	if (!pci_preserve_kept(dev))
		return -EOPNOTSUPP;
	pci_read_config_word(dev, dev->ats_cap + PCI_ATS_CTRL, &ctrl);
	if (!(ctrl & PCI_ATS_CTRL_ENABLE) ||
	    PCI_ATS_CTRL_STU(ctrl) != PCI_ATS_CTRL_STU(ps - PCI_ATS_MIN_STU))
		return -EBUSY;
	return 0;
}
