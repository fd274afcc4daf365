/* SPDX-License-Identifier: GPL-2.0-only */
/* What inject.c calls in iommu.c and irq_remapping.c. */
#ifndef _INTEL_IOMMU_INJECT_H_
#define _INTEL_IOMMU_INJECT_H_

int intel_inject_translation(struct intel_iommu *iommu);
int intel_inject_root(struct intel_iommu *iommu);
int intel_inject_context(struct device_domain_info *info);
int intel_inject_irte(struct intel_iommu *iommu, struct pci_dev *dev);

#endif /* _INTEL_IOMMU_INJECT_H_ */
