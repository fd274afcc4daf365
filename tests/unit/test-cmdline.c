// SPDX-License-Identifier: GPL-2.0
/* Command lines of kernels, and arguments of QEMU. */
#include "unit.h"
#include "host/cmdline.h"
#include "host/late.h"
#include "vm/vm.h"

static const struct mem_range ranges[] = {
	{ 0x100000000, 0x1000000, ':' },
	{ 0x140000000, 0x80000000, '!' },
};
static struct cmdline_wish wish = { ranges, 2, true };
static char why[320];

static int check(const char *s)
{
	why[0] = '\0';
	return cmdline_check(s, &wish, why, sizeof(why));
}

static void accepts(void **ctx)
{
	(void)ctx;
	assert_int_equal(check("intel_iommu=on"), 0);
	assert_int_equal(check("console=ttyS0 intel_iommu=on,sm_off memmap=16M:4G quiet"), 0);
	assert_int_equal(check("intel_iommu=on memmap=16M:4G,2G!5G"), 0);
	assert_int_equal(check("intel_iommu=on memmap=0x1000000:0x100000000 memmap=2G!0x140000000"), 0);
	/* Another range of another kind that touches nothing of ours. */
	assert_int_equal(check("intel_iommu=on memmap=1M$0x8000000"), 0);
	assert_int_equal(check("intel-iommu=on"), 0);
}

static void wants_the_iommu(void **ctx)
{
	(void)ctx;
	assert_int_equal(check("console=ttyS0"), -EINVAL);
	assert_non_null(strstr(why, "intel_iommu=on"));
	assert_int_equal(check("intel_iommu=on intel_iommu=off"), -EINVAL);
	assert_int_equal(check("intel_iommu=on iommu=off"), -EINVAL);
	assert_int_equal(check("intel_iommu=on iommu=soft,off"), -EINVAL);
	assert_int_equal(check("intel_iommu=on intremap=off"), -EINVAL);
	assert_int_equal(check("intel_iommu=on kram=noadopt"), -EINVAL);
	assert_int_equal(check("intel_iommu=on nointremap"), -EINVAL);
	/* Words of init's, or that only look alike. */
	assert_int_equal(check("intel_iommu=on xiommu=off iommu=offset"), 0);
	assert_int_equal(check("foo -- intel_iommu=on"), -EINVAL);
	/* A kernel that has it on by default needs no word. */
	wish.iommu_by_option = false;
	assert_int_equal(check("console=ttyS0"), 0);
	wish.iommu_by_option = true;
}

static void keeps_the_reservations(void **ctx)
{
	(void)ctx;
	assert_int_equal(check("intel_iommu=on memmap=32M:4G"), -EINVAL);
	assert_non_null(strstr(why, "contradicts"));
	assert_int_equal(check("intel_iommu=on memmap=16M!4G"), -EINVAL);
	assert_int_equal(check("intel_iommu=on memmap=1G!5G"), -EINVAL);
	assert_int_equal(check("intel_iommu=on memmap=16M$5G"), -EINVAL);
	assert_int_equal(check("intel_iommu=on memmap=16M:8G"), -EINVAL);
	/* Persistent memory that is not there now renumbers the guests' devices. */
	assert_int_equal(check("intel_iommu=on memmap=64M!0x50000000"), -EINVAL);
	assert_int_equal(check("intel_iommu=on memmap=64M@0x50000000"), -EINVAL);
	assert_int_equal(check("intel_iommu=on memmap=exactmap"), -EINVAL);
	assert_int_equal(check("intel_iommu=on memmap=nonsense"), -EINVAL);
	assert_int_equal(check("intel_iommu=on memmap=99999999999999999999G:4G"), -EINVAL);
}

static void too_long(void **ctx)
{
	char *s = malloc(CMDLINE_MAX + 1), out[CMDLINE_MAX];

	(void)ctx;
	memset(s, 'a', CMDLINE_MAX);
	s[CMDLINE_MAX] = '\0';
	assert_int_equal(check(s), -EINVAL);
	s[CMDLINE_MAX - 1] = '\0';
	assert_int_equal(cmdline_build(out, sizeof(out), s, 0x1000, 0, ""), -E2BIG);
	free(s);
}

static void says_where_the_state_is(void **ctx)
{
	char out[CMDLINE_MAX];

	(void)ctx;
	assert_int_equal(cmdline_build(out, sizeof(out), "a=1 khctl.state=0x5 b", 0x1000, 0, ""), 0);
	assert_string_equal(out, "a=1 b khctl.state=0x1000");
	assert_int_equal(cmdline_build(out, sizeof(out), "a=\"x y\" -- khctl.state=0x5", 0x1000, 0, ""), 0);
	assert_string_equal(out, "a=\"x y\" khctl.state=0x1000 -- khctl.state=0x5");
	assert_int_equal(cmdline_build(out, sizeof(out), "", 0x1000, 0, ""), 0);
	assert_string_equal(out, "khctl.state=0x1000");
	assert_int_equal(cmdline_build(out, sizeof(out), "tsc_early_khz=5 a", 0x1000, 0, ""), 0);
	assert_string_equal(out, "tsc_early_khz=5 a khctl.state=0x1000");
	assert_int_equal(cmdline_build(out, sizeof(out), "tsc_early_khz=5 a -- b", 0x1000, 2600000, ""), 0);
	assert_string_equal(out, "a khctl.state=0x1000 tsc_early_khz=2600000 -- b");
	assert_int_equal(cmdline_build(out, sizeof(out), "a -- b", 0x1000, 1, "maxcpus=1 khctl.cpus=0-1"), 0);
	assert_string_equal(out, "a khctl.state=0x1000 tsc_early_khz=1 maxcpus=1 khctl.cpus=0-1 -- b");
	/* once more: what is ours is made anew */
	assert_int_equal(cmdline_build(out, sizeof(out), "a khctl.state=0x5 maxcpus=1 khctl.cpus=0 noreplace-smp "
				       "no_timer_check initcall_defer=x b", 0x1000, 0, "maxcpus=1 khctl.cpus=0-3"), 0);
	assert_string_equal(out, "a b khctl.state=0x1000 maxcpus=1 khctl.cpus=0-3");
	/* the host's own limit stays */
	assert_int_equal(cmdline_build(out, sizeof(out), "maxcpus=2 no_timer_check", 0x1000, 0, "maxcpus=1 khctl.cpus=0"), 0);
	assert_string_equal(out, "maxcpus=2 no_timer_check khctl.state=0x1000");
}

static void leaves_to_the_host(void **ctx)
{
	static const char * const own[] = { "loglevel=4", "loglevel=8", "x quiet", "debug y", "ignore_loglevel",
					    "loglevel=5" };
	char out[CMDLINE_MAX], again[CMDLINE_MAX];
	size_t i;

	(void)ctx;
	/* tables of a size of its own, and those of an earlier upgrade */
	assert_int_equal(cmdline_build(out, sizeof(out), "dhash_entries=7 x", 0x1000, 0,
				       "maxcpus=1 khctl.cpus=0 " LATE_DENTRIES " " LATE_INODES), 0);
	assert_string_equal(out, "dhash_entries=7 x khctl.state=0x1000 maxcpus=1 khctl.cpus=0 " LATE_INODES);
	assert_int_equal(cmdline_build(again, sizeof(again), out, 0x1000, 0, ""), 0);
	assert_string_equal(again, "dhash_entries=7 x khctl.state=0x1000");
	assert_int_equal(cmdline_build(out, sizeof(out), "uhash_entries=7", 0x1000, 0,
				       "maxcpus=1 khctl.cpus=0 " LATE_UDP " " LATE_INODES), 0);
	assert_string_equal(out, "uhash_entries=7 khctl.state=0x1000 maxcpus=1 khctl.cpus=0 " LATE_INODES);
	assert_int_equal(cmdline_build(out, sizeof(out), "x", 0x1000, 0, "maxcpus=1 khctl.cpus=0 " LATE_UDP), 0);
	assert_int_equal(cmdline_build(again, sizeof(again), out, 0x1000, 0, "maxcpus=1 khctl.cpus=0"), 0);
	assert_string_equal(again, "x khctl.state=0x1000 maxcpus=1 khctl.cpus=0");
	/* a console of which the host says nothing, twice; then one that it wants to hear, or not */
	for (i = 0; i < 2; i++) {
		assert_int_equal(cmdline_build(out, sizeof(out), i ? again : "x", 0x1000, 0,
					       "maxcpus=1 khctl.cpus=0 " LATE_QUIET " " LATE_CONSOLE "=7"), 0);
		assert_string_equal(out, "x khctl.state=0x1000 maxcpus=1 khctl.cpus=0 " LATE_QUIET " " LATE_CONSOLE "=7");
		strcpy(again, out);
	}
	for (i = 0; i < sizeof(own) / sizeof(*own); i++) {
		assert_int_equal(cmdline_build(out, sizeof(out), own[i], 0x1000, 0,
					       "maxcpus=1 khctl.cpus=0 " LATE_QUIET " " LATE_CONSOLE "=7"), 0);
		assert_int_equal(cmdline_build(again, sizeof(again), out, 0x1000, 0, "maxcpus=1 khctl.cpus=0"), 0);
		assert_string_equal(again, out);
		assert_int_equal(strncmp(out, own[i], strlen(own[i])), 0);
		assert_null(strstr(out, LATE_CONSOLE));
	}
	/* what would not fit is left out, if one can do without it */
	memset(again, 'x', 1960);
	again[1960] = '\0';
	assert_int_equal(cmdline_build(out, sizeof(out), again, 0x1000, 0,
				       "maxcpus=1 khctl.cpus=0 " LATE_DENTRIES " " LATE_QUIET), 0);
	assert_string_equal(out + 1960, " khctl.state=0x1000 maxcpus=1 khctl.cpus=0 " LATE_DENTRIES " " LATE_QUIET);
	memset(again + 1960, 'x', 20);
	again[1980] = '\0';
	assert_int_equal(cmdline_build(out, sizeof(out), again, 0x1000, 0,
				       "maxcpus=1 khctl.cpus=0 " LATE_DENTRIES " " LATE_QUIET), 0);
	assert_string_equal(out + 1980, " khctl.state=0x1000 maxcpus=1 khctl.cpus=0 " LATE_DENTRIES);
	assert_int_equal(cmdline_build(out, sizeof(out), again, 0x1000, 0,
				       "maxcpus=1 khctl.cpus=0-3,5,7,9,11,13,15,17,19,21,23,25,27,29,31"), -E2BIG);
}

static void values(void **ctx)
{
	char v[16];

	(void)ctx;
	assert_true(cmdline_get("a=1 a=2", "a", v, sizeof(v)));
	assert_string_equal(v, "2");
	assert_true(cmdline_get("x quiet y", "quiet", v, sizeof(v)));
	assert_string_equal(v, "");
	assert_false(cmdline_get("aa=1 -- a=2", "a", v, sizeof(v)));
	assert_true(cmdline_get("a=0123456789012345678", "a", v, sizeof(v)));
	assert_int_equal(strlen(v), 15);
}

#define ARGS(s) s, sizeof(s) - 1

static void becomes(const char *in, size_t in_len, const char *want, size_t want_len)
{
	size_t len;
	char *out;

	assert_int_equal(vm_next_argv(in, in_len, &out, &len), 0);
	assert_int_equal(len, want_len);
	assert_memory_equal(out, want, len);
	free(out);
}

static void argv_for_another_start(void **ctx)
{
	static const char in[] = "qemu\0-S\0-m\0" "2G\0-incoming\0defer\0--incoming\0tcp::1\0"
		"-chardev\0socket,id=khctl-resume,fd=7\0-mon\0chardev=khctl-resume,mode=control\0"
		"-chardev\0socket,id=khctl-resumed,path=x\0-name\0S\0";
	static const char want[] = "qemu\0-m\0" "2G\0-chardev\0socket,id=khctl-resumed,path=x\0-name\0S\0";
	static const char more[] = "qemu\0-loadvm\0x\0-serial\0unix:/run/x,server=on\0-daemonize\0"
		"-chardev\0file,id=f,path=/x\0-chardev\0socket,id=s,path=/y,server=on,wait=off\0"
		"-chardev\0null,id=n,logfile=/z\0disk.img\0-monitor\0tcp:127.0.0.1:1,server,nowait\0";
	static const char want_more[] = "qemu\0-serial\0unix:/run/x,server=on,wait=off\0"
		"-chardev\0file,id=f,path=/x,append=on\0-chardev\0socket,id=s,path=/y,server=on,wait=off\0"
		"-chardev\0null,id=n,logfile=/z,logappend=on\0disk.img\0"
		"-monitor\0tcp:127.0.0.1:1,server,nowait\0";

	(void)ctx;
	becomes(ARGS(in), ARGS(want));
	/* What was made for another start stays as it is. */
	becomes(ARGS(want), ARGS(want));
	becomes(ARGS(more), ARGS(want_more));
	becomes(ARGS(want_more), ARGS(want_more));
	becomes("", 0, "", 0);
}

static void cpus_that_boot(void **ctx)
{
	(void)ctx;
	assert_int_equal(late_boot_cpus("0-3", "0-3", 1), 1);
	assert_int_equal(late_boot_cpus("0-3", "0-3", 2), 2);
	assert_int_equal(late_boot_cpus("0-3", "0-3", 0), 1);
	/* One is offline for a reason, or nobody knows. */
	assert_int_equal(late_boot_cpus("0,2-3", "0-3", 2), 1);
	assert_int_equal(late_boot_cpus("0-3", "", 2), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(wants_the_iommu),
		cmocka_unit_test(keeps_the_reservations),
		cmocka_unit_test(too_long),
		cmocka_unit_test(says_where_the_state_is),
		cmocka_unit_test(leaves_to_the_host),
		cmocka_unit_test(values),
		cmocka_unit_test(argv_for_another_start),
		cmocka_unit_test(cpus_that_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
