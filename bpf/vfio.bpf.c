// SPDX-License-Identifier: GPL-2.0
/* What VFIO does with a device: opened, set up, preserved, let go. */
#include "common.h"

static __always_inline __u32 bdf_of_file(struct vfio_device_file *df)
{
	return bdf_of_device(BPF_CORE_READ(df, device, dev));
}

SEC("fexit/vfio_df_open")
int BPF_PROG(vfio_open, struct vfio_device_file *df, int ret)
{
	return EVENT(ctx, KH_EV_VFIO_OPEN, bdf_of_file(df), ret);
}

SEC("fentry/vfio_df_close")
int BPF_PROG(vfio_close, struct vfio_device_file *df)
{
	return EVENT(ctx, KH_EV_VFIO_CLOSE, bdf_of_file(df), 0);
}

SEC("fexit/vfio_pci_core_enable")
int BPF_PROG(vfio_enable, struct vfio_pci_core_device *vdev, int ret)
{
	return EVENT(ctx, KH_EV_VFIO_ENABLE, bdf_of(vdev->pdev), ret);
}

SEC("fentry/vfio_pci_core_disable")
int BPF_PROG(vfio_disable, struct vfio_pci_core_device *vdev)
{
	return EVENT(ctx, KH_EV_VFIO_DISABLE, bdf_of(vdev->pdev), 0);
}

SEC("fexit/vfio_pci_set_irqs_ioctl")
int BPF_PROG(vfio_irqs, struct vfio_pci_core_device *vdev, u32 flags, unsigned int index,
	     unsigned int start, unsigned int count, void *data, int ret)
{
	return EVENT(ctx, KH_EV_VFIO_IRQS, bdf_of(vdev->pdev), ret, index, start, count, flags);
}

SEC("fexit/pci_preserve_add")
int BPF_PROG(preserve_set, struct pci_dev *dev, int ret)
{
	return EVENT(ctx, KH_EV_VFIO_FLAGS, bdf_of(dev), ret, 1);
}

SEC("fentry/pci_preserve_remove")
int BPF_PROG(preserve_clear, struct pci_dev *dev)
{
	return EVENT(ctx, KH_EV_VFIO_FLAGS, bdf_of(dev), 0, 0, 1);
}

char LICENSE[] SEC("license") __weak = "GPL";
