// SPDX-License-Identifier: GPL-2.0
/* What khctl concludes from /sys/kernel/kram. */
#include "unit.h"
#include <errno.h>
#include "host/kram.h"

static void memory_map(void **ctx)
{
	struct kram k = { .e820_entries = 128, .e820_entries_max = 128 };

	(void)ctx;
	assert_int_equal(kram_map_fits(&k), 0);
	k.e820_entries = 129;
	assert_int_equal(kram_map_fits(&k), -E2BIG);
	k.e820_entries = 0;
	assert_int_equal(kram_map_fits(&k), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
