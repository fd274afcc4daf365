/* SPDX-License-Identifier: GPL-2.0 */
/* The ACPI table DMAR, by which firmware tells where the DMA-remapping units are (VT-d, section 8). */
#ifndef KHCTL_DMAR_H
#define KHCTL_DMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* Flags of the table (VT-d 8.1). */
#define DMAR_INTR_REMAP		0x1
#define DMAR_X2APIC_OPT_OUT	0x2
#define DMAR_PLATFORM_OPT_IN	0x4

/* Flag of a DRHD: the unit serves all functions of its segment that no other unit names (VT-d 8.3). */
#define DMAR_INCLUDE_ALL	0x1

/* Structures of the table that have device scopes or are of use here (VT-d 8.2). */
enum dmar_type {
	DMAR_DRHD	= 0,	/* a DMA-remapping unit */
	DMAR_RMRR	= 1,	/* memory that firmware wants mapped for devices */
	DMAR_ATSR	= 2,	/* root ports that pass on translated requests */
	DMAR_RHSA	= 3,	/* NUMA node of a unit */
	DMAR_ANDD	= 4,	/* a device that is not on PCI */
	DMAR_SATC	= 5,	/* integrated functions with ATS */
};

/* Type of a device scope (VT-d 8.3.1). */
enum dmar_scope_type {
	DMAR_SCOPE_ENDPOINT	= 1,
	DMAR_SCOPE_BRIDGE	= 2,	/* and everything below it */
	DMAR_SCOPE_IOAPIC	= 3,
	DMAR_SCOPE_HPET		= 4,
	DMAR_SCOPE_ACPI		= 5,
};

/* Elements of a path. Firmware that nests bridges deeper is refused, not truncated. */
#define DMAR_MAX_PATH 16

/**
 * struct dmar_scope - names one function, or a bridge with all that is below it
 * @type: enum dmar_scope_type; unknown types are kept as they are
 * @bus: bus of the first element
 * @nr_path: elements of @path, at least 1
 * @path: device and function of each step, as PCI writes it: device << 3 | function
 */
struct dmar_scope {
	uint8_t type;
	uint8_t bus;
	uint8_t nr_path;
	uint8_t path[DMAR_MAX_PATH];
};

/**
 * struct dmar_entry - one structure of the table
 * @type: enum dmar_type; structures of other types are counted but not kept
 * @flags: DMAR_INCLUDE_ALL of a DRHD
 * @segment: PCI segment of its scopes
 * @base: DRHD and RHSA: address of the unit's registers; RMRR: first byte
 * @end: RMRR: last byte; RHSA: proximity domain
 * @scope: index of its first scope in struct dmar
 * @nr_scopes: how many
 */
struct dmar_entry {
	uint16_t type;
	uint8_t flags;
	uint16_t segment;
	uint64_t base;
	uint64_t end;
	unsigned int scope;
	unsigned int nr_scopes;
};

/**
 * struct dmar - a parsed table
 * @width: host address width in bits
 * @flags: DMAR_INTR_REMAP and others
 * @checksum_ok: the bytes of the table add up to 0; Linux uses a table whose bytes do not
 * @entry: in the order of the table, which is the order in which Linux numbers the units
 * @nr_entries: how many
 * @scope: of all entries
 * @nr_scopes: how many
 * @nr_unknown: structures of types that are not in enum dmar_type
 */
struct dmar {
	uint8_t width;
	uint8_t flags;
	bool checksum_ok;
	struct dmar_entry *entry;
	unsigned int nr_entries;
	struct dmar_scope *scope;
	unsigned int nr_scopes;
	unsigned int nr_unknown;
};

/**
 * dmar_parse() - read a table
 * @table: the bytes of /sys/firmware/acpi/tables/DMAR; nothing outside of them is looked at
 * @len: how many
 * @d: result; dmar_free() it after success
 *
 * Return: 0; -EBADMSG with a message for a table that contradicts itself; -ENOMEM.
 */
int dmar_parse(const void *table, size_t len, struct dmar *d, struct kh_err *e);

void dmar_free(struct dmar *d);

/**
 * dmar_secondary_fn - which bus is below a bridge
 *
 * Return: its number, or a negative number if there is no such function or it is no bridge.
 */
typedef int (*dmar_secondary_fn)(void *ctx, uint32_t segment, uint8_t bus, uint8_t devfn);

/**
 * dmar_scope_find() - the function that a scope names on this machine
 * @s: the scope
 * @segment: of its entry
 * @secondary: asked for each bridge on the path
 * @ctx: its first argument
 * @bus: result
 * @devfn: result; nobody has checked that the function is present
 *
 * Return: 0, or -ENOENT if a bridge on the path is not there.
 */
int dmar_scope_find(const struct dmar_scope *s, uint32_t segment, dmar_secondary_fn secondary,
		    void *ctx, uint8_t *bus, uint8_t *devfn);

#endif
