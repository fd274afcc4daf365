// SPDX-License-Identifier: GPL-2.0
/* What speaks against keeping a function: the reasons, and which of them hold. */
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "preflight/survey_parts.h"

#define ECAP_IR		(1ULL << 3)	/* VT-d 11.4.3: interrupt remapping */

/* PCI Express 5.0, 7.5.3.2: device/port type. */
#define PCIE_ROOT_PORT	4
#define PCIE_UPSTREAM	5
#define PCIE_DOWNSTREAM	6

#define CLASS_DISPLAY	0x03
#define CLASS_USB	0x0c03

/* docs/survey.md has a section for each. */
const struct survey_rule survey_rules[SURVEY_REASONS] = {
	[SV_NOT_X86] = { "not-x86", "this is no x86 machine, as far as /proc/cpuinfo tells",
		"nothing; only VT-d of Intel is supported", SURVEY_NO },
	[SV_AMD_IOMMU] = { "amd-iommu", "the host has an AMD CPU and no VT-d",
		"nothing; only VT-d of Intel is supported", SURVEY_NO },
	[SV_VM_NO_IOMMU] = { "vm-without-iommu", "the host is a virtual machine without an IOMMU",
		"give it a virtual Intel IOMMU (QEMU: -device intel-iommu,intremap=on)", SURVEY_AFTER },
	[SV_NO_DMAR] = { "no-vtd", "the firmware has no DMAR table",
		"switch VT-d on in the firmware; a machine without that setting has none", SURVEY_AFTER },
	[SV_DMAR_UNREAD] = { "dmar-unread", "the DMAR table cannot be read", "run khctl as root", SURVEY_UNKNOWN },
	[SV_DMAR_BROKEN] = { "dmar-broken", "the DMAR table contradicts itself",
		"update the firmware: Linux does not use such a table", SURVEY_AFTER },
	[SV_IOMMU_OFF] = { "iommu-off", "the running kernel does not use the IOMMU",
		"boot with intel_iommu=on,sm_off and run the survey again", SURVEY_AFTER },
	[SV_NO_REMAPPING] = { "no-remapping", "interrupts are not remapped",
		"switch interrupt remapping on in the firmware, and boot without intremap=off and nointremap",
		SURVEY_AFTER },
	[SV_UNIT_NO_REMAPPING] = { "unit-no-remapping", "a DMA-remapping unit cannot remap interrupts, so Linux remaps none",
		"nothing; of a virtual IOMMU, remapping (QEMU: intremap=on)", SURVEY_NO },
	[SV_NO_UNIT] = { "no-unit", "no DMA-remapping unit serves it", "a slot that one serves", SURVEY_NO },
	[SV_UNIT_IGNORED] = { "unit-ignored", "Linux does not use its DMA-remapping unit",
		"see the unit; igfx_off can be left out of intel_iommu=", SURVEY_NO },
	[SV_UNIT_LIMIT] = { "unit-limit", "its DMA-remapping unit is beyond the last that a handover holds",
		"a slot behind a unit with a lower number", SURVEY_NO },
	[SV_SCALABLE_MODE] = { "scalable-mode",
		"its DMA-remapping unit can do scalable mode, and nothing shows that it is off",
		"boot with intel_iommu=on,sm_off", SURVEY_AFTER },
	[SV_CONFIG_UNREAD] = { "config-unread", "its configuration space cannot be read", "run khctl as root",
		SURVEY_UNKNOWN },
	[SV_NO_ANSWER] = { "no-answer", "it does not answer: it is powered off or gone",
		"wake it up (power/control in sysfs) and run the survey again", SURVEY_UNKNOWN },
	[SV_SEGMENT] = { "segment", "it is not in PCI segment 0", "a slot in segment 0; for a drive behind VMD, VMD off",
		SURVEY_NO },
	[SV_VIRTUAL_FUNCTION] = { "virtual-function", "it is a virtual function", "pass through the physical function",
		SURVEY_NO },
	[SV_HAS_VFS] = { "has-vfs", "its virtual functions are enabled", "write 0 to its sriov_numvfs", SURVEY_AFTER },
	[SV_USB] = { "usb", "it is a USB controller, which the next kernel takes from the firmware",
		"nothing; pass its devices through one by one", SURVEY_NO },
	[SV_NO_MSIX] = { "no-msix", "it has no MSI-X, and no other interrupt is latched while masked",
		"another device", SURVEY_NO },
	[SV_PLAIN_MSI] = { "plain-msi", "a guest uses it with MSI, not MSI-X",
		"a driver in the guest that uses MSI-X", SURVEY_AFTER },
	[SV_BAR_UNSET] = { "bar-unset", "one of its BARs has no address",
		"switch decoding above 4 GiB on in the firmware, or boot with pci=realloc", SURVEY_AFTER },
	[SV_ALIAS] = { "alias", "it is behind a PCI bridge, whose id its requests carry",
		"a PCI Express slot", SURVEY_NO },
	[SV_PASID] = { "pasid", "PASID is on", "boot with intel_iommu=on,sm_off", SURVEY_AFTER },
	[SV_PRI] = { "pri", "page requests (PRI) are on", "boot with intel_iommu=on,sm_off", SURVEY_AFTER },
	[SV_ATS] = { "ats", "it translates addresses itself (ATS)", "boot with pci=noats", SURVEY_AFTER },
	[SV_RMRR] = { "rmrr", "the firmware wants memory mapped for it (RMRR), and Linux passes no such device through",
		"a setting of the firmware that drops the region", SURVEY_AFTER },
	[SV_QUIRK] = { "quirk", "QEMU needs quirks for it, whose state it does not save", "another device", SURVEY_NO },
	[SV_VIRTIO] = { "virtio", "it is a virtio device whose DMA bypasses the IOMMU",
		"switch its platform access on in the hypervisor (QEMU: iommu_platform=on)", SURVEY_AFTER },
	[SV_VIRTIO_UNREAD] = { "virtio-unread",
		"it is a virtio device, and nothing shows whether its DMA bypasses the IOMMU",
		"bind it to virtio-pci and run the survey again", SURVEY_UNKNOWN },
	[SV_GROUP] = { "group", "another function of its IOMMU group cannot be kept, or not yet",
		"a slot with a group of its own, or the change that the other function needs", SURVEY_NO },
};

static void hit(uint64_t *reasons, enum survey_reason r)
{
	*reasons |= 1ULL << r;
}

static bool any_on(const struct survey *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_units; i++)
		if (s->unit[i].on)
			return true;
	return false;
}

/* A host that has no DMAR table, or none that could be read. */
static enum survey_reason why_no_dmar(const struct survey *s)
{
	if (s->dmar_error[0])
		return strstr(s->dmar_error, "/DMAR: ") ? SV_DMAR_UNREAD : SV_DMAR_BROKEN;
	if (s->ivrs || has_prefix(s->other_iommu, "ivhd"))
		return SV_AMD_IOMMU;
	if (s->virtual)
		return SV_VM_NO_IOMMU;
	if (!strcmp(s->vendor, "AuthenticAMD") || !strcmp(s->vendor, "HygonGenuine"))
		return SV_AMD_IOMMU;
	return s->vendor[0] ? SV_NO_DMAR : SV_NOT_X86;
}

static void judge_remapping(struct survey *s)
{
	bool off = survey_cmdline_has(s, "intremap", "off") || s->remapping == SURVEY_FALSE;
	char unused[4];
	unsigned int i;

	for (i = 0; i < s->nr_units; i++)
		if (s->unit[i].ecap && !(s->unit[i].ecap & ECAP_IR)) {
			hit(&s->host_reasons, SV_UNIT_NO_REMAPPING);
			return;
		}
	if (off || cmdline_get(s->cmdline, "nointremap", unused, sizeof(unused)) ||
	    (s->have_dmar && !(s->dmar.flags & DMAR_INTR_REMAP)))
		hit(&s->host_reasons, SV_NO_REMAPPING);
}

static void judge_host(struct survey *s)
{
	bool on = any_on(s);

	s->host_reasons = 0;
	/* A kernel that uses units has read the table, also if the survey may not. */
	if (!s->have_dmar && !on)
		hit(&s->host_reasons, why_no_dmar(s));
	if (s->have_dmar && !on)
		hit(&s->host_reasons, SV_IOMMU_OFF);
	if (s->have_dmar || on)
		judge_remapping(s);
}

static void judge_unit(const struct survey *s, struct survey_fn *f)
{
	const struct survey_unit *u = f->unit >= 0 ? &s->unit[f->unit] : NULL;

	if (!s->have_dmar && !any_on(s))
		return;
	if (!u) {
		hit(&f->reasons, SV_NO_UNIT);
		return;
	}
	if (u->ignored)
		hit(&f->reasons, SV_UNIT_IGNORED);
	if (u->number >= KRAM_MAX_UNITS)
		hit(&f->reasons, SV_UNIT_LIMIT);
	/* Of units that are off it is not known yet what they can do. */
	if (u->on && u->scalable != SURVEY_FALSE)
		hit(&f->reasons, SV_SCALABLE_MODE);
}

/* pci_for_each_dma_alias() of Linux, but for its list of devices with faults. */
static bool has_alias(const struct survey *s, const struct survey_fn *f)
{
	const struct survey_fn *up;

	for (up = survey_bridge_above(s, f); up; up = survey_bridge_above(s, up))
		if (up->config_read && up->pcie_type != PCIE_ROOT_PORT && up->pcie_type != PCIE_UPSTREAM &&
		    up->pcie_type != PCIE_DOWNSTREAM)
			return true;
	return false;
}

/* Lines of begin, end, type: "direct" is an RMRR that Linux insists on. */
static bool group_insists(struct survey *s, int group)
{
	char path[96], text[4096];
	bool found;
	ssize_t n;

	path_fmt(path, sizeof(path), "sys/kernel/iommu_groups/%d/reserved_regions", group);
	n = survey_read(&s->src, path, text, sizeof(text));
	if (n < 0)
		return false;
	found = strstr(text, " direct\n");
	archive_file(s->src.archive, path, text, n);
	return found;
}

static bool table_insists(const struct survey *s, const struct survey_fn *f)
{
	unsigned int i;

	/* device_rmrr_is_relaxable() of Linux */
	if (f->class >> 16 == CLASS_DISPLAY || f->class >> 8 == CLASS_USB)
		return false;
	for (i = 0; i < s->dmar.nr_entries; i++)
		if (s->dmar.entry[i].type == DMAR_RMRR && survey_covers(s, &s->dmar.entry[i], f))
			return true;
	return false;
}

static enum survey_verdict verdict_of(uint64_t reasons)
{
	enum survey_verdict v = SURVEY_YES;
	unsigned int i;

	for (i = 0; i < SURVEY_REASONS; i++)
		if (reasons >> i & 1 && survey_rules[i].verdict > v)
			v = survey_rules[i].verdict;
	return v;
}

static void judge_function(struct survey *s, struct survey_fn *f)
{
	f->reasons |= s->host_reasons;
	judge_unit(s, f);
	if (has_alias(s, f))
		hit(&f->reasons, SV_ALIAS);
	if (f->group >= 0 ? group_insists(s, f->group) : table_insists(s, f))
		hit(&f->reasons, SV_RMRR);
	f->verdict = verdict_of(f->reasons);
}

/* All of a group are kept or none is. Bridges have no DMA of their own and do not count. */
static void judge_group(struct survey *s, struct survey_fn *f)
{
	enum survey_verdict worst = verdict_of(f->reasons);
	const struct survey_fn *g;
	unsigned int i;

	for (i = 0; i < s->nr_fns; i++) {
		g = &s->fn[i];
		if (g == f || g->bridge || g->group != f->group)
			continue;
		if (!f->mates++ || verdict_of(g->reasons) > worst)
			copy_str(f->mate, sizeof(f->mate), g->name);
		if (verdict_of(g->reasons) > worst)
			worst = verdict_of(g->reasons);
	}
	f->verdict = worst;
}

void survey_judge(struct survey *s)
{
	struct survey_fn *f;
	unsigned int i;

	judge_host(s);
	for (i = 0; i < s->nr_fns; i++)
		if (!s->fn[i].bridge)
			judge_function(s, &s->fn[i]);
	for (i = 0; i < s->nr_fns; i++)
		if (!s->fn[i].bridge && s->fn[i].group >= 0)
			judge_group(s, &s->fn[i]);
	/* Only now, so that the reason of one function is not taken for that of another. */
	for (i = 0; i < s->nr_fns; i++) {
		f = &s->fn[i];
		if (!f->bridge && f->verdict > verdict_of(f->reasons))
			hit(&f->reasons, SV_GROUP);
	}
}

unsigned int survey_count(const struct survey *s, enum survey_verdict v)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->nr_fns; i++)
		n += !s->fn[i].bridge && s->fn[i].verdict == v;
	return n;
}

const char *survey_verdict_name(enum survey_verdict v)
{
	static const char * const names[] = {
		[SURVEY_YES] = "yes", [SURVEY_AFTER] = "after-change", [SURVEY_UNKNOWN] = "unknown", [SURVEY_NO] = "no",
	};

	return names[v];
}
