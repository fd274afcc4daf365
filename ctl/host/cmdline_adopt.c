// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "host/cmdline.h"
#include "host/cmdline_adopt.h"

/* What each parameter decides, and where Linux 6.12 reads it. */
static const struct {
	const char *name;
	const char *decides;
} same[] = {
	/* drivers/iommu/intel/iommu.c, drivers/iommu/iommu.c, arch/x86/kernel/pci-dma.c */
	{ "intel_iommu", "the mode of the IOMMU and which units are used" },
	{ "iommu", "whether there is an IOMMU, and how it translates" },
	{ "iommu.passthrough", "how the IOMMU translates" },
	{ "iommu.strict", "when the IOMMU forgets a mapping" },
	{ "iommu.forcedac", "which addresses devices get" },
	/* drivers/iommu/irq_remapping.c, arch/x86/kernel/apic/ */
	{ "intremap", "the format of the interrupt-remapping table" },
	{ "nointremap", "whether interrupts are remapped" },
	{ "nox2apic", "the format of the interrupt-remapping table" },
	{ "x2apic_phys", "where interrupts are delivered" },
	{ "apic", "where interrupts are delivered" },
	{ "noapic", "whether there are I/O APICs" },
	{ "nolapic", "whether there are local APICs" },
	{ "disableapic", "whether there are local APICs" },
	/* arch/x86/pci/common.c, drivers/pci/pci.c, drivers/pci/pcie/portdrv.c, drivers/pci/pcie/aspm.c */
	{ "pci", "addresses, buses and interrupts of PCI devices" },
	{ "pcie_ports", "which services write to the bridges above a device" },
	{ "pcie_aspm", "the power state of the links" },
	{ "pcie_port_pm", "the power state of bridges" },
	/* arch/x86/kernel/acpi/boot.c, arch/x86/kernel/e820.c, arch/x86/platform/efi/ */
	{ "acpi", "whether the tables that describe the IOMMU are read" },
	{ "mem", "how much memory there is" },
	{ "efi_fake_mem", "how memory is named" },
	{ "nopat", "how memory is mapped" },
};

/* All of the parameter's values, as they stand there. */
static void values(const char *cmdline, const char *name, char *buf, size_t size)
{
	size_t len, vlen, used = 0;
	const char *p, *v;
	int n;

	buf[0] = '\0';
	for (p = cmdline; (p = cmdline_next(p, &len)); p += len) {
		if (len == 2 && !strncmp(p, "--", 2))
			break;	/* the rest is for init */
		v = cmdline_value(p, len, name, &vlen);
		if (!v || used >= size)
			continue;
		n = snprintf(buf + used, size - used, "%s%.*s", used ? " " : "", (int)len, p);
		used += n > 0 ? n : 0;
	}
}

int cmdline_same(const char *running, const char *next, char *why, size_t size)
{
	char a[CMDLINE_MAX], b[CMDLINE_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(same); i++) {
		values(running, same[i].name, a, sizeof(a));
		values(next, same[i].name, b, sizeof(b));
		if (!strcmp(a, b))
			continue;
		snprintf(why, size, "%.100s, the running kernel has %.100s: it decides %s",
			 b[0] ? b : path_fmt(b, sizeof(b), "no %s", same[i].name),
			 a[0] ? a : path_fmt(a, sizeof(a), "no %s", same[i].name),
			 same[i].decides);
		return -EINVAL;
	}
	return 0;
}
