/* SPDX-License-Identifier: GPL-2.0 */
/* Evidence of an upgrade that went well, made up; for tests and as seed of the fuzzers. */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "evidence/evidence.h"
#include "evidence/evidence_parts.h"
#include "evidence/judge.h"
#include "evidence/state_events.h"

#define OLD_BOOT "aaaaaaaa-0000-0000-0000-000000000001"
#define NEW_BOOT "bbbbbbbb-0000-0000-0000-000000000002"
#define BDF "0000:01:00.0"
#define BDF_NUMBER KH_BDF(0, 1, 0)
#define ROOT 0x1b7010000ULL
#define CONTEXT 0x1b7020000ULL
#define TABLE 0x1b7021000ULL
#define GUEST_RAM 0x120000000ULL
#define GUEST_BYTES 0x80000000ULL
#define STOP 1000000
#define RUN 2000000

static struct kh_plan *sample_plan(void)
{
	struct kh_plan *p = plan_empty();
	struct kh_plan_vm *vm;
	struct kh_plan_dev *d;

	plan_array(p, &p->vms, 1, sizeof(*vm));
	vm = plan_vm(p, 0);
	plan_array(p, &vm->ram, 1, sizeof(struct kh_plan_ram));
	plan_array(p, &vm->dev, 1, sizeof(*d));
	d = plan_dev(p, vm, 0);
	memset(p->run_id, 7, sizeof(p->run_id));
	p->tsc_hz = 1000000000;
	p->kram_generation = 1;
	strcpy(p->old_boot_id, OLD_BOOT);
	strcpy(p->new_boot_id, NEW_BOOT);
	strcpy(p->image_kernel, "6.12.107-khb #1 SMP");
	p->mark[KH_MARK_START] = 1;
	p->mark[KH_MARK_JUMP] = STOP + 5;
	p->mark[KH_MARK_RUN] = RUN;
	plan_put(p, &vm->name, "g1", 2);
	vm->state = KH_VM_RUNNING;
	vm->stop_tsc = STOP;
	vm->start_tsc = STOP + 600;
	vm->run_tsc = RUN;
	plan_ram(p, vm, 0)->resource = GUEST_RAM;
	plan_ram(p, vm, 0)->dax_size = GUEST_BYTES;
	strcpy(d->bdf, BDF);
	d->command = 0x406;
	d->msix_pos = 0xa0;
	d->msix_ctrl = 0x8004;
	d->bar[0] = 0xfe000000;
	d->map = (struct kh_plan_map){ .root = ROOT, .context = { TABLE | 1, 0x102 }, .pgd = TABLE,
		.nr_tables = 1, .tables_hash = 1, .nr_runs = 1, .runs_hash = 2,
		.mapped = 0x80000000ULL, .did = 1, .levels = 4 };
	return p;
}

static void sample_config(uint8_t *cfg)
{
	memset(cfg, 0, 256);
	cfg[4] = 0x06;
	cfg[5] = 0x04;
	memcpy(cfg + 0x10, "\x00\x00\x00\xfe", 4);
	cfg[0x34] = 0xc8;
	cfg[0xc8] = 0x01;	/* power management */
	cfg[0xc9] = 0xe0;
	cfg[0xe0] = 0x10;	/* PCI Express */
	cfg[0xe1] = 0xa0;
	cfg[0xa0] = 0x11;	/* MSI-X */
	cfg[0xa2] = 0x04;
	cfg[0xa3] = 0x80;
}

struct sample_manifest {
	struct kh_manifest h;
	struct kh_man_unit unit;
	struct kh_man_dev dev;
	struct kh_man_page page[3];
	struct kh_man_irte irte[2];
};

static void sample_seal_manifest(struct sample_manifest *m)
{
	m->h.hash = kh_hash(&m->h + 1, m->h.size - sizeof(m->h));
	m->h.crc = kh_crc(&m->h, offsetof(struct kh_manifest, crc));
}

static struct sample_manifest *sample_manifest(const struct kh_plan *p, const char *boot,
					       uint64_t tsc)
{
	struct sample_manifest *m = calloc(1, sizeof(*m));

	m->h = (struct kh_manifest){ .magic = KH_MANIFEST_MAGIC, .version = KH_MANIFEST_VERSION,
		.header_size = sizeof(m->h), .size = sizeof(*m), .tsc = tsc, .generation = 1,
		.used_pages = 100, .nr_units = 1, .nr_devs = 1, .nr_pages = 3, .nr_irtes = 2 };
	memcpy(m->h.run_id, p->run_id, sizeof(m->h.run_id));
	strcpy(m->h.boot_id, boot);
	m->unit = (struct kh_man_unit){ .rtaddr = ROOT, .irta = 0x1b7100000ULL | 0xf,
					.gsts = 1U << 31 | 1U << 25 };
	m->dev.rec = *plan_dev(p, plan_vm(p, 0), 0);
	sample_config(m->dev.cfg);
	m->page[0] = (struct kh_man_page){ ROOT, 1, KRAM_OWNER_IOMMU_ROOT, 0 };
	m->page[1] = (struct kh_man_page){ CONTEXT, 2, KRAM_OWNER_IOMMU_CONTEXT, 0 };
	m->page[2] = (struct kh_man_page){ TABLE, 3, KRAM_OWNER_IOMMU_PGTABLE, 0 };
	m->irte[0] = (struct kh_man_irte){ 0, 5, 1, BDF_NUMBER };
	m->irte[1] = (struct kh_man_irte){ 0, 6, 1, BDF_NUMBER };
	sample_seal_manifest(m);
	return m;
}

static void sample_event(struct kram_recorder *r, uint64_t tsc, uint16_t type, uint32_t bdf,
			 uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	uint32_t i = r->nr++, *check = (uint32_t *)(r + 1);
	struct kh_event *ev = (struct kh_event *)((char *)r + KRAM_RECORDER_FIRST) + i;

	if (i >= KRAM_RECORDER_EVENTS)
		return;
	*ev = (struct kh_event){ .tsc = tsc, .type = type, .version = KH_EVENT_VERSION,
				 .source = KH_SRC_RECORDER, .bdf = bdf,
				 .arg = { a0, a1, a2, a3 } };
	check[i] = crc32(i, (const void *)ev, sizeof(*ev));
}

/* An upgrade's steps, with @between called between the kernels and @then in the new one. */
static struct kram_recorder *sample_recorder(const struct kh_plan *p,
					     void (*between)(struct kram_recorder *r),
					     void (*then)(struct kram_recorder *r))
{
	struct kram_recorder *r = calloc(1, RECORDER_BYTES);

	*r = (struct kram_recorder){ .magic = KRAM_RECORDER_MAGIC, .version = KRAM_RECORDER_VERSION,
		.header_size = sizeof(*r), .event_version = KH_EVENT_VERSION,
		.event_size = sizeof(struct kh_event), .capacity = KRAM_RECORDER_EVENTS,
		.generation = 1, .armed_tsc = STOP - 100 };
	memcpy(r->run_id, p->run_id, sizeof(r->run_id));
	r->crc = crc32(0, (const void *)r, offsetof(struct kram_recorder, crc));
	sample_event(r, STOP + 10, KH_EV_KEXEC_BEGIN, KH_NO_BDF, 0, 0, 0, 0);
	sample_event(r, STOP + 20, KH_EV_MACHINE_SHUTDOWN, KH_NO_BDF, 0, 0, 0, 0);
	sample_event(r, STOP + 30, KH_EV_IOMMU_SHUTDOWN, KH_NO_BDF, 0, 0, 0, 0);
	if (between)
		between(r);
	sample_event(r, STOP + 45, KH_EV_RAM_LOOK, KH_NO_BDF, GUEST_RAM, GUEST_BYTES, 0, 0);
	sample_event(r, STOP + 50, KH_EV_KRAM_SEAL, KH_NO_BDF, 1, 0, 0, 0);
	r->sealed_tsc = STOP + 51;
	r->sealed_nr = r->nr;
	sample_event(r, STOP + 60, KH_EV_MACHINE_KEXEC, KH_NO_BDF, 0, 0, 0, 0);
	r->adopted_tsc = STOP + 100;
	r->adopted_nr = r->nr;
	sample_event(r, STOP + 101, KH_EV_KRAM_ADOPT, KH_NO_BDF, 2, 0, 0, 0);
	sample_event(r, STOP + 102, KH_EV_RAM_LOOK, KH_NO_BDF, GUEST_RAM, GUEST_BYTES, 0, 0);
	if (then)
		then(r);
	r->stopped_tsc = RUN + 1;
	return r;
}

static struct kram_handover *sample_handover(void)
{
	struct kram_handover *h = calloc(1, sizeof(*h));

	h->magic = KRAM_HANDOVER_MAGIC;
	h->abi_version = KRAM_ABI_VERSION;
	h->size = sizeof(*h);
	h->generation = 1;
	h->nr_units = 1;
	h->nr_devices = 1;
	h->unit[0].rtaddr = ROOT;
	h->unit[0].gsts = 1U << 31 | 1U << 25;
	h->device[0] = (struct kram_device){ .bus = 1, .command = 0x406, .msix_ctrl = 0x8004 };
	h->crc = crc32(0, (const void *)h, sizeof(*h));
	return h;
}

static struct kh_host *sample_host(void)
{
	struct kh_host *h = calloc(1, sizeof(*h));

	strcpy(h->boot_id, NEW_BOOT);
	strcpy(h->release, "6.12.107-khb");
	strcpy(h->version, "#1 SMP");
	strcpy(h->kram_state, "adopted");
	h->kram_generation = 2;
	h->kram_used = 100;
	h->nr_areas = 1;
	h->area[0].start = 0x1b7000000ULL;
	h->area[0].size = 0x4000000;
	h->pages_seen = 16384;
	return h;
}

static void sample_put(struct evidence *ev, enum kh_section sec, void *data, size_t size)
{
	free(ev->blob[sec].data);
	ev->blob[sec].data = data;
	ev->blob[sec].size = size;
}

#define SAMPLE_IOMEM "00001000-0009ffff : System RAM\n00100000-bfffffff : System RAM\n" \
	"  01000000-01ffffff : Kernel code\n120000000-1a0ffffff : Persistent Memory (legacy)\n"

/* Programs that were there all the time and saw nothing. */
static void *sample_events(const struct kh_plan *p, enum kh_side side)
{
	char *area = calloc(1, KH_AREA_MIN);
	void *section = malloc(KH_EVENTS_ROOM);
	struct events_out out;
	struct state s;

	state_format(area, KH_AREA_MIN, 0);
	state_attach(&s, area, KH_AREA_MIN, NULL);
	s.writable = true;
	events_begin(&out, &s, side, p->run_id, side == KH_OLD ? OLD_BOOT : NEW_BOOT);
	out.h.nr_probes = 1;
	strcpy(out.h.probe[0].name, "pci_flr");
	out.h.probe[0].state = KH_PROBE_ATTACHED;
	out.h.attached_tsc = side == KH_OLD ? STOP - 10 : STOP + 510;
	out.h.drained_tsc = RUN + 1;
	events_sync(&out);
	events_end(&out);
	memcpy(section, events_section(&s, side), KH_EVENTS_ROOM);
	free(area);
	return section;
}

static struct kh_vm_now *sample_vm(void)
{
	struct kh_vm_now *vm = calloc(1, sizeof(*vm));

	strcpy(vm->status, "running");
	return vm;
}

static void sample_make(struct evidence *ev)
{
	struct kh_plan *p = sample_plan();

	memset(ev, 0, sizeof(*ev));
	sample_put(ev, KH_SEC_PLAN, p, p->size);
	sample_put(ev, KH_SEC_HOST, sample_host(), sizeof(struct kh_host));
	sample_put(ev, KH_SEC_HANDOVER, sample_handover(), sizeof(struct kram_handover));
	sample_put(ev, KH_SEC_MANIFEST_OLD, sample_manifest(p, OLD_BOOT, STOP + 1),
		   sizeof(struct sample_manifest));
	sample_put(ev, KH_SEC_MANIFEST_NEW, sample_manifest(p, NEW_BOOT, STOP + 500),
		   sizeof(struct sample_manifest));
	sample_put(ev, KH_SEC_MANIFEST_NOW, sample_manifest(p, NEW_BOOT, RUN + 500),
		   sizeof(struct sample_manifest));
	sample_put(ev, KH_SEC_RECORDER, sample_recorder(p, NULL, NULL), RECORDER_BYTES);
	sample_put(ev, KH_SEC_EVENTS_OLD, sample_events(p, KH_OLD), KH_EVENTS_ROOM);
	sample_put(ev, KH_SEC_EVENTS_NEW, sample_events(p, KH_NEW), KH_EVENTS_ROOM);
	sample_put(ev, KH_SEC_IOMEM, strdup(SAMPLE_IOMEM), sizeof(SAMPLE_IOMEM));
	sample_put(ev, KH_SEC_KLOG, strdup(""), 1);
	sample_put(ev, KH_SEC_VMS, sample_vm(), sizeof(struct kh_vm_now));
}

#endif
