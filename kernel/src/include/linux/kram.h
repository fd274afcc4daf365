/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KRAM: kernel pages at fixed physical addresses that survive a kexec.
 *
 * The command line reserves areas with memmap=<size>:<start>. An area is a
 * header, an allocation map, a few fixed pages that are found by their index,
 * and a pool. Its format is in <uapi/linux/kram.h>. A kexec seals the areas;
 * the next kernel either adopts them, with every page still where it was and
 * owned by whom it was, or refuses them, and then takes bus master from every
 * PCI endpoint before it hands out its first page.
 */
#ifndef _LINUX_KRAM_H
#define _LINUX_KRAM_H

#include <linux/errno.h>
#include <linux/types.h>
#include <uapi/linux/kh_events.h>
#include <uapi/linux/kram.h>

struct device;
struct iommu_domain;
struct pci_dev;
struct pgprot;

#ifdef CONFIG_KRAM

/* Set up, in the order of the boot; arch code and mm/kram only. */
void kram_add_area(phys_addr_t start, u64 size, bool inherited);
void kram_init(void);
void kram_seal(void);

/* What the architecture provides. */
void arch_kram_stop_dma(void);
void arch_kram_stop_device(const struct kram_device *dev);
bool arch_kram_range_survives(phys_addr_t start, u64 size);
bool arch_kram_next_adopts(void);
void arch_kram_seal_clocks(struct kram_handover *h);
void arch_kram_adopt_clocks(const struct kram_handover *h);

/* Stores of the kernel to guests' RAM; arch/x86/kernel/kram-ram.c */
struct pgprot kram_ram_prot(struct pgprot prot);
void kram_ram_forget(void);
void kram_ram_look(void);

/* What the handover and its reader share; mm/kram/sysfs.c. */
struct kram_area {
	phys_addr_t start;
	u64 size;
	bool inherited;			/* came with the E820 table of a kexec */
	struct kram_area_header *hdr;
	struct kram_map_entry *map;
	unsigned long *unclaimed;	/* one bit per pool page; adoption only */
	u32 next;			/* where the next search begins */
	u32 high;			/* behind all entries ever used */
	u32 used;			/* pool pages */
};

extern struct kram_area kram_areas[KRAM_MAX_AREAS];
extern unsigned int kram_nr_areas;
extern unsigned int kram_nr_inherited;	/* areas that a kexec handed over */
unsigned long kram_owner_pages(enum kram_owner owner);
const char *kram_state_string(void);

bool kram_available(void);
void *kram_get_fixed_page(unsigned int area, unsigned int index);
void kram_put_fixed_page(unsigned int area, unsigned int index);
void *kram_alloc_pages(enum kram_owner owner, unsigned int order);
void kram_free_pages(void *addr);
bool kram_owns(phys_addr_t addr);
bool kram_page_live(phys_addr_t addr, enum kram_owner owner);
int kram_claim_page(phys_addr_t addr, enum kram_owner owner);
void kram_release_unclaimed(void);
bool kram_range_survives(phys_addr_t start, u64 size);
const struct kram_handover *kram_handover_adopted(void);
struct kram_handover *kram_handover_current(void);
void kram_refuse(const char *reason);
bool kram_next_adopts(void);

/* mm/kram/recorder.c */
extern bool kram_recording;
void __kram_record(u16 type, u32 bdf, unsigned long ip, u64 a0, u64 a1, u64 a2, u64 a3);
void kram_recorder_arm(const u8 *run_id);
void kram_recorder_adopt(void);
void kram_recorder_seal(void);

#else

#define kram_recording false
static inline void __kram_record(u16 type, u32 bdf, unsigned long ip, u64 a0, u64 a1,
				 u64 a2, u64 a3) { }
static inline void kram_add_area(phys_addr_t start, u64 size, bool inherited) { }
static inline void kram_init(void) { }
static inline void kram_seal(void) { }
#define kram_ram_prot(prot) (prot)
static inline void kram_ram_forget(void) { }
static inline void kram_ram_look(void) { }
static inline bool kram_available(void) { return false; }
static inline void *kram_get_fixed_page(unsigned int area, unsigned int index)
{
	return NULL;
}

static inline void kram_put_fixed_page(unsigned int area, unsigned int index) { }
static inline void *kram_alloc_pages(enum kram_owner owner, unsigned int order)
{
	return NULL;
}

static inline void kram_free_pages(void *addr) { }
static inline bool kram_owns(phys_addr_t addr) { return false; }
static inline bool kram_range_survives(phys_addr_t start, u64 size)
{
	return false;
}

static inline const struct kram_handover *kram_handover_adopted(void)
{
	return NULL;
}

static inline struct kram_handover *kram_handover_current(void) { return NULL; }
static inline void kram_refuse(const char *reason) { }
static inline bool kram_next_adopts(void) { return false; }

#endif /* CONFIG_KRAM */

#define __KRAM_RECORD(type, bdf, ip, a0, a1, a2, a3, ...) \
	__kram_record(type, bdf, ip, a0, a1, a2, a3)

/*
 * kram_record(type, bdf, ip, ...): up to four arguments, the rest are 0. Costs
 * the test of a variable while nothing is recorded.
 */
#define kram_record(type, bdf, ip, ...)						\
do {										\
	if (unlikely(kram_recording))						\
		__KRAM_RECORD(type, bdf, ip, ##__VA_ARGS__, 0, 0, 0, 0);	\
} while (0)

/**
 * kram_alloc_page - take a zeroed page from the pool
 * @owner: who it belongs to
 *
 * Context: Any; takes a raw spinlock with interrupts off.
 * Return: its address in the direct map, or NULL when there is no KRAM or no
 *	   free page in it.
 */
static inline void *kram_alloc_page(enum kram_owner owner)
{
	return kram_alloc_pages(owner, 0);
}

static inline void kram_free_page(void *addr)
{
	kram_free_pages(addr);
}

#if defined(CONFIG_KRAM) && defined(CONFIG_INTEL_IOMMU)
int iommu_preserve_device(struct device *dev, struct kram_device *rec);
void iommu_unpreserve_device(struct device *dev);
bool iommu_domain_adopted(struct iommu_domain *domain);
u64 iommu_domain_adopted_bytes(struct iommu_domain *domain);
#else
static inline int iommu_preserve_device(struct device *dev,
					struct kram_device *rec)
{
	return -EOPNOTSUPP;
}

static inline void iommu_unpreserve_device(struct device *dev) { }
static inline bool iommu_domain_adopted(struct iommu_domain *domain)
{
	return false;
}

static inline u64 iommu_domain_adopted_bytes(struct iommu_domain *domain)
{
	return 0;
}
#endif

#ifdef CONFIG_KRAM_INJECT
extern bool kram_inject_full;
void kram_inject_shutdown(void);
void kram_inject_look(void);
int intel_iommu_inject(struct pci_dev *dev, const char *name);
#else
#define kram_inject_full false
static inline void kram_inject_shutdown(void) { }
static inline void kram_inject_look(void) { }
#endif

#endif /* _LINUX_KRAM_H */
