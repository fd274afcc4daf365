// SPDX-License-Identifier: GPL-2.0
/*
 * The record of a VM while khctl resume loads it: saved state is used once, never twice. The QEMU is
 * this program under another name (fake-qemu.h).
 */
#include "unit.h"
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "base/util.h"
#include "fake-qemu.h"
#include "host/proc.h"
#include "vm/vm_left.h"
#include "vm/vm_load.h"

#define BOOT "this-boot"

static char *area;
static struct state state;
static struct kh_plan *plan;
static struct vm_load load;
static struct kh_err e;
static char dir[] = "/tmp/test-resume-XXXXXX";
static char qmp[64];

/* Shared, as the state area is: what a process that is killed wrote, others see. */
static int setup(void **ctx)
{
	struct kh_plan_vm *vm;

	(void)ctx;
	area = mmap(NULL, KH_AREA_MIN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(state_format(area, KH_AREA_MIN, 0), 0);
	assert_int_equal(state_attach(&state, area, KH_AREA_MIN, NULL), 0);
	state.writable = true;
	plan = plan_new();
	plan->tsc_hz = 1000000000;
	assert_int_equal(plan_array(plan, &plan->vms, 1, sizeof(*vm)), 0);
	vm = plan_vm(plan, 0);
	plan_put(plan, &vm->name, "g", 1);
	plan_put(plan, &vm->exe, "/proc/self/exe", 14);
	plan_put(plan, &vm->cwd, "/", 1);
	plan_put(plan, &vm->out, "/dev/null", 9);
	plan_put(plan, &vm->err, "/dev/null", 9);
	path_fmt(qmp, sizeof(qmp), "%s/qmp", dir);
	plan_put(plan, &vm->qmp, qmp, strlen(qmp));
	vm->stream_offset = state.part[KH_PART_DATA].offset;
	vm->stream_room = 0x100000 * 2;
	vm->stream_size = 100000;
	memset(area + vm->stream_offset, 'x', vm->stream_size);
	area[vm->stream_offset + vm->stream_size - 1] = 'E';
	vm->stream_hash = kh_hash(area + vm->stream_offset, vm->stream_size);
	return 0;
}

static int teardown(void **ctx)
{
	struct kh_vm_record r = record_get(&state, plan->run_id, 0);
	int status;

	(void)ctx;
	qmp_close(&load.q);
	/* A QEMU that a killed process started is not this process's child. */
	if (r.pid && r.state != KH_REC_NONE && r.state != KH_REC_UNUSED) {
		kill(r.pid, SIGKILL);
		waitpid(r.pid, &status, 0);
	}
	free(plan);
	munmap(area, KH_AREA_MIN);
	return 0;
}

static int load_it(const char *how, int cancel_fd)
{
	struct kh_plan_vm *vm = plan_vm(plan, 0);
	char argv[160];
	int len;

	len = snprintf(argv, sizeof(argv), "fake-qemu%c%s%c%s", 0, how, 0, qmp) + 1;
	plan_put(plan, &vm->argv, argv, len);
	memset(&e, 0, sizeof(e));
	load = (struct vm_load){ .state = &state, .plan = plan, .vm = vm, .cancel_fd = cancel_fd,
				 .record = record_of_boot(&state, plan->run_id, 0, BOOT) };
	return vm_load(&load, &e);
}

static enum kh_record_state recorded(void)
{
	return record_get(&state, plan->run_id, 0).state;
}

static void good(void **ctx)
{
	struct kh_vm_record r;

	(void)ctx;
	assert_int_equal(load_it("good", -1), 0);
	r = record_get(&state, plan->run_id, 0);
	assert_int_equal(r.state, KH_REC_RUNNING);
	assert_int_equal(r.pid, load.pid);
	assert_true(r.started_tsc < r.used_tsc && r.used_tsc < r.run_tsc);
	assert_int_equal(plan_vm(plan, 0)->new_pid, load.pid);
	assert_int_equal(vm_load_end(&load, &e), 0);
	json_object_put(load.roles);
}

/* A second khctl resume finds that the guest runs, and starts nothing. */
static void runs_already(void **ctx)
{
	pid_t pid;

	good(ctx);
	pid = load.pid;
	assert_int_equal(load_it("good", -1), 0);
	assert_true(load.ran_before);
	assert_int_equal(load.pid, 0);
	assert_int_equal(plan_vm(plan, 0)->new_pid, pid);
	assert_int_equal(record_get(&state, plan->run_id, 0).pid, pid);
}

/* The guest ran and its QEMU is gone: the state is not used again. */
static void ran_and_ended(void **ctx)
{
	int status;

	good(ctx);
	kill(load.pid, SIGKILL);
	waitpid(load.pid, &status, 0);
	assert_int_equal(load_it("good", -1), -ESTALE);
	assert_non_null(strstr(e.msg, "was used"));
	assert_int_equal(load.pid, 0);
}

static void runs_and_dies(void **ctx)
{
	(void)ctx;
	assert_true(load_it("runs-and-dies", -1) < 0);
	assert_int_equal(recorded(), KH_REC_USED);
	assert_int_equal(load_it("good", -1), -ESTALE);
}

static void lies_outside(void **ctx)
{
	struct kh_plan_vm *vm = plan_vm(plan, 0);

	(void)ctx;
	vm->stream_offset = KH_AREA_MIN;
	assert_int_equal(load_it("good", -1), -EBADMSG);
	vm->stream_offset = KH_PLAN_OFFSET(0);
	assert_int_equal(load_it("good", -1), -EBADMSG);
	vm->stream_offset = state.part[KH_PART_DATA].offset;
	vm->stream_size = vm->stream_room + 1;
	assert_int_equal(load_it("good", -1), -EBADMSG);
	vm->stream_size = 100000;
	area[vm->stream_offset] ^= 1;
	assert_int_equal(load_it("good", -1), -EBADMSG);
	assert_non_null(strstr(e.msg, "damaged"));
	assert_int_equal(recorded(), KH_REC_NONE);
}

/* It had the state and never ran: it may be tried again. */
static void failed_load(void **ctx)
{
	(void)ctx;
	assert_int_equal(load_it("fails", -1), -EIO);
	assert_non_null(strstr(e.msg, "made up"));
	assert_int_equal(recorded(), KH_REC_UNUSED);
	assert_true(load_it("dies", -1) < 0);
	assert_int_equal(e.rc, -ECHILD);
	assert_int_equal(recorded(), KH_REC_UNUSED);
	good(ctx);
}

static void cancelled(void **ctx)
{
	int cancel = eventfd(1, 0);

	(void)ctx;
	assert_int_equal(load_it("hangs", cancel), -EINTR);
	assert_int_equal(recorded(), KH_REC_NONE);
	/* More than a pipe holds: the last byte was not sent. */
	plan_vm(plan, 0)->stream_size = 2000000;
	memset(area + plan_vm(plan, 0)->stream_offset, 'y', 2000000);
	plan_vm(plan, 0)->stream_hash = kh_hash(area + plan_vm(plan, 0)->stream_offset, 2000000);
	close(cancel);
	cancel = eventfd(0, 0);
	if (!fork()) {
		usleep(300000);
		eventfd_write(cancel, 1);
		_exit(0);
	}
	assert_int_equal(load_it("takes-nothing", cancel), -EINTR);
	assert_int_equal(recorded(), KH_REC_NONE);
	wait(NULL);
	close(cancel);
}

/* Runs load_it() in a process that is killed once the record says @until. */
static void killed(const char *how, enum kh_record_state until)
{
	pid_t pid = fork();
	int status, ms;

	if (!pid) {
		load_it(how, -1);
		pause();
	}
	for (ms = 0; recorded() != until && ms < 60000; ms++)
		usleep(1000);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(recorded(), until);
}

/* khctl was killed while QEMU started: that QEMU is ended, and the VM started again. */
static void killed_before_the_state(void **ctx)
{
	struct kh_vm_record r;

	(void)ctx;
	killed("hangs", KH_REC_STARTED);
	r = record_get(&state, plan->run_id, 0);
	assert_int_equal(load_it("good", -1), 0);
	assert_int_equal(proc_open(r.pid, r.start), -ESRCH);
	assert_int_equal(recorded(), KH_REC_RUNNING);
	assert_int_not_equal(r.pid, load.pid);
}

static void killed_after_the_state(void **ctx)
{
	(void)ctx;
	killed("good", KH_REC_RUNNING);
	assert_int_equal(load_it("good", -1), 0);
	assert_true(load.ran_before);
}

/* The record names a process, not a number that another process may have got. */
static void other_process(void **ctx)
{
	struct kh_vm_record r;
	uint64_t start;

	(void)ctx;
	r = record_of_boot(&state, plan->run_id, 0, BOOT);
	assert_int_equal(proc_start(getpid(), &start), 0);
	assert_true(proc_open(getpid(), start) >= 0);
	assert_int_equal(proc_open(getpid(), start + 1), -ESRCH);
	r.state = KH_REC_STARTED;
	r.pid = getpid();
	r.start = start + 1;
	assert_int_equal(record_put(&state, &r), 0);
	/* This process is not killed. */
	assert_int_equal(load_it("good", -1), 0);
}

/* Somebody else has the memory of the VM. */
static void memory_in_use(void **ctx)
{
	struct kh_vm_record r;
	bool runs;

	(void)ctx;
	r = record_of_boot(&state, plan->run_id, 0, BOOT);
	assert_int_equal(vm_left(&state, plan, plan_vm(plan, 0), &r, 4711, &runs, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "4711"));
	memset(&e, 0, sizeof(e));
	assert_int_equal(vm_left(&state, plan, plan_vm(plan, 0), &r, -EACCES, &runs, &e), -EACCES);
	assert_int_equal(vm_left(&state, plan, plan_vm(plan, 0), &r, 0, &runs, NULL), 0);
	assert_false(runs);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good, setup, teardown),
		cmocka_unit_test_setup_teardown(runs_already, setup, teardown),
		cmocka_unit_test_setup_teardown(ran_and_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(runs_and_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(lies_outside, setup, teardown),
		cmocka_unit_test_setup_teardown(failed_load, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_before_the_state, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_after_the_state, setup, teardown),
		cmocka_unit_test_setup_teardown(other_process, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_in_use, setup, teardown),
	};
	int rc;

	if (argc > 2 && !strcmp(argv[0], "fake-qemu"))
		return fake_qemu(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(mkdtemp(dir));
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(qmp);
	rmdir(dir);
	return rc;
}
