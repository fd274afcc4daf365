// SPDX-License-Identifier: GPL-2.0
/* What happens to the IOMMU: its tables, the mappings of user space, faults, on and off. */
#include "common.h"

#define IOMMU_DOMAIN_UNMANAGED 1	/* of VFIO; a driver's own mappings are of no interest */

#define QI_TYPE(qw0) ((qw0) & 0xf)
enum { QI_CC = 1, QI_IOTLB = 2, QI_DIOTLB = 3, QI_IEC = 4 };

static __always_inline int page_event(void *ctx, __u16 type, __u64 phys, unsigned int order,
				      unsigned int kind, bool kram, unsigned long ip)
{
	struct kh_event e;

	fill(&e, type, KH_NO_BDF, 0);
	e.caller = ip;
	e.arg[0] = phys;
	e.arg[1] = order;
	e.arg[2] = kram ? KH_PAGE_KRAM : KH_PAGE_BUDDY;
	e.arg[3] = kind;
	return send(ctx, &e);
}

SEC("tp_btf/iommu_page_alloc")
int BPF_PROG(iommu_page_new, __u64 phys, unsigned int order, unsigned int kind, bool kram,
	     unsigned long ip)
{
	return page_event(ctx, KH_EV_IOMMU_PAGE_ALLOC, phys, order, kind, kram, ip);
}

SEC("tp_btf/iommu_page_free")
int BPF_PROG(iommu_page_end, __u64 phys, unsigned int order, unsigned int kind, bool kram,
	     unsigned long ip)
{
	return page_event(ctx, KH_EV_IOMMU_PAGE_FREE, phys, order, kind, kram, ip);
}

/* A domain has an id on each unit that it is used on; that of the first is told. */
static __always_inline __u64 domain_id(struct iommu_domain *domain)
{
	struct dmar_domain *d = (void *)domain - bpf_core_field_offset(struct dmar_domain, domain);
	unsigned long head = (unsigned long)BPF_CORE_READ(d, iommu_array.xa_head);
	struct iommu_domain_info *info = (void *)head;
	int i;

	/* An xarray whose only index is 0 has the entry itself at its head. */
	if ((head & 3) == 2) {
		struct xa_node *node = (void *)(head & ~3UL);

		info = NULL;
#pragma unroll
		for (i = 0; i < 4; i++)
			if (!info)
				info = BPF_CORE_READ(node, slots[i]);
	}
	return info ? BPF_CORE_READ(info, did) : 0;
}

SEC("fexit/iommu_map")
int BPF_PROG(iommu_map_end, struct iommu_domain *domain, unsigned long iova, __u64 paddr,
	     size_t size, int prot, unsigned int gfp, int ret)
{
	if (domain->type != IOMMU_DOMAIN_UNMANAGED)
		return 0;
	return EVENT(ctx, KH_EV_IOMMU_MAP, KH_NO_BDF, ret, iova, paddr, size, domain_id(domain));
}

SEC("fentry/iommu_unmap")
int BPF_PROG(iommu_unmap_all, struct iommu_domain *domain, unsigned long iova, size_t size)
{
	if (domain->type != IOMMU_DOMAIN_UNMANAGED)
		return 0;
	return EVENT(ctx, KH_EV_IOMMU_UNMAP, KH_NO_BDF, 0, iova, 0, size, domain_id(domain));
}

SEC("fentry/iommu_unmap_fast")
int BPF_PROG(iommu_unmap_one, struct iommu_domain *domain, unsigned long iova, size_t size)
{
	if (domain->type != IOMMU_DOMAIN_UNMANAGED)
		return 0;
	return EVENT(ctx, KH_EV_IOMMU_UNMAP, KH_NO_BDF, 0, iova, 0, size, domain_id(domain));
}

SEC("fexit/intel_iommu_attach_device")
int BPF_PROG(iommu_attach, struct iommu_domain *domain, struct device *dev, int ret)
{
	return EVENT(ctx, KH_EV_IOMMU_ATTACH, bdf_of_device(dev), ret, domain_id(domain),
		     domain->type);
}

SEC("fentry/device_block_translation")
int BPF_PROG(iommu_detach, struct device *dev)
{
	return EVENT(ctx, KH_EV_IOMMU_DETACH, bdf_of_device(dev), 0);
}

SEC("tp_btf/qi_submit")
int BPF_PROG(iommu_flush, struct intel_iommu *iommu, __u64 qw0, __u64 qw1, __u64 qw2, __u64 qw3)
{
	switch (QI_TYPE(qw0)) {
	case QI_CC:
		return EVENT(ctx, KH_EV_IOMMU_FLUSH, KH_NO_BDF, 0, KH_FLUSH_CONTEXT,
			     qw0 >> 16 & 0xffff, 0, iommu->seq_id);
	case QI_IOTLB:
		return EVENT(ctx, KH_EV_IOMMU_FLUSH, KH_NO_BDF, 0, KH_FLUSH_IOTLB,
			     qw0 >> 16 & 0xffff, qw1 & ~0xfffULL, iommu->seq_id);
	case QI_DIOTLB:
		return EVENT(ctx, KH_EV_IOMMU_FLUSH, KH_NO_BDF, 0, KH_FLUSH_DEV_IOTLB, 0,
			     qw1 & ~0xfffULL, iommu->seq_id);
	case QI_IEC:
		return EVENT(ctx, KH_EV_IOMMU_FLUSH, KH_NO_BDF, 0, KH_FLUSH_IEC, 0,
			     qw0 >> 32 & 0xffff, iommu->seq_id);
	}
	return 0;
}

/* The unit reports faults; which they are goes to the kernel's log. */
SEC("fentry/dmar_fault")
int BPF_PROG(iommu_fault, int irq, struct intel_iommu *iommu)
{
	return EVENT(ctx, KH_EV_IOMMU_FAULT, KH_NO_BDF, 0, 0, 0, 0, BPF_CORE_READ(iommu, seq_id));
}

SEC("fentry/iommu_enable_translation")
int BPF_PROG(iommu_on, struct intel_iommu *iommu)
{
	return EVENT(ctx, KH_EV_IOMMU_TRANSLATION, KH_NO_BDF, 0, 1, iommu->seq_id);
}

SEC("fentry/iommu_disable_translation")
int BPF_PROG(iommu_off, struct intel_iommu *iommu)
{
	return EVENT(ctx, KH_EV_IOMMU_TRANSLATION, KH_NO_BDF, 0, 0, iommu->seq_id);
}

SEC("fentry/iommu_set_root_entry")
int BPF_PROG(iommu_root, struct intel_iommu *iommu)
{
	/* Only that it was set: the address is in the register, which khctl verify reads. */
	return EVENT(ctx, KH_EV_IOMMU_ROOT, KH_NO_BDF, 0, 0, iommu->seq_id);
}

SEC("fentry/iommu_enable_irq_remapping")
int BPF_PROG(irq_remap_on, struct intel_iommu *iommu)
{
	return EVENT(ctx, KH_EV_IRQ_REMAP, KH_NO_BDF, 0, 1, iommu->seq_id);
}

/* Of all units. */
SEC("fentry/disable_irq_remapping")
int BPF_PROG(irq_remap_off)
{
	return EVENT(ctx, KH_EV_IRQ_REMAP, KH_NO_BDF, 0, 0);
}

static __always_inline int irte(void *ctx, struct irq_data *irq)
{
	struct intel_ir_data *ir = BPF_CORE_READ(irq, chip_data);

	return EVENT(ctx, KH_EV_IRTE, KH_NO_BDF, 0,
		     BPF_CORE_READ(ir, irq_2_iommu.irte_index) +
		     BPF_CORE_READ(ir, irq_2_iommu.sub_handle),
		     BPF_CORE_READ(ir, irte_entry.low), BPF_CORE_READ(ir, irte_entry.high),
		     BPF_CORE_READ(ir, irq_2_iommu.iommu, seq_id));
}

SEC("fexit/intel_ir_set_affinity")
int BPF_PROG(irq_affinity, struct irq_data *irq)
{
	return irte(ctx, irq);
}

SEC("fexit/intel_irq_remapping_activate")
int BPF_PROG(irq_activate, void *domain, struct irq_data *irq)
{
	return irte(ctx, irq);
}

SEC("fexit/intel_irq_remapping_deactivate")
int BPF_PROG(irq_deactivate, void *domain, struct irq_data *irq)
{
	return irte(ctx, irq);
}

SEC("fentry/intel_iommu_shutdown")
int BPF_PROG(iommu_shutdown)
{
	return EVENT(ctx, KH_EV_IOMMU_SHUTDOWN, KH_NO_BDF, 0);
}

char LICENSE[] SEC("license") __weak = "GPL";
