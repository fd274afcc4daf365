// SPDX-License-Identifier: GPL-2.0
/* The judge: evidence of a good upgrade, with one thing wrong at a time. */
#include <unistd.h>
#include "unit.h"
#include "sample.h"
#include "evidence/timeline.h"
#include "base/opts.h"
#include "base/util.h"

static struct evidence ev;
static struct claims *c;

static int setup(void **ctx)
{
	(void)ctx;
	sample_make(&ev);
	c = calloc(1, sizeof(*c));
	return 0;
}

static int teardown(void **ctx)
{
	(void)ctx;
	evidence_free(&ev);
	free(c);
	return 0;
}

static enum verdict judge_it(void)
{
	struct kh_err e = { 0 };

	if (evidence_index(&ev, &e))
		claims_none(c, e.msg);
	else
		claims_make(c, &ev);
	return claims_verdict(c);
}

static const struct claim *get(const char *id)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (!strcmp(c->claim[i].id, id) && c->claim[i].verdict != HOLDS)
			return &c->claim[i];
	for (i = 0; i < c->n; i++)
		if (!strcmp(c->claim[i].id, id))
			return &c->claim[i];
	fail_msg("no claim %s", id);
	return NULL;
}

static void expect(const char *id, enum verdict want)
{
	enum verdict all = judge_it();
	const struct claim *n = get(id);

	if (n->verdict != want)
		fail_msg("%s is %s: %s", id, claim_name(n->verdict), n->evidence);
	assert_int_equal(all, want);
}

static void good_passes(void **ctx)
{
	unsigned int i;

	(void)ctx;
	judge_it();
	for (i = 0; i < c->n; i++)
		if (c->claim[i].verdict != HOLDS)
			fail_msg("%s: %s", c->claim[i].id, c->claim[i].evidence);
	assert_int_equal(claims_verdict(c), HOLDS);
	assert_int_equal(verdict_exit(HOLDS), 0);
	assert_int_equal(verdict_exit(VIOLATED), 1);
	assert_int_equal(verdict_exit(UNKNOWN), 5);
}

/* "Pass" asks the guest: what QEMU says when the evidence is gathered counts. */
static void the_guest_is_asked(void **ctx)
{
	static const struct {
		const char *status;
		enum verdict want;
	} said[] = { { "running", HOLDS }, { "internal-error", VIOLATED }, { "guest-panicked", VIOLATED },
		     { "io-error", VIOLATED }, { "inmigrate", VIOLATED }, { "paused", UNKNOWN },
		     { "shutdown", UNKNOWN }, { "", UNKNOWN } };
	struct kh_vm_now *now = ev.blob[KH_SEC_VMS].data;
	struct kh_plan *plan = ev.blob[KH_SEC_PLAN].data;
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		strcpy(now->status, said[i].status);
		expect("vm-resumed", said[i].want);
	}
	memset(now->status, 'x', sizeof(now->status));
	expect("vm-resumed", UNKNOWN);
	sample_put(&ev, KH_SEC_VMS, NULL, 0);
	expect("vm-resumed", UNKNOWN);
	plan_vm(plan, 0)->state = KH_VM_FORGOTTEN;
	expect("vm-resumed", VIOLATED);
}

/* What the process of the VM has is compared with what it had. */
static void the_process(void **ctx)
{
	static const struct {
		const char *attrs;
		enum verdict want;
		const char *says;
	} all[] = {
		{ "{\"process\":{\"uid\":\"0\",\"threads\":{\"main\":{\"cpus\":\"0-3\"}}},"
		  "\"after\":{\"uid\":\"0\",\"threads\":{\"main\":{\"cpus\":\"0-3\"}}}}", HOLDS, "as before" },
		{ "{\"process\":{\"uid\":\"0\",\"threads\":{\"main\":{\"cpus\":\"0-3\"}}},"
		  "\"after\":{\"uid\":\"0\",\"threads\":{\"main\":{\"cpus\":\"0\"}}}}", VIOLATED,
		  "threads.main.cpus was 0-3, is 0" },
		{ "{\"process\":{\"uid\":\"7\"},\"after\":{}}", VIOLATED, "uid was 7, is not there" },
		{ "{\"process\":{\"uid\":\"7\"}}", UNKNOWN, "was not read" },
		{ "{}", UNKNOWN, "cannot be read" },
		{ "{\"process\":", UNKNOWN, "cannot be read" },
		{ "[1, 2]", UNKNOWN, "cannot be read" },
	};
	struct kh_plan *plan = ev.blob[KH_SEC_PLAN].data;
	size_t i;

	(void)ctx;
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		plan_put(plan, &plan_vm(plan, 0)->attrs, all[i].attrs, strlen(all[i].attrs));
		ev.blob[KH_SEC_PLAN].size = plan->size;
		expect("vm-process", all[i].want);
		assert_non_null(strstr(get("vm-process")->evidence, all[i].says));
	}
}

static void without_devices_translation_may_go_off(void **ctx)
{
	struct kh_plan *plan = ev.blob[KH_SEC_PLAN].data;
	unsigned int i;

	(void)ctx;
	plan_vm(plan, 0)->dev.count = 0;
	judge_it();
	for (i = 0; i < c->n; i++)
		if (!strcmp(c->claim[i].id, "translation-on") || !strcmp(c->claim[i].id, "remapping-on"))
			fail_msg("%s is claimed", c->claim[i].id);
	assert_int_equal(get("no-dma-fault")->verdict, HOLDS);
}

/* Events: each once in the old kernel and once in the new one. */
static struct {
	const char *id;
	uint16_t type;
	uint32_t bdf;
	uint64_t arg[4];
	int only_old;
} events[] = {
	{ "translation-on", KH_EV_IOMMU_TRANSLATION, KH_NO_BDF, { 0, 0 }, 0 },
	{ "remapping-on", KH_EV_IRQ_REMAP, KH_NO_BDF, { 0, 0 }, 0 },
	{ "root-pointer", KH_EV_IOMMU_ROOT, KH_NO_BDF, { 0x1000, 0 }, 0 },
	{ "context-entry", KH_EV_IOMMU_CONTEXT, BDF_NUMBER, { 0 }, 0 },
	{ "mappings", KH_EV_IOMMU_MAP, BDF_NUMBER, { 0x1000, 0x2000, 0x1000 }, 0 },
	{ "mappings", KH_EV_IOMMU_UNMAP, BDF_NUMBER, { 0x1000, 0, 0x1000 }, 0 },
	{ "no-dma-fault", KH_EV_IOMMU_FAULT, KH_NO_BDF, { 0, 6 }, 0 },
	{ "no-reset", KH_EV_PCI_RESET, BDF_NUMBER, { KH_RESET_FLR }, 0 },
	{ "no-reset", KH_EV_PCI_RESET, BDF_NUMBER, { KH_RESET_PM }, 0 },
	{ "no-reset", KH_EV_PCI_RESET, KH_BDF(0, 0, 8), { KH_RESET_BUS, 1, 1 }, 0 },
	{ "bus-master", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 4, 2, 0x402 }, 0 },
	{ "decode", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 4, 2, 0x404 }, 0 },
	{ "decode", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 4, 4, 0x404 }, 0 },
	{ "msix-enable", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 0xa2, 2, 0x4 }, 0 },
	{ "msix-enable", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 0xa0, 4, 0x40011 }, 0 },
	{ "power-state", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 0xcc, 2, 3 }, 0 },
	{ "bars", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 0x10, 4, 0xfe000000 }, 0 },
	{ "config-writes", KH_EV_PCI_CFG_WRITE, BDF_NUMBER, { 0x0d, 1, 0 }, 0 },
	{ "pages-not-allocated", KH_EV_IOMMU_PAGE_ALLOC, KH_NO_BDF, { 0x5000, 0, KH_PAGE_BUDDY }, 0 },
	{ "pages-not-allocated", KH_EV_IOMMU_PAGE_FREE, KH_NO_BDF, { TABLE, 0, KH_PAGE_BUDDY }, 0 },
	{ "kram-balance", KH_EV_IOMMU_PAGE_ALLOC, KH_NO_BDF, { TABLE, 2, KH_PAGE_KRAM }, 0 },
	{ "guest-ram-unwritten", KH_EV_RAM_WRITTEN, KH_NO_BDF, { 0x140000000, 0x40000000 }, 0 },
	{ "interrupts", KH_EV_IRTE, BDF_NUMBER, { 5, 1, 2, 0 }, 1 },
};

static unsigned int which;

static void put_event(struct kram_recorder *r)
{
	sample_event(r, r->adopted_tsc ? STOP + 200 : STOP + 40, events[which].type,
		     events[which].bdf, events[which].arg[0], events[which].arg[1],
		     events[which].arg[2], events[which].arg[3]);
}

static void each_event_violates(void **ctx)
{
	const struct kh_plan *p = ev.blob[KH_SEC_PLAN].data;
	int side;

	(void)ctx;
	for (which = 0; which < sizeof(events) / sizeof(events[0]); which++)
		for (side = 0; side < (events[which].only_old ? 1 : 2); side++) {
			sample_put(&ev, KH_SEC_RECORDER,
				   sample_recorder(p, side ? NULL : put_event,
						   side ? put_event : NULL), RECORDER_BYTES);
			expect(events[which].id, VIOLATED);
			/* The balance is a sum: no one event is the culprit. */
			if (strcmp(events[which].id, "kram-balance"))
				assert_string_equal(get(events[which].id)->kernel,
						    side ? "new" : "old");
		}
}

static void put_after(struct kram_recorder *r)
{
	/* What the guest does once it runs is its own business. */
	sample_event(r, RUN + 10, KH_EV_PCI_CFG_WRITE, BDF_NUMBER, 4, 2, 0, 0);
	/* Another device's IRTE, and its interrupts set up anew. */
	sample_event(r, STOP + 300, KH_EV_IRTE, KH_BDF(0, 2, 0), 9, 1, 2, 0);
	sample_event(r, STOP + 300, KH_EV_IRTE, BDF_NUMBER, 5, 1, 2, 0);
	sample_event(r, STOP + 300, KH_EV_PCI_CFG_WRITE, BDF_NUMBER, 4, 2, 0x406, 0);
	/* Memory behind the guest's. */
	sample_event(r, STOP + 300, KH_EV_RAM_WRITTEN, KH_NO_BDF, GUEST_RAM + GUEST_BYTES, 0x200000, 0, 0);
}

static void harmless_events_pass(void **ctx)
{
	(void)ctx;
	sample_put(&ev, KH_SEC_RECORDER, sample_recorder(ev.blob[KH_SEC_PLAN].data, NULL, put_after),
		   RECORDER_BYTES);
	assert_int_equal(judge_it(), HOLDS);
}

static struct kram_recorder *rec(void)
{
	return ev.blob[KH_SEC_RECORDER].data;
}

static void gaps_are_unknown(void **ctx)
{
	const struct kh_plan *p = ev.blob[KH_SEC_PLAN].data;

	(void)ctx;
	rec()->nr = KRAM_RECORDER_EVENTS + 3;
	expect("recorder-whole", UNKNOWN);
	assert_int_equal(get("bus-master")->verdict, UNKNOWN);
	sample_put(&ev, KH_SEC_RECORDER, sample_recorder(p, NULL, NULL), RECORDER_BYTES);
	((struct kh_event *)((char *)rec() + KRAM_RECORDER_FIRST))[2].arg[0] ^= 1;
	expect("recorder-whole", UNKNOWN);
	sample_put(&ev, KH_SEC_RECORDER, sample_recorder(p, NULL, NULL), RECORDER_BYTES);
	rec()->adopted_tsc = 0;
	expect("recorder-whole", UNKNOWN);
	sample_put(&ev, KH_SEC_RECORDER, sample_recorder(p, NULL, NULL), RECORDER_BYTES);
	rec()->run_id[0] ^= 1;		/* and its checksum with it */
	expect("recorder-whole", UNKNOWN);
	sample_put(&ev, KH_SEC_RECORDER, NULL, 0);
	expect("recorder-whole", UNKNOWN);
}

/* The n-th look of the kernels at the guests' RAM missed some of it. */
static void look_less(unsigned int n)
{
	struct kh_event *at = (struct kh_event *)((char *)rec() + KRAM_RECORDER_FIRST);
	uint32_t i, *check = (uint32_t *)(rec() + 1);

	for (i = 0; i < rec()->nr; i++)
		if (at[i].type == KH_EV_RAM_LOOK && !n--) {
			at[i].arg[1]--;
			check[i] = crc32(i, (const void *)&at[i], sizeof(at[i]));
		}
}

static void who_did_not_look_does_not_know(void **ctx)
{
	unsigned int i;

	(void)ctx;
	for (i = 0; i < 2; i++) {
		sample_put(&ev, KH_SEC_RECORDER, sample_recorder(ev.blob[KH_SEC_PLAN].data, NULL, NULL),
			   RECORDER_BYTES);
		look_less(i);
		expect("guest-ram-unwritten", UNKNOWN);
		assert_int_equal(get("recorder-whole")->verdict, HOLDS);
		assert_non_null(strstr(get("guest-ram-unwritten")->evidence, i ? "new" : "old"));
	}
}

static struct sample_manifest *man(enum kh_section sec)
{
	return ev.blob[sec].data;
}

static void manifests(void **ctx)
{
	(void)ctx;
	man(KH_SEC_MANIFEST_OLD)->page[2].hash ^= 1;
	expect("manifest", VIOLATED);
	sample_seal_manifest(man(KH_SEC_MANIFEST_OLD));
	expect("mappings", VIOLATED);
	man(KH_SEC_MANIFEST_OLD)->page[2].hash ^= 1;
	sample_seal_manifest(man(KH_SEC_MANIFEST_OLD));
	assert_int_equal(judge_it(), HOLDS);
	man(KH_SEC_MANIFEST_NEW)->unit.fsts = 2;
	sample_seal_manifest(man(KH_SEC_MANIFEST_NEW));
	expect("no-dma-fault", VIOLATED);
	man(KH_SEC_MANIFEST_NEW)->unit.fsts = 0;
	man(KH_SEC_MANIFEST_NEW)->dev.cfg[4] = 2;
	sample_seal_manifest(man(KH_SEC_MANIFEST_NEW));
	expect("bus-master", VIOLATED);
	man(KH_SEC_MANIFEST_NEW)->dev.cfg[4] = 6;
	man(KH_SEC_MANIFEST_NEW)->h.missing = KH_MISSING_REGS;
	sample_seal_manifest(man(KH_SEC_MANIFEST_NEW));
	expect("manifest", UNKNOWN);
	assert_int_equal(get("translation-on")->verdict, UNKNOWN);
	man(KH_SEC_MANIFEST_NEW)->h.missing = KH_MISSING_IRT;
	sample_seal_manifest(man(KH_SEC_MANIFEST_NEW));
	assert_int_equal(judge_it(), HOLDS);
	man(KH_SEC_MANIFEST_OLD)->h.missing = KH_MISSING_IRT;
	sample_seal_manifest(man(KH_SEC_MANIFEST_OLD));
	expect("manifest", UNKNOWN);
	assert_int_equal(get("interrupts")->verdict, UNKNOWN);
	man(KH_SEC_MANIFEST_OLD)->h.missing = 0;
	sample_seal_manifest(man(KH_SEC_MANIFEST_OLD));
	man(KH_SEC_MANIFEST_NEW)->h.missing = 0;
	man(KH_SEC_MANIFEST_NEW)->h.version++;
	expect("manifest", UNKNOWN);
	sample_put(&ev, KH_SEC_MANIFEST_OLD, NULL, 0);
	expect("manifest", UNKNOWN);
}

static void programs(void **ctx)
{
	struct kh_events *h;
	int i;

	(void)ctx;
	for (i = 0; i < 2; i++) {
		h = (void *)((char *)ev.blob[KH_SEC_EVENTS_NEW].data + KH_EVENTS_HEADER(i));
		h->probe[0].state = KH_PROBE_MISSING;
		h->crc = kh_crc(h, offsetof(struct kh_events, crc));
	}
	expect("instruments", UNKNOWN);
	sample_put(&ev, KH_SEC_EVENTS_NEW, NULL, 0);
	expect("instruments", UNKNOWN);
}

static struct kh_host *host(void)
{
	return ev.blob[KH_SEC_HOST].data;
}

static void the_host(void **ctx)
{
	static const char ram[] = SAMPLE_IOMEM "120001000-120001fff : System RAM\n";
	static const char blind[] = "00000000-00000000 : System RAM\n";

	(void)ctx;
	host()->pages_bad = 1;
	expect("pages-not-allocated", VIOLATED);
	host()->pages_bad = 0;
	host()->pages_error = 2;
	expect("pages-not-allocated", UNKNOWN);
	host()->pages_error = 0;
	sample_put(&ev, KH_SEC_IOMEM, strdup(ram), sizeof(ram));
	expect("guest-ram", VIOLATED);
	sample_put(&ev, KH_SEC_IOMEM, strdup(blind), sizeof(blind));
	expect("guest-ram", UNKNOWN);
	sample_put(&ev, KH_SEC_IOMEM, strdup(SAMPLE_IOMEM), sizeof(SAMPLE_IOMEM));
	sample_put(&ev, KH_SEC_KLOG, strdup("vfio-pci " BDF ": resetting\n"),
		   sizeof("vfio-pci " BDF ": resetting\n"));
	expect("no-reset", VIOLATED);
	sample_put(&ev, KH_SEC_KLOG, strdup(""), 1);
	host()->klog_error = 61;
	expect("no-reset", UNKNOWN);
	host()->klog_error = 0;
	strcpy(host()->boot_id, "cccccccc-0000-0000-0000-000000000003");
	expect("kernel-changed", UNKNOWN);
	assert_int_equal(get("mappings")->verdict, UNKNOWN);
	strcpy(host()->boot_id, OLD_BOOT);
	expect("kernel-changed", VIOLATED);
	host()->boot_id[0] = '\0';
	expect("kernel-changed", UNKNOWN);
	assert_string_equal(get("kernel-changed")->evidence, "a boot id is missing");
}

/* Scripts and people read these words and exit codes. */
static void verdicts_have_words(void **ctx)
{
	static const struct {
		enum verdict v;
		const char *verdict, *claim;
		int status;
	} want[] = {
		{ HOLDS, "pass", "holds", EXIT_DONE },
		{ VIOLATED, "fail", "violated", EXIT_FAILED },
		{ UNKNOWN, "unknown", "unknown", EXIT_UNKNOWN },
	};
	size_t i;

	(void)ctx;
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_string_equal(verdict_name(want[i].v), want[i].verdict);
		assert_string_equal(claim_name(want[i].v), want[i].claim);
		assert_int_equal(verdict_exit(want[i].v), want[i].status);
	}
}

/* A claim that found no room may have been violated. */
static void a_full_table_is_no_pass(void **ctx)
{
	(void)ctx;
	assert_int_equal(claims_verdict(c), UNKNOWN);
	while (c->n < CLAIMS_MAX - 1)
		claims_add(c, "kernel-changed", "", HOLDS, "yes");
	assert_int_equal(claims_verdict(c), HOLDS);
	claims_add(c, "kernel-changed", "", HOLDS, "yes");
	assert_int_equal(claims_verdict(c), UNKNOWN);
	claims_add(c, "kernel-changed", "", VIOLATED, "no");
	assert_int_equal(claims_verdict(c), VIOLATED);
}

static void bundles(void **ctx)
{
	char path[] = "/tmp/khctl-bundle.XXXXXX", *data;
	struct kh_err e = { 0 };
	struct evidence got;
	size_t size, i;
	FILE *f;

	(void)ctx;
	close(mkstemp(path));
	assert_int_equal(evidence_save(&ev, path, &e), 0);
	assert_int_equal(evidence_load(&got, path, &e), 0);
	claims_make(c, &got);
	assert_int_equal(claims_verdict(c), HOLDS);
	evidence_free(&got);

	f = fopen(path, "rb");
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	data = malloc(size);
	rewind(f);
	assert_int_equal(fread(data, 1, size, f), size);
	fclose(f);
	unlink(path);
	for (i = 0; i < size; i += i < 4096 ? 1 : 997) {
		memset(&e, 0, sizeof(e));
		data[i] ^= 0x20;
		assert_true(evidence_parse(&got, data, size, &e));
		evidence_free(&got);
		data[i] ^= 0x20;
		assert_int_equal(evidence_parse(&got, data, i, &e), -EBADMSG);
		evidence_free(&got);
	}
	((struct kh_bundle *)data)->version++;
	assert_int_equal(evidence_parse(&got, data, size, NULL), -EPROTONOSUPPORT);
	evidence_free(&got);
	free(data);
	memset(&e, 0, sizeof(e));
	assert_int_equal(evidence_load(&got, "/dev/null", &e), -EINVAL);
	evidence_free(&got);
	assert_int_equal(evidence_load(&got, "/nonexistent", NULL), -ENOENT);
	evidence_free(&got);
}

/* Programs of both kernels and the recorder in one order, with gaps in their places. */
static void timeline_in_order(void **ctx)
{
	static const struct { uint16_t type, source; enum kh_side side; } want[] = {
		{ KH_EV_KEXEC_BEGIN, KH_SRC_BPF, KH_OLD },
		{ KH_EV_KEXEC_BEGIN, KH_SRC_RECORDER, KH_OLD },
		{ KH_EV_DEV_SHUTDOWN, KH_SRC_BPF, KH_OLD },
		{ KH_EV_MACHINE_SHUTDOWN, KH_SRC_RECORDER, KH_OLD },
		{ KH_EV_GAP, KH_SRC_BPF, KH_OLD },
		{ KH_EV_IOMMU_SHUTDOWN, KH_SRC_RECORDER, KH_OLD },
		{ KH_EV_RAM_LOOK, KH_SRC_RECORDER, KH_OLD },
		{ KH_EV_KRAM_SEAL, KH_SRC_RECORDER, KH_OLD },
		{ KH_EV_MACHINE_KEXEC, KH_SRC_RECORDER, KH_OLD },
		{ KH_EV_KRAM_ADOPT, KH_SRC_RECORDER, KH_NEW },
		{ KH_EV_RAM_LOOK, KH_SRC_RECORDER, KH_NEW },
		{ KH_EV_KVM_RUN, KH_SRC_BPF, KH_NEW },
	};
	/* In the order of their arrival, which is not that of their times. */
	static const struct kh_event old[] = {
		{ .tsc = STOP + 15, .type = KH_EV_DEV_SHUTDOWN, .source = KH_SRC_BPF },
		{ .tsc = STOP + 10, .type = KH_EV_KEXEC_BEGIN, .source = KH_SRC_BPF },
	}, new = { .tsc = STOP + 150, .type = KH_EV_KVM_RUN, .source = KH_SRC_BPF };
	const struct kh_events head_old = { .nr_events = 2, .lost = 2, .dropped = 1, .drained_tsc = STOP + 25 };
	const struct kh_events head_new = { .nr_events = 1 };
	struct timeline t = { 0 };
	unsigned int i;

	(void)ctx;
	assert_int_equal(evidence_index(&ev, NULL), 0);
	assert_int_equal(timeline_programs(&t, KH_OLD, &head_old, old), 0);
	assert_int_equal(timeline_programs(&t, KH_NEW, &head_new, &new), 0);
	assert_int_equal(timeline_recorder(&t, &ev.rec), 0);
	timeline_sort(&t);
	assert_int_equal(t.n, ARRAY_SIZE(want));
	for (i = 0; i < t.n; i++) {
		assert_int_equal(t.event[i].ev.type, want[i].type);
		assert_int_equal(t.event[i].ev.source, want[i].source);
		assert_int_equal(t.event[i].side, want[i].side);
	}
	assert_int_equal(t.event[4].ev.arg[0], 3);
	assert_int_equal(t.lost, 3);
	timeline_free(&t);
}

static void check_gap(const struct timeline_event *e, enum kh_side side, uint64_t tsc, uint64_t lost)
{
	assert_int_equal(e->ev.type, KH_EV_GAP);
	assert_int_equal(e->ev.source, KH_SRC_RECORDER);
	assert_int_equal(e->side, side);
	assert_int_equal(e->ev.tsc, tsc);
	assert_int_equal(e->ev.arg[0], lost);
}

static void read_timeline(struct timeline *t, const struct kram_recorder *r, uint64_t lost)
{
	struct recorder rec;

	timeline_free(t);
	assert_int_equal(recorder_read(&rec, r, RECORDER_BYTES, NULL), 0);
	assert_int_equal(timeline_recorder(t, &rec), 0);
	assert_int_equal(t->lost, lost);
}

/* A recorder that is full, with a broken event, that goes on, that no second kernel went on with. */
static void timeline_of_recorders(void **ctx)
{
	struct kram_recorder *r = sample_recorder(ev.blob[KH_SEC_PLAN].data, NULL, NULL);
	uint32_t *check = (uint32_t *)(r + 1);
	struct timeline t = { 0 };
	uint32_t n = r->nr, old = r->adopted_nr;

	(void)ctx;
	/* each CPU writes when it comes to it: the last one is not the latest */
	while (r->nr < KRAM_RECORDER_EVENTS + 7)
		sample_event(r, r->nr == KRAM_RECORDER_EVENTS - 1 ? RUN - 1 : RUN, KH_EV_MARK, KH_NO_BDF, 0, 0, 0, 0);
	read_timeline(&t, r, 7);
	assert_int_equal(t.n, KRAM_RECORDER_EVENTS + 1);
	check_gap(&t.event[t.n - 1], KH_NEW, RUN, 7);
	/* full before the jump: both kernels lost some */
	r->adopted_nr = KRAM_RECORDER_EVENTS + 3;
	read_timeline(&t, r, 7);
	check_gap(&t.event[t.n - 2], KH_OLD, RUN, 3);
	check_gap(&t.event[t.n - 1], KH_NEW, r->adopted_tsc, 4);
	r->adopted_nr = old;
	r->nr = n;

	check[2] ^= 1;
	read_timeline(&t, r, n - 2);
	assert_int_equal(t.n, 4);
	check_gap(&t.event[2], KH_OLD, STOP + 20, old - 2);
	check_gap(&t.event[3], KH_NEW, r->adopted_tsc, n - old);
	check[2] ^= 1;
	check[old] ^= 1;
	read_timeline(&t, r, n - old);
	check_gap(&t.event[t.n - 1], KH_NEW, r->adopted_tsc, n - old);
	check[old] ^= 1;

	/* no more than there are, whatever the header says */
	r->adopted_nr = n + 1;
	read_timeline(&t, r, 0);
	assert_int_equal(t.event[n - 1].side, KH_OLD);
	r->adopted_nr = old;

	/* the last one is being written: lost only when nobody writes any more */
	check[n - 1] = 0;
	read_timeline(&t, r, 1);
	r->stopped_tsc = 0;
	read_timeline(&t, r, 0);
	assert_int_equal(t.n, n - 1);

	r->adopted_tsc = r->adopted_nr = 0;
	read_timeline(&t, r, 0);
	assert_int_equal(t.event[n - 2].side, KH_OLD);
	timeline_free(&t);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_guest_is_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(the_process, setup, teardown),
		cmocka_unit_test_setup_teardown(without_devices_translation_may_go_off, setup, teardown),
		cmocka_unit_test_setup_teardown(each_event_violates, setup, teardown),
		cmocka_unit_test_setup_teardown(harmless_events_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(gaps_are_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(who_did_not_look_does_not_know, setup, teardown),
		cmocka_unit_test_setup_teardown(manifests, setup, teardown),
		cmocka_unit_test_setup_teardown(programs, setup, teardown),
		cmocka_unit_test_setup_teardown(the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(verdicts_have_words, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_table_is_no_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(bundles, setup, teardown),
		cmocka_unit_test_setup_teardown(timeline_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(timeline_of_recorders, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
