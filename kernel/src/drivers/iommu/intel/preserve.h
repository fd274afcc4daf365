/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeping translations over the end of a domain and over a kexec: what
 * iommu.c and irq_remapping.c call in preserve.c.
 */
#ifndef _INTEL_IOMMU_PRESERVE_H_
#define _INTEL_IOMMU_PRESERVE_H_

#include <linux/kram.h>

#ifdef CONFIG_KRAM
void *intel_iommu_alloc_root(struct intel_iommu *iommu);
void intel_iommu_free_root(struct intel_iommu *iommu, void *root);
bool intel_iommu_keep(struct device_domain_info *info);
int intel_iommu_attach_kept(struct iommu_domain *domain,
			    struct device_domain_info *info);
int intel_iommu_map_adopted(struct dmar_domain *domain, unsigned long iov_pfn,
			    unsigned long phys_pfn, unsigned long nr_pages,
			    int prot, gfp_t gfp);
bool intel_iommu_adopt(struct intel_iommu *iommu);
void intel_iommu_adopt_device(struct device_domain_info *info);
void *intel_iommu_adopt_irt(struct intel_iommu *iommu, u64 regs, int order);
void intel_iommu_before_disable(void);
void intel_iommu_adopt_rest(void);
void intel_iommu_adoption_settled(void);
bool intel_iommu_leave_running(void);
void __intel_iommu_note_map(struct dmar_domain *domain, u16 type, unsigned long ip,
			    u64 iova, u64 pa, u64 size);

/* A change of what a preserved device can reach: for the recorder. */
static inline void intel_iommu_note_map(struct dmar_domain *domain, u16 type,
					unsigned long ip, u64 iova, u64 pa, u64 size)
{
	if (unlikely(kram_recording))
		__intel_iommu_note_map(domain, type, ip, iova, pa, size);
}

/* What preserve.c calls in iommu.c. */
bool intel_iommu_owns(struct device *dev);
bool intel_iommu_owns_domain(struct iommu_domain *domain);
void intel_iommu_clear_context(struct device_domain_info *info);
int domain_attach_iommu_did(struct dmar_domain *domain,
			    struct intel_iommu *iommu, int did);
int domain_map_pages(struct dmar_domain *domain, unsigned long iov_pfn,
		     unsigned long phys_pfn, unsigned long nr_pages, int prot,
		     gfp_t gfp);
struct dma_pte *pfn_to_dma_pte(struct dmar_domain *domain, unsigned long pfn,
			       int *target_level, gfp_t gfp);
#else
static inline void *intel_iommu_alloc_root(struct intel_iommu *iommu)
{
	return iommu_alloc_page_node(iommu->node, GFP_ATOMIC);
}

static inline void intel_iommu_free_root(struct intel_iommu *iommu, void *root)
{
	iommu_free_page(root);
}

static inline bool intel_iommu_keep(struct device_domain_info *info)
{
	return false;
}

static inline int intel_iommu_attach_kept(struct iommu_domain *domain,
					  struct device_domain_info *info)
{
	return -EINVAL;
}

static inline int
intel_iommu_map_adopted(struct dmar_domain *domain, unsigned long iov_pfn,
			unsigned long phys_pfn, unsigned long nr_pages,
			int prot, gfp_t gfp)
{
	return -EINVAL;
}

static inline bool intel_iommu_adopt(struct intel_iommu *iommu)
{
	return false;
}

static inline void intel_iommu_adopt_device(struct device_domain_info *info) { }
static inline void *intel_iommu_adopt_irt(struct intel_iommu *iommu, u64 regs,
					  int order)
{
	return NULL;
}

static inline void intel_iommu_note_map(struct dmar_domain *domain, u16 type,
					unsigned long ip, u64 iova, u64 pa, u64 size)
{
}

static inline void intel_iommu_before_disable(void) { }
static inline void intel_iommu_adopt_rest(void) { }
static inline void intel_iommu_adoption_settled(void) { }
static inline bool intel_iommu_leave_running(void) { return false; }
#endif /* CONFIG_KRAM */

#endif /* _INTEL_IOMMU_PRESERVE_H_ */
