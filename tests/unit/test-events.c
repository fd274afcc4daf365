// SPDX-License-Identifier: GPL-2.0
/* What the instruments saw, in the state area, and what claims make of it. */
#include "unit.h"
#include "evidence/claims_instr.h"
#include "evidence/events.h"
#include "evidence/instr_parts.h"
#include "host/pci.h"
#include "base/util.h"
#include "evidence/state_events.h"
#include "evidence/watcher.h"

#define BDF KH_BDF(0, 1, 0)
#define STOP 1000
#define JUMP 2000
#define START 3000
#define RUN 4000

static const uint8_t run_id[16] = { 1, 2, 3 };
static char *area;
static struct state state;
static struct kh_plan *plan;
static bool recorded;	/* the kernel's recorder was on until the last guest ran */

static int setup(void **ctx)
{
	(void)ctx;
	area = calloc(1, KH_AREA_MIN);
	assert_int_equal(state_format(area, KH_AREA_MIN, 0x140000000ULL), 0);
	assert_int_equal(state_attach(&state, area, KH_AREA_MIN, NULL), 0);
	state.writable = true;
	plan = plan_new();
	memcpy(plan->run_id, run_id, sizeof(run_id));
	strcpy(plan->old_boot_id, "old-boot");
	strcpy(plan->new_boot_id, "new-boot");
	plan->tsc_hz = 1000000000;
	plan->mark[KH_MARK_JUMP] = JUMP;
	plan->mark[KH_MARK_RUN] = RUN;
	assert_int_equal(plan_array(plan, &plan->vms, 1, sizeof(struct kh_plan_vm)), 0);
	assert_int_equal(plan_array(plan, &plan_vm(plan, 0)->dev, 1, sizeof(struct kh_plan_dev)), 0);
	plan_vm(plan, 0)->stop_tsc = STOP;
	plan_vm(plan, 0)->start_tsc = START;
	plan_vm(plan, 0)->run_tsc = RUN;
	strcpy(plan_dev(plan, plan_vm(plan, 0), 0)->bdf, "0000:01:00.0");
	plan_dev(plan, plan_vm(plan, 0), 0)->msix_ctrl = 0x8004;
	plan_dev(plan, plan_vm(plan, 0), 0)->msix_pos = 0xa0;
	return 0;
}

static int teardown(void **ctx)
{
	(void)ctx;
	free(plan);
	free(area);
	return 0;
}

static struct kh_event event(unsigned int type, uint64_t tsc, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct kh_event ev = { .tsc = tsc, .type = type, .version = KH_EVENT_VERSION,
			       .source = KH_SRC_BPF, .bdf = BDF, .arg = { a0, a1, a2 } };
	return ev;
}

/* A section as khctl would leave it, with one event. */
static void write_side(enum kh_side side, const struct kh_event *ev,
		       void (*spoil)(struct events_out *out))
{
	struct events_out out;

	assert_int_equal(events_begin(&out, &state, side, run_id, side == KH_OLD ? "old-boot" : "new-boot"), 0);
	out.h.nr_probes = 2;
	strcpy(out.h.probe[0].name, "pci_flr");
	strcpy(out.h.probe[1].name, "kvm_first_run");
	out.h.probe[0].state = KH_PROBE_ATTACHED;
	out.h.probe[1].state = side == KH_OLD ? KH_PROBE_UNUSED : KH_PROBE_ATTACHED;
	out.h.attached_tsc = side == KH_OLD ? STOP - 10 : START - 10;
	out.h.drained_tsc = side == KH_OLD ? JUMP : RUN;
	if (ev)
		events_put(&out, ev);
	if (spoil)
		spoil(&out);
	events_sync(&out);
	events_end(&out);
}

static enum verdict verdict_of(const char *id, const char *subject)
{
	struct claims *c = calloc(1, sizeof(*c));
	enum verdict v = 99;
	unsigned int i;

	const void *section[] = { events_section(&state, KH_OLD), events_section(&state, KH_NEW) };

	claims_instr(c, section, plan, recorded);
	for (i = 0; i < c->n; i++)
		if (!strcmp(c->claim[i].id, id) && !strcmp(c->claim[i].subject, subject))
			v = c->claim[i].verdict;
	free(c);
	return v;
}

#define expect(id, subject, v) assert_int_equal(verdict_of(id, subject), v)

static void expect_all(enum verdict old_side, enum verdict new_side, enum verdict rest)
{
	expect("instruments", "old kernel", old_side);
	expect("instruments", "new kernel", new_side);
	expect("untouched", "0000:01:00.0", rest);
	expect("iommu-untouched", "", rest);
}

static void gap(struct events_out *out)
{
	out->h.gap_tsc = RUN - 8;
	out->h.gap_end_tsc = RUN - 6;
}

static void open_gap(struct events_out *out)
{
	out->h.gap_tsc = RUN - 8;
}

/* A VM was resumed by a second khctl resume. Between the two only the kernel's recorder watched. */
static void test_second_attempt(void **ctx)
{
	const struct kh_event moved = event(KH_EV_PCI_MASTER, RUN - 7, 0, 0, 0);

	(void)ctx;
	write_side(KH_OLD, NULL, NULL);
	write_side(KH_NEW, NULL, gap);
	recorded = true;
	expect_all(HOLDS, HOLDS, HOLDS);
	recorded = false;
	expect_all(HOLDS, UNKNOWN, UNKNOWN);
	recorded = true;
	write_side(KH_NEW, NULL, open_gap);
	expect_all(HOLDS, UNKNOWN, UNKNOWN);
	/* What a VM's device does once that VM runs is the VM's own affair. */
	write_side(KH_NEW, &moved, gap);
	expect("untouched", "0000:01:00.0", VIOLATED);
	plan_vm(plan, 0)->run_tsc = RUN - 8;
	expect("untouched", "0000:01:00.0", HOLDS);
	recorded = false;
}

/* The second process keeps what the first one saw. */
static void test_section_goes_on(void **ctx)
{
	const struct kh_event first = event(KH_EV_PCI_MASTER, START + 1, 1, 0, 0);
	const struct kh_event second = event(KH_EV_PCI_MASTER, RUN - 1, 1, 0, 0);
	const struct kh_event *got;
	struct events_out out;
	struct kh_events h;

	(void)ctx;
	assert_int_equal(events_continue(&out, &state, KH_NEW, run_id, "new-boot"), -ENOENT);
	write_side(KH_NEW, &first, NULL);
	assert_int_equal(events_continue(&out, &state, KH_NEW, run_id, "other-boot"), -ENOENT);
	assert_int_equal(events_continue(&out, &state, KH_NEW, run_id, "new-boot"), 0);
	events_put(&out, &second);
	events_sync(&out);
	events_end(&out);
	assert_int_equal(events_get(&state, KH_NEW, &h, &got, NULL), 0);
	assert_int_equal(h.nr_events, 2);
	assert_int_equal(got[0].tsc, START + 1);
	assert_int_equal(got[1].tsc, RUN - 1);
	assert_int_equal(h.attached_tsc, START - 10);
	assert_int_equal(h.gap_tsc, RUN);
	assert_int_equal(h.dropped, 0);
}

static void test_good(void **ctx)
{
	(void)ctx;
	write_side(KH_OLD, NULL, NULL);
	write_side(KH_NEW, NULL, NULL);
	expect_all(HOLDS, HOLDS, HOLDS);
}

/* When a guest ran is when KVM ran a vCPU of its QEMU, nobody else's, and for the first time. */
static void test_first(void **ctx)
{
	struct kh_event ev[] = {
		event(KH_EV_PCI_MASTER, RUN - 3, 1, 0, 0),
		event(KH_EV_KVM_RUN, RUN - 2, 0, 0, 0),
		event(KH_EV_KVM_RUN, RUN, 0, 0, 0),
		event(KH_EV_KVM_RUN, RUN + 1, 0, 0, 0),
	};
	const uint32_t pid[] = { 7, 8, 7, 7 };
	struct events_out out = { 0 };
	unsigned int i;

	(void)ctx;
	/* no instruments, no events */
	assert_int_equal(events_first(&out, KH_EV_KVM_RUN, 7), 0);
	assert_int_equal(events_begin(&out, &state, KH_NEW, run_id, "new-boot"), 0);
	for (i = 0; i < sizeof(ev) / sizeof(ev[0]); i++) {
		assert_int_equal(events_first(&out, KH_EV_KVM_RUN, 7), i < 3 ? 0 : RUN);
		ev[i].pid = pid[i];
		events_put(&out, &ev[i]);
	}
	assert_int_equal(events_first(&out, KH_EV_KVM_RUN, 7), RUN);
	assert_int_equal(events_first(&out, KH_EV_KVM_RUN, 8), RUN - 2);
	assert_int_equal(events_first(&out, KH_EV_KVM_RUN, 9), 0);
	events_end(&out);
}

static void test_nothing_recorded(void **ctx)
{
	(void)ctx;
	expect_all(UNKNOWN, UNKNOWN, UNKNOWN);
	write_side(KH_OLD, NULL, NULL);
	expect_all(HOLDS, UNKNOWN, UNKNOWN);
}

static void missing(struct events_out *out)
{
	out->h.probe[0].state = KH_PROBE_MISSING;
}

static void refused(struct events_out *out)
{
	out->h.probe[0].state = KH_PROBE_REFUSED;
}

static void lost(struct events_out *out)
{
	out->h.lost = 1;
}

static void dropped(struct events_out *out)
{
	out->h.dropped = 1;
}

static void late(struct events_out *out)
{
	out->h.attached_tsc = START + 1;
}

static void unread(struct events_out *out)
{
	out->h.drained_tsc = STOP;
}

static void failed(struct events_out *out)
{
	strcpy(out->h.error, "the kernel has no BTF");
}

static void other_run(struct events_out *out)
{
	out->h.run_id[0] ^= 1;
}

static void other_boot(struct events_out *out)
{
	out->h.boot_id[0] ^= 1;
}

static void empty(struct events_out *out)
{
	out->h.nr_probes = 0;
}

static void test_incomplete(void **ctx)
{
	static void (* const spoil[])(struct events_out *) = {
		missing, refused, lost, dropped, late, unread, failed, other_run, other_boot, empty,
	};
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		write_side(KH_OLD, NULL, spoil[i]);
		write_side(KH_NEW, NULL, NULL);
		expect_all(UNKNOWN, HOLDS, UNKNOWN);
		write_side(KH_OLD, NULL, NULL);
		write_side(KH_NEW, NULL, spoil[i]);
		expect_all(HOLDS, UNKNOWN, UNKNOWN);
	}
}

static void test_touched(void **ctx)
{
	const struct kh_event bad[] = {
		event(KH_EV_PCI_RESET, STOP, KH_RESET_FLR, 0, 0),
		event(KH_EV_PCI_MASTER, STOP, 0, 0, 0),
		event(KH_EV_PCI_POWER, STOP, 3, 0, 0),
		event(KH_EV_PCI_DISABLE, STOP, 0, 0, 0),
		event(KH_EV_VFIO_DISABLE, STOP, 0, 0, 0),
		event(KH_EV_PCI_CFG_WRITE, STOP, 0x10, 4, 0),
		event(KH_EV_PCI_CFG_WRITE, STOP, 0xa2, 2, 0),	/* MSI-X was on */
	};
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_side(KH_OLD, &bad[i], NULL);
		write_side(KH_NEW, NULL, NULL);
		expect("untouched", "0000:01:00.0", VIOLATED);
		expect("iommu-untouched", "", HOLDS);
		/* Also when not all was seen. */
		write_side(KH_OLD, &bad[i], lost);
		expect("untouched", "0000:01:00.0", VIOLATED);
	}
}

static void test_harmless(void **ctx)
{
	struct kh_event ok[] = {
		event(KH_EV_PCI_RESET, STOP - 1, KH_RESET_FLR, 0, 0),	/* before the pause */
		event(KH_EV_PCI_RESET, RUN + 1, KH_RESET_FLR, 0, 0),	/* the guest's own affair */
		event(KH_EV_PCI_MASTER, STOP, 1, 0, 0),
		event(KH_EV_PCI_POWER, STOP, 0, 0, 0),
		event(KH_EV_PCI_RESET, STOP, KH_RESET_BUS, 2, 5),	/* other buses */
		event(KH_EV_PCI_CFG_WRITE, STOP, 0x10, 4, 0),		/* another function */
	};
	unsigned int i;

	(void)ctx;
	ok[5].bdf = BDF + 1;
	for (i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		write_side(KH_OLD, &ok[i], NULL);
		write_side(KH_NEW, NULL, NULL);
		expect("untouched", "0000:01:00.0", HOLDS);
	}
}

static void test_bus_reset(void **ctx)
{
	struct kh_event ev = event(KH_EV_PCI_RESET, STOP, KH_RESET_BUS, 1, 1);

	(void)ctx;
	ev.bdf = KH_BDF(0, 0, 0x20);
	write_side(KH_OLD, NULL, NULL);
	write_side(KH_NEW, &ev, NULL);
	expect("untouched", "0000:01:00.0", VIOLATED);

	/* By hand, at the bridge above. */
	ev = event(KH_EV_PCI_CFG_WRITE, STOP, 0x3e, 2, 0x43);
	ev.bdf = KH_BDF(0, 0, 0x20);
	write_side(KH_NEW, &ev, NULL);
	expect("untouched", "0000:01:00.0", VIOLATED);
	ev.arg[2] = 3;
	write_side(KH_NEW, &ev, NULL);
	expect("untouched", "0000:01:00.0", HOLDS);
	ev = event(KH_EV_PCI_CFG_WRITE, STOP, 0x3c, 4, 0x430000);
	ev.bdf = KH_BDF(0, 0, 0x20);
	write_side(KH_NEW, &ev, NULL);
	expect("untouched", "0000:01:00.0", VIOLATED);
}

static void test_iommu(void **ctx)
{
	struct kh_event bad[] = {
		event(KH_EV_IOMMU_TRANSLATION, STOP, 0, 0, 0), event(KH_EV_IOMMU_ROOT, STOP, 0, 0, 0),
		event(KH_EV_IRQ_REMAP, STOP, 0, 0, 0), event(KH_EV_IOMMU_FAULT, STOP, 0, 0, 0),
		event(KH_EV_IOMMU_UNMAP, STOP, 0, 0, 4096),
	};
	unsigned int i;

	(void)ctx;
	plan_dev(plan, plan_vm(plan, 0), 0)->map.did = 7;
	bad[4].arg[3] = 7;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_side(KH_OLD, NULL, NULL);
		write_side(KH_NEW, &bad[i], NULL);
		expect("iommu-untouched", "", VIOLATED);
		expect("untouched", "0000:01:00.0", HOLDS);
	}
	/* Another device's mapping. */
	bad[4].arg[3] = 8;
	write_side(KH_NEW, &bad[4], NULL);
	expect("iommu-untouched", "", HOLDS);
}

static void test_too_many(void **ctx)
{
	struct kh_event ev = event(KH_EV_IOMMU_FLUSH, STOP, 0, 0, 0);
	struct events_out out;
	const struct kh_event *got;
	struct kh_events h;
	unsigned int i, room = (KH_EVENTS_ROOM - KH_EVENTS_FIRST) / sizeof(ev);

	(void)ctx;
	assert_int_equal(events_begin(&out, &state, KH_OLD, run_id, "old-boot"), 0);
	for (i = 0; i < room + 3; i++)
		events_put(&out, &ev);
	events_sync(&out);
	events_end(&out);
	assert_int_equal(events_get(&state, KH_OLD, &h, &got, NULL), 0);
	assert_int_equal(h.nr_events, room);
	assert_int_equal(h.dropped, 3);
	/* The neighbours are what they were. */
	assert_int_equal(events_get(&state, KH_NEW, &h, &got, NULL), -ENOENT);
}

/* Each byte that counts, changed: an error or what was there before, never something else. */
static void test_damage(void **ctx)
{
	const struct kh_event ev = event(KH_EV_PCI_RESET, STOP, KH_RESET_FLR, 0, 0);
	char *base = area + KH_EVENTS_OFFSET(KH_OLD);
	const struct kh_event *got;
	struct kh_events h;
	unsigned int i;
	int rc;

	(void)ctx;
	write_side(KH_OLD, &ev, NULL);
	for (i = 0; i < sizeof(ev); i++) {
		base[KH_EVENTS_FIRST + i] ^= 1;
		assert_int_equal(events_get(&state, KH_OLD, &h, &got, NULL), -EBADMSG);
		base[KH_EVENTS_FIRST + i] ^= 1;
	}
	for (i = 0; i < sizeof(h); i++) {
		base[KH_EVENTS_HEADER(0) + i] ^= 0x10;
		rc = events_get(&state, KH_OLD, &h, &got, NULL);
		base[KH_EVENTS_HEADER(0) + i] ^= 0x10;
		/* The other header is the one that events_begin() wrote. */
		assert_true(rc || !h.nr_events);
	}
	write_side(KH_NEW, NULL, NULL);
	base[KH_EVENTS_FIRST] ^= 1;
	expect_all(UNKNOWN, HOLDS, UNKNOWN);
}

static void test_text(void **ctx)
{
	const struct kh_event ev = event(KH_EV_PCI_RESET, 5, KH_RESET_BUS, 1, 2);
	const struct kh_event odd = { .type = 60000, .source = 200, .bdf = KH_NO_BDF };
	char line[400];

	(void)ctx;
	assert_string_equal(event_text(&ev, line, sizeof(line)),
			    "5\t0\t0\tpci-reset\t0000:01:00.0\thow=bus\tfirst_bus=1\tlast_bus=2");
	assert_string_equal(event_text(&odd, line, sizeof(line)), "0\t0\t0\tunknown");
	assert_int_equal(strlen(event_text(&ev, line, 20)), 19);
}

/* What the programs that watch a resume pass on, upper bits of narrow arguments included. */
static void test_passed_on(void **ctx)
{
	const uint64_t high = 0xabcdULL << 32;
	struct kh_new e = { .ns = 7, .pid_tgid = 42ULL << 32 | 43, .cpu = 1, .point = KH_NEW_CFG_WRITE,
			    .arg = { high, high | 0x100, high | 0x3e, high | 2, high | 0x40 } };
	struct instr in = { .nr_bare_maps = 1 };
	struct kh_event ev;

	(void)ctx;
	assert_false(bare_event(&in, &e, sizeof(e), &ev));
	assert_int_equal(bare_watch(&in, BDF), 0);
	assert_int_equal(bare_watch(&in, BDF), 0);
	assert_int_equal(in.nr_watched, 1);
	assert_true(bare_event(&in, &e, sizeof(e), &ev));
	assert_int_equal(ev.type, KH_EV_PCI_CFG_WRITE);
	assert_int_equal(ev.bdf, BDF);
	assert_int_equal(ev.tsc, 7);
	assert_int_equal(ev.pid, 42);
	assert_int_equal(ev.cpu, 1);
	assert_int_equal(ev.version, KH_EVENT_VERSION);
	assert_int_equal(ev.arg[0], 0x3e);
	assert_int_equal(ev.arg[1], 2);
	assert_int_equal(ev.arg[2], 0x40);
	e.arg[1] = 0x200;
	assert_false(bare_event(&in, &e, sizeof(e), &ev));

	e = (struct kh_new){ .point = KH_NEW_PAGE_ALLOC, .arg = { 0x1234000, high, high | 3, high | 1, 99 } };
	assert_true(bare_event(&in, &e, sizeof(e), &ev));
	assert_int_equal(ev.type, KH_EV_IOMMU_PAGE_ALLOC);
	assert_int_equal(ev.bdf, KH_NO_BDF);
	assert_int_equal(ev.arg[0], 0x1234000);
	assert_int_equal(ev.arg[1], 0);
	assert_int_equal(ev.arg[2], KH_PAGE_KRAM);
	assert_int_equal(ev.arg[3], 3);
	assert_int_equal(ev.caller, 99);
	e.point = KH_NEW_PAGE_FREE;
	e.arg[3] = high;
	assert_true(bare_event(&in, &e, sizeof(e), &ev));
	assert_int_equal(ev.type, KH_EV_IOMMU_PAGE_FREE);
	assert_int_equal(ev.arg[2], KH_PAGE_BUDDY);

	e = (struct kh_new){ .point = KH_NEW_KVM_THREAD, .pid_tgid = 42ULL << 32 | 44,
			     .arg = { high | 42, high | 1, high, high | 44, high } };
	assert_true(bare_event(&in, &e, sizeof(e), &ev));
	assert_int_equal(ev.type, KH_EV_KVM_RUN);
	assert_int_equal(ev.pid, 42);
	assert_int_equal(ev.arg[0], 1);
	assert_false(bare_event(&in, &e, sizeof(e) - 1, &ev));
	e.arg[4] = high | 1;
	assert_true(bare_event(&in, &e, sizeof(e), &ev));
	e.arg[2] = 43;
	assert_false(bare_event(&in, &e, sizeof(e), &ev));
	e.point = 99;
	assert_false(bare_event(&in, &e, sizeof(e), &ev));
}

/*
 * A resume whose only look at its programs is the last one: devices to be watched are looked up all the
 * same (there is none of this name), and a ring that cannot be read takes the programs with it.
 */
static void test_only_the_end(void **ctx)
{
	struct watcher w = { 0 };
	const struct kh_event *ev;
	struct kh_events h;

	(void)ctx;
	strcpy(plan_dev(plan, plan_vm(plan, 0), 0)->bdf, "ffff:ff:1f.7");
	assert_int_equal(events_begin(&w.out, &state, KH_NEW, run_id, "new-boot"), 0);
	w.in = calloc(1, sizeof(*w.in));
	assert_non_null(w.in);
	memset(w.in->prog_fd, -1, sizeof(w.in->prog_fd));
	w.in->loaded = true;
	w.in->ring_fd = -1;
	w.in->nr_probes = 1;
	strcpy(w.in->probe[0].name, "kvm_vcpu_thread");
	w.in->probe[0].state = KH_PROBE_ATTACHED;
	w.watch = plan;
	watcher_finish(&w);
	assert_null(w.watch);
	watcher_stop(&w);
	assert_int_equal(events_get(&state, KH_NEW, &h, &ev, NULL), 0);
	assert_int_equal(h.dropped, 1);
	assert_int_equal(h.nr_probes, 1);
	assert_int_equal(h.probe[0].state, KH_PROBE_REFUSED);
	assert_string_not_equal(h.error, "");
	assert_int_equal(h.drained_tsc, 0);
}

static void test_addresses(void **ctx)
{
	static const char * const bad[] = { "", "1:2", "0000:01:00", "0000:01:00.8", "0000:01:20.0", "0000:100:00.0",
					    "10000:01:00.0", "0000:01:00.0 ", "pci0000:00", "..", " 0000:01:00.0",
					    "0000:01:00.", ":01:00.0", "-1:01:00.0" };
	uint16_t segment;
	uint8_t bus, devfn;
	unsigned int i;

	(void)ctx;
	assert_int_equal(pci_parse("ab12:fe:1f.7", &segment, &bus, &devfn), 0);
	assert_int_equal(segment, 0xab12);
	assert_int_equal(bus, 0xfe);
	assert_int_equal(devfn, 0xff);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pci_parse(bad[i], &segment, &bus, &devfn), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_attempt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_section_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_incomplete, setup, teardown),
		cmocka_unit_test_setup_teardown(test_touched, setup, teardown),
		cmocka_unit_test_setup_teardown(test_harmless, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bus_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_iommu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test(test_passed_on),
		cmocka_unit_test_setup_teardown(test_only_the_end, setup, teardown),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
