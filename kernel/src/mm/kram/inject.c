// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does on purpose what an upgrade must not do, between the last process of one
 * kernel and the first of the next, so that whoever claims to notice can be
 * tested. Only in kernels that are built for that test.
 *
 * In the old kernel the violation whose name was written to debugfs
 * kram_inject is done when its processes and CPUs are stopped; in the new one
 * that of kram_inject= on the command line, before the first process. RAM of a guest
 * is at kram_inject_ram= then.
 */

#define pr_fmt(fmt) "kram: inject: " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kram.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/pci-preserve.h>
#include <linux/string.h>
#include <linux/uaccess.h>

bool kram_inject_full;

static char inject_name[32];		/* for the end of this kernel */
static char *inject_boot_name = "";	/* for its begin */
static unsigned long inject_ram;	/* physical address of RAM of a guest */

static int inject_config(struct pci_dev *dev, int pos, u16 clear)
{
	u16 val;

	pci_read_config_word(dev, pos, &val);
	pci_write_config_word(dev, pos, val & ~clear);
	mdelay(1);
	return pci_write_config_word(dev, pos, val);
}

static int inject_bus_master(struct pci_dev *dev)
{
	return inject_config(dev, PCI_COMMAND, PCI_COMMAND_MASTER);
}

static int inject_decode(struct pci_dev *dev)
{
	return inject_config(dev, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
}

static int inject_msix(struct pci_dev *dev)
{
	return inject_config(dev, dev->msix_cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
}

static int inject_bar(struct pci_dev *dev)
{
	u32 val;

	pci_read_config_dword(dev, PCI_BASE_ADDRESS_0, &val);
	return pci_write_config_dword(dev, PCI_BASE_ADDRESS_0, val);
}

static int inject_d3(struct pci_dev *dev)
{
	u16 csr;

	pci_read_config_word(dev, dev->pm_cap + PCI_PM_CTRL, &csr);
	csr &= ~PCI_PM_CTRL_STATE_MASK;
	pci_write_config_word(dev, dev->pm_cap + PCI_PM_CTRL, csr | 3);
	mdelay(10);
	return pci_write_config_word(dev, dev->pm_cap + PCI_PM_CTRL, csr);
}

static int inject_bus_reset(struct pci_dev *dev)
{
	/* The function has lost its settings: that it does not answer is no matter. */
	pci_bridge_secondary_bus_reset(pci_upstream_bridge(dev));
	return 0;
}

/* In the new kernel no domain tells where the guest's RAM is. */
static int inject_guest_ram(struct pci_dev *dev)
{
	unsigned long pa = inject_ram, end = inject_ram + 0x58000000;

	if (!pa)
		return -ENOENT;
	for (; pa < end; pa += 0x0b000000) {
		if (!pfn_valid(PHYS_PFN(pa)))
			return -EFAULT;
		*(u8 *)phys_to_virt(pa + 0x123) ^= 0xff;
	}
	return 0;
}

static int inject_overrun(struct pci_dev *dev)
{
	unsigned int i;

	for (i = 0; i <= KRAM_RECORDER_EVENTS; i++)
		kram_record(KH_EV_MARK, KH_NO_BDF, _RET_IP_, i);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct pci_dev *dev);
} injections[] = {
	{ "bus-master-off", inject_bus_master },
	{ "decode-off", inject_decode },
	{ "msix-off", inject_msix },
	{ "bar-rewritten", inject_bar },
	{ "d3", inject_d3 },
	{ "flr", pcie_flr },			/* sleeps: new kernel only */
	{ "pm-reset", pci_inject_pm_reset },	/* likewise */
	{ "bus-reset", inject_bus_reset },	/* likewise */
	{ "guest-ram-written", inject_guest_ram },
	{ "recorder-overrun", inject_overrun },
};

static struct pci_dev *inject_device(void)
{
	const struct kram_handover *h = kram_handover_current();
	const struct kram_device *d;
	unsigned int i;

	for (i = 0; h && i < h->nr_devices; i++) {
		d = &h->device[i];
		if (!(d->flags & KRAM_DEV_BRIDGE))
			return pci_get_domain_bus_and_slot(d->segment, d->bus, d->devfn);
	}
	return NULL;
}

static void inject(const char *name)
{
	struct pci_dev *dev;
	int ret = -ENOENT;
	unsigned int i;

	if (!name[0])
		return;
	dev = inject_device();
	if (!dev) {
		pr_err("%s: no preserved device\n", name);
		return;
	}
	pci_preserve_leaky = true;
	for (i = 0; i < ARRAY_SIZE(injections); i++)
		if (!strcmp(name, injections[i].name))
			ret = injections[i].run(dev);
	if (ret == -ENOENT)
		ret = intel_iommu_inject(dev, name);
	pci_preserve_leaky = false;
	pr_info("%s: %d\n", name, ret);
	pci_dev_put(dev);
}

/* Called by the IOMMU driver's shutdown: one CPU, interrupts off. */
void kram_inject_shutdown(void)
{
	inject(inject_name);
}

#define INJECT_LATER "guest-ram-written"

/* Called before the look at guests' RAM: only now is it mapped by its driver. */
void kram_inject_look(void)
{
	if (!strcmp(inject_boot_name, INJECT_LATER))
		inject(inject_boot_name);
	inject_boot_name = "";
}

static ssize_t inject_write(struct file *file, const char __user *buf, size_t count,
			    loff_t *pos)
{
	char name[sizeof(inject_name)] = "";

	if (count >= sizeof(name) || copy_from_user(name, buf, count))
		return -EINVAL;
	strscpy(inject_name, strim(name));
	return count;
}

static const struct file_operations inject_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = inject_write,
};

core_param(kram_inject, inject_boot_name, charp, 0);
core_param(kram_inject_ram, inject_ram, ulong, 0);

static int __init inject_init(void)
{
	debugfs_create_file("kram_inject", 0200, NULL, NULL, &inject_fops);
	if (strcmp(inject_boot_name, INJECT_LATER))
		inject(inject_boot_name);
	return 0;
}
late_initcall(inject_init);
