// SPDX-License-Identifier: GPL-2.0
/* The walker over VT-d tables, and what is read from logs and registers. */
#include "unit.h"
#include <zlib.h>
#include "host/iommu.h"
#include "host/klog.h"
#include "host/kram.h"

#define BASE 0x100000000ULL
#define PAGES 16

static uint64_t mem[PAGES][512];

static int page(void *ctx, uint64_t pa, void *buf)
{
	(void)ctx;
	if (pa < BASE || pa >= BASE + PAGES * 4096)
		return -EFAULT;
	memcpy(buf, mem[(pa - BASE) / 4096], 4096);
	return 0;
}

static const struct page_source src = { .page = page, .nr_pages = PAGES };

static uint64_t at(int i)
{
	return BASE + i * 4096;
}

/*
 * Root 0, context table 1 for bus 1; 00:03.0 of it has four levels (2, 3, 4, 5): two
 * 4 KiB pages in a row, one apart, and a 2 MiB page.
 */
static int make(void **ctx)
{
	(void)ctx;
	memset(mem, 0, sizeof(mem));
	mem[0][2] = at(1) | 1;
	mem[1][0x18 * 2] = at(2) | 1;
	mem[1][0x18 * 2 + 1] = 0x2 | 7 << 8;
	mem[2][0] = at(3) | 3;
	mem[3][0] = at(4) | 3;
	mem[4][0] = at(5) | 3;
	mem[4][1] = 0x40000000 | 0x83;
	mem[5][0] = 0x80000000 | 3;
	mem[5][1] = 0x80001000 | 3;
	mem[5][7] = 0x90000000 | 1;
	return 0;
}

static int record(struct kh_plan_map *m, struct kh_err *e)
{
	return iommu_record(&src, at(0), 1, 0x18, m, e);
}

static void walks(void **ctx)
{
	struct kh_plan_map m;
	struct kh_err e = { 0 };

	(void)ctx;
	assert_int_equal(record(&m, &e), 0);
	assert_int_equal(m.levels, 4);
	assert_int_equal(m.did, 7);
	assert_int_equal(m.pgd, at(2));
	assert_int_equal(m.nr_tables, 4);
	assert_int_equal(m.nr_runs, 3);
	assert_int_equal(m.mapped, 3 * 4096 + 0x200000);
}

static void sees_every_change(void **ctx)
{
	struct kh_plan_map was, now;

	(void)ctx;
	assert_int_equal(record(&was, NULL), 0);
	/* Accessed and dirty are the device's doing. */
	mem[5][0] |= 0x300;
	assert_int_equal(record(&now, NULL), 0);
	assert_memory_equal(&was, &now, sizeof(now));
	/* Another page. */
	mem[5][7] += 0x1000;
	assert_int_equal(record(&now, NULL), 0);
	assert_int_not_equal(was.runs_hash, now.runs_hash);
	assert_int_not_equal(was.tables_hash, now.tables_hash);
	/* Other rights. */
	make(NULL);
	mem[5][7] |= 2;
	assert_int_equal(record(&now, NULL), 0);
	assert_int_not_equal(was.runs_hash, now.runs_hash);
	/* The same mappings from another table page. */
	make(NULL);
	memcpy(mem[6], mem[5], 4096);
	mem[4][0] = at(6) | 3;
	assert_int_equal(record(&now, NULL), 0);
	assert_int_equal(was.runs_hash, now.runs_hash);
	assert_int_not_equal(was.tables_hash, now.tables_hash);
	/* One more. */
	make(NULL);
	mem[5][2] = 0x80002000 | 3;
	assert_int_equal(record(&now, NULL), 0);
	assert_int_equal(now.nr_runs, was.nr_runs);
	assert_int_not_equal(was.runs_hash, now.runs_hash);
}

static void three_levels_and_a_gigabyte(void **ctx)
{
	struct kh_plan_map m;

	(void)ctx;
	mem[1][0x18 * 2 + 1] = 1;
	mem[2][0] = 0x80;	/* not present */
	mem[2][3] = 0x40000000 | 0x83;
	assert_int_equal(record(&m, NULL), 0);
	assert_int_equal(m.levels, 3);
	assert_int_equal(m.nr_tables, 1);
	assert_int_equal(m.mapped, 1ULL << 30);
}

/* All that a table can map, in one piece, and what breaks it in its midst. */
static void whole_tables(void **ctx)
{
	static const struct {
		uint64_t entry;
		uint64_t runs;
		uint64_t pages;
	} odd[] = { { 100 * 0x200000 | 0x81, 3, 512 }, { 101 * 0x200000 | 0x83, 3, 512 }, { 0, 2, 511 },
		    { 100 * 0x200000 | 0x80, 2, 511 }, { 100 * 0x200000 | 0x383, 1, 512 } };
	struct kh_plan_map was, now;
	uint64_t i;

	(void)ctx;
	memset(mem[5], 0, sizeof(mem[5]));
	for (i = 0; i < 512; i++)
		mem[4][i] = i * 0x200000 | 0x83;
	assert_int_equal(record(&was, NULL), 0);
	assert_int_equal(was.nr_runs, 1);
	assert_int_equal(was.mapped, 1ULL << 30);
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		mem[4][100] = odd[i].entry;
		assert_int_equal(record(&now, NULL), 0);
		assert_int_equal(now.nr_runs, odd[i].runs);
		assert_int_equal(now.mapped, odd[i].pages * 0x200000);
		assert_int_equal(now.runs_hash == was.runs_hash, odd[i].runs == 1);
	}
}

static void refuses(void **ctx)
{
	struct kh_plan_map m;
	struct kh_err e = { 0 };

	(void)ctx;
	assert_int_equal(iommu_record(&src, at(0), 2, 0x18, &m, NULL), -ENOENT);
	assert_int_equal(iommu_record(&src, at(0), 1, 0x20, &m, NULL), -ENOENT);
	assert_int_equal(iommu_record(&src, 0, 1, 0x18, &m, NULL), -EFAULT);
	mem[4][1] = 0x5000000 | 3;
	assert_int_equal(record(&m, &e), -EFAULT);
	assert_non_null(strstr(e.msg, "does not lie in KRAM"));
	make(NULL);
	mem[1][0x18 * 2] |= 2 << 2;
	assert_int_equal(record(&m, NULL), -EOPNOTSUPP);
	make(NULL);
	mem[1][0x18 * 2 + 1] = 5;
	assert_int_equal(record(&m, NULL), -EOPNOTSUPP);
}

static void loops_end(void **ctx)
{
	struct kh_plan_map m;
	int i;

	(void)ctx;
	/* Every entry of every table leads back to one table: without end. */
	for (i = 0; i < 512; i++)
		mem[2][i] = at(2) | 3;
	assert_int_equal(record(&m, NULL), -ELOOP);
}

/* Each at its place; a file that ends before IRTA's last byte has none. */
static void registers(void **ctx)
{
	char path[] = "/tmp/khctl-test-registers-XXXXXX";
	uint8_t regs[0x100];
	struct kh_man_unit r;
	int fd = mkstemp(path);
	unsigned int i;

	(void)ctx;
	assert_true(fd >= 0);
	for (i = 0; i < sizeof(regs); i++)
		regs[i] = i;
	assert_int_equal(write(fd, regs, sizeof(regs)), sizeof(regs));
	assert_int_equal(iommu_registers_in(path, &r), 0);
	assert_int_equal(r.gsts, 0x1f1e1d1c);
	assert_int_equal(r.rtaddr, 0x2726252423222120);
	assert_int_equal(r.fsts, 0x37363534);
	assert_int_equal(r.irta, 0xbfbebdbcbbbab9b8);
	assert_int_equal(r.reserved, 0);
	assert_int_equal(ftruncate(fd, 0xbf), 0);
	assert_int_equal(iommu_registers_in(path, &r), -EIO);
	close(fd);
	unlink(path);
	assert_int_equal(iommu_registers_in(path, &r), -ENOENT);
}

static void log_lines(void **ctx)
{
	(void)ctx;
	assert_true(klog_dma_fault(NULL, "DMAR: DRHD: handling fault status reg 2"));
	assert_true(klog_dma_fault(NULL, "DMAR: [DMA Write NO_PASID] Request device [00:03.0] fault addr 0x1000"));
	assert_false(klog_dma_fault(NULL, "DMAR: Using default domain type"));
	assert_false(klog_dma_fault(NULL, "traps: general protection fault"));
	assert_true(klog_reset("0000:00:03.0", "vfio-pci 0000:00:03.0: resetting"));
	assert_true(klog_reset("0000:00:03.0", "pci 0000:00:03.0: reset done"));
	assert_false(klog_reset("0000:00:03.0", "vfio-pci 0000:00:04.0: resetting"));
	assert_false(klog_reset("0000:00:03.0", "vfio-pci 0000:00:03.0: preset"));
}

static void handovers(void **ctx)
{
	struct kram_handover *h = calloc(1, sizeof(*h));

	(void)ctx;
	h->magic = KRAM_HANDOVER_MAGIC;
	h->abi_version = KRAM_ABI_VERSION;
	h->size = sizeof(*h);
	h->nr_devices = 2;
	h->device[0] = (struct kram_device){ .bus = 1, .devfn = 0x0a, .flags = KRAM_DEV_BRIDGE };
	h->device[1] = (struct kram_device){ .bus = 1, .devfn = 0x0a };
	/* Taken with the field itself zero, as it still is. */
	h->crc = crc32(0, (const void *)h, sizeof(*h));
	assert_int_equal(kram_handover_check(h, NULL), 0);
	assert_ptr_equal(kram_handover_find(h, "0000:01:01.2"), &h->device[1]);
	assert_null(kram_handover_find(h, "0001:01:01.2"));
	assert_null(kram_handover_find(h, "nonsense"));
	h->device[1].command ^= 4;
	assert_int_equal(kram_handover_check(h, NULL), -EBADMSG);
	h->device[1].command ^= 4;
	h->abi_version++;
	assert_int_equal(kram_handover_check(h, NULL), -EBADMSG);
	h->abi_version--;
	h->nr_devices = KRAM_MAX_DEVICES + 1;
	assert_int_equal(kram_handover_check(h, NULL), -EBADMSG);
	assert_null(kram_handover_find(h, "0000:02:01.2"));
	free(h);
}

static void room(void **ctx)
{
	(void)ctx;
	/* 2 GiB in 4 KiB pages: 1024 tables and what is above them, one more where a range is split. */
	assert_true(kram_need(2ULL << 30, 0, 0) >= 1024 + 2 + 1 + 1);
	assert_true(kram_need(2ULL << 30, 0, 0) <= 1024 + 16);
	assert_int_equal(kram_need(1 << 30, 1, 3) - kram_need(1 << 30, 0, 0), 256 + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(walks, make),
		cmocka_unit_test_setup(sees_every_change, make),
		cmocka_unit_test_setup(three_levels_and_a_gigabyte, make),
		cmocka_unit_test_setup(whole_tables, make),
		cmocka_unit_test_setup(refuses, make),
		cmocka_unit_test_setup(loops_end, make),
		cmocka_unit_test(registers),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(handovers),
		cmocka_unit_test(room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
