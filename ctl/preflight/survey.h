/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The survey: which devices of a host could be kept over an upgrade, why the others could not, and how much
 * memory to set aside. It needs no KRAM and no patched kernel, and changes nothing. docs/survey.md explains
 * each reason.
 */
#ifndef KHCTL_SURVEY_H
#define KHCTL_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kram.h>
#include "base/err.h"
#include "base/opts.h"
#include "host/cmdline.h"
#include "host/dmar.h"

struct json_object;

/* Guests that can be planned for; the memory map has no room for more ranges than about twice as many. */
#define SURVEY_MAX_GUESTS	64

/* Entries of the E820 table that reach the next kernel (E820_MAX_ENTRIES_ZEROPAGE of Linux). */
#define SURVEY_MAX_E820		128

/**
 * enum survey_reason - why a device cannot be kept
 *
 * The order is the order of the report: the host, the DMA-remapping units, the function itself, its group.
 */
enum survey_reason {
	SV_NOT_X86,
	SV_AMD_IOMMU,
	SV_VM_NO_IOMMU,
	SV_NO_DMAR,
	SV_DMAR_UNREAD,
	SV_DMAR_BROKEN,
	SV_IOMMU_OFF,
	SV_NO_REMAPPING,
	SV_UNIT_NO_REMAPPING,
	SV_NO_UNIT,
	SV_UNIT_IGNORED,
	SV_UNIT_LIMIT,
	SV_SCALABLE_MODE,
	SV_CONFIG_UNREAD,
	SV_NO_ANSWER,
	SV_SEGMENT,
	SV_VIRTUAL_FUNCTION,
	SV_HAS_VFS,
	SV_USB,
	SV_NO_MSIX,
	SV_PLAIN_MSI,
	SV_BAR_UNSET,
	SV_ALIAS,
	SV_PASID,
	SV_PRI,
	SV_ATS,
	SV_RMRR,
	SV_QUIRK,
	SV_VIRTIO,
	SV_VIRTIO_UNREAD,
	SV_GROUP,
	SURVEY_REASONS
};

/** enum survey_verdict - of a function or a group, the best one first */
enum survey_verdict {
	SURVEY_YES,		/* can be kept as the host is */
	SURVEY_AFTER,		/* can be kept after a change of settings */
	SURVEY_UNKNOWN,		/* something that decides could not be read */
	SURVEY_NO,		/* cannot be kept where it is */
};

/**
 * struct survey_rule - what is known of a reason
 * @id: never changes its meaning
 * @found: what is the case
 * @change: what would change it
 * @verdict: of a function for which nothing worse is the case
 */
struct survey_rule {
	const char *id;
	const char *found;
	const char *change;
	enum survey_verdict verdict;
};

extern const struct survey_rule survey_rules[SURVEY_REASONS];

/* Where something is a fact, not the case, or could not be read. */
enum survey_fact { SURVEY_FALSE, SURVEY_TRUE, SURVEY_NOT_KNOWN };

/**
 * struct survey_fn - a PCI function
 * @name: as in sysfs
 * @segment: 32 bits, since Linux numbers segments beyond those of firmware
 * @bridge: nothing to keep by itself
 * @config_read: its configuration space could be read
 * @secondary: and @subordinate: buses below a bridge
 * @pcie_type: device/port type of the PCI Express capability, -1: it has none
 * @group: IOMMU group, -1: none
 * @unit: index into struct survey, -1: none
 * @linked: the running kernel names the unit
 * @driver: "" for none
 * @reasons: a bit for each enum survey_reason
 * @verdict: what follows from them
 * @mates: other functions of its group that are no bridges
 * @mate: one of them that cannot be kept, or else the first, "" for none
 */
struct survey_fn {
	char name[16];
	uint32_t segment;
	uint8_t bus;
	uint8_t devfn;
	uint16_t vendor;
	uint16_t device;
	uint32_t class;
	bool bridge;
	bool config_read;
	uint8_t secondary;
	uint8_t subordinate;
	int pcie_type;
	int group;
	int unit;
	bool linked;
	char driver[32];
	uint64_t reasons;
	enum survey_verdict verdict;
	unsigned int mates;
	char mate[16];
};

/**
 * struct survey_unit - a DMA-remapping unit
 * @base: address of its registers
 * @entry: in the DMAR table, -1: the table could not be read
 * @number: N of dmarN, which is its place in the table, -1: not known
 * @on: the running kernel translates with it
 * @cap: capability register, 0: not known
 * @ecap: extended capability register
 * @ignored: Linux does not use it, and why; NULL: Linux uses it
 * @scalable: is it in scalable mode
 */
struct survey_unit {
	uint64_t base;
	uint16_t segment;
	int entry;
	int number;
	bool on;
	uint64_t cap;
	uint64_t ecap;
	const char *ignored;
	enum survey_fact scalable;
};

/**
 * struct survey_plan - memory that an upgrade needs, at places where there is RAM
 * @range: as in memmap=: one for each guest, then the state area, then KRAM
 * @nr_ranges: how many
 * @have: ranges that the command line of the running kernel sets aside already
 * @nr_have: how many
 * @ram: bytes of RAM of which firmware tells
 * @kram_pages: pages of page tables and other tables that KRAM must hold
 * @e820: entries of the firmware's map
 * @e820_after: entries with the ranges
 * @invented: no size was asked for and nothing is set aside: the guest is an example
 * @low: a range lies below 4 GiB, where boot loaders put their files
 * @error: why there is no plan, "" if there is one
 */
struct survey_plan {
	struct mem_range range[2 + SURVEY_MAX_GUESTS];
	uint64_t guest[SURVEY_MAX_GUESTS];
	struct mem_range have[SURVEY_MAX_E820];
	unsigned int nr_guests;
	unsigned int nr_ranges;
	unsigned int nr_have;
	uint64_t ram;
	uint64_t kram_pages;
	unsigned int e820;
	unsigned int e820_after;
	bool invented;
	bool low;
	char error[200];
};

struct survey_in {
	const char *root;	/* NULL: this host */
	const char *save;	/* NULL: no copy is made */
	const struct str_list *guests;	/* sizes, as in memmap= */
};

/* A path that could not be read, and why. */
struct survey_unread {
	char path[128];
	int rc;
};

#define SURVEY_MAX_UNREAD 16

/**
 * struct survey_src - where the survey reads
 * @root: descriptor of the folder that holds proc/ and sys/
 * @copy: that folder is a copy; no link may lead out of it
 * @archive: what was read, as a tar archive; NULL: nobody asked for one
 * @unread: files that are there and could not be read
 * @nr_unread: how many, also beyond SURVEY_MAX_UNREAD
 */
struct survey_src {
	int root;
	bool copy;
	struct survey_archive *archive;
	struct survey_unread unread[SURVEY_MAX_UNREAD];
	unsigned int nr_unread;
};

/**
 * struct survey - a host as the survey sees it
 * @kernel: its release
 * @kram: the running kernel has KRAM areas
 * @vendor: vendor_id of its CPUs
 * @virtual: it is a virtual machine
 * @kvm: it has vmx or svm
 * @cmdline: of the running kernel
 * @remapping: does the running kernel remap interrupts
 * @have_dmar: @dmar was read
 * @dmar_error: why not, "" if there is no table
 * @ivrs: there is the table of an AMD IOMMU
 * @other_iommu: name of an IOMMU that is not Intel's, "" for none
 * @host_reasons: those that hold for each device
 * @buses: PCI buses
 */
struct survey {
	struct survey_src src;
	char kernel[80];
	bool kram;
	char vendor[16];
	bool virtual;
	bool kvm;
	char cmdline[CMDLINE_MAX];
	enum survey_fact remapping;
	bool have_dmar;
	char dmar_error[200];
	struct dmar dmar;
	bool ivrs;
	char other_iommu[32];
	uint64_t host_reasons;
	unsigned int buses;
	struct survey_fn *fn;
	unsigned int nr_fns;
	struct survey_unit *unit;
	unsigned int nr_units;
	struct survey_plan plan;
};

/**
 * survey_run() - look at a host
 * @s: result; survey_end() it in any case
 *
 * What cannot be read is noted in @s and is no error.
 *
 * Return: 0, or -errno with a message: there is no such folder, the copy cannot be written, a copy was
 *	   asked for and not all could be read (-EACCES), or a size of a guest is none (-EINVAL).
 */
int survey_run(struct survey *s, const struct survey_in *in, struct kh_err *e);
void survey_end(struct survey *s);

/** survey_count() - functions of a verdict */
unsigned int survey_count(const struct survey *s, enum survey_verdict v);

/** survey_verdict_name() - as in JSON */
const char *survey_verdict_name(enum survey_verdict v);

/** survey_json() - all of it as fields of @o */
void survey_json(const struct survey *s, struct json_object *o);

/** survey_print() - all of it as text on stdout */
void survey_print(const struct survey *s, bool human);

#endif
