// SPDX-License-Identifier: GPL-2.0
/*
 * vfio-map GROUP: what it costs to map 2 GiB for DMA through VFIO type1 and to unmap them again,
 * with memory of 4 KiB pages and of 2 MiB pages. One line each: PAGE-SIZE MAP UNMAP, in TSC cycles.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#define SIZE	(2UL << 30)
#define HUGE	(2UL << 20)
#define ROUNDS	3

static int open_container(const char *group)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	int fd = open(group, O_RDWR | O_CLOEXEC);

	if (container < 0 || fd < 0 || ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	return container;
}

/* Pages are there before the clock starts: what is measured is VFIO, not the page fault. */
static char *make_memory(int advice)
{
	char *raw = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *memory = (char *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));
	unsigned long at;

	if (raw == MAP_FAILED || madvise(memory, SIZE, advice))
		return NULL;
	for (at = 0; at < SIZE; at += 4096)
		memory[at] = 1;
	return memory;
}

static int measure(int container, char *memory, uint64_t cycles[2])
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = 1UL << 32,
		.size = SIZE,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = map.iova,
		.size = SIZE,
	};
	uint64_t start = __rdtsc(), between;

	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		return -errno;
	between = __rdtsc();
	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) || unmap.size != SIZE)
		return -errno;
	cycles[0] = between - start;
	cycles[1] = __rdtsc() - between;
	return 0;
}

static int run(int container, unsigned long page, int advice)
{
	char *memory = make_memory(advice);
	uint64_t cycles[2] = { 0 };
	int i, ret = 0;

	if (!memory)
		return -ENOMEM;
	/* the first rounds warm caches of the allocator */
	for (i = 0; i < ROUNDS && !ret; i++)
		ret = measure(container, memory, cycles);
	if (!ret)
		printf("%lu %llu %llu\n", page, (unsigned long long)cycles[0], (unsigned long long)cycles[1]);
	munmap(memory, SIZE);
	return ret;
}

int main(int argc, char **argv)
{
	int container = argc == 2 ? open_container(argv[1]) : -EINVAL;
	int ret = container < 0 ? container : 0;

	if (!ret)
		ret = run(container, 4096, MADV_NOHUGEPAGE);
	if (!ret)
		ret = run(container, HUGE, MADV_HUGEPAGE);
	if (ret)
		fprintf(stderr, "vfio-map: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
