// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <string.h>
#include "base/out.h"
#include "base/util.h"
#include "evidence/events.h"
#include "host/pci.h"
#include "host/symbol.h"

/* Arguments whose names begin with a star are numbers without a meaning of their own: in hex. */
static const struct {
	const char *name;
	const char *arg[4];
} types[KH_NR_EVENTS] = {
	[KH_EV_IOMMU_PAGE_ALLOC] = { "iommu-page-alloc", { "*phys", "order", "owner", "kind" } },
	[KH_EV_IOMMU_PAGE_FREE] = { "iommu-page-free", { "*phys", "order", "owner", "kind" } },
	[KH_EV_IOMMU_MAP] = { "iommu-map", { "*iova", "*phys", "bytes", "domain" } },
	[KH_EV_IOMMU_UNMAP] = { "iommu-unmap", { "*iova", NULL, "bytes", "domain" } },
	[KH_EV_IOMMU_ATTACH] = { "iommu-attach", { "domain", "type" } },
	[KH_EV_IOMMU_DETACH] = { "iommu-detach", { "domain" } },
	[KH_EV_IOMMU_FLUSH] = { "iommu-flush", { "what", "domain", "*address", "unit" } },
	[KH_EV_IOMMU_FAULT] = { "iommu-fault", { "*address", "reason", NULL, "unit" } },
	[KH_EV_IOMMU_TRANSLATION] = { "iommu-translation", { "on", "unit" } },
	[KH_EV_IOMMU_ROOT] = { "iommu-root", { "*phys", "unit" } },
	[KH_EV_IOMMU_CONTEXT] = { "iommu-context", { "*low", "*high" } },
	[KH_EV_IRQ_REMAP] = { "irq-remapping", { "on", "unit" } },
	[KH_EV_IRTE] = { "irte", { "index", "*low", "*high", "unit" } },
	[KH_EV_VFIO_OPEN] = { "vfio-open", { NULL } },
	[KH_EV_VFIO_CLOSE] = { "vfio-close", { NULL } },
	[KH_EV_VFIO_ENABLE] = { "vfio-enable", { NULL } },
	[KH_EV_VFIO_DISABLE] = { "vfio-disable", { NULL } },
	[KH_EV_VFIO_FLAGS] = { "vfio-flags", { "flags", "before" } },
	[KH_EV_VFIO_IRQS] = { "vfio-irqs", { "index", "start", "count", "*flags" } },
	[KH_EV_PCI_ENABLE] = { "pci-enable", { NULL } },
	[KH_EV_PCI_DISABLE] = { "pci-disable", { NULL } },
	[KH_EV_PCI_RESET] = { "pci-reset", { "how", "first_bus", "last_bus" } },
	[KH_EV_PCI_MASTER] = { "pci-master", { "on" } },
	[KH_EV_PCI_POWER] = { "pci-power", { "state" } },
	[KH_EV_PCI_CFG_WRITE] = { "pci-config-write", { "*offset", "bytes", "*value" } },
	[KH_EV_PCI_MSIX_ENABLE] = { "pci-msix-enable", { "vectors" } },
	[KH_EV_PCI_MSIX_DISABLE] = { "pci-msix-disable", { NULL } },
	[KH_EV_PCI_BIND] = { "pci-bind", { NULL } },
	[KH_EV_PCI_UNBIND] = { "pci-unbind", { NULL } },
	[KH_EV_PCI_KEEP] = { "pci-keep", { NULL } },
	[KH_EV_KEXEC_LOAD] = { "kexec-load", { NULL } },
	[KH_EV_KEXEC_UNLOAD] = { "kexec-unload", { NULL } },
	[KH_EV_KEXEC_BEGIN] = { "kexec-begin", { NULL } },
	[KH_EV_DEV_SHUTDOWN] = { "device-shutdown", { NULL } },
	[KH_EV_SYS_SHUTDOWN] = { "syscore-shutdown", { NULL } },
	[KH_EV_IOMMU_SHUTDOWN] = { "iommu-shutdown", { NULL } },
	[KH_EV_MACHINE_SHUTDOWN] = { "machine-shutdown", { NULL } },
	[KH_EV_MACHINE_KEXEC] = { "machine-kexec", { NULL } },
	[KH_EV_KRAM_SEAL] = { "kram-seal", { "generation" } },
	[KH_EV_KRAM_ADOPT] = { "kram-adopt", { "generation", "reason" } },
	[KH_EV_RAM_LOOK] = { "ram-look", { "phys", "bytes" } },
	[KH_EV_RAM_WRITTEN] = { "ram-written", { "*phys", "bytes" } },
	[KH_EV_ATTACHED] = { "attached", { "programs", "attached" } },
	[KH_EV_DETACHED] = { "detached", { NULL } },
	[KH_EV_KVM_RUN] = { "kvm-run", { "vcpu" } },
	[KH_EV_GAP] = { "gap", { "lost" } },
	[KH_EV_MARK] = { "mark", { "number" } },
};

static const char * const sources[KH_NR_SRC] = {
	[KH_SRC_RING] = "ring", [KH_SRC_BPF] = "bpf", [KH_SRC_RECORDER] = "recorder",
	[KH_SRC_KHCTL] = "khctl",
};

/* Values that have names. */
static const char *value_name(unsigned int type, unsigned int i, uint64_t value)
{
	static const char * const owner[] = { "page allocator", "kram" };
	static const char * const flush[] = { NULL, "context", "iotlb", "device-iotlb", "irte" };
	static const char * const reset[] = { NULL, "function", "flr", "af-flr", "pm", "bus", "slot",
					      "hot", "device-specific" };

	if ((type == KH_EV_IOMMU_PAGE_ALLOC || type == KH_EV_IOMMU_PAGE_FREE) && i == 2)
		return value < ARRAY_SIZE(owner) ? owner[value] : NULL;
	if (type == KH_EV_IOMMU_FLUSH && i == 0)
		return value < ARRAY_SIZE(flush) ? flush[value] : NULL;
	if (type == KH_EV_PCI_RESET && i == 0)
		return value < ARRAY_SIZE(reset) ? reset[value] : NULL;
	return NULL;
}

const char *event_name(unsigned int type)
{
	return type < KH_NR_EVENTS && types[type].name ? types[type].name : "unknown";
}

const char *event_source(unsigned int source)
{
	return source < KH_NR_SRC ? sources[source] : "unknown";
}

const char *bdf_text(__u32 bdf, char *buf)
{
	buf[0] = '\0';
	if (bdf != KH_NO_BDF)
		snprintf(buf, 16, "%04x:%02x:%02x.%x", bdf >> 16, bdf >> 8 & 0xff, bdf >> 3 & 0x1f,
			 bdf & 7);
	return buf;
}

__u32 bdf_number(const char *bdf)
{
	uint16_t seg;
	uint8_t bus, devfn;

	return pci_parse(bdf, &seg, &bus, &devfn) ? KH_NO_BDF : KH_BDF(seg, bus, devfn);
}

void event_json(const struct kh_event *ev, struct json_object *o)
{
	struct json_object *a;
	const char *name, *val;
	char bdf[16], sym[96];
	unsigned int i;

	out_u64(o, "tsc", ev->tsc);
	out_str(o, "type", event_name(ev->type));
	out_str(o, "source", event_source(ev->source));
	out_u64(o, "cpu", ev->cpu);
	out_u64(o, "pid", ev->pid);
	if (ev->bdf != KH_NO_BDF)
		out_str(o, "bdf", bdf_text(ev->bdf, bdf));
	if (ev->ret)
		json_object_object_add(o, "ret", json_object_new_int(ev->ret));
	if (ev->caller)
		out_str(o, "caller", symbol_text(ev->caller, sym, sizeof(sym)));
	a = out_object(o, "args");
	for (i = 0; i < 4 && ev->type < KH_NR_EVENTS; i++) {
		name = types[ev->type].arg[i];
		if (!name)
			continue;
		val = value_name(ev->type, i, ev->arg[i]);
		if (val)
			out_str(a, name, val);
		else if (*name == '*')
			out_hex(a, name + 1, ev->arg[i]);
		else
			out_u64(a, name, ev->arg[i]);
	}
}

static size_t add(char *buf, size_t size, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static size_t add(char *buf, size_t size, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (len < size)
		len += vsnprintf(buf + len, size - len, fmt, ap);
	va_end(ap);
	return len;
}

const char *event_text(const struct kh_event *ev, char *buf, size_t size)
{
	const char *name, *val;
	char bdf[16], sym[96];
	unsigned int i;
	size_t len;

	len = add(buf, size, 0, "%llu\t%u\t%u\t%s", (unsigned long long)ev->tsc, ev->cpu, ev->pid,
		  event_name(ev->type));
	if (ev->bdf != KH_NO_BDF)
		len = add(buf, size, len, "\t%s", bdf_text(ev->bdf, bdf));
	for (i = 0; i < 4 && ev->type < KH_NR_EVENTS; i++) {
		name = types[ev->type].arg[i];
		if (!name)
			continue;
		val = value_name(ev->type, i, ev->arg[i]);
		if (val)
			len = add(buf, size, len, "\t%s=%s", name, val);
		else if (*name == '*')
			len = add(buf, size, len, "\t%s=%#llx", name + 1,
				  (unsigned long long)ev->arg[i]);
		else
			len = add(buf, size, len, "\t%s=%llu", name, (unsigned long long)ev->arg[i]);
	}
	if (ev->ret)
		len = add(buf, size, len, "\tret=%d", ev->ret);
	if (ev->caller)
		add(buf, size, len, "\tcaller=%s", symbol_text(ev->caller, sym, sizeof(sym)));
	return buf;
}
