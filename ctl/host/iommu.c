// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include "base/util.h"
#include "host/iommu.h"

#define TABLE_BYTES	4096
#define TABLE_ENTRIES	512
#define ADDR_MASK	0x000ffffffffff000ULL
#define PTE_RIGHTS	0x3ULL
#define PTE_LARGE	0x80ULL
#define PTE_CHANGING	0x300ULL	/* accessed, dirty */
#define GROUP		8		/* entries that are looked at together: 64 groups */

/* VT-d 11.4.4.2, 11.4.5, 11.4.7.1, 11.4.8.13 */
#define DMAR_GSTS	0x1c
#define DMAR_RTADDR	0x20
#define DMAR_FSTS	0x34
#define DMAR_IRTA	0xb8

struct run {
	uint64_t iova;
	uint64_t pa;
	uint64_t size;
	uint64_t rights;
};

struct walk {
	const struct page_source *src;
	struct kh_plan_map *map;
	struct kh_err *err;
	XXH3_state_t *tables;
	XXH3_state_t *runs;
	struct run run;
};

static void end_run(struct walk *w)
{
	if (!w->run.size)
		return;
	XXH3_64bits_update(w->runs, &w->run, sizeof(w->run));
	w->map->nr_runs++;
	w->map->mapped += w->run.size;
	w->run.size = 0;
}

static void add_leaf(struct walk *w, uint64_t iova, uint64_t pa, uint64_t size, uint64_t rights)
{
	struct run *r = &w->run;

	if (r->size && r->iova + r->size == iova && r->pa + r->size == pa && r->rights == rights) {
		r->size += size;
		return;
	}
	end_run(w);
	*r = (struct run){ .iova = iova, .pa = pa, .size = size, .rights = rights };
}

static int get_page(struct walk *w, uint64_t pa, void *buf, const char *what)
{
	int rc = w->src->page(w->src->ctx, pa, buf);

	if (rc)
		return err_set(w->err, rc, "%s at %#llx %s", what, (unsigned long long)pa,
			       rc == -EFAULT ? "does not lie in KRAM" : strerror(-rc));
	return 0;
}

static void seen(struct walk *w, uint64_t pa, const void *data, enum kram_owner kind)
{
	if (w->src->seen)
		w->src->seen(w->src->seen_ctx, pa, data, kind);
}

/*
 * Without what the hardware changes by itself, and nothing of entries that map nothing.
 * Return: a bit for each group in which there may be some that do.
 */
static uint64_t strip(uint64_t *e)
{
	uint64_t any, groups = 0;
	unsigned int i, j;

	for (i = 0; i < TABLE_ENTRIES; i += GROUP) {
		for (any = 0, j = i; j < i + GROUP; j++)
			any |= e[j];
		if (!any)
			continue;
		groups |= 1ULL << i / GROUP;
		for (j = i; j < i + GROUP; j++)
			e[j] = e[j] & PTE_RIGHTS ? e[j] & ~PTE_CHANGING : 0;
	}
	return groups;
}

/* Entries from @i on of which each maps what follows in memory. Return: 1 at least. */
static unsigned int in_a_row(const uint64_t *e, unsigned int i, uint64_t size)
{
	unsigned int n = 1;

	while (i + n < TABLE_ENTRIES && e[i + n] == e[i + n - 1] + size)
		n++;
	return n;
}

static int walk_table(struct walk *w, uint64_t table, unsigned int level, uint64_t base)
{
	uint64_t e[TABLE_ENTRIES], iova, groups, size = 1ULL << (12 + 9 * (level - 1));
	unsigned int i, n;
	int rc;

	if (w->map->nr_tables++ >= w->src->nr_pages)
		return err_set(w->err, -ELOOP, "page tables without end");
	rc = get_page(w, table, e, "page table");
	if (rc)
		return rc;
	groups = strip(e);
	seen(w, table, e, KRAM_OWNER_IOMMU_PGTABLE);
	XXH3_64bits_update(w->tables, &table, sizeof(table));
	XXH3_64bits_update(w->tables, e, sizeof(e));
	for (i = 0; i < TABLE_ENTRIES; i++) {
		if (!(groups >> i / GROUP & 1)) {
			i |= GROUP - 1;
			continue;
		}
		if (!e[i])
			continue;
		iova = base + i * size;
		if (level == 1 || e[i] & PTE_LARGE) {
			n = in_a_row(e, i, size);
			add_leaf(w, iova, e[i] & ADDR_MASK & ~(size - 1), n * size, e[i] & PTE_RIGHTS);
			i += n - 1;
			continue;
		}
		rc = walk_table(w, e[i] & ADDR_MASK, level - 1, iova);
		if (rc)
			return rc;
	}
	return 0;
}

/* Root and context entry (VT-d 9.1, 9.3). */
static int find_context(struct walk *w, uint64_t root, uint8_t bus, uint8_t devfn)
{
	struct kh_plan_map *m = w->map;
	uint64_t e[TABLE_ENTRIES], table;
	unsigned int aw;
	int rc;

	m->root = root;
	rc = get_page(w, root, e, "root table");
	if (rc)
		return rc;
	seen(w, root, e, KRAM_OWNER_IOMMU_ROOT);
	if (!(e[bus * 2] & 1))
		return err_set(w->err, -ENOENT, "no context table for bus %#x", bus);
	table = e[bus * 2] & ADDR_MASK;
	rc = get_page(w, table, e, "context table");
	if (rc)
		return rc;
	seen(w, table, e, KRAM_OWNER_IOMMU_CONTEXT);
	m->context[0] = e[devfn * 2];
	m->context[1] = e[devfn * 2 + 1];
	if (!(m->context[0] & 1))
		return err_set(w->err, -ENOENT, "no context entry for %02x:%02x.%x", bus,
			       devfn >> 3, devfn & 7);
	/* Translation type: 0 and 1 go through page tables, 2 passes through. */
	aw = m->context[1] & 7;
	if ((m->context[0] >> 2 & 3) > 1 || aw < 1 || aw > 3)
		return err_set(w->err, -EOPNOTSUPP, "context entry %#llx %#llx translates nothing",
			       (unsigned long long)m->context[0], (unsigned long long)m->context[1]);
	m->levels = aw + 2;
	m->did = m->context[1] >> 8 & 0xffff;
	m->pgd = m->context[0] & ADDR_MASK;
	return 0;
}

int iommu_record(const struct page_source *src, uint64_t root, uint8_t bus, uint8_t devfn,
		 struct kh_plan_map *map, struct kh_err *e)
{
	struct walk w = { .src = src, .map = map, .err = e };
	int rc;

	memset(map, 0, sizeof(*map));
	w.tables = XXH3_createState();
	w.runs = XXH3_createState();
	rc = -ENOMEM;
	if (!w.tables || !w.runs)
		goto out;
	XXH3_64bits_reset(w.tables);
	XXH3_64bits_reset(w.runs);
	rc = find_context(&w, root, bus, devfn);
	if (!rc)
		rc = walk_table(&w, map->pgd, map->levels, 0);
	end_run(&w);
	map->tables_hash = XXH3_64bits_digest(w.tables);
	map->runs_hash = XXH3_64bits_digest(w.runs);
out:
	XXH3_freeState(w.tables);
	XXH3_freeState(w.runs);
	return rc;
}

unsigned int iommu_units(char *other, size_t size)
{
	struct dirent *de;
	unsigned int n = 0;
	uint64_t nr;
	DIR *dir;

	other[0] = '\0';
	dir = opendir("/sys/class/iommu");
	if (!dir)
		return 0;
	while ((de = readdir(dir))) {
		if (has_prefix(de->d_name, "dmar") && !parse_u64(de->d_name + strlen("dmar"), &nr) && nr < UINT_MAX) {
			if (nr >= n)
				n = nr + 1;
		} else if (de->d_name[0] != '.') {
			copy_str(other, size, de->d_name);
		}
	}
	closedir(dir);
	return n;
}

int iommu_registers_in(const char *path, struct kh_man_unit *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	memset(r, 0, sizeof(*r));
	rc = pread_full(fd, &r->rtaddr, sizeof(r->rtaddr), DMAR_RTADDR);
	if (!rc)
		rc = pread_full(fd, &r->irta, sizeof(r->irta), DMAR_IRTA);
	if (!rc)
		rc = pread_full(fd, &r->gsts, sizeof(r->gsts), DMAR_GSTS);
	if (!rc)
		rc = pread_full(fd, &r->fsts, sizeof(r->fsts), DMAR_FSTS);
	close(fd);
	return rc;
}

int iommu_registers(unsigned int unit, struct kh_man_unit *r)
{
	char path[64];
	int rc;

	path_fmt(path, sizeof(path), "/sys/class/iommu/dmar%u/intel-iommu/registers", unit);
	rc = iommu_registers_in(path, r);
	path_fmt(path, sizeof(path), "/sys/class/iommu/dmar%u", unit);
	return rc == -ENOENT && access(path, F_OK) ? -ENODEV : rc;
}
