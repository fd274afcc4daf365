// SPDX-License-Identifier: GPL-2.0-only
/* What mm/kram/inject.c cannot do without the driver: violations of translation. */

#include <linux/iommu.h>
#include <linux/kram.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "iommu.h"
#include "../iommu-pages.h"
#include "inject.h"
#include "preserve.h"

/* RAM of the guest, below its first GiB: no entry there maps more than 2 MiB */
#define INJECT_IOVA	0x20000000UL
#define INJECT_FREE	0x4000000000UL	/* nothing of the guest */
#define INJECT_SIZE	SZ_2M

static int map_again(struct iommu_domain *domain, phys_addr_t pa)
{
	return iommu_map(domain, INJECT_IOVA, pa, INJECT_SIZE, IOMMU_READ | IOMMU_WRITE,
			 GFP_ATOMIC);
}

static int inject_pte(struct iommu_domain *domain)
{
	struct dmar_domain *d = to_dmar_domain(domain);
	struct dma_pte *pte;
	int level = 0;

	pte = pfn_to_dma_pte(d, INJECT_IOVA >> VTD_PAGE_SHIFT, &level, GFP_ATOMIC);
	if (!pte)
		return -EFAULT;
	WRITE_ONCE(pte->val, pte->val + VTD_PAGE_SIZE * lvl_to_nr_pages(level));
	return 0;
}

static int inject_unmap(struct iommu_domain *domain)
{
	return iommu_unmap(domain, INJECT_IOVA, INJECT_SIZE) == INJECT_SIZE ? 0 : -EIO;
}

/* A byte in each of some pages: what a guest keeps in one of them is its business. */
static int inject_guest_ram(struct iommu_domain *domain)
{
	unsigned long iova;
	phys_addr_t pa;

	for (iova = 0x20000000; iova < 0x78000000; iova += 0x0b000000) {
		pa = iommu_iova_to_phys(domain, iova);
		if (!pa)
			return -EFAULT;
		*(u8 *)phys_to_virt(pa + 0x123) ^= 0xff;
	}
	return 0;
}

static int inject_domain(struct iommu_domain *domain, const char *name)
{
	phys_addr_t pa = iommu_iova_to_phys(domain, INJECT_IOVA);

	if (!pa)
		return -EFAULT;
	if (!strcmp(name, "pte-elsewhere"))
		return inject_pte(domain);
	if (!strcmp(name, "mapping-added"))
		return iommu_map(domain, INJECT_FREE, pa, INJECT_SIZE, IOMMU_READ, GFP_ATOMIC);
	if (!strcmp(name, "mapping-removed"))
		return inject_unmap(domain);
	if (!strcmp(name, "pte-dropped"))
		return inject_unmap(domain) ?: map_again(domain, pa);
	if (!strcmp(name, "guest-ram-written"))
		return inject_guest_ram(domain);
	return -EINVAL;
}

/* A table page that a full pool does not give comes from the page allocator. */
static int inject_buddy_page(struct intel_iommu *iommu)
{
	void *page;

	kram_inject_full = true;
	page = iommu_alloc_kept_page_node(iommu->node, GFP_ATOMIC, KRAM_OWNER_IOMMU_PGTABLE);
	kram_inject_full = false;
	if (!page)
		return -ENOMEM;
	iommu_free_page(page);
	return 0;
}

/* A page of KRAM goes the way of any other page: into the page allocator. */
static int inject_free_page(void)
{
	void *page = kram_alloc_page(KRAM_OWNER_IOMMU_PGTABLE);

	if (!page)
		return -ENOMEM;
	free_reserved_page(virt_to_page(page));
	return 0;
}

int intel_iommu_inject(struct pci_dev *dev, const char *name)
{
	struct device_domain_info *info = dev_iommu_priv_get(&dev->dev);

	if (!strcmp(name, "translation-off"))
		return intel_inject_translation(info->iommu);
	if (!strcmp(name, "root-replaced"))
		return intel_inject_root(info->iommu);
	if (!strcmp(name, "context-dropped"))
		return intel_inject_context(info);
	if (!strcmp(name, "irte-changed"))
		return intel_inject_irte(info->iommu, dev);
	if (!strcmp(name, "page-from-allocator"))
		return inject_buddy_page(info->iommu);
	if (!strcmp(name, "page-freed"))
		return inject_free_page();
	if (!info->domain)
		return -EINVAL;
	return inject_domain(&info->domain->domain, name);
}
