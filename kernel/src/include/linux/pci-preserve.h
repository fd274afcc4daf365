/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI functions that go on working while one kernel gives way to the next.
 *
 * A function is *preserved* from pci_preserve_add() to pci_preserve_remove():
 * it and the bridges above it stand in the handover that the next kernel is
 * given. A preserved function is *kept* while no driver of this kernel has set
 * it up: from its holder's close to its release, and in the next kernel from
 * the first look at its bus to its release. A kept function's configuration
 * space is written by nobody but the user who holds it.
 */
#ifndef _LINUX_PCI_PRESERVE_H
#define _LINUX_PCI_PRESERVE_H

#include <linux/errno.h>
#include <linux/types.h>

struct kram_device;
struct pci_dev;

/* Tests of those who watch make the guard let through what it is there to stop. */
#ifdef CONFIG_KRAM_INJECT
extern bool pci_preserve_leaky;
int pci_inject_pm_reset(struct pci_dev *dev);
#else
#define pci_preserve_leaky false
#endif

#ifdef CONFIG_PCI_PRESERVE

bool pci_preserve_is_active(void);
bool pci_preserve_is_set(struct pci_dev *dev);
bool pci_preserve_kept(struct pci_dev *dev);
bool pci_preserve_kept_bridge(struct pci_dev *dev);
bool pci_preserve_down(struct pci_dev *dev);
const struct kram_device *pci_preserve_lookup(int segment, u8 bus, u8 devfn);
int pci_preserve_add(struct pci_dev *dev);
void pci_preserve_remove(struct pci_dev *dev);
int pci_preserve_keep(struct pci_dev *dev);
int pci_preserve_mask_vectors(struct pci_dev *dev);

#else

static inline bool pci_preserve_is_active(void) { return false; }
static inline bool pci_preserve_is_set(struct pci_dev *dev) { return false; }
static inline bool pci_preserve_kept(struct pci_dev *dev) { return false; }
static inline bool pci_preserve_kept_bridge(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_preserve_down(struct pci_dev *dev) { return false; }

static inline const struct kram_device *
pci_preserve_lookup(int segment, u8 bus, u8 devfn)
{
	return NULL;
}

static inline int pci_preserve_add(struct pci_dev *dev) { return -EOPNOTSUPP; }
static inline void pci_preserve_remove(struct pci_dev *dev) { }
static inline int pci_preserve_keep(struct pci_dev *dev) { return 0; }
static inline int pci_preserve_mask_vectors(struct pci_dev *dev) { return 0; }

#endif /* CONFIG_PCI_PRESERVE */

#endif /* _LINUX_PCI_PRESERVE_H */
