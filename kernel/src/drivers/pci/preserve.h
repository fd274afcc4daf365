/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Preserved PCI functions: what the PCI core asks of preserve.c,
 * preserve-keep.c and preserve-scan.c, and what those share.
 */
#ifndef _DRIVERS_PCI_PRESERVE_H
#define _DRIVERS_PCI_PRESERVE_H

#include <linux/jump_label.h>
#include <linux/kram.h>
#include <linux/mutex.h>
#include <linux/pci-preserve.h>

struct pci_bus;
struct pci_driver;

#ifdef CONFIG_PCI_PRESERVE

enum pci_preserve_flag {
	PCI_PRESERVE_SET,	/* in the handover; the slot is in use */
	PCI_PRESERVE_KEPT,	/* nobody has set it up: writes are dropped */
	PCI_PRESERVE_MSIX_ON,	/* kept with MSI-X enabled */
	PCI_PRESERVE_FOUND,	/* this kernel has seen it, and it is what it was */
	PCI_PRESERVE_DOWN,	/* left to the next kernel, for good */
};

/**
 * struct pci_preserve_slot - a preserved function or a bridge above one
 * @sbdf: segment, bus, device and function
 * @flags: bits of enum pci_preserve_flag
 * @dropped: configuration writes dropped since it was kept
 * @rec: what the next kernel is told
 *
 * Changed under pci_preserve_lock, read without: configuration space is
 * written from any context.
 */
struct pci_preserve_slot {
	u32			sbdf;
	unsigned long		flags;
	atomic_t		dropped;
	struct kram_device	rec;
};

/* Counts the slots in use: nothing preserved costs nothing. */
DECLARE_STATIC_KEY_FALSE(pci_preserve_key);
extern struct mutex pci_preserve_lock;

struct pci_preserve_slot *pci_preserve_find(int segment, u8 bus, u8 devfn);
struct pci_preserve_slot *pci_preserve_slot(struct pci_dev *dev);
struct pci_preserve_slot *pci_preserve_slot_get(const struct kram_device *rec);
void pci_preserve_slot_put(struct pci_preserve_slot *slot);
struct pci_preserve_slot *pci_preserve_next(struct pci_preserve_slot *slot);
void pci_preserve_publish(void);
void pci_preserve_record(struct pci_dev *dev, struct kram_device *rec);
const char *pci_preserve_objection(struct pci_dev *dev);
void pci_preserve_settle_msix(struct pci_dev *dev);
void pci_preserve_sweep_bridges(void);

bool __pci_preserve_drop_write(struct pci_bus *bus, unsigned int devfn,
			       int pos, int len, u32 *value);
bool pci_preserve_may_bind(struct pci_dev *dev, const struct pci_driver *drv);
bool pci_preserve_shutdown(struct pci_dev *dev);
void pci_preserve_stop(struct pci_dev *dev);
void pci_preserve_found(struct pci_dev *dev);
bool pci_preserve_read_bases(struct pci_dev *dev, unsigned int howmany,
			     int rom);
void pci_preserve_pm_init(struct pci_dev *dev);
int pci_preserve_enable_ats(struct pci_dev *dev, int ps);

/* True when the write must not reach the device; may change @value. */
static inline bool pci_preserve_drop_write(struct pci_bus *bus,
					   unsigned int devfn, int pos,
					   int len, u32 *value)
{
	return static_branch_unlikely(&pci_preserve_key) &&
	       __pci_preserve_drop_write(bus, devfn, pos, len, value);
}

void __pci_preserve_note_write(struct pci_bus *bus, unsigned int devfn, int pos,
			       int len, u32 value, unsigned long ip);

/* What has reached a device: for the recorder. */
static inline void pci_preserve_note_write(struct pci_bus *bus,
					   unsigned int devfn, int pos, int len,
					   u32 value, unsigned long ip)
{
	if (unlikely(kram_recording))
		__pci_preserve_note_write(bus, devfn, pos, len, value, ip);
}

#else

static inline void pci_preserve_note_write(struct pci_bus *bus,
					   unsigned int devfn, int pos, int len,
					   u32 value, unsigned long ip)
{
}

static inline bool pci_preserve_drop_write(struct pci_bus *bus,
					   unsigned int devfn, int pos,
					   int len, u32 *value)
{
	return false;
}

static inline bool pci_preserve_may_bind(struct pci_dev *dev,
					 const struct pci_driver *drv)
{
	return true;
}

static inline bool pci_preserve_shutdown(struct pci_dev *dev) { return false; }
static inline void pci_preserve_stop(struct pci_dev *dev) { }
static inline void pci_preserve_found(struct pci_dev *dev) { }
static inline bool pci_preserve_read_bases(struct pci_dev *dev,
					   unsigned int howmany, int rom)
{
	return false;
}

static inline void pci_preserve_pm_init(struct pci_dev *dev) { }
static inline int pci_preserve_enable_ats(struct pci_dev *dev, int ps)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_PCI_PRESERVE */

#endif /* _DRIVERS_PCI_PRESERVE_H */
