// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preserved PCI functions: how they are left working when their holder goes or
 * this kernel ends, and how they are stopped when they cannot be.
 */
#define pr_fmt(fmt) "PCI: preserve: " fmt

#include <linux/bitfield.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/kram.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/suspend.h>

#include "pci.h"

/**
 * pci_preserve_mask_vectors - mask every vector in the MSI-X table
 * @dev: a function in D0
 *
 * What the function has to say afterwards is latched in its pending bits and
 * sent on unmask (PCI 3.0, 6.8.2.9). MSI-X stays enabled: a disabled one drops
 * what is pending, and may fall back to INTx.
 *
 * Context: Process context. Sleeps.
 * Return: 0, or -EIO if the table cannot be reached.
 */
int pci_preserve_mask_vectors(struct pci_dev *dev)
{
	void __iomem *base, *entry;
	u32 table, ctrl;
	u16 msix, cmd;
	int nr;

	pci_read_config_word(dev, dev->msix_cap + PCI_MSIX_FLAGS, &msix);
	if (!(msix & PCI_MSIX_FLAGS_ENABLE))
		return 0;
	pci_read_config_word(dev, PCI_COMMAND, &cmd);
	if (!(cmd & PCI_COMMAND_MEMORY))
		return -EIO;
	nr = FIELD_GET(PCI_MSIX_FLAGS_QSIZE, msix) + 1;
	pci_read_config_dword(dev, dev->msix_cap + PCI_MSIX_TABLE, &table);
	base = ioremap(pci_resource_start(dev, table & PCI_MSIX_TABLE_BIR) +
		       (table & PCI_MSIX_TABLE_OFFSET),
		       nr * PCI_MSIX_ENTRY_SIZE);
	if (!base)
		return -EIO;
	for (entry = base; nr--; entry += PCI_MSIX_ENTRY_SIZE) {
		ctrl = readl(entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
		writel(ctrl | PCI_MSIX_ENTRY_CTRL_MASKBIT,
		       entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
	}
	/* Nothing is sent any more once the last write has arrived. */
	readl(base + PCI_MSIX_ENTRY_VECTOR_CTRL);
	iounmap(base);
	return 0;
}
EXPORT_SYMBOL_GPL(pci_preserve_mask_vectors);

static void keep_locked(struct pci_dev *dev, struct pci_preserve_slot *slot)
{
	pci_preserve_record(dev, &slot->rec);
	if (slot->rec.msix_ctrl & PCI_MSIX_FLAGS_ENABLE)
		set_bit(PCI_PRESERVE_MSIX_ON, &slot->flags);
	set_bit(PCI_PRESERVE_KEPT, &slot->flags);
	for (dev = pci_upstream_bridge(dev); dev;
	     dev = pci_upstream_bridge(dev)) {
		slot = pci_preserve_slot(dev);
		if (slot)
			set_bit(PCI_PRESERVE_KEPT, &slot->flags);
	}
	pci_preserve_publish();
}

/**
 * pci_preserve_keep - let go of a preserved function, which works on
 * @dev: the function
 *
 * Masks its vectors and drops every write of this kernel to its configuration
 * space from here on, so that the driver can free what it has as it always
 * does. Pins it in D0.
 *
 * Context: Process context. Sleeps.
 * Return: 0, also when it is kept already; -ENOENT if it is not preserved, -EIO
 *	   if its vectors cannot be masked.
 */
int pci_preserve_keep(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot;
	int ret = 0;

	mutex_lock(&pci_preserve_lock);
	slot = pci_preserve_slot(dev);
	if (!slot || slot->rec.flags & KRAM_DEV_BRIDGE) {
		ret = -ENOENT;
		goto unlock;
	}
	ret = pci_preserve_mask_vectors(dev);
	if (ret)
		goto unlock;
	if (!test_bit(PCI_PRESERVE_KEPT, &slot->flags)) {
		/* Without MSI-X there is INTx at most, a level that waits. */
		if (!dev->msix_enabled)
			pci_intx(dev, 0);
		pm_runtime_get_noresume(&dev->dev);
	}
	keep_locked(dev, slot);
unlock:
	mutex_unlock(&pci_preserve_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(pci_preserve_keep);

static bool shutdown_bridge(struct pci_dev *dev, struct pci_preserve_slot *slot)
{
	/*
	 * The driver silences the bridge's own interrupts as ever; what would
	 * silence the function below is dropped.
	 */
	set_bit(PCI_PRESERVE_KEPT, &slot->flags);
	if (dev->driver && dev->driver->shutdown)
		dev->driver->shutdown(dev);
	mutex_lock(&pci_preserve_lock);
	pci_preserve_record(dev, &slot->rec);
	pci_preserve_publish();
	mutex_unlock(&pci_preserve_lock);
	return true;
}

/**
 * pci_preserve_stop - a function is to do no more DMA
 * @dev: the function; nothing happens to one that is not in the handover
 *
 * It leaves the handover, the IOMMU blocks it, and it loses bus master.
 *
 * Context: Process context. Sleeps.
 */
void pci_preserve_stop(struct pci_dev *dev)
{
	if (!pci_preserve_is_set(dev))
		return;
	pm_runtime_get_noresume(&dev->dev);
	pci_preserve_remove(dev);
	pci_clear_master(dev);
	pm_runtime_put(&dev->dev);
}

/**
 * pci_preserve_shutdown - leave a function to the next kernel
 * @dev: the function or bridge that is shut down
 *
 * Only a kexec leaves anything. At any other end of this kernel the IOMMU goes
 * off, and a function that nobody holds is stopped before.
 *
 * Return: true if it is left working and needs no more, false if it is to be
 *	   shut down as any other.
 */
bool pci_preserve_shutdown(struct pci_dev *dev)
{
	struct pci_preserve_slot *slot = pci_preserve_slot(dev);
	const char *why = NULL;

	if (!slot)
		return false;
	/* Nothing may run on into a kernel that does not take it up. */
	if (!kram_next_adopts()) {
		if (pci_preserve_kept(dev))
			pci_preserve_stop(dev);
		return false;
	}
	if (slot->rec.flags & KRAM_DEV_BRIDGE)
		return shutdown_bridge(dev, slot);
	if (!pci_preserve_kept(dev))
		why = pci_preserve_objection(dev);
	/* First, so that whoever unmasks a vector from here on sees it. */
	set_bit(PCI_PRESERVE_DOWN, &slot->flags);
	if (!why && pci_preserve_keep(dev))
		why = "its vectors cannot be masked";
	if (!why) {
		pci_info(dev, "left working for the next kernel\n");
		kram_record(KH_EV_PCI_KEEP, pci_kh_bdf(dev), _RET_IP_);
		return true;
	}
	pci_err(dev, "no longer preserved: %s\n", why);
	pci_preserve_remove(dev);
	return false;
}

/* Firmware and IOMMU lose their state in sleep, a snapshot loses the time. */
static int pci_preserve_pm_notify(struct notifier_block *nb,
				  unsigned long action, void *data)
{
	struct pci_preserve_slot *slot = NULL;

	if (action != PM_SUSPEND_PREPARE && action != PM_HIBERNATION_PREPARE &&
	    action != PM_RESTORE_PREPARE)
		return NOTIFY_DONE;
	while ((slot = pci_preserve_next(slot))) {
		if (slot->rec.flags & KRAM_DEV_BRIDGE)
			continue;
		pr_err("no sleep: %04x:%02x:%02x.%d is preserved and would be stopped\n",
		       slot->rec.segment, slot->rec.bus,
		       PCI_SLOT(slot->rec.devfn), PCI_FUNC(slot->rec.devfn));
		return notifier_from_errno(-EBUSY);
	}
	return NOTIFY_DONE;
}

static struct notifier_block pci_preserve_pm_nb = {
	.notifier_call = pci_preserve_pm_notify,
};

static int __init pci_preserve_pm_register(void)
{
	return register_pm_notifier(&pci_preserve_pm_nb);
}
core_initcall(pci_preserve_pm_register);
