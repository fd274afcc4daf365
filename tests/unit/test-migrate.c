// SPDX-License-Identifier: GPL-2.0
/* What QEMU says of its jobs and migrations. The answers have the shape of QEMU 10.0's. */
#include <json-c/json.h>
#include "unit.h"
#include "vm/vm_migrate.h"

static struct vm_migrate m;

static int setup(void **ctx)
{
	(void)ctx;
	memset(&m, 0, sizeof(m));
	return 0;
}

static int with(int (*read)(struct json_object *, struct vm_migrate *), const char *text)
{
	struct json_object *o = json_tokener_parse(text);
	int rc = read(o, &m);

	json_object_put(o);
	return rc;
}

static void jobs(void **ctx)
{
	(void)ctx;
	assert_int_equal(with(migrate_read_jobs, "[]"), 0);
	assert_string_equal(m.jobs, "");
	assert_int_equal(with(migrate_read_jobs,
		"[{\"id\": \"mirror0\", \"type\": \"mirror\", \"status\": \"ready\"},"
		" {\"id\": \"b\", \"type\": \"backup\", \"status\": \"concluded\"}]"), 0);
	assert_string_equal(m.jobs, "mirror0 (mirror, ready), b (backup, concluded)");
	assert_int_equal(with(migrate_read_jobs, "{}"), -EPROTO);
	assert_int_equal(with(migrate_read_jobs, "[3]"), -EPROTO);
}

/* More jobs than there is room for: still refused, and the text says that there are more. */
static void many_jobs(void **ctx)
{
	struct json_object *a = json_object_new_array(), *o;
	char id[90];
	int i;

	(void)ctx;
	for (i = 0; i < 20; i++) {
		o = json_object_new_object();
		snprintf(id, sizeof(id), "%080d", i);
		json_object_object_add(o, "id", json_object_new_string(id));
		json_object_array_add(a, o);
	}
	assert_int_equal(migrate_read_jobs(a, &m), 0);
	assert_string_equal(m.jobs + strlen(m.jobs) - 3, "...");
	json_object_put(a);
}

static void status(void **ctx)
{
	static const char * const over[] = { "{}", "{\"status\": \"completed\"}", "{\"status\": \"failed\"}",
					     "{\"status\": \"cancelled\"}", "{\"status\": \"none\"}" };
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
		assert_int_equal(with(migrate_read_status, over[i]), 0);
		assert_string_equal(m.busy, "");
	}
	assert_int_equal(with(migrate_read_status, "{\"status\": \"pre-switchover\"}"), 0);
	assert_string_equal(m.busy, "pre-switchover");
	assert_int_equal(with(migrate_read_status, "[]"), -EPROTO);
}

static void blocked(void **ctx)
{
	(void)ctx;
	assert_int_equal(with(migrate_read_blocked, "{}"), 0);
	assert_string_equal(m.blocked, "");
	assert_int_equal(with(migrate_read_blocked, "{\"blocked-reasons\": [\"no state\", \"9p is mounted\"]}"), 0);
	assert_string_equal(m.blocked, "no state, 9p is mounted");
	assert_int_equal(with(migrate_read_blocked, "{\"blocked-reasons\": 1}"), -EPROTO);
}

static void caps(void **ctx)
{
	(void)ctx;
	assert_int_equal(with(migrate_read_caps,
		"[{\"capability\": \"x-ignore-shared\", \"state\": true}, {\"capability\": \"events\", \"state\": true},"
		" {\"capability\": \"multifd\", \"state\": false}]"), 0);
	assert_string_equal(m.caps, "");
	assert_int_equal(with(migrate_read_caps,
		"[{\"capability\": \"multifd\", \"state\": true}, {\"capability\": \"postcopy-ram\", \"state\": true}]"), 0);
	assert_string_equal(m.caps, "multifd, postcopy-ram");
	assert_int_equal(with(migrate_read_caps, "{}"), -EPROTO);
}

#define HEAD "              Block Name    PSize              Offset               Used              Total                HVA  RO\n"
#define MEM "                     mem    1 GiB  0x0000000000000000 0x0000000080000000 0x0000000080000000 0x00007f0000000000  rw\n"
#define BIOS "                 pc.bios    4 KiB  0x0000000080000000 0x0000000000040000 0x0000000000040000 0x00007f1000000000  ro\n"
#define VGA " 0000:00:01.0/vga.vram    4 KiB  0x0000000080040000 0x0000000001000000 0x0000000001000000 0x00007f2000000000  rw\n"
#define BAR "                            4 KiB  0x0000000081040000 0x0000000000020000 0x0000000000020000 0x00007f3000000000  rw\n"

static void blocks(void **ctx)
{
	struct vm_ram ram = { .id = "mem" };
	struct vm vm = { .nr_ram = 1, .ram = &ram };

	(void)ctx;
	assert_int_equal(migrate_read_blocks(HEAD MEM BIOS, &vm, &m), 0);
	assert_int_equal(m.stream_max, VM_STATE_BYTES + 0x40000);
	assert_int_equal(migrate_read_blocks(HEAD MEM BIOS VGA, &vm, &m), 0);
	assert_int_equal(m.stream_max, VM_STATE_BYTES + 0x1040000);
	/* A mapped BAR has no name and is not saved. */
	assert_int_equal(migrate_read_blocks(HEAD MEM BIOS BAR, &vm, &m), 0);
	assert_int_equal(m.stream_max, VM_STATE_BYTES + 0x40000);
	strcpy(ram.id, "other");
	assert_int_equal(migrate_read_blocks(HEAD MEM, &vm, &m), 0);
	assert_int_equal(m.stream_max, VM_STATE_BYTES + 0x80000000);
	assert_int_equal(migrate_read_blocks(HEAD, &vm, &m), -EPROTO);
	assert_int_equal(migrate_read_blocks(HEAD "nonsense\n", &vm, &m), -EPROTO);
	assert_int_equal(migrate_read_blocks("", &vm, &m), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(jobs, setup),
		cmocka_unit_test_setup(many_jobs, setup),
		cmocka_unit_test_setup(status, setup),
		cmocka_unit_test_setup(blocked, setup),
		cmocka_unit_test_setup(caps, setup),
		cmocka_unit_test_setup(blocks, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
