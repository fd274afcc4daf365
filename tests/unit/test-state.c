// SPDX-License-Identifier: GPL-2.0
/* The state area: what a cut, damage, or another version makes of it. */
#include "unit.h"
#include "state/state_io.h"
#include "evidence/report.h"

#define SIZE KH_AREA_MIN
#define RESOURCE 0x140000000ULL

static char *area;

static int setup(void **ctx)
{
	(void)ctx;
	area = calloc(1, SIZE);
	return state_format(area, SIZE, RESOURCE);
}

static int teardown(void **ctx)
{
	(void)ctx;
	free(area);
	return 0;
}

static struct state attach(void)
{
	struct kh_err e = { 0 };
	struct state s;

	assert_int_equal(state_attach(&s, area, SIZE, &e), 0);
	s.writable = true;
	return s;
}

static struct kh_plan *plan_named(const char *name)
{
	struct kh_plan *p = plan_new();

	assert_non_null(p);
	assert_int_equal(plan_put(p, &p->cmdline, name, strlen(name)), 0);
	return p;
}

static void expect_plan(enum kh_state state, const char *name)
{
	struct state s = attach();
	struct kh_plan *p;

	assert_int_equal(s.commit.state, state);
	assert_int_equal(state_plan(&s, &p, NULL), 0);
	if (!name) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_string_equal(plan_str(p, p->cmdline), name);
	free(p);
}

static void commit(enum kh_state state, const char *name)
{
	struct kh_plan *p = name ? plan_named(name) : NULL;
	struct state s = attach();

	assert_int_equal(state_commit(&s, state, p), 0);
	free(p);
}

static void fresh_is_idle(void **ctx)
{
	(void)ctx;
	expect_plan(KH_IDLE, NULL);
	assert_int_equal(state_format(area, KH_AREA_MIN - 1, 0), -EINVAL);
}

static void commits_replace_each_other(void **ctx)
{
	(void)ctx;
	commit(KH_PREPARED, "one");
	expect_plan(KH_PREPARED, "one");
	commit(KH_SAVED, "two");
	expect_plan(KH_SAVED, "two");
	commit(KH_RESUMED, "three");
	expect_plan(KH_RESUMED, "three");
	commit(KH_IDLE, NULL);
	expect_plan(KH_IDLE, NULL);
	commit(KH_PREPARED, "four");
	expect_plan(KH_PREPARED, "four");
}

/* Cut at each byte of the commit record: before its end the older state counts. */
static void torn_commit_leaves_the_older(void **ctx)
{
	char *before = malloc(SIZE), *after = malloc(SIZE);
	size_t at, i;

	(void)ctx;
	commit(KH_PREPARED, "old");
	commit(KH_PREPARED, "older is gone");
	memcpy(before, area, SIZE);
	commit(KH_SAVED, "new");
	memcpy(after, area, SIZE);
	at = attach().commit.seq & 1 ? KH_COMMIT_OFFSET(1) : KH_COMMIT_OFFSET(0);
	/* The plan is written first, whole. */
	memcpy(before + KH_PLAN_OFFSET(0), after + KH_PLAN_OFFSET(0), 2 * KH_PLAN_ROOM);
	for (i = 0; i < sizeof(struct kh_commit); i++) {
		memcpy(area, before, SIZE);
		memcpy(area + at, after + at, i);
		if (!memcmp(area + at, after + at, sizeof(struct kh_commit)))
			continue;
		expect_plan(KH_PREPARED, "older is gone");
	}
	memcpy(area, after, SIZE);
	expect_plan(KH_SAVED, "new");
	free(before);
	free(after);
}

/* The slot that the current commit names is never written to. */
static void torn_plan_leaves_the_older(void **ctx)
{
	char *before = malloc(SIZE);
	struct state s;
	uint32_t slot;

	(void)ctx;
	commit(KH_PREPARED, "good");
	slot = attach().commit.slot;
	memcpy(before, area + KH_PLAN_OFFSET(slot), KH_PLAN_ROOM);
	commit(KH_SAVED, "next");
	assert_memory_equal(before, area + KH_PLAN_OFFSET(slot), KH_PLAN_ROOM);
	s = attach();
	assert_int_not_equal(s.commit.slot, slot);
	free(before);
}

static void damaged_plan_is_refused(void **ctx)
{
	struct kh_err e = { 0 };
	struct kh_plan *p;
	struct state s;

	(void)ctx;
	commit(KH_SAVED, "plan");
	s = attach();
	area[KH_PLAN_OFFSET(s.commit.slot) + 100] ^= 1;
	assert_int_equal(state_plan(&s, &p, &e), -EBADMSG);
	assert_null(p);
	assert_non_null(strstr(e.msg, "damaged"));
}

static void plan_of_another_version_is_refused(void **ctx)
{
	struct kh_plan *p = plan_named("x");
	struct kh_plan *got;
	struct state s = attach();

	(void)ctx;
	p->version++;
	assert_int_equal(state_commit(&s, KH_SAVED, p), 0);
	assert_int_equal(state_plan(&s, &got, NULL), -EPROTONOSUPPORT);
	free(p);
}

static void both_commits_damaged(void **ctx)
{
	struct kh_err e = { 0 };
	struct state s;

	(void)ctx;
	commit(KH_SAVED, "a");
	commit(KH_SAVED, "b");
	area[KH_COMMIT_OFFSET(0) + 20] ^= 1;
	area[KH_COMMIT_OFFSET(1) + 20] ^= 1;
	assert_int_equal(state_attach(&s, area, SIZE, &e), -EBADMSG);
}

static void bad_super_blocks(void **ctx)
{
	struct kh_super *super = (void *)area;
	struct kh_err e = { 0 };
	struct state s;

	(void)ctx;
	super->created++;
	assert_int_equal(state_attach(&s, area, SIZE, &e), -EBADMSG);
	state_format(area, SIZE, RESOURCE);
	super->version++;
	assert_int_equal(state_attach(&s, area, SIZE, NULL), -EPROTONOSUPPORT);
	super->magic++;
	assert_int_equal(state_attach(&s, area, SIZE, NULL), -ENOENT);
	state_format(area, SIZE, RESOURCE);
	assert_int_equal(state_attach(&s, area, SIZE - 1, NULL), -ENOENT);
	memset(area, 0, 4096);
	assert_int_equal(state_attach(&s, area, SIZE, NULL), -ENOENT);
}

static void plan_that_is_full(void **ctx)
{
	struct kh_plan *p = plan_new();
	struct kh_str s = { 0 };
	char *big = calloc(1, PLAN_MAX);
	size_t room = PLAN_MAX - p->size;

	(void)ctx;
	assert_int_equal(plan_put(p, &s, big, room), -ENOSPC);
	assert_int_equal(plan_put(p, &s, big, room - 1), 0);
	assert_int_equal(plan_put(p, &s, big, 0), -ENOSPC);
	free(big);
	free(p);
}

static void strings_outside_of_the_plan(void **ctx)
{
	struct kh_plan *p = plan_named("abc");
	struct kh_str s = p->cmdline;

	(void)ctx;
	assert_string_equal(plan_str(p, s), "abc");
	s.len = PLAN_MAX;
	assert_string_equal(plan_str(p, s), "");
	s.off = 0xffffffff;
	assert_string_equal(plan_str(p, s), "");
	s = (struct kh_str){ .off = 8, .len = 4 };
	assert_string_equal(plan_str(p, s), "");
	free(p);
}

static void read_only_is_not_written(void **ctx)
{
	struct state s = attach();

	(void)ctx;
	s.writable = false;
	assert_int_equal(state_commit(&s, KH_SAVED, NULL), -EROFS);
	state_log(&s, NULL, "x", 0, "y");
	assert_int_equal(state_log_last(&s), 0);
}

static void log_wraps_and_skips_damage(void **ctx)
{
	const struct kh_log_record *r;
	struct state s = attach();
	struct kh_log_record *w;
	int i;

	(void)ctx;
	for (i = 0; i < KH_LOG_RECORDS + 3; i++)
		state_log(&s, (const uint8_t *)"0123456789abcdef", "save", i, "line %d", i);
	s = attach();
	assert_int_equal(state_log_last(&s), KH_LOG_RECORDS + 3);
	assert_null(state_log_get(&s, 3));
	r = state_log_get(&s, 4);
	assert_non_null(r);
	assert_string_equal(r->text, "line 3");
	assert_string_equal(r->phase, "save");
	w = (struct kh_log_record *)(area + KH_LOG_OFFSET) + 2;
	w->text[0] ^= 1;
	assert_null(state_log_get(&s, KH_LOG_RECORDS + 3));
	assert_int_equal(state_log_last(&s), KH_LOG_RECORDS + 2);
}

static void phases_add_up(void **ctx)
{
	struct phase_time p[REPORT_PHASES];
	struct kh_plan *plan = plan_new();
	uint64_t blackout, sum = 0;
	unsigned int i, n;

	(void)ctx;
	plan->tsc_hz = 2999999999;
	assert_int_equal(plan_array(plan, &plan->vms, 2, sizeof(struct kh_plan_vm)), 0);
	for (i = KH_MARK_START; i <= KH_MARK_RUN; i++)
		plan->mark[i] = 1000003ULL * (i + 1) * (i + 7);
	plan_vm(plan, 0)->stop_tsc = plan->mark[KH_MARK_SAVE] + 1001;
	plan_vm(plan, 1)->stop_tsc = plan->mark[KH_MARK_SAVE] + 501;
	n = report_phases(plan, p, &blackout);
	assert_int_equal(n, REPORT_PHASES);
	for (i = 0; i < n; i++)
		sum += p[i].in_blackout ? p[i].ns : 0;
	assert_int_equal(sum, blackout);
	assert_true(blackout > 0);
	/* Not resumed yet: no blackout is claimed. */
	plan->mark[KH_MARK_BOOT] = 0;
	assert_true(report_phases(plan, p, &blackout) < REPORT_PHASES);
	free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fresh_is_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(commits_replace_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_commit_leaves_the_older, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_plan_leaves_the_older, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_plan_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(plan_of_another_version_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(both_commits_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_super_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(read_only_is_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(log_wraps_and_skips_damage, setup, teardown),
		cmocka_unit_test(plan_that_is_full),
		cmocka_unit_test(strings_outside_of_the_plan),
		cmocka_unit_test(phases_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
