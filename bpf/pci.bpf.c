// SPDX-License-Identifier: GPL-2.0
/* What reaches a PCI function: configuration writes, resets, bus master, power, MSI-X. */
#include "common.h"

static __always_inline int cfg_write(void *ctx, __u32 bdf, int reg, int len, u32 val, int ret)
{
	if (!bpf_map_lookup_elem(&watched, &bdf))
		return 0;
	return EVENT(ctx, KH_EV_PCI_CFG_WRITE, bdf, ret, reg, len, val);
}

/* The last thing before the hardware; what was dropped before never comes here. */
SEC("fexit/pci_write")
int BPF_PROG(pci_cfg_write, struct pci_bus *bus, unsigned int devfn, int reg, int len, u32 val,
	     int ret)
{
	struct pci_sysdata *sd = bus->sysdata;

	return cfg_write(ctx, KH_BDF(BPF_CORE_READ(sd, domain), bus->number, devfn), reg, len, val,
			 ret);
}

/* The same for firmware methods. */
SEC("fexit/raw_pci_write")
int BPF_PROG(pci_acpi_write, unsigned int domain, unsigned int bus, unsigned int devfn, int reg,
	     int len, u32 val, int ret)
{
	return cfg_write(ctx, KH_BDF(domain, bus, devfn), reg, len, val, ret);
}

SEC("fentry/pcie_flr")
int BPF_PROG(pci_flr, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_PCI_RESET, bdf_of(dev), 0, KH_RESET_FLR);
}

SEC("fentry/pci_af_flr")
int BPF_PROG(pci_af, struct pci_dev *dev, bool probe)
{
	return probe ? 0 : EVENT(ctx, KH_EV_PCI_RESET, bdf_of(dev), 0, KH_RESET_AF_FLR);
}

SEC("fentry/pci_pm_reset")
int BPF_PROG(pci_pm, struct pci_dev *dev, bool probe)
{
	return probe ? 0 : EVENT(ctx, KH_EV_PCI_RESET, bdf_of(dev), 0, KH_RESET_PM);
}

SEC("fentry/pci_dev_specific_reset")
int BPF_PROG(pci_quirk_reset, struct pci_dev *dev, bool probe)
{
	return probe ? 0 : EVENT(ctx, KH_EV_PCI_RESET, bdf_of(dev), 0, KH_RESET_DEVICE_SPECIFIC);
}

SEC("fentry/pci_slot_reset")
int BPF_PROG(pci_slot, struct pci_slot *slot, bool probe)
{
	struct pci_sysdata *sd = BPF_CORE_READ(slot, bus, sysdata);

	return probe ? 0 : EVENT(ctx, KH_EV_PCI_RESET,
				 KH_BDF(BPF_CORE_READ(sd, domain), BPF_CORE_READ(slot, bus, number),
					slot->number << 3), 0, KH_RESET_SLOT);
}

SEC("fentry/pci_reset_bus")
int BPF_PROG(pci_hot, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_PCI_RESET, bdf_of(dev), 0, KH_RESET_HOT);
}

/* All below a bridge is reset: which buses that are is told too. */
SEC("fentry/pci_bridge_secondary_bus_reset")
int BPF_PROG(pci_sbr, struct pci_dev *dev)
{
	struct pci_bus *below = BPF_CORE_READ(dev, subordinate);

	return EVENT(ctx, KH_EV_PCI_RESET, bdf_of(dev), 0, KH_RESET_BUS,
		     BPF_CORE_READ(below, busn_res.start), BPF_CORE_READ(below, busn_res.end));
}

SEC("fentry/__pci_reset_function_locked")
int BPF_PROG(pci_function, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_PCI_RESET, bdf_of(dev), 0, KH_RESET_FUNCTION);
}

SEC("fentry/pci_set_master")
int BPF_PROG(pci_master_on, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_PCI_MASTER, bdf_of(dev), 0, 1);
}

SEC("fentry/pci_clear_master")
int BPF_PROG(pci_master_off, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_PCI_MASTER, bdf_of(dev), 0, 0);
}

SEC("fexit/pci_enable_device")
int BPF_PROG(pci_enable, struct pci_dev *dev, int ret)
{
	return EVENT(ctx, KH_EV_PCI_ENABLE, bdf_of(dev), ret);
}

SEC("fentry/pci_disable_device")
int BPF_PROG(pci_disable, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_PCI_DISABLE, bdf_of(dev), 0);
}

SEC("fexit/pci_set_power_state")
int BPF_PROG(pci_power, struct pci_dev *dev, int state, int ret)
{
	return EVENT(ctx, KH_EV_PCI_POWER, bdf_of(dev), ret, state);
}

SEC("fexit/__pci_enable_msix_range")
int BPF_PROG(pci_msix_on, struct pci_dev *dev, void *entries, int minvec, int maxvec, void *affd,
	     int flags, int ret)
{
	return EVENT(ctx, KH_EV_PCI_MSIX_ENABLE, bdf_of(dev), ret, minvec);
}

SEC("fentry/pci_msix_shutdown")
int BPF_PROG(pci_msix_off, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_PCI_MSIX_DISABLE, bdf_of(dev), 0);
}

char LICENSE[] SEC("license") __weak = "GPL";
