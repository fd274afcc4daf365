// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preserved PCI functions: who is in the handover. preserve-keep.c leaves them,
 * preserve-scan.c meets them again.
 */
#define pr_fmt(fmt) "PCI: preserve: " fmt

#include <linux/bitops.h>
#include <linux/export.h>
#include <linux/kram.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/pm_runtime.h>
#include <linux/string.h>

#include "pci.h"

/* Of the flags of a resource: what the device is, not what this kernel did. */
#define BAR_FLAGS (IORESOURCE_BITS | IORESOURCE_IO | IORESOURCE_MEM | \
		   IORESOURCE_PREFETCH | IORESOURCE_READONLY | \
		   IORESOURCE_SIZEALIGN | IORESOURCE_MEM_64)

DEFINE_STATIC_KEY_FALSE(pci_preserve_key);

#ifdef CONFIG_KRAM_INJECT
bool pci_preserve_leaky;
#endif
/* Who is preserved, and the device table of the handover */
DEFINE_MUTEX(pci_preserve_lock);

static struct pci_preserve_slot slots[KRAM_MAX_DEVICES];
/* Behind all that were ever in use: each write to configuration space looks */
static unsigned int slots_high;

static u32 to_sbdf(int segment, u8 bus, u8 devfn)
{
	return (u32)segment << 16 | bus << 8 | devfn;
}

/* The slot after @slot that is in use; NULL begins and ends. */
struct pci_preserve_slot *pci_preserve_next(struct pci_preserve_slot *slot)
{
	for (slot = slot ? slot + 1 : slots;
	     slot < slots + READ_ONCE(slots_high); slot++)
		if (test_bit(PCI_PRESERVE_SET, &slot->flags))
			return slot;
	return NULL;
}

struct pci_preserve_slot *pci_preserve_find(int segment, u8 bus, u8 devfn)
{
	struct pci_preserve_slot *slot = NULL;

	/* A record has 16 bits for it: there are devices beyond, none kept. */
	if (segment != (u16)segment)
		return NULL;
	while ((slot = pci_preserve_next(slot)))
		if (READ_ONCE(slot->sbdf) == to_sbdf(segment, bus, devfn))
			return slot;
	return NULL;
}

struct pci_preserve_slot *pci_preserve_slot(struct pci_dev *dev)
{
	if (!static_branch_unlikely(&pci_preserve_key))
		return NULL;
	return pci_preserve_find(pci_domain_nr(dev->bus), dev->bus->number,
				 dev->devfn);
}

struct pci_preserve_slot *pci_preserve_slot_get(const struct kram_device *rec)
{
	struct pci_preserve_slot *slot;

	lockdep_assert_held(&pci_preserve_lock);
	for (slot = slots; slot < slots + ARRAY_SIZE(slots); slot++) {
		if (test_bit(PCI_PRESERVE_SET, &slot->flags))
			continue;
		slot->flags = 0;
		atomic_set(&slot->dropped, 0);
		slot->rec = *rec;
		WRITE_ONCE(slot->sbdf, to_sbdf(rec->segment, rec->bus,
					       rec->devfn));
		WRITE_ONCE(slots_high, max_t(unsigned int, slots_high,
					     slot - slots + 1));
		/* A reader that sees SET sees all of the above. */
		smp_wmb();
		set_bit(PCI_PRESERVE_SET, &slot->flags);
		static_branch_inc(&pci_preserve_key);
		return slot;
	}
	return NULL;
}

void pci_preserve_slot_put(struct pci_preserve_slot *slot)
{
	lockdep_assert_held(&pci_preserve_lock);
	slot->flags = 0;
	static_branch_dec(&pci_preserve_key);
}

/* Write the handover anew: bridges first, so that a reader meets them first. */
void pci_preserve_publish(void)
{
	struct kram_handover *ho = kram_handover_current();
	struct pci_preserve_slot *slot = NULL;
	u32 nr = 0;

	lockdep_assert_held(&pci_preserve_lock);
	if (!ho)
		return;
	memset(ho->device, 0, sizeof(ho->device));
	while ((slot = pci_preserve_next(slot)))
		if (slot->rec.flags & KRAM_DEV_BRIDGE)
			ho->device[nr++] = slot->rec;
	while ((slot = pci_preserve_next(slot)))
		if (!(slot->rec.flags & KRAM_DEV_BRIDGE))
			ho->device[nr++] = slot->rec;
	ho->nr_devices = nr;
}

static void record_bars(struct pci_dev *dev, struct kram_device *rec)
{
	struct pci_bus_region region;
	struct resource *res;
	int i;

	memset(rec->bar, 0, sizeof(rec->bar));
	for (i = 0; i <= PCI_ROM_RESOURCE; i++) {
		res = &dev->resource[i];
		if (!res->flags || !resource_size(res))
			continue;
		if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE && i > 1 &&
		    i != PCI_ROM_RESOURCE)
			continue;
		pcibios_resource_to_bus(dev->bus, &region, res);
		rec->bar[i].start = res->flags & IORESOURCE_UNSET ?
				    0 : region.start;
		rec->bar[i].size = resource_size(res);
		rec->bar[i].flags = res->flags & BAR_FLAGS;
	}
}

/* Fill what belongs to PCI; the rest is the IOMMU's. */
void pci_preserve_record(struct pci_dev *dev, struct kram_device *rec)
{
	rec->segment = pci_domain_nr(dev->bus);
	rec->bus = dev->bus->number;
	rec->devfn = dev->devfn;
	rec->flags = pci_is_bridge(dev) ? KRAM_DEV_BRIDGE : 0;
	rec->vendor = dev->vendor;
	rec->device = dev->device;
	rec->hdr_type = dev->hdr_type;
	pci_read_config_word(dev, PCI_COMMAND, &rec->command);
	rec->msix_pos = dev->msix_cap;
	if (dev->msix_cap)
		pci_read_config_word(dev, dev->msix_cap + PCI_MSIX_FLAGS,
				     &rec->msix_ctrl);
	rec->pm_pos = dev->pm_cap;
	if (dev->pm_cap)
		pci_read_config_word(dev, dev->pm_cap + PCI_PM_CTRL,
				     &rec->pmcsr);
	if (pci_is_bridge(dev))
		pci_read_config_dword(dev, PCI_PRIMARY_BUS, &rec->buses);
	record_bars(dev, rec);
}

static bool uses_pasid(struct pci_dev *dev)
{
#ifdef CONFIG_PCI_PASID
	if (dev->pasid_enabled)
		return true;
#endif
#ifdef CONFIG_PCI_PRI
	if (dev->pri_enabled)
		return true;
#endif
	return false;
}

/* Why this function cannot be preserved; NULL if it can. */
const char *pci_preserve_objection(struct pci_dev *dev)
{
	u16 cmd;
	int i;

	if (dev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return "it is a bridge";
	/* A refusal, in the next kernel, reaches the first segment alone. */
	if (pci_domain_nr(dev->bus))
		return "it is not in PCI segment 0";
	if (dev->is_virtfn)
		return "it is a virtual function";
	if (pci_num_vf(dev))
		return "its virtual functions are enabled";
	if (dev->class >> 8 == PCI_CLASS_SERIAL_USB)
		return "it is a USB controller, which the next kernel takes from its firmware";
	if (uses_pasid(dev))
		return "it uses process address spaces or page requests";
	if (!dev->msix_cap)
		return "it has no MSI-X, and no other interrupt is latched while masked";
	if (dev->msi_enabled)
		return "it uses plain MSI, which cannot be masked for sure";
	if (dev->current_state != PCI_D0)
		return "it is not in D0";
	pci_read_config_word(dev, PCI_COMMAND, &cmd);
	if (PCI_POSSIBLE_ERROR(cmd))
		return "it does not answer";
	if (dev->msix_enabled && !(cmd & PCI_COMMAND_MEMORY))
		return "its MSI-X table is out of reach, memory decode is off";
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if (dev->resource[i].flags & IORESOURCE_UNSET)
			return "one of its BARs has no address";
	return NULL;
}

static bool is_below(const struct kram_device *bridge,
		     const struct kram_device *rec)
{
	return !(rec->flags & KRAM_DEV_BRIDGE) &&
	       rec->segment == bridge->segment &&
	       rec->bus >= (bridge->buses >> 8 & 0xff) &&
	       rec->bus <= (bridge->buses >> 16 & 0xff);
}

/*
 * A bridge is in the handover as long as something below it is, and kept as
 * long as something below it is kept.
 */
void pci_preserve_sweep_bridges(void)
{
	struct pci_preserve_slot *bridge = NULL, *slot = NULL;
	bool set, kept;

	lockdep_assert_held(&pci_preserve_lock);
	while ((bridge = pci_preserve_next(bridge))) {
		if (!(bridge->rec.flags & KRAM_DEV_BRIDGE))
			continue;
		set = false;
		kept = false;
		while ((slot = pci_preserve_next(slot))) {
			if (!is_below(&bridge->rec, &slot->rec))
				continue;
			set = true;
			kept |= test_bit(PCI_PRESERVE_KEPT, &slot->flags);
		}
		if (!kept)
			clear_bit(PCI_PRESERVE_KEPT, &bridge->flags);
		if (!set)
			pci_preserve_slot_put(bridge);
	}
}

static int add_bridges(struct pci_dev *dev)
{
	struct pci_dev *bridge = dev;

	while ((bridge = pci_upstream_bridge(bridge))) {
		struct kram_device rec = {};

		if (pci_preserve_slot(bridge))
			continue;
		pci_preserve_record(bridge, &rec);
		if (!pci_preserve_slot_get(&rec))
			return -ENOSPC;
	}
	return 0;
}

static int add_locked(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot;
	struct kram_device rec = {};
	int ret;

	if (pci_preserve_slot(dev))
		return 0;
	pci_preserve_record(dev, &rec);
	ret = iommu_preserve_device(&dev->dev, &rec);
	if (ret)
		return ret;
	slot = pci_preserve_slot_get(&rec);
	ret = slot ? add_bridges(dev) : -ENOSPC;
	if (ret) {
		pci_err(dev, "cannot be preserved: the handover is full\n");
		if (slot)
			pci_preserve_slot_put(slot);
		pci_preserve_sweep_bridges();
		iommu_unpreserve_device(&dev->dev);
		return ret;
	}
	set_bit(PCI_PRESERVE_FOUND, &slot->flags);
	pci_preserve_publish();
	return 0;
}

/**
 * pci_preserve_add - enter a function into the handover
 * @dev: the function; its driver holds it, and goes on using it
 *
 * From here on a kexec leaves the function and the bridges above it working.
 * Adding what is there already succeeds.
 *
 * Context: Process context. Sleeps.
 * Return: 0; -EOPNOTSUPP if there is no KRAM or the function cannot be
 *	   preserved, -ENOSPC if the handover is full, or what the IOMMU driver
 *	   says of its tables (-EXDEV: not all in KRAM). The log tells why.
 */
int pci_preserve_add(struct pci_dev *dev)
{
	const char *why = pci_preserve_objection(dev);
	int ret;

	if (!kram_available())
		why = "there is no KRAM";
	if (why && !pci_preserve_kept(dev)) {
		pci_err(dev, "cannot be preserved: %s\n", why);
		return -EOPNOTSUPP;
	}
	mutex_lock(&pci_preserve_lock);
	ret = add_locked(dev);
	mutex_unlock(&pci_preserve_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(pci_preserve_add);

/*
 * What this kernel believes of the interrupt and what the device does may have
 * parted while writes were dropped; the device follows.
 */
void pci_preserve_settle_msix(struct pci_dev *dev)
{
	u16 ctrl;

	if (!dev->msix_cap || dev->msix_enabled)
		return;
	pci_read_config_word(dev, dev->msix_cap + PCI_MSIX_FLAGS, &ctrl);
	if (ctrl & PCI_MSIX_FLAGS_ENABLE)
		pci_write_config_word(dev, dev->msix_cap + PCI_MSIX_FLAGS,
				      ctrl & ~PCI_MSIX_FLAGS_ENABLE);
}

/**
 * pci_preserve_remove - take a function out of the handover
 * @dev: the function
 *
 * It goes on working; it is an ordinary one again. Nothing happens to one that
 * is not in the handover.
 *
 * Context: Process context. Sleeps.
 */
void pci_preserve_remove(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot;
	bool kept = false;

	mutex_lock(&pci_preserve_lock);
	slot = pci_preserve_slot(dev);
	if (slot && !(slot->rec.flags & KRAM_DEV_BRIDGE)) {
		kept = test_bit(PCI_PRESERVE_KEPT, &slot->flags);
		pci_dbg(dev, "%d configuration writes were dropped\n",
			atomic_read(&slot->dropped));
		pci_preserve_slot_put(slot);
		pci_preserve_sweep_bridges();
		iommu_unpreserve_device(&dev->dev);
		pci_preserve_publish();
	}
	mutex_unlock(&pci_preserve_lock);
	if (kept) {
		pci_preserve_settle_msix(dev);
		pm_runtime_put(&dev->dev);
	}
}
EXPORT_SYMBOL_GPL(pci_preserve_remove);

/**
 * pci_preserve_is_active - is any function preserved
 *
 * Context: Any.
 */
bool pci_preserve_is_active(void)
{
	return static_branch_unlikely(&pci_preserve_key);
}
EXPORT_SYMBOL_GPL(pci_preserve_is_active);

/**
 * pci_preserve_is_set - is this function in the handover
 * @dev: the function
 *
 * Context: Any.
 */
bool pci_preserve_is_set(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot = pci_preserve_slot(dev);

	return slot && !(slot->rec.flags & KRAM_DEV_BRIDGE);
}
EXPORT_SYMBOL_GPL(pci_preserve_is_set);

/**
 * pci_preserve_kept - does this function run on from an earlier holder
 * @dev: the function
 *
 * Context: Any.
 * Return: true from its holder's close, or from the previous kernel, to
 *	   pci_preserve_remove().
 */
bool pci_preserve_kept(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot = pci_preserve_slot(dev);

	return slot && !(slot->rec.flags & KRAM_DEV_BRIDGE) &&
	       test_bit(PCI_PRESERVE_KEPT, &slot->flags) && !pci_preserve_leaky;
}
EXPORT_SYMBOL_GPL(pci_preserve_kept);

/**
 * pci_preserve_kept_bridge - is this a bridge above a kept function
 * @dev: the bridge
 *
 * Context: Any.
 */
bool pci_preserve_kept_bridge(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot = pci_preserve_slot(dev);

	return slot && slot->rec.flags & KRAM_DEV_BRIDGE &&
	       test_bit(PCI_PRESERVE_KEPT, &slot->flags) && !pci_preserve_leaky;
}

/**
 * pci_preserve_down - has this function been left to the next kernel
 * @dev: the function
 *
 * Its vectors are masked, and nobody in this kernel may unmask one.
 *
 * Context: Any.
 */
bool pci_preserve_down(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot = pci_preserve_slot(dev);

	return slot && test_bit(PCI_PRESERVE_DOWN, &slot->flags);
}
EXPORT_SYMBOL_GPL(pci_preserve_down);

/**
 * pci_preserve_lookup - is there a kept function at an address
 * @segment: PCI segment group
 * @bus: bus number
 * @devfn: device and function
 *
 * For use without a struct pci_dev. Knows a function that the previous kernel
 * has left as soon as the bus it is on has been enumerated, and found it to be
 * what it was.
 *
 * Context: Any.
 * Return: its record, or NULL. The record lives as long as the function is kept.
 */
const struct kram_device *pci_preserve_lookup(int segment, u8 bus, u8 devfn)
{
	struct pci_preserve_slot *slot;

	if (!static_branch_unlikely(&pci_preserve_key))
		return NULL;
	slot = pci_preserve_find(segment, bus, devfn);
	if (!slot || slot->rec.flags & KRAM_DEV_BRIDGE ||
	    !test_bit(PCI_PRESERVE_KEPT, &slot->flags) ||
	    !test_bit(PCI_PRESERVE_FOUND, &slot->flags))
		return NULL;
	return &slot->rec;
}
