// SPDX-License-Identifier: GPL-2.0
/*
 * holder BDF STEP...: what a VMM does with one device through VFIO, step by step, without being one.
 *
 * Each step prints a line: the step as it was given, then ok, or the name of the error, then what it
 * has found. Steps go on after an error; what they mean is for the caller to judge.
 *
 *	group			open the group
 *	container		open a container and put the group into it
 *	iommu			the container is a type1v2 one from here on
 *	device			open the device
 *	close=WHAT		group, container or device
 *	get, get=ARGSZ		VFIO_GROUP_GET_FLAGS
 *	set=FLAGS[,ARGSZ]	VFIO_GROUP_SET_FLAGS
 *	map=IOVA,DAX,OFFSET	2 MiB of a devdax device; - for DAX: of anonymous memory
 *	unmap=IOVA
 *	irqs=TYPE		msix (three vectors), msi, intx; off=TYPE: none of it
 *	came			vectors that have come; waits a second for the first
 *	config			256 bytes of configuration space as vfio shows them
 *	master			memory decode and bus master on
 *	ring=DAX		an empty receive ring in its first 2 MiB
 *	start			reset the card and let it receive into the ring
 *	fire			let the card send each vector
 *	pending			what the device has latched
 *	frames=DAX		numbers of the datagrams in the ring
 *	unprivileged		give CAP_SYS_ADMIN up
 *	pause			stay as it is until killed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "holder.h"

/* As in the patched kernel's <linux/vfio.h>; this one is the build machine's. */
struct group_flags {
	uint32_t argsz;
	uint32_t flags;
};
#define GROUP_GET_FLAGS		_IO(VFIO_TYPE, VFIO_BASE + 30)
#define GROUP_SET_FLAGS		_IO(VFIO_TYPE, VFIO_BASE + 31)

#define COMMAND			4
#define COMMAND_MEMORY_MASTER	6

static int group_open(struct holder *h, const char *arg)
{
	char link[128], to[512], path[64];
	ssize_t n;

	(void)arg;
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", h->bdf);
	n = readlink(link, to, sizeof(to) - 1);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(to, '/') + 1);
	h->group = open(path, O_RDWR | O_CLOEXEC);
	return h->group < 0 ? -errno : 0;
}

static int container_open(struct holder *h, const char *arg)
{
	(void)arg;
	h->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (h->container < 0)
		return -errno;
	return ioctl(h->group, VFIO_GROUP_SET_CONTAINER, &h->container) ? -errno : 0;
}

static int iommu_set(struct holder *h, const char *arg)
{
	(void)arg;
	return ioctl(h->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) ? -errno : 0;
}

static int device_open(struct holder *h, const char *arg)
{
	(void)arg;
	h->device = ioctl(h->group, VFIO_GROUP_GET_DEVICE_FD, h->bdf);
	return h->device < 0 ? -errno : 0;
}

static int close_one(struct holder *h, const char *arg)
{
	int *fd = !strcmp(arg, "group") ? &h->group : !strcmp(arg, "container") ? &h->container : &h->device;

	/* A mapping of its registers would keep the device open. */
	if (fd == &h->device && h->regs) {
		munmap((void *)h->regs, h->regs_size);
		h->regs = NULL;
	}
	return close(*fd) ? -errno : 0;
}

static int flags_get(struct holder *h, const char *arg)
{
	struct group_flags gf = { .argsz = *arg ? strtoul(arg, NULL, 0) : sizeof(gf) };

	if (ioctl(h->group, GROUP_GET_FLAGS, &gf))
		return -errno;
	printf(" %#x", gf.flags);
	return 0;
}

static int flags_set(struct holder *h, const char *arg)
{
	struct group_flags gf = { .argsz = sizeof(gf) };
	char *end;

	gf.flags = strtoul(arg, &end, 0);
	if (*end == ',')
		gf.argsz = strtoul(end + 1, NULL, 0);
	return ioctl(h->group, GROUP_SET_FLAGS, &gf) ? -errno : 0;
}

static char *memory_of(const char *path, uint64_t offset)
{
	int fd = strcmp(path, "-") ? open(path, O_RDWR | O_CLOEXEC) : -1;
	char *memory;

	if (strcmp(path, "-") && fd < 0)
		return MAP_FAILED;
	memory = mmap(NULL, PAGE_2M, PROT_READ | PROT_WRITE,
		      fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, offset);
	close(fd);
	return memory;
}

static int dma_map(struct holder *h, const char *arg)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.size = PAGE_2M,
	};
	unsigned long long iova, offset;
	char path[64], *memory;

	if (sscanf(arg, "%lli,%63[^,],%lli", (long long *)&iova, path, (long long *)&offset) != 3)
		return -EINVAL;
	memory = memory_of(path, offset);
	if (memory == MAP_FAILED)
		return -errno;
	map.iova = iova;
	map.vaddr = (uintptr_t)memory;
	return ioctl(h->container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

static int dma_unmap(struct holder *h, const char *arg)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = strtoull(arg, NULL, 0),
		.size = PAGE_2M,
	};

	if (ioctl(h->container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	return unmap.size == PAGE_2M ? 0 : -ENOENT;
}

static int irq_index(const char *type)
{
	if (!strcmp(type, "msix"))
		return VFIO_PCI_MSIX_IRQ_INDEX;
	return strcmp(type, "msi") ? VFIO_PCI_INTX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
}

static int irqs_on(struct holder *h, const char *arg)
{
	unsigned int count = strcmp(arg, "msix") ? 1 : VECTORS, i;
	struct {
		struct vfio_irq_set set;
		int fd[VECTORS];
	} irqs = { .set = {
		.argsz = sizeof(irqs.set) + count * sizeof(int),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = irq_index(arg),
		.count = count,
	} };

	for (i = 0; i < count; i++)
		h->event[i] = irqs.fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return ioctl(h->device, VFIO_DEVICE_SET_IRQS, &irqs) ? -errno : 0;
}

static int irqs_off(struct holder *h, const char *arg)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = irq_index(arg),
	};

	return ioctl(h->device, VFIO_DEVICE_SET_IRQS, &set) ? -errno : 0;
}

static int irqs_came(struct holder *h, const char *arg)
{
	struct pollfd p[VECTORS];
	uint64_t count;
	int i;

	(void)arg;
	for (i = 0; i < VECTORS; i++)
		p[i] = (struct pollfd){ .fd = h->event[i], .events = POLLIN };
	poll(p, VECTORS, 1000);
	for (i = 0; i < VECTORS; i++)
		if (read(h->event[i], &count, sizeof(count)) == sizeof(count))
			printf(" %d", i);
	return 0;
}

/* Where configuration space begins in the device's file, or -errno. */
static int64_t config_base(const struct holder *h)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX };

	return ioctl(h->device, VFIO_DEVICE_GET_REGION_INFO, &info) ? -errno : (int64_t)info.offset;
}

int config_read(const struct holder *h, unsigned int offset, void *buf, size_t size)
{
	int64_t base = config_base(h);

	if (base < 0)
		return base;
	return pread(h->device, buf, size, base + offset) == (ssize_t)size ? 0 : -EIO;
}

static int config_show(struct holder *h, const char *arg)
{
	uint8_t config[256];
	int ret = config_read(h, 0, config, sizeof(config));
	unsigned int i;

	(void)arg;
	if (ret)
		return ret;
	putchar(' ');
	for (i = 0; i < sizeof(config); i++)
		printf("%02x", config[i]);
	return 0;
}

static int master_on(struct holder *h, const char *arg)
{
	int64_t base = config_base(h);
	uint16_t command;
	int ret = base < 0 ? base : config_read(h, COMMAND, &command, sizeof(command));

	(void)arg;
	if (ret)
		return ret;
	command |= COMMAND_MEMORY_MASTER;
	return pwrite(h->device, &command, sizeof(command), base + COMMAND) == sizeof(command) ? 0 : -EIO;
}

static int ring_make(struct holder *h, const char *arg)
{
	(void)h;
	return card_ring(arg);
}

static int start(struct holder *h, const char *arg)
{
	(void)arg;
	return card_start(h);
}

static int fire(struct holder *h, const char *arg)
{
	(void)arg;
	return card_fire(h);
}

static int pending(struct holder *h, const char *arg)
{
	(void)arg;
	return card_pending(h);
}

static int frames(struct holder *h, const char *arg)
{
	(void)h;
	return card_frames(arg);
}

static int privilege_drop(struct holder *h, const char *arg)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	(void)h;
	(void)arg;
	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	data[CAP_TO_INDEX(CAP_SYS_ADMIN)].permitted &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static const struct {
	const char *name;
	int (*run)(struct holder *h, const char *arg);
} steps[] = {
	{ "group", group_open },
	{ "container", container_open },
	{ "iommu", iommu_set },
	{ "device", device_open },
	{ "close", close_one },
	{ "get", flags_get },
	{ "set", flags_set },
	{ "map", dma_map },
	{ "unmap", dma_unmap },
	{ "irqs", irqs_on },
	{ "off", irqs_off },
	{ "came", irqs_came },
	{ "config", config_show },
	{ "master", master_on },
	{ "ring", ring_make },
	{ "start", start },
	{ "fire", fire },
	{ "pending", pending },
	{ "frames", frames },
	{ "unprivileged", privilege_drop },
};

/* Prints what the step has found, and what became of it in the end. */
static int step(struct holder *h, const char *text)
{
	const char *arg = strchrnul(text, '=');
	size_t length = arg - text, i;
	int ret;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strlen(steps[i].name) == length && !strncmp(steps[i].name, text, length))
			break;
	if (i == sizeof(steps) / sizeof(steps[0]))
		return -EINVAL;
	printf("%s:", text);
	ret = steps[i].run(h, *arg ? arg + 1 : arg);
	printf(" %s\n", ret ? strerrorname_np(-ret) : "ok");
	return fflush(stdout) ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct holder h = { .group = -1, .container = -1, .device = -1, .event = { -1, -1, -1 } };
	int i, ret = argc < 3 ? -EINVAL : 0;

	h.bdf = argv[1];
	for (i = 2; !ret && i < argc; i++) {
		if (strcmp(argv[i], "pause")) {
			ret = step(&h, argv[i]);
		} else {
			puts("pause");
			fflush(stdout);
			pause();
		}
	}
	if (ret)
		fprintf(stderr, "holder: %s: %s\n", i > 2 ? argv[i - 1] : "usage", strerror(-ret));
	return ret ? 2 : 0;
}
