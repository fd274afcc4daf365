// SPDX-License-Identifier: GPL-2.0
/*
 * The old kernel's way to the jump. khctl drains the ring until the CPU it runs on
 * is stopped, which machine_shutdown() does: what comes after it is for a
 * recorder in preserved memory to tell.
 */
#include "common.h"

SEC("fexit/machine_kexec_prepare")
int BPF_PROG(kexec_loaded, void *image, int ret)
{
	return EVENT(ctx, KH_EV_KEXEC_LOAD, KH_NO_BDF, ret);
}

SEC("fentry/kernel_kexec")
int BPF_PROG(kexec_begin)
{
	return EVENT(ctx, KH_EV_KEXEC_BEGIN, KH_NO_BDF, 0);
}

SEC("fentry/pci_device_shutdown")
int BPF_PROG(kexec_pci, struct device *dev)
{
	return EVENT(ctx, KH_EV_DEV_SHUTDOWN, bdf_of(to_pci_dev(dev)), 0);
}

SEC("fexit/pci_preserve_keep")
int BPF_PROG(kexec_keep, struct pci_dev *dev, int ret)
{
	return EVENT(ctx, KH_EV_PCI_KEEP, bdf_of(dev), ret);
}

SEC("fentry/syscore_shutdown")
int BPF_PROG(kexec_syscore)
{
	return EVENT(ctx, KH_EV_SYS_SHUTDOWN, KH_NO_BDF, 0);
}

SEC("fentry/machine_shutdown")
int BPF_PROG(kexec_machine)
{
	return EVENT(ctx, KH_EV_MACHINE_SHUTDOWN, KH_NO_BDF, 0);
}

char LICENSE[] SEC("license") __weak = "GPL";
