// SPDX-License-Identifier: GPL-2.0
/* Checks of the host: rights, lock, kexec, KRAM, IOMMU, state area. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/lock.h"
#include "base/util.h"
#include "evidence/recorder.h"
#include "host/iommu.h"
#include "host/kexec.h"
#include "host/pci.h"
#include "preflight/preflight.h"
#include "state/record.h"

#define RTADDR_MODE 0xc00	/* VT-d 11.4.5: of translation, 0 is legacy */

static void check_root(struct preflight *pf)
{
	if (geteuid())
		check_bad(pf, "root", "", "root", "run khctl as root", "user %u", geteuid());
	else
		check_ok(pf, "root", "", "root");
}

static void check_lock(struct preflight *pf)
{
	pf->lock = lock_take();
	if (pf->lock >= 0)
		check_ok(pf, "lock", "", "%s is ours", LOCK_PATH);
	else if (pf->lock == -EWOULDBLOCK)
		check_bad(pf, "lock", "", "no other khctl at work", "wait until it has ended",
			  "another khctl holds %s", LOCK_PATH);
	else
		check_bad(pf, "lock", "", "a lock file", "make /run writable", "%s: %s", LOCK_PATH,
			  strerror(-pf->lock));
}

static void check_kexec(struct preflight *pf)
{
	char level[32];
	uint64_t off;
	int rc = read_u64("/proc/sys/kernel/kexec_load_disabled", &off);

	if (rc)
		check_bad(pf, "kexec", "", "a kernel with CONFIG_KEXEC_FILE",
			  "boot a kernel that has it", "kexec_load_disabled: %s", strerror(-rc));
	else if (off)
		check_bad(pf, "kexec", "", "kernel.kexec_load_disabled = 0",
			  "boot again without setting it; it cannot be taken back",
			  "kernel.kexec_load_disabled = %llu", (unsigned long long)off);
	else if (*lockdown(level, sizeof(level)))
		/* Whether the signature will do only the kernel knows, when it is loaded. */
		check_ok(pf, "kexec", "", "allowed, but the kernel is locked down (%s): it may want a signed one",
			 level);
	else
		check_ok(pf, "kexec", "", "allowed");
}

static void check_kram(struct preflight *pf)
{
	static const char want[] = "a KRAM area of the ABI version that khctl knows";
	struct kh_err e = { 0 };

	if (kram_read(&pf->kram, &e)) {
		check_bad(pf, "kram", "", "a KRAM area in the running kernel",
			  "boot the host with a KRAM kernel and memmap=<size>:<start>", "%s", e.msg);
		return;
	}
	pf->have_kram = true;
	if (pf->kram.abi_version != KRAM_ABI_VERSION)
		check_bad(pf, "kram", "", want, "use the khctl that belongs to the kernel",
			  "ABI version %llu, khctl knows %d",
			  (unsigned long long)pf->kram.abi_version, KRAM_ABI_VERSION);
	else
		check_ok(pf, "kram", "", "%u areas, %llu pages of pool, generation %llu",
			 pf->kram.nr_areas, (unsigned long long)kram_pool(&pf->kram),
			 (unsigned long long)pf->kram.generation);
	if (has_prefix(pf->kram.state, "refused") && !strstr(pf->kram.state, "noadopt"))
		check_bad(pf, "kram-state", "", "fresh or adopted",
			  "see the kernel log for KRAM, and boot the host anew", "%s",
			  pf->kram.state);
	else
		check_ok(pf, "kram-state", "", "%s", pf->kram.state);
}

/* Whether an area overlaps a line of /proc/iomem that begins with neither blank nor anything but RAM. */
static bool overlaps_ram(const char *iomem, const struct kram_area *a, char *what, size_t size)
{
	unsigned long long start, end;
	const char *p, *nl;
	char name[64];

	for (p = iomem; p && *p; p = nl ? nl + 1 : NULL) {
		nl = strchr(p, '\n');
		if (*p == ' ' || sscanf(p, "%llx-%llx : %63[^\n]", &start, &end, name) != 3)
			continue;
		if (strcmp(name, "System RAM") || start >= a->start + a->size || end < a->start)
			continue;
		path_fmt(what, size, "%#llx-%#llx is System RAM", start, end);
		return true;
	}
	return false;
}

static void check_overlap(struct preflight *pf)
{
	char *iomem, what[96];
	unsigned int i;
	size_t len;
	int rc;

	rc = read_all("/proc/iomem", &iomem, &len);
	if (rc) {
		check_bad(pf, "kram-overlap", "", "areas outside of RAM in use", "mount /proc",
			  "/proc/iomem: %s", strerror(-rc));
		return;
	}
	for (i = 0; i < pf->kram.nr_areas; i++) {
		if (!overlaps_ram(iomem, &pf->kram.area[i], what, sizeof(what)))
			continue;
		check_bad(pf, "kram-overlap", "", "areas outside of RAM in use",
			  "boot with another memmap=<size>:<start>", "area %u at %#llx: %s", i,
			  (unsigned long long)pf->kram.area[i].start, what);
		free(iomem);
		return;
	}
	free(iomem);
	check_ok(pf, "kram-overlap", "", "no area overlaps System RAM");
}

static void check_mode(struct preflight *pf, unsigned int unit)
{
	struct kh_man_unit r;
	int rc = iommu_registers(unit, &r);

	if (!rc && r.rtaddr & RTADDR_MODE)
		check_bad(pf, "iommu-mode", "", "legacy mode", "boot with intel_iommu=on,sm_off",
			  "unit %u is in scalable mode (root-table address %#llx)", unit,
			  (unsigned long long)r.rtaddr);
	/* A kernel without KRAM, which has no such file, is refused for that; a unit without devices has no mode. */
	else if (rc && rc != -ENODEV && pf->have_kram)
		check_bad(pf, "iommu-mode", "", "legacy mode",
			  rc == -ENOENT ? "boot a kernel that shows them (kernel patch \"Show the registers of a unit\")" :
			  "run khctl as root",
			  "/sys/class/iommu/dmar%u/intel-iommu/registers cannot be read: %s", unit, strerror(-rc));
}

static void check_iommu(struct preflight *pf)
{
	char other[64];
	unsigned int i;

	pf->units = iommu_units(other, sizeof(other));
	if (!pf->units && other[0])
		check_bad(pf, "iommu", "", "an Intel IOMMU", "none: this host cannot be upgraded so",
			  "IOMMU %s", other);
	else if (!pf->units)
		check_bad(pf, "iommu", "", "an Intel IOMMU with DMA translation on",
			  "switch VT-d on in the firmware and boot with intel_iommu=on",
			  "no IOMMU is on");
	else
		check_ok(pf, "iommu", "", "%u DMA-remapping units", pf->units);
	for (i = 0; i < pf->units; i++)
		check_mode(pf, i);
}

/* An upgrade with one device and one bridge above it was seen to need 94 events. */
#define RECORDER_NEED		192
#define RECORDER_NEED_DEVICE	64

static void check_recorder(struct preflight *pf)
{
	unsigned int devs = KRAM_RECORDER_EVENTS > RECORDER_NEED ?
			    (KRAM_RECORDER_EVENTS - RECORDER_NEED) / RECORDER_NEED_DEVICE : 0;

	if (!recorder_there())
		check_bad(pf, "recorder", "", "a recorder in KRAM of the running kernel",
			  "boot a kernel whose KRAM has one: without it nobody sees what happens between the kernels",
			  "there is no " KRAM_SYSFS "/recorder");
	else
		check_ok(pf, "recorder", "", "room for %u events, enough for %u devices, in %u pages that KRAM has set aside",
			 KRAM_RECORDER_EVENTS, devs, KRAM_FIXED_RECORDER_PAGES);
}

static void check_irt(struct preflight *pf)
{
	uint64_t want = pf->units * 256;

	if (!pf->kram.irt_pages)
		check_bad(pf, "iommu-intr", "", "interrupt remapping on, its table in KRAM",
			  "boot with intremap=on and a KRAM area of at least 4 MiB",
			  "no interrupt-remapping table in KRAM");
	else if (pf->kram.irt_pages < want)
		check_bad(pf, "iommu-intr", "", "every interrupt-remapping table in KRAM",
			  "boot with a larger KRAM area", "%llu of %llu pages in KRAM",
			  (unsigned long long)pf->kram.irt_pages, (unsigned long long)want);
	else
		check_ok(pf, "iommu-intr", "", "interrupt-remapping tables in KRAM");
}

static void check_state(struct preflight *pf, const struct preflight_in *in)
{
	struct kh_err e = { 0 };
	pid_t user;
	int rc;

	rc = state_open(&pf->state, in->state, true, &e);
	if (rc) {
		check_bad(pf, "state", in->state ? in->state : "", "one formatted state area",
			  rc == -EEXIST ? "name it with --state" :
			  "khctl init --state /dev/daxX.Y", "%s", e.msg);
		return;
	}
	pf->have_state = true;
	user = dax_user(pf->state.dev.path, 0);
	if (user > 0)
		check_bad(pf, "state", pf->state.dev.path, "a state area that nobody else uses",
			  "end that process, or name another device", "process %d maps it", user);
	else
		check_ok(pf, "state", pf->state.dev.path, "%llu bytes",
			 (unsigned long long)pf->state.size);
	if (pf->state.commit.state == KH_PREPARED || pf->state.commit.state == KH_SAVED)
		check_bad(pf, "state-busy", pf->state.dev.path, "no upgrade under way",
			  "khctl abort, or after the jump khctl resume", "an upgrade in state %s",
			  state_name(pf->state.commit.state));
	else
		check_ok(pf, "state-busy", pf->state.dev.path, "%s",
			 state_name(pf->state.commit.state));
	check_kept(pf);
}

void check_host(struct preflight *pf, const struct preflight_in *in)
{
	check_root(pf);
	check_lock(pf);
	check_kexec(pf);
	check_kram(pf);
	if (pf->have_kram) {
		check_overlap(pf);
		check_recorder(pf);
	}
	check_iommu(pf);
	if (pf->have_kram && pf->units)
		check_irt(pf);
	check_state(pf, in);
}

void check_kram_room(struct preflight *pf)
{
	uint64_t need = 0, room, pool = kram_pool(&pf->kram), total;
	char want[160], remedy[160];
	unsigned int i;

	for (i = 0; i < pf->nr_vms; i++)
		if (pf->vm_ok[i] && pf->vm[i].nr_devs)
			need += kram_need(vm_ram_bytes(&pf->vm[i]), 0, 0);
	room = pool - kram_used(&pf->kram) + pf->table_pages;
	total = kram_used(&pf->kram) - pf->table_pages + need;
	if (room >= need) {
		check_ok(pf, "kram-room", "", "%llu pages, the VMs may need %llu",
			 (unsigned long long)room, (unsigned long long)need);
		return;
	}
	path_fmt(want, sizeof(want), "%llu pages for the VMs, %llu in all",
		 (unsigned long long)need, (unsigned long long)total);
	/* The header, the map and the fixed pages take less than 1 MiB beside 512 MiB of pool. */
	path_fmt(remedy, sizeof(remedy), "boot with KRAM areas of at least %llu bytes",
		 (unsigned long long)((total * KRAM_PAGE_SIZE + (2ULL << 20)) & ~0xfffffULL));
	check_bad(pf, "kram-room", "", want, remedy, "%llu pages", (unsigned long long)room);
}

void check_state_room(struct preflight *pf)
{
	uint64_t room = pf->state.part[KH_PART_DATA].room, need = PREFLIGHT_STREAM_MIN;
	unsigned int n = pf->nr_vms ? pf->nr_vms : 1, i;
	char remedy[160], want[160];

	/* Each VM gets an equal part, so the VM with the most to save decides. */
	for (i = 0; i < pf->nr_vms; i++)
		if (pf->vm[i].stream_max > need)
			need = pf->vm[i].stream_max;
	need = (need + KH_STREAM_ALIGN - 1) & ~(uint64_t)(KH_STREAM_ALIGN - 1);
	if (n > record_room(&pf->state)) {
		check_bad(pf, "state-room", pf->state.dev.path, "a record for each VM",
			  "use a namespace of at least 256 MiB", "%u records for %u VMs",
			  record_room(&pf->state), n);
		return;
	}
	room = room / n & ~(uint64_t)(KH_STREAM_ALIGN - 1);
	if (room >= need) {
		check_ok(pf, "state-room", pf->state.dev.path, "%llu bytes for each VM, %llu needed",
			 (unsigned long long)room, (unsigned long long)need);
		return;
	}
	path_fmt(want, sizeof(want), "%llu bytes for the saved state of each VM",
		 (unsigned long long)need);
	path_fmt(remedy, sizeof(remedy), "use a namespace of at least %llu bytes",
		 (unsigned long long)(pf->state.part[KH_PART_DATA].offset + n * need));
	check_bad(pf, "state-room", pf->state.dev.path, want, remedy, "%llu bytes for each of %u VMs",
		  (unsigned long long)room, n);
}
