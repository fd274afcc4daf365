// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation that outlives its domain, and the kernel
 *
 * A device is preserved while a domain holds it, and kept from the moment the
 * domain lets go of it: context entry, domain id and page tables stay as they
 * are and belong to device_domain_info::kept. The next unmanaged domain that
 * is attached to it, in this kernel or in the next one, adopts them. All other
 * domains (blocking, identity, DMA) are accepted without effect: the device
 * goes on being confined to the tables that it has.
 *
 * Across a kexec the tables lie in KRAM and the hardware knows where. The
 * handover says what they must look like; what does not look so is refused,
 * see kram_refuse().
 *
 * Only legacy mode (VT-d 3.4.3), second-stage tables, no device TLB.
 */

#define pr_fmt(fmt) "DMAR: " fmt

#include <linux/iommu.h>
#include <linux/kram.h>
#include <linux/pci.h>
#include <linux/pci-preserve.h>

#include "iommu.h"
#include "../iommu-pages.h"
#include "preserve.h"

/* The IOMMUs are set up: what was adopted is now ours. */
static bool adoption_settled;

static void *root_page(const struct intel_iommu *iommu)
{
	return kram_get_fixed_page(0, KRAM_FIXED_ROOT + iommu->seq_id);
}

/**
 * intel_iommu_alloc_root - a page for the root table, zeroed
 * @iommu: the unit; its number is the index of the fixed page
 *
 * Return: the page from KRAM, from the page allocator if there is none, NULL
 *	   if there is none there either.
 */
void *intel_iommu_alloc_root(struct intel_iommu *iommu)
{
	void *root = root_page(iommu);

	if (!root)
		return iommu_alloc_page_node(iommu->node, GFP_ATOMIC);
	clear_page(root);
	return root;
}

/**
 * intel_iommu_free_root - undo intel_iommu_alloc_root()
 * @iommu: the unit
 * @root: the page
 */
void intel_iommu_free_root(struct intel_iommu *iommu, void *root)
{
	if (root == root_page(iommu))
		kram_put_fixed_page(0, KRAM_FIXED_ROOT + iommu->seq_id);
	else
		iommu_free_page(root);
}

typedef int (*table_fn)(phys_addr_t addr, enum kram_owner owner);

/* Calls @fn on each page of the table at @table, parents first. */
static int walk_tables(phys_addr_t table, int level, table_fn fn)
{
	struct dma_pte *pte;
	int i, ret;

	ret = fn(table, KRAM_OWNER_IOMMU_PGTABLE);
	if (ret || level == 1)
		return ret;

	pte = phys_to_virt(table);
	for (i = 0; i < BIT(LEVEL_STRIDE); i++, pte++) {
		if (!dma_pte_present(pte) || dma_pte_superpage(pte))
			continue;
		ret = walk_tables(dma_pte_addr(pte), level - 1, fn);
		if (ret)
			return ret;
	}
	return 0;
}

static int table_in_kram(phys_addr_t addr, enum kram_owner owner)
{
	return kram_page_live(addr, owner) ? 0 : -EXDEV;
}

/* Takes from a live context entry what the handover says of it. */
static int record_context(struct intel_iommu *iommu, struct kram_device *rec)
{
	struct context_entry *ce;

	ce = iommu_context_addr(iommu, rec->bus, rec->devfn, 0);
	if (!ce || !context_present(ce))
		return -ENODEV;
	if ((ce->lo >> 2 & 3) != CONTEXT_TT_MULTI_LEVEL)
		return -EOPNOTSUPP;
	if (!kram_page_live(virt_to_phys(ce) & VTD_PAGE_MASK,
			    KRAM_OWNER_IOMMU_CONTEXT))
		return -EXDEV;

	rec->unit = iommu->seq_id;
	rec->context[0] = ce->lo;
	rec->context[1] = ce->hi;
	rec->pgd = ce->lo & VTD_PAGE_MASK;
	rec->agaw = ce->hi & 7;
	rec->did = context_domain_id(ce);
	return walk_tables(rec->pgd, agaw_to_level(rec->agaw), table_in_kram);
}

static int other_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias != pci_dev_id(data);
}

static const char *why_not_preservable(struct device *dev,
				       struct device_domain_info *info)
{
	struct intel_iommu *iommu = info->iommu;

	if (!kram_available())
		return "there is no KRAM: reserve it with memmap=<size>:<start>";
	if (iommu->seq_id >= KRAM_MAX_UNITS)
		return "its IOMMU is beyond the last one that a handover holds";
	if (sm_supported(iommu))
		return "its IOMMU is in scalable mode";
	if (iommu->root_entry != root_page(iommu))
		return "the root table of its IOMMU is not in KRAM";
#ifdef CONFIG_IRQ_REMAP
	if (!iommu->ir_table ||
	    !kram_page_live(virt_to_phys(iommu->ir_table->base),
			    KRAM_OWNER_IOMMU_IRT))
#endif
		return "the interrupt-remapping table of its IOMMU is not in KRAM";
	if (info->ats_enabled)
		return "it translates addresses itself (ATS)";
	if (pci_for_each_dma_alias(to_pci_dev(dev), other_alias,
				   to_pci_dev(dev)))
		return "its requests carry the id of another device";
	return NULL;
}

/**
 * iommu_preserve_device - keep a device's translation when its domain goes
 * @dev: a PCI device behind an Intel IOMMU, attached to an unmanaged domain
 *	 or kept already
 * @rec: its entry in the handover; segment, bus and devfn are set. Filled in:
 *	 unit, did, agaw, context and pgd
 *
 * Mappings may change meanwhile: the tables are checked again at shutdown.
 *
 * Return: 0; -EOPNOTSUPP if this kind of translation cannot be kept, -ENODEV
 *	   if there is none, -EXDEV if one of its tables is not in KRAM. The log
 *	   says which.
 */
int iommu_preserve_device(struct device *dev, struct kram_device *rec)
{
	struct device_domain_info *info;
	const char *why;
	int ret;

	if (!dev_is_pci(dev) || !device_iommu_mapped(dev) ||
	    !intel_iommu_owns(dev)) {
		dev_err(dev, "not preserved: no Intel IOMMU translates for it\n");
		return -EOPNOTSUPP;
	}

	info = dev_iommu_priv_get(dev);
	why = why_not_preservable(dev, info);
	if (why) {
		dev_err(dev, "not preserved: %s\n", why);
		return -EOPNOTSUPP;
	}

	spin_lock(&info->iommu->lock);
	ret = record_context(info->iommu, rec);
	spin_unlock(&info->iommu->lock);
	if (ret) {
		dev_err(dev, "not preserved: %s\n", ret == -EXDEV ?
			"a context or page table of it is not in KRAM, which may be full" :
			"it has no translation that can be kept");
		return ret;
	}
	info->preserve = 1;
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_preserve_device);

/* Does another device of the handover use the tables at @pgd? */
static bool tables_shared(struct device *dev, phys_addr_t pgd)
{
	const struct kram_handover *h = kram_handover_current();
	u16 id = pci_dev_id(to_pci_dev(dev));
	unsigned int i;

	for (i = 0; h && i < h->nr_devices; i++)
		if (h->device[i].pgd == pgd &&
		    PCI_DEVID(h->device[i].bus, h->device[i].devfn) != id)
			return true;
	return false;
}

/**
 * iommu_unpreserve_device - undo iommu_preserve_device()
 * @dev: the device
 *
 * A device that is kept loses its translation: it is blocked. Its tables are
 * not freed then, another kept device may share them.
 */
void iommu_unpreserve_device(struct device *dev)
{
	struct device_domain_info *info, *other;
	struct dmar_domain *domain;
	unsigned long flags;
	bool last = true;

	if (!device_iommu_mapped(dev) || !intel_iommu_owns(dev))
		return;

	info = dev_iommu_priv_get(dev);
	if (!info->preserve)
		return;
	info->preserve = 0;
	if (info->kept.pgd) {
		dev_info(dev, "no longer kept, its DMA is blocked\n");
		info->kept.pgd = 0;
		intel_iommu_clear_context(info);
		return;
	}

	domain = info->domain;
	if (!domain)
		return;
	/* Another device may run on these tables with nobody to hold them. */
	if (tables_shared(dev, virt_to_phys(domain->pgd)))
		domain->keep_tables = true;
	spin_lock_irqsave(&domain->lock, flags);
	list_for_each_entry(other, &domain->devices, link)
		if (other->preserve)
			last = false;
	spin_unlock_irqrestore(&domain->lock, flags);
	if (last)
		domain->adopted = false;
}
EXPORT_SYMBOL_GPL(iommu_unpreserve_device);

/**
 * intel_iommu_keep - let a domain go and keep the translation
 * @info: the device that is about to be blocked
 *
 * Return: true if it is kept and nothing is left to do; false if it is not
 *	   preserved.
 */
bool intel_iommu_keep(struct device_domain_info *info)
{
	struct dmar_domain *domain = info->domain;
	unsigned long flags;

	if (!info->preserve)
		return false;
	if (info->kept.pgd)
		return true;
	if (!domain)
		return false;

	info->kept.pgd = virt_to_phys(domain->pgd);
	info->kept.agaw = domain->agaw;
	info->kept.did = domain_id_iommu(domain, info->iommu);

	/* From here on nobody frees the tables or gives the id away. */
	domain->keep_tables = true;
	cache_tag_unassign_domain(domain, info->dev, IOMMU_NO_PASID);
	spin_lock_irqsave(&domain->lock, flags);
	list_del(&info->link);
	spin_unlock_irqrestore(&domain->lock, flags);
	domain_detach_iommu(domain, info->iommu);
	info->domain_attached = false;
	info->domain = NULL;
	return true;
}

static int take_tables(struct dmar_domain *domain,
		       const struct kept_translation *kept)
{
	if (domain->adopted)
		return virt_to_phys(domain->pgd) == kept->pgd ? 0 : -EINVAL;
	if (domain->use_first_level || domain->nested_parent ||
	    domain->has_mappings || !list_empty(&domain->devices))
		return -EINVAL;

	iommu_free_page(domain->pgd);
	domain->pgd = phys_to_virt(kept->pgd);
	domain->agaw = kept->agaw;
	domain->gaw = agaw_to_width(kept->agaw);
	domain->max_addr = 1ULL << domain->gaw;
	domain->adopted = true;
	return 0;
}

/**
 * intel_iommu_attach_kept - attach a domain to a device that is kept
 * @domain: any; only an unmanaged one without mappings, or one that adopted
 *	    the same tables for another device, has an effect
 * @info: the device
 *
 * The context entry is not written. Entries that the tables hold already are
 * then accepted by a map of the same page, see intel_iommu_map_adopted().
 *
 * Return: 0, -EINVAL if the domain cannot adopt, or -ENOMEM.
 */
int intel_iommu_attach_kept(struct iommu_domain *domain,
			    struct device_domain_info *info)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	unsigned long flags;
	int ret;

	if (domain->type != IOMMU_DOMAIN_UNMANAGED)
		return 0;

	ret = take_tables(dmar_domain, &info->kept);
	if (ret)
		return ret;
	ret = domain_attach_iommu_did(dmar_domain, info->iommu, info->kept.did);
	if (ret)
		goto err_keep;

	info->domain = dmar_domain;
	info->domain_attached = true;
	spin_lock_irqsave(&dmar_domain->lock, flags);
	list_add(&info->link, &dmar_domain->devices);
	spin_unlock_irqrestore(&dmar_domain->lock, flags);

	ret = cache_tag_assign_domain(dmar_domain, info->dev, IOMMU_NO_PASID);
	if (ret)
		goto err_unlink;
	info->kept.pgd = 0;
	dmar_domain->keep_tables = false;
	dev_info(info->dev, "translation adopted: domain id %u, page table at %#llx\n",
		 info->kept.did, virt_to_phys(dmar_domain->pgd));
	return 0;

err_unlink:
	spin_lock_irqsave(&dmar_domain->lock, flags);
	list_del(&info->link);
	spin_unlock_irqrestore(&dmar_domain->lock, flags);
	info->domain_attached = false;
	info->domain = NULL;
	dmar_domain->keep_tables = true;
	domain_detach_iommu(dmar_domain, info->iommu);
	return ret;
err_keep:
	dmar_domain->keep_tables = true;
	return ret;
}

/**
 * intel_iommu_map_adopted - map into tables that hold mappings already
 * @domain: a domain that adopted its tables
 * @iov_pfn: first page of the I/O virtual range
 * @phys_pfn: first physical page
 * @nr_pages: 4 KiB pages
 * @prot: DMA_PTE_READ, DMA_PTE_WRITE, DMA_PTE_SNP
 * @gfp: for tables that are missing
 *
 * What is mapped to the same page with the same rights stays untouched. An
 * entry is taken as a whole: part of a superpage could not be unmapped alone.
 *
 * Return: 0, -EEXIST if a page is mapped otherwise, or what mapping the
 *	   missing ones returned. After an error the range may be mapped in part;
 *	   nothing that was there before has changed.
 */
int intel_iommu_map_adopted(struct dmar_domain *domain, unsigned long iov_pfn,
			    unsigned long phys_pfn, unsigned long nr_pages,
			    int prot, gfp_t gfp)
{
	const u64 rights = DMA_PTE_READ | DMA_PTE_WRITE | DMA_PTE_SNP;
	unsigned long span, offset, n;
	struct dma_pte *pte;
	int level, ret;
	u64 want;

	while (nr_pages) {
		level = 0;
		pte = pfn_to_dma_pte(domain, iov_pfn, &level, gfp);
		if (!pte)
			return -EINVAL;
		span = lvl_to_nr_pages(level);
		offset = iov_pfn & (span - 1);
		n = min(nr_pages, span - offset);
		if (!dma_pte_present(pte)) {
			ret = domain_map_pages(domain, iov_pfn, phys_pfn, n,
					       prot, gfp);
			if (ret)
				return ret;
		} else {
			want = (u64)(phys_pfn - offset) << VTD_PAGE_SHIFT;
			if (n != span || dma_pte_addr(pte) != want ||
			    ((pte->val ^ (prot | DMA_FL_PTE_PRESENT)) & rights)) {
				pr_err("iova %#llx is mapped to %#llx, not mapped again to %#llx\n",
				       (u64)iov_pfn << VTD_PAGE_SHIFT,
				       pte->val, want | prot);
				return -EEXIST;
			}
		}
		iov_pfn += n;
		phys_pfn += n;
		nr_pages -= n;
	}
	return 0;
}

/**
 * iommu_domain_adopted - do entries of this domain stem from an earlier holder
 * @domain: any domain
 *
 * Such a domain takes no test mappings, and a map that failed is not undone
 * with an unmap: what is there may be in use by a running device.
 */
bool iommu_domain_adopted(struct iommu_domain *domain)
{
	return intel_iommu_owns_domain(domain) &&
	       to_dmar_domain(domain)->adopted;
}
EXPORT_SYMBOL_GPL(iommu_domain_adopted);

static u64 leaf_bytes(phys_addr_t table, int level)
{
	struct dma_pte *pte = phys_to_virt(table);
	u64 bytes = 0;
	int i;

	for (i = 0; i < BIT(LEVEL_STRIDE); i++, pte++) {
		if (!dma_pte_present(pte))
			continue;
		if (level == 1 || dma_pte_superpage(pte))
			bytes += (u64)lvl_to_nr_pages(level) << VTD_PAGE_SHIFT;
		else
			bytes += leaf_bytes(dma_pte_addr(pte), level - 1);
	}
	return bytes;
}

/**
 * iommu_domain_adopted_bytes - how much an adopted domain maps
 * @domain: one of which iommu_domain_adopted() is true; nobody maps meanwhile
 *
 * A holder that has mapped all of its own again knows from this whether there
 * is anything left that he does not know of.
 *
 * Return: bytes.
 */
u64 iommu_domain_adopted_bytes(struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	return leaf_bytes(virt_to_phys(dmar_domain->pgd),
			  agaw_to_level(dmar_domain->agaw));
}
EXPORT_SYMBOL_GPL(iommu_domain_adopted_bytes);

/* The unit of the handover that is this IOMMU, or -1. */
static int find_unit(const struct kram_handover *h,
		     const struct intel_iommu *iommu)
{
	if (iommu->seq_id >= KRAM_MAX_UNITS || iommu->seq_id >= h->nr_units ||
	    h->unit[iommu->seq_id].reg_base != iommu->drhd->reg_base_addr)
		return -1;
	return iommu->seq_id;
}

static const struct kram_device *find_kept(const struct kram_handover *h,
					   u16 segment, u8 bus, u8 devfn)
{
	unsigned int i;

	for (i = 0; i < h->nr_devices; i++) {
		const struct kram_device *d = &h->device[i];

		if (d->segment == segment && d->bus == bus &&
		    d->devfn == devfn && !(d->flags & KRAM_DEV_BRIDGE))
			return d;
	}
	return NULL;
}

static const char *check_device(const struct kram_device *d,
				const struct root_entry *root)
{
	phys_addr_t table = root[d->bus].lo & VTD_PAGE_MASK;
	struct context_entry *ce;

	if (!(root[d->bus].lo & 1) ||
	    !kram_page_live(table, KRAM_OWNER_IOMMU_CONTEXT))
		return "a context table of a kept device is not where it was";
	ce = (struct context_entry *)phys_to_virt(table) + d->devfn;
	if (ce->lo != d->context[0] || ce->hi != d->context[1] ||
	    (ce->lo & VTD_PAGE_MASK) != d->pgd || (ce->hi & 7) != d->agaw ||
	    !(ce->lo & 1) || context_domain_id(ce) != d->did)
		return "the context entry of a kept device has changed";
	if (walk_tables(d->pgd, agaw_to_level(d->agaw), table_in_kram))
		return "a page table of a kept device is not in KRAM";
	return NULL;
}

static const char *check_unit(struct intel_iommu *iommu,
			      const struct kram_handover *h)
{
	const struct kram_iommu_unit *unit;
	const char *why;
	unsigned int i;
	u64 rtaddr;
	int n;

	n = find_unit(h, iommu);
	if (n < 0)
		return "an IOMMU is not the one that was handed over";
	unit = &h->unit[n];
	rtaddr = dmar_readq(iommu->reg + DMAR_RTADDR_REG);
	if (!(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES) ||
	    rtaddr != unit->rtaddr)
		return "an IOMMU does not translate as it did";
	if (sm_supported(iommu) || !root_page(iommu) ||
	    rtaddr != virt_to_phys(root_page(iommu)))
		return "the root table of an IOMMU is not in its place in KRAM";
#ifdef CONFIG_IRQ_REMAP
	if (!iommu->ir_table || virt_to_phys(iommu->ir_table->base) !=
				(unit->irta & VTD_PAGE_MASK))
#endif
		return "the interrupt-remapping table was not adopted";

	for (i = 0; i < h->nr_devices; i++) {
		if ((h->device[i].flags & KRAM_DEV_BRIDGE) ||
		    h->device[i].unit != n)
			continue;
		if (h->device[i].segment != iommu->segment)
			return "a kept device is not where its IOMMU is";
		why = check_device(&h->device[i], root_page(iommu));
		if (why)
			return why;
	}
	return NULL;
}

/* All or none: a device must not go on behind a unit that is set up anew. */
static const char *check_units(const struct kram_handover *h)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;
	DECLARE_BITMAP(units, KRAM_MAX_UNITS) = {};
	const char *why;
	unsigned int i;

	for_each_active_iommu(iommu, drhd) {
		why = check_unit(iommu, h);
		if (why)
			return why;
		__set_bit(iommu->seq_id, units);
	}
	for (i = 0; i < h->nr_devices; i++)
		if (!(h->device[i].flags & KRAM_DEV_BRIDGE) &&
		    (h->device[i].unit >= KRAM_MAX_UNITS ||
		     !test_bit(h->device[i].unit, units)))
			return "the IOMMU of a kept device is gone";
	return NULL;
}

/* Keeps the context entries of kept devices in one table, clears the rest. */
static void clean_context_table(struct intel_iommu *iommu,
				const struct kram_handover *h, u8 bus,
				struct context_entry *table)
{
	const struct kram_device *d;
	unsigned int devfn;

	for (devfn = 0; devfn < 256; devfn++) {
		d = find_kept(h, iommu->segment, bus, devfn);
		/* PCI has enumerated: what is not kept there was stopped. */
		if (!d || !pci_preserve_lookup(iommu->segment, bus, devfn)) {
			context_clear_entry(&table[devfn]);
			continue;
		}
		set_bit(d->did, iommu->domain_ids);
		walk_tables(d->pgd, agaw_to_level(d->agaw), kram_claim_page);
	}
	__iommu_flush_cache(iommu, table, VTD_PAGE_SIZE);
}

/**
 * intel_iommu_adopt - go on with the tables that an IOMMU uses
 * @iommu: a unit whose translation was found enabled; domain ids are set up
 *
 * Sets root_entry. Everything is checked before anything is changed; what
 * belongs to no kept device is then cleared, and freed by
 * kram_release_unclaimed().
 *
 * Return: true, or false after kram_refuse(): no device can do DMA any more and
 *	   translation may be switched off.
 */
bool intel_iommu_adopt(struct intel_iommu *iommu)
{
	const struct kram_handover *h = kram_handover_adopted();
	struct root_entry *root = root_page(iommu);
	static bool checked;
	unsigned int bus;
	const char *why;

	if (!h || !h->nr_devices)
		return false;
	why = checked ? NULL : check_units(h);
	checked = true;
	if (why) {
		kram_refuse(why);
		return false;
	}

	for (bus = 0; bus < VTD_PAGE_SIZE / sizeof(*root); bus++) {
		phys_addr_t table = root[bus].lo & VTD_PAGE_MASK;

		if (!(root[bus].lo & 1))
			continue;
		if (kram_claim_page(table, KRAM_OWNER_IOMMU_CONTEXT)) {
			root[bus].lo = 0;
			continue;
		}
		clean_context_table(iommu, h, bus, phys_to_virt(table));
	}
	__iommu_flush_cache(iommu, root, VTD_PAGE_SIZE);
	iommu->root_entry = root;
	iommu->flags |= VTD_FLAG_ADOPTED;
	pr_info("%s: translation tables adopted, root table at %#llx\n",
		iommu->name, virt_to_phys(root));
	return true;
}

/**
 * intel_iommu_adopt_device - note that a new device is kept
 * @info: the device, before anything is attached to it
 */
void intel_iommu_adopt_device(struct device_domain_info *info)
{
	const struct kram_handover *h = kram_handover_adopted();
	const struct kram_device *d;

	if (!h || !(info->iommu->flags & VTD_FLAG_ADOPTED))
		return;
	d = find_kept(h, info->segment, info->bus, info->devfn);
	if (!d || !pci_preserve_lookup(info->segment, info->bus, info->devfn))
		return;
	info->preserve = 1;
	info->kept.pgd = d->pgd;
	info->kept.agaw = d->agaw;
	info->kept.did = d->did;
}

/**
 * intel_iommu_adopt_irt - the interrupt-remapping table of the last kernel
 * @iommu: a unit whose interrupt remapping was found enabled
 * @regs: what the table address register must hold but for the address
 * @order: log2 of the table's pages
 *
 * The table is emptied: no vector of a kept device is unmasked, and no other
 * device is running.
 *
 * Return: its address, or NULL after kram_refuse().
 */
void *intel_iommu_adopt_irt(struct intel_iommu *iommu, u64 regs, int order)
{
	const struct kram_handover *h = kram_handover_adopted();
	u64 irta = dmar_readq(iommu->reg + DMAR_IRTA_REG);
	phys_addr_t base = irta & VTD_PAGE_MASK;
	const char *why = NULL;
	int n;

	if (!h || !h->nr_devices)
		return NULL;
	n = find_unit(h, iommu);
	if (n < 0)
		why = "an IOMMU is not the one that was handed over";
	else if (irta != h->unit[n].irta || (irta & ~VTD_PAGE_MASK) != regs)
		why = "the interrupt-remapping table changed or is of another mode";
	else if (kram_claim_page(base, KRAM_OWNER_IOMMU_IRT))
		why = "the interrupt-remapping table is not in KRAM";
	if (why) {
		kram_refuse(why);
		return NULL;
	}

	memset(phys_to_virt(base), 0, PAGE_SIZE << order);
	__iommu_flush_cache(iommu, phys_to_virt(base), PAGE_SIZE << order);
	pr_info("%s: interrupt-remapping table adopted at %pa\n", iommu->name,
		&base);
	return phys_to_virt(base);
}

/**
 * intel_iommu_before_disable - translation or remapping is about to go off
 *
 * While a handover waits to be adopted, devices are running.
 */
void intel_iommu_before_disable(void)
{
	const struct kram_handover *h = kram_handover_adopted();

	if (!adoption_settled && h && h->nr_devices)
		kram_refuse("the IOMMU is switched off");
}

/**
 * intel_iommu_adopt_rest - refuse a handover that no unit has adopted
 *
 * Called when every unit was looked at, before any is set up anew.
 */
void intel_iommu_adopt_rest(void)
{
	const struct kram_handover *h = kram_handover_adopted();
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	if (!h || !h->nr_devices)
		return;
	for_each_active_iommu(iommu, drhd)
		if (!(iommu->flags & VTD_FLAG_ADOPTED))
			kram_refuse("an IOMMU was found switched off");
}

/**
 * intel_iommu_adoption_settled - every unit is set up
 *
 * Called with dmar_global_lock held. From here on a unit is like any other,
 * also to a resume from suspend, which sets the root pointer again.
 */
void intel_iommu_adoption_settled(void)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	for_each_iommu(iommu, drhd)
		iommu->flags &= ~VTD_FLAG_ADOPTED;
	adoption_settled = true;
	kram_release_unclaimed();
}

void __intel_iommu_note_map(struct dmar_domain *domain, u16 type, unsigned long ip,
			    u64 iova, u64 pa, u64 size)
{
	struct device_domain_info *info;
	unsigned long flags;
	u32 bdf = KH_NO_BDF;

	spin_lock_irqsave(&domain->lock, flags);
	list_for_each_entry(info, &domain->devices, link)
		if (info->preserve)
			bdf = KH_BDF(info->segment, info->bus, info->devfn);
	spin_unlock_irqrestore(&domain->lock, flags);
	if (bdf != KH_NO_BDF || domain->adopted || domain->keep_tables)
		kram_record(type, bdf, ip, iova, pa, size);
}

static void record_unit(struct intel_iommu *iommu, struct kram_handover *h)
{
	struct kram_iommu_unit *unit;

	if (iommu->seq_id >= KRAM_MAX_UNITS)
		return;
	unit = &h->unit[iommu->seq_id];
	unit->reg_base = iommu->drhd->reg_base_addr;
	unit->cap = iommu->cap;
	unit->ecap = iommu->ecap;
	unit->rtaddr = dmar_readq(iommu->reg + DMAR_RTADDR_REG);
	unit->irta = dmar_readq(iommu->reg + DMAR_IRTA_REG);
	unit->gsts = readl(iommu->reg + DMAR_GSTS_REG);
	unit->fsts = readl(iommu->reg + DMAR_FSTS_REG);
	h->nr_units = max_t(u32, h->nr_units, iommu->seq_id + 1);
}

/* Drops from the handover what can no longer be kept, and silences it. */
static void record_devices(struct intel_iommu *iommu, struct kram_handover *h)
{
	struct kram_device *d = h->device;

	while (d < h->device + h->nr_devices) {
		if ((d->flags & KRAM_DEV_BRIDGE) || d->unit != iommu->seq_id ||
		    !record_context(iommu, d)) {
			d++;
			continue;
		}
		pr_err("%s: %04x:%02x:%02x.%x lost a table, it is not kept\n",
		       iommu->name, d->segment, d->bus, PCI_SLOT(d->devfn),
		       PCI_FUNC(d->devfn));
		arch_kram_stop_device(d);
		memmove(d, d + 1, (h->device + --h->nr_devices - d) *
				  sizeof(*d));
	}
}

/**
 * intel_iommu_leave_running - record the units for the next kernel
 *
 * Called at shutdown, with one CPU and dmar_global_lock held.
 *
 * Return: true if devices are preserved and this is a kexec to a kernel that
 *	   adopts them, so that the units must stay on.
 */
bool intel_iommu_leave_running(void)
{
	struct kram_handover *h = kram_handover_current();
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	if (!kram_next_adopts() || !h || !h->nr_devices)
		return false;
	for_each_active_iommu(iommu, drhd) {
		record_unit(iommu, h);
		record_devices(iommu, h);
	}
	kram_inject_shutdown();
	return h->nr_devices;
}
