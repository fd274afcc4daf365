// SPDX-License-Identifier: GPL-2.0
/* When the way back is open: only while the saved state of every VM is unused. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit.h"
#include "state/plan.h"
#include "state/record.h"
#include "vm/back.h"

#define AREA	(16UL << 20)
#define BOOT	"aaaaaaaa-0000-0000-0000-000000000001"
#define EARLIER	"bbbbbbbb-0000-0000-0000-000000000002"

static struct state s;
static struct kh_plan *plan;
static char *area;

static int setup(void **ctx)
{
	struct kh_err e = { 0 };
	unsigned int i;
	char name[8];

	(void)ctx;
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	plan = plan_new();
	if (area == MAP_FAILED || !plan || state_format(area, AREA, 0x100000000) ||
	    state_attach(&s, area, AREA, &e))
		return -1;
	s.writable = true;
	if (plan_array(plan, &plan->vms, 2, sizeof(struct kh_plan_vm)))
		return -1;
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "g%u", i + 1);
		plan_put(plan, &plan_vm(plan, i)->name, name, 2);
		plan_vm(plan, i)->state = KH_VM_SAVED;
	}
	return 0;
}

static int teardown(void **ctx)
{
	(void)ctx;
	free(plan);
	munmap(area, AREA);
	return 0;
}

static int with_record(uint32_t state, const char *boot, pid_t pid, struct kh_err *e)
{
	struct kh_vm_record r = record_get(&s, plan->run_id, 1);

	r.state = state;
	r.pid = pid;
	snprintf(r.boot_id, sizeof(r.boot_id), "%s", boot);
	assert_int_equal(record_put(&s, &r), 0);
	memset(e, 0, sizeof(*e));
	return back_possible(&s, plan, BOOT, e);
}

static void unused_state_may_go_back(void **ctx)
{
	struct kh_err e = { 0 };

	(void)ctx;
	assert_int_equal(back_possible(&s, plan, BOOT, &e), 0);
	plan_vm(plan, 0)->state = KH_VM_FAILED;
	assert_int_equal(with_record(KH_REC_NONE, BOOT, 0, &e), 0);
	assert_int_equal(with_record(KH_REC_UNUSED, BOOT, 0, &e), 0);
}

static void used_state_may_not(void **ctx)
{
	struct kh_err e;

	(void)ctx;
	assert_int_equal(with_record(KH_REC_USED, EARLIER, 0, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "g2"));
	assert_int_equal(with_record(KH_REC_RUNNING, BOOT, 0, &e), -EBUSY);
	assert_int_equal(with_record(KH_REC_NONE, BOOT, 0, &e), 0);
	plan_vm(plan, 0)->state = KH_VM_RUNNING;
	assert_int_equal(back_possible(&s, plan, BOOT, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "g1"));
}

static void a_process_that_is_there_blocks_it(void **ctx)
{
	struct kh_err e;
	pid_t pid = fork();

	(void)ctx;
	if (!pid) {
		pause();
		_exit(0);
	}
	assert_int_equal(with_record(KH_REC_STARTED, BOOT, pid, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "g2"));
	/* The process of an earlier boot is gone, whoever has its number now. */
	assert_int_equal(with_record(KH_REC_STARTED, EARLIER, pid, &e), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(with_record(KH_REC_STARTED, BOOT, pid, &e), 0);
}

static void no_kernel_named(void **ctx)
{
	struct kh_err e = { 0 };

	(void)ctx;
	assert_int_equal(back_jump(&s, plan, &e), -ENOENT);
	assert_int_equal(plan->back, 0);
	assert_int_equal(plan_generation(plan), plan->kram_generation + 1);
	plan->back = 2;
	assert_int_equal(plan_generation(plan), plan->kram_generation + 3);
}

/* Every string of the way back has to come through a commit. */
static void comes_back_from_the_area(void **ctx)
{
	struct kh_err e = { 0 };
	struct kh_plan *p;

	(void)ctx;
	plan->flags |= KH_PLAN_BACK;
	plan->back = 1;
	plan_put(plan, &plan->back_image, "/boot/old", 9);
	plan_put(plan, &plan->back_initrd, "/boot/old.img", 13);
	plan_put(plan, &plan->back_cmdline, "quiet", 5);
	assert_int_equal(state_commit(&s, KH_SAVED, plan), 0);
	assert_int_equal(state_plan(&s, &p, &e), 0);
	assert_int_equal(p->flags, KH_PLAN_BACK);
	assert_int_equal(p->back, 1);
	assert_string_equal(plan_str(p, p->back_image), "/boot/old");
	assert_string_equal(plan_str(p, p->back_initrd), "/boot/old.img");
	assert_string_equal(plan_str(p, p->back_cmdline), "quiet");
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unused_state_may_go_back, setup, teardown),
		cmocka_unit_test_setup_teardown(used_state_may_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_process_that_is_there_blocks_it, setup, teardown),
		cmocka_unit_test_setup_teardown(no_kernel_named, setup, teardown),
		cmocka_unit_test_setup_teardown(comes_back_from_the_area, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
