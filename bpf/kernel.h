/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's types, as far as the programs look at them. libbpf moves each
 * access to where the running kernel has the field (CO-RE), so only names count
 * here: no kernel has to be built before the programs are.
 */
#ifndef KH_BPF_KERNEL_H
#define KH_BPF_KERNEL_H

/* As in a generated header, so that others know that the types are there. */
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
typedef unsigned long size_t;

#define NULL ((void *)0)

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_NOEXIST = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_F_MMAPABLE = 1024,
};

#define BPF_F_CURRENT_CPU 0xffffffffULL

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bus_type {
	const char *name;
};

struct device {
	struct device *parent;
	const struct bus_type *bus;
};

struct pci_sysdata {
	int domain;
};

struct pci_dev;

struct resource {
	u64 start;
	u64 end;
};

struct pci_bus {
	struct pci_bus *parent;
	struct pci_dev *self;
	struct resource busn_res;
	void *sysdata;
	unsigned char number;
};

struct pci_dev {
	struct pci_bus *bus;
	struct pci_bus *subordinate;
	unsigned int devfn;
	struct device dev;
};

struct pci_slot {
	struct pci_bus *bus;
	unsigned char number;
};

struct iommu_domain {
	unsigned int type;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	void *slots[64];
};

struct iommu_domain_info {
	u16 did;
};

struct dmar_domain {
	struct xarray iommu_array;
	struct iommu_domain domain;
};

struct intel_iommu {
	int seq_id;
};

struct irq_2_iommu {
	struct intel_iommu *iommu;
	u16 irte_index;
	u16 sub_handle;
};

struct irte {
	u64 low;
	u64 high;
};

struct intel_ir_data {
	struct irq_2_iommu irq_2_iommu;
	struct irte irte_entry;
};

struct irq_data {
	void *chip_data;
};

struct vfio_device {
	struct device *dev;
};

struct vfio_device_file {
	struct vfio_device *device;
};

struct vfio_pci_core_device {
	struct pci_dev *pdev;
};

struct kvm_vcpu {
	int vcpu_id;
};

#pragma clang attribute pop

#endif
