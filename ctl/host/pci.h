/* SPDX-License-Identifier: GPL-2.0 */
/* PCI functions through sysfs. */
#ifndef KHCTL_PCI_H
#define KHCTL_PCI_H

#include <stddef.h>
#include "base/err.h"
#include "format/state.h"

/** pci_parse() - "0000:01:02.3". Return: 0 or -EINVAL. */
int pci_parse(const char *bdf, uint16_t *segment, uint8_t *bus, uint8_t *devfn);

/**
 * pci_unit() - DMA-remapping unit of a function
 *
 * Return: N of dmarN; -ENOENT when it has none.
 */
int pci_unit(const char *bdf);

/* What a function without extended configuration space has of it (PCI 3.0, 6.1). */
#define PCI_CONFIG_BYTES	256

/* Configuration space of a PCI Express function; the extended capabilities begin behind PCI_CONFIG_BYTES. */
#define PCI_EXPRESS_CONFIG_BYTES	4096

/**
 * pci_find_cap() - a capability of a function
 * @cfg: its configuration space
 * @len: bytes of @cfg that were read
 * @id: identifier of the capability
 *
 * Return: its offset, at which at least 4 bytes were read; 0 if there is none.
 */
unsigned int pci_find_cap(const uint8_t *cfg, size_t len, uint8_t id);

/** pci_find_ext_cap() - the same for an extended capability, of which at least 8 bytes were read */
unsigned int pci_find_ext_cap(const uint8_t *cfg, size_t len, uint16_t id);

/**
 * pci_record() - identity and live settings of a function, without its mappings
 * @cfg: PCI_CONFIG_BYTES of it, which they were taken from
 */
int pci_record(const char *bdf, struct kh_plan_dev *dev, uint8_t *cfg, struct kh_err *e);

/**
 * pci_group_foreach() - the other functions of an IOMMU group that are no bridges
 * @fn: returns nonzero to stop
 *
 * Return: what @fn returned last, -ENOENT when there is no group.
 */
int pci_group_foreach(const char *bdf, int (*fn)(void *ctx, const char *bdf), void *ctx);

/** pci_driver() - name of the bound driver, "" for none */
void pci_driver(const char *bdf, char *buf, size_t size);

/** pci_bind_vfio() - hand a function to vfio-pci. Nothing to do when it has it. */
int pci_bind_vfio(const char *bdf, struct kh_err *e);

unsigned int pci_buses(void);

#endif
