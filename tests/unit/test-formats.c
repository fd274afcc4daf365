// SPDX-License-Identifier: GPL-2.0
/*
 * State areas of other versions. state-v2.gz was written by the last khctl of version 2: an upgrade of
 * two VMs, saved, with a line of the log and the events of the old kernel.
 */
#include "unit.h"
#include <zlib.h>
#include "evidence/state_events.h"
#include "state/record.h"

#define V2_SIZE	0x600000

static char *area;
static size_t area_size;

static void format(size_t size)
{
	area = calloc(1, size);
	area_size = size;
	assert_int_equal(state_format(area, size, 0x140000000ULL), 0);
}

static int setup_v2(void **ctx)
{
	gzFile f = gzopen(TOP "/tests/unit/state-v2.gz", "rb");
	int n;

	(void)ctx;
	assert_non_null(f);
	area = malloc(V2_SIZE);
	area_size = V2_SIZE;
	n = gzread(f, area, V2_SIZE);
	gzclose(f);
	return n != V2_SIZE;
}

static int teardown(void **ctx)
{
	(void)ctx;
	free(area);
	area = NULL;
	return 0;
}

static struct state attach(bool writable)
{
	struct kh_err e = { 0 };
	struct state s;

	if (state_attach(&s, area, area_size, &e))
		fail_msg("%s", e.msg);
	s.writable = writable;
	return s;
}

static struct kh_plan *read_plan(const struct state *s)
{
	struct kh_err e = { 0 };
	struct kh_plan *p;

	if (state_plan(s, &p, &e))
		fail_msg("%s", e.msg);
	assert_non_null(p);
	return p;
}

static void expect_v2_vm(const struct kh_plan *p, unsigned int i)
{
	const struct kh_plan_vm *vm = plan_vm(p, i);
	char text[64];
	unsigned int k;

	snprintf(text, sizeof(text), "g%u", i + 1);
	assert_string_equal(plan_str(p, vm->name), text);
	snprintf(text, sizeof(text), "/run/g%u.qmp", i + 1);
	assert_string_equal(plan_str(p, vm->qmp), text);
	assert_string_equal(plan_str(p, vm->exe), "/usr/bin/qemu-kh");
	assert_int_equal(vm->argv.len, 11);
	assert_memory_equal(plan_str(p, vm->argv), "qemu\0-m\0" "2G\0", 11);
	assert_int_equal(vm->env.len, 8);
	assert_string_equal(plan_str(p, vm->cwd), "/");
	assert_string_equal(plan_str(p, vm->attrs), "");
	assert_int_equal(vm->state, KH_VM_SAVED);
	assert_int_equal(vm->old_pid, 100 + i);
	assert_int_equal(vm->new_pid, 0);
	assert_int_equal(vm->stream_size, 700000 + i);
	assert_int_equal(vm->stream_hash, 0x1234 + i);
	assert_int_equal(vm->stop_tsc, 1000 + i);
	assert_int_equal(vm->ram.count, i + 1);
	for (k = 0; k < vm->ram.count; k++) {
		snprintf(text, sizeof(text), "/dev/dax%u.%u", i, k);
		assert_string_equal(plan_ram(p, vm, k)->path, text);
		assert_int_equal(plan_ram(p, vm, k)->resource, 0x200000000ULL + k);
	}
	assert_int_equal(vm->dev.count, 1 - i);
	if (vm->dev.count) {
		assert_string_equal(plan_dev(p, vm, 0)->bdf, "0000:01:00.0");
		assert_int_equal(plan_dev(p, vm, 0)->map.did, 9);
	}
}

static void v2_is_read(void **ctx)
{
	struct state s = attach(false);
	struct kh_plan *p = read_plan(&s);
	const struct kh_event *ev;
	struct kh_err e = { 0 };
	struct kh_events h;
	uint8_t id[16];

	(void)ctx;
	memset(id, 0x5a, sizeof(id));
	assert_int_equal(((struct kh_super *)area)->version, 2);
	assert_int_equal(s.commit.state, KH_SAVED);
	assert_memory_equal(p->run_id, id, sizeof(id));
	assert_string_equal(p->old_kernel, "6.12.117-kha #1");
	assert_string_equal(plan_str(p, p->image), "/boot/bzImage-b");
	assert_string_equal(plan_str(p, p->initrd), "");
	assert_int_equal(p->tsc_hz, 2999999999);
	assert_int_equal(p->mark[KH_MARK_RUN], 800);
	assert_int_equal(p->vms.count, 2);
	expect_v2_vm(p, 0);
	expect_v2_vm(p, 1);
	assert_int_equal(state_log_last(&s), 1);
	assert_string_equal(state_log_get(&s, 1)->text, "line of version 2");
	assert_int_equal(events_get(&s, KH_OLD, &h, &ev, &e), 0);
	assert_int_equal(h.attached_tsc, 900);
	assert_int_equal(record_get(&s, p->run_id, 1).state, KH_REC_NONE);
	free(p);
}

/* The first change makes it version 3, which a khctl of version 2 refuses. */
static void v2_is_taken_over(void **ctx)
{
	struct state s = attach(true);
	struct kh_plan *p = read_plan(&s);

	(void)ctx;
	plan_vm(p, 0)->state = KH_VM_RUNNING;
	assert_int_equal(state_commit(&s, KH_FAILED, p), 0);
	free(p);
	assert_int_equal(((struct kh_super *)area)->version, 3);
	s = attach(false);
	assert_int_equal(s.commit.state, KH_FAILED);
	p = read_plan(&s);
	assert_int_equal(plan_vm(p, 0)->state, KH_VM_RUNNING);
	plan_vm(p, 0)->state = KH_VM_SAVED;
	expect_v2_vm(p, 0);
	expect_v2_vm(p, 1);
	free(p);
}

static void cut_while_taken_over(void **ctx)
{
	struct kh_super *super = (void *)area;
	struct kh_err e = { 0 };
	struct state s;

	(void)ctx;
	super->version = 3;	/* the first store of two */
	s = attach(false);
	free(read_plan(&s));
	super->created++;
	assert_int_equal(state_attach(&s, area, area_size, &e), -EBADMSG);
}

/* A record is a change, too: without the plan being written. */
static void record_takes_over(void **ctx)
{
	struct state s = attach(true);
	struct kh_plan *p = read_plan(&s);
	struct kh_vm_record r = record_get(&s, p->run_id, 1);

	(void)ctx;
	r.state = KH_REC_USED;
	assert_int_equal(record_put(&s, &r), 0);
	assert_int_equal(((struct kh_super *)area)->version, 3);
	s = attach(false);
	assert_int_equal(record_get(&s, p->run_id, 1).state, KH_REC_USED);
	assert_int_equal(record_get(&s, p->run_id, 0).state, KH_REC_NONE);
	free(p);
}

/* Each byte of the plan, changed: refused, or read as something that can be used. */
static void damaged_v2(void **ctx)
{
	const struct kh_commit *c = (void *)(area + KH_COMMIT_OFFSET(0));
	size_t i, size = c->plan_size;
	char *plan = malloc(size);
	struct kh_plan *p;

	(void)ctx;
	for (i = 0; i < size; i += i < 1000 ? 1 : 37) {
		memcpy(plan, area + KH_PLAN_OFFSET(c->slot), size);
		plan[i] ^= 0xff;
		if (!plan_read(plan, size, &p, NULL))
			free(p);
	}
	assert_int_equal(plan_read(plan, size - 1, &p, NULL), -EBADMSG);
	assert_int_equal(plan_read(plan, 16, &p, NULL), -EBADMSG);
	free(plan);
}

/* More VMs, backends and devices than the fixed arrays of version 2 could hold. */
static void large_host(void **ctx)
{
	const unsigned int vms = 300, rams = 17, devs = 40;
	struct kh_plan *p = plan_new();
	struct kh_vm_record r;
	struct kh_plan_vm *vm;
	unsigned int i, k;
	char name[32];
	struct state s;

	(void)ctx;
	format(KH_AREA_LARGE);
	assert_int_equal(plan_array(p, &p->vms, vms, sizeof(*vm)), 0);
	for (i = 0; i < vms; i++) {
		vm = plan_vm(p, i);
		snprintf(name, sizeof(name), "guest-%u", i);
		assert_int_equal(plan_put(p, &vm->name, name, strlen(name)), 0);
		assert_int_equal(plan_array(p, &vm->ram, rams, sizeof(struct kh_plan_ram)), 0);
		assert_int_equal(plan_array(p, &vm->dev, devs, sizeof(struct kh_plan_dev)), 0);
		for (k = 0; k < devs; k++)
			plan_dev(p, vm, k)->map.did = i * devs + k;
	}
	s = attach(true);
	assert_int_equal(state_commit(&s, KH_SAVED, p), 0);
	r = record_get(&s, p->run_id, vms - 1);
	r.state = KH_REC_RUNNING;
	r.pid = 77;
	assert_int_equal(record_put(&s, &r), 0);
	free(p);
	s = attach(false);
	p = read_plan(&s);
	assert_int_equal(p->vms.count, vms);
	assert_int_equal(plan_find_vm(p, "guest-299"), 299);
	assert_int_equal(plan_find_vm(p, "guest-300"), vms);
	assert_int_equal(plan_dev(p, plan_vm(p, 299), 39)->map.did, 299 * devs + 39);
	assert_int_equal(record_get(&s, p->run_id, vms - 1).pid, 77);
	assert_true(record_room(&s) >= 1024);
	free(p);
}

static void damaged_layout(void **ctx)
{
	struct kh_layout *l;
	struct state s;

	(void)ctx;
	format(KH_AREA_LARGE);
	l = (void *)(area + KH_LAYOUT_OFFSET);
	l->part[KH_PART_PLAN_0].offset += 8;
	assert_int_equal(state_attach(&s, area, area_size, NULL), -EBADMSG);
	l->part[KH_PART_PLAN_0].offset = area_size;
	l->crc = kh_crc(l, offsetof(struct kh_layout, crc));
	assert_int_equal(state_attach(&s, area, area_size, NULL), -EBADMSG);
}

/* What a later khctl of version 3 may write: longer entries, and so on. */
static char *longer_plan(const struct kh_plan *p, size_t more, size_t *size)
{
	size_t entry = sizeof(struct kh_plan_vm) + more;
	struct kh_array vms = { .off = (p->size + 7) / 8 * 8, .count = p->vms.count,
				.entry_size = entry };
	char *out = calloc(1, vms.off + vms.count * entry);
	struct kh_plan *h = (void *)out;
	unsigned int i;

	memcpy(out, p, p->size);
	*size = vms.off + vms.count * entry;
	for (i = 0; i < vms.count; i++) {
		memset(out + vms.off + i * entry, 0xee, entry);
		memcpy(out + vms.off + i * entry, plan_vm(p, i), sizeof(struct kh_plan_vm));
	}
	h->vms = vms;
	h->size = *size;
	return out;
}

/* Each string of the header: a new one that plan_read.c does not move is found here. */
#define FIRST_STR	offsetof(struct kh_plan, image)

static bool is_str(size_t at)
{
	return at < offsetof(struct kh_plan, mark) || at >= offsetof(struct kh_plan, left) + sizeof(struct kh_array);
}

static void put_all_strings(struct kh_plan *p)
{
	char text[32];
	size_t at;

	for (at = FIRST_STR; at + sizeof(struct kh_str) <= sizeof(*p); at += sizeof(struct kh_str)) {
		if (!is_str(at))
			continue;
		snprintf(text, sizeof(text), "string at %zu", at);
		assert_int_equal(plan_put(p, (struct kh_str *)((char *)p + at), text, strlen(text)), 0);
	}
}

static void expect_all_strings(const struct kh_plan *p)
{
	char text[32];
	size_t at;

	for (at = FIRST_STR; at + sizeof(struct kh_str) <= sizeof(*p); at += sizeof(struct kh_str)) {
		if (!is_str(at))
			continue;
		snprintf(text, sizeof(text), "string at %zu", at);
		assert_string_equal(plan_str(p, *(const struct kh_str *)((const char *)p + at)), text);
	}
}

static void longer_entries_are_read(void **ctx)
{
	struct kh_plan *p = plan_new(), *got;
	char *data;
	size_t size;

	(void)ctx;
	assert_int_equal(plan_array(p, &p->vms, 2, sizeof(struct kh_plan_vm)), 0);
	plan_put(p, &plan_vm(p, 1)->name, "second", 6);
	plan_put(p, &plan_vm(p, 1)->attrs, "{}", 2);
	put_all_strings(p);
	data = longer_plan(p, 16, &size);
	assert_int_equal(plan_read(data, size, &got, NULL), 0);
	expect_all_strings(got);
	assert_int_equal(got->vms.entry_size, sizeof(struct kh_plan_vm));
	assert_string_equal(plan_str(got, plan_vm(got, 1)->name), "second");
	assert_string_equal(plan_str(got, plan_vm(got, 1)->attrs), "{}");
	free(got);
	/* Shorter than version 3 ever was. */
	((struct kh_plan *)data)->vms.entry_size = sizeof(struct kh_plan_vm) - 8;
	assert_int_equal(plan_read(data, size, &got, NULL), -EBADMSG);
	((struct kh_plan *)data)->version = 4;
	assert_int_equal(plan_read(data, size, &got, NULL), -EPROTONOSUPPORT);
	free(data);
	free(p);
}

/* A record is cut at each of its bytes: the older one counts until the last. */
static void torn_record(void **ctx)
{
	const size_t at = KH_RECORDS_OFFSET, len = 2 * KH_RECORD_STRIDE;
	char before[2 * KH_RECORD_STRIDE], after[2 * KH_RECORD_STRIDE];
	uint8_t id[16] = "0123456789abcde", other[16] = "other upgrade  ";
	struct kh_vm_record r;
	struct state s;
	size_t i;

	(void)ctx;
	format(KH_AREA_MIN);
	s = attach(true);
	r = record_get(&s, id, 0);
	for (i = KH_REC_STARTED; i <= KH_REC_USED; i++) {
		r.state = i;
		memcpy(before, area + at, len);
		assert_int_equal(record_put(&s, &r), 0);
	}
	memcpy(after, area + at, len);
	assert_int_equal(record_get(&s, id, 0).state, KH_REC_USED);
	assert_int_equal(record_get(&s, other, 0).state, KH_REC_NONE);
	for (i = 0; i < sizeof(r); i++) {
		memcpy(area + at, before, len);
		memcpy(area + at + (r.seq & 1) * KH_RECORD_STRIDE, after + (r.seq & 1) * KH_RECORD_STRIDE, i);
		if (memcmp(area + at, after, len))
			assert_int_equal(record_get(&s, id, 0).state, KH_REC_STARTED);
	}
	strcpy(r.boot_id, "a boot");
	r.pid = 7;
	assert_int_equal(record_put(&s, &r), 0);
	assert_int_equal(record_of_boot(&s, id, 0, "a boot").pid, 7);
	assert_int_equal(record_of_boot(&s, id, 0, "another").pid, 0);
	/* State that was used stays used. */
	assert_int_equal(record_of_boot(&s, id, 0, "another").state, KH_REC_USED);
	r.state = KH_REC_STARTED;
	assert_int_equal(record_put(&s, &r), 0);
	assert_int_equal(record_of_boot(&s, id, 0, "another").state, KH_REC_NONE);
	r.index = record_room(&s);
	assert_int_equal(record_put(&s, &r), -ENOSPC);
	s.writable = false;
	r.index = 0;
	assert_int_equal(record_put(&s, &r), -EROFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(v2_is_read, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(v2_is_taken_over, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(cut_while_taken_over, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(record_takes_over, setup_v2, teardown),
		cmocka_unit_test_setup_teardown(damaged_v2, setup_v2, teardown),
		cmocka_unit_test_teardown(large_host, teardown),
		cmocka_unit_test_teardown(damaged_layout, teardown),
		cmocka_unit_test(longer_entries_are_read),
		cmocka_unit_test_teardown(torn_record, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
