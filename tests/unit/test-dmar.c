// SPDX-License-Identifier: GPL-2.0
/* The ACPI table DMAR: what is read from it, and that no bytes lead the parser outside of it. */
#include "unit.h"
#include "host/dmar.h"

/*
 * A table with one structure of each kind. The scope of the second RMRR is an ACPI device at 09:12.0, as on a
 * Zhaoxin board (https://github.com/deepin-community/kernel/pull/261); register address, width and flags are those
 * of https://github.com/acidanthera/bugtracker/issues/2278.
 */
static uint8_t table[512];
static size_t table_len;

static uint8_t *add(uint16_t type, uint16_t len)
{
	uint8_t *p = table + table_len;

	p[0] = type;
	p[2] = len;
	p[3] = len >> 8;
	table_len += len;
	return p;
}

static void bytes(uint8_t *p, const void *data, size_t len)
{
	memcpy(p, data, len);
}

static void finish(void)
{
	uint8_t sum = 0;
	size_t i;

	table[4] = table_len;
	table[5] = table_len >> 8;
	table[9] = 0;
	for (i = 0; i < table_len; i++)
		sum += table[i];
	table[9] = -sum;
}

static int build(void **ctx)
{
	uint8_t *p;

	(void)ctx;
	memset(table, 0, sizeof(table));
	memcpy(table, "DMAR", 4);
	table[36] = 0x26;
	table[37] = DMAR_INTR_REMAP | DMAR_X2APIC_OPT_OUT;
	table_len = 48;
	p = add(DMAR_DRHD, 16 + 10);
	bytes(p + 8, "\x00\x00\xd9\xfe", 4);
	bytes(p + 16, "\x01\x0a\x00\x00\x00\x00\x1c\x00\x02\x01", 10);
	p = add(DMAR_DRHD, 16 + 8);
	p[4] = DMAR_INCLUDE_ALL;
	bytes(p + 8, "\x00\x10\xd9\xfe", 4);
	bytes(p + 16, "\x03\x08\x00\x00\x02\xf0\x1f\x00", 8);
	p = add(DMAR_RMRR, 24 + 16);
	p[6] = 1;
	bytes(p + 8, "\x00\x50\xda\xb5\0\0\0\0\xff\xdf\xdd\xb5\0\0\0\0", 16);
	bytes(p + 24, "\x05\x08\x00\x00\x02\x09\x12\x00\x01\x08\x00\x00\x00\x00\x14\x00", 16);
	add(DMAR_ATSR, 8 + 8)[8] = 2;
	bytes(table + table_len - 8, "\x02\x08\x00\x00\x00\x80\x02\x00", 8);
	p = add(DMAR_RHSA, 20);
	bytes(p + 8, "\x00\x10\xd9\xfe\0\0\0\0\x01\0\0\0", 12);
	bytes(add(DMAR_ANDD, 8 + 12) + 8, "\\_SB.PCI0.A\0", 12);
	add(DMAR_SATC, 8);
	add(6, 8);	/* SIDP: of no use here */
	finish();
	return 0;
}

static int secondary(void *ctx, uint32_t segment, uint8_t bus, uint8_t devfn)
{
	(void)ctx;
	return !segment && !bus && devfn == 0x1c << 3 ? 3 : -ENOENT;
}

static void reads_each_structure(void **ctx)
{
	struct kh_err e = { 0 };
	struct dmar d;
	uint8_t bus, devfn;

	(void)ctx;
	assert_int_equal(dmar_parse(table, table_len, &d, &e), 0);
	assert_true(d.checksum_ok);
	assert_int_equal(d.width, 39);
	assert_int_equal(d.flags, DMAR_INTR_REMAP | DMAR_X2APIC_OPT_OUT);
	assert_int_equal(d.nr_entries, 7);
	assert_int_equal(d.nr_unknown, 1);
	assert_int_equal(d.nr_scopes, 5);
	assert_int_equal(d.entry[0].base, 0xfed90000);
	assert_int_equal(d.entry[0].flags, 0);
	assert_int_equal(d.entry[0].nr_scopes, 1);
	assert_int_equal(d.entry[1].base, 0xfed91000);
	assert_int_equal(d.entry[1].flags, DMAR_INCLUDE_ALL);
	assert_int_equal(d.scope[d.entry[1].scope].type, DMAR_SCOPE_IOAPIC);
	assert_int_equal(d.entry[2].type, DMAR_RMRR);
	assert_int_equal(d.entry[2].segment, 1);
	assert_int_equal(d.entry[2].base, 0xb5da5000);
	assert_int_equal(d.entry[2].end, 0xb5dddfff);
	assert_int_equal(d.entry[2].nr_scopes, 2);
	assert_int_equal(d.scope[d.entry[2].scope].type, DMAR_SCOPE_ACPI);
	assert_int_equal(d.scope[d.entry[2].scope].bus, 9);
	assert_int_equal(d.entry[4].type, DMAR_RHSA);
	assert_int_equal(d.entry[4].end, 1);
	/* A path goes down through bridges. */
	assert_int_equal(dmar_scope_find(&d.scope[0], 0, secondary, NULL, &bus, &devfn), 0);
	assert_int_equal(bus, 3);
	assert_int_equal(devfn, 2 << 3 | 1);
	d.scope[0].path[0]++;
	assert_int_equal(dmar_scope_find(&d.scope[0], 0, secondary, NULL, &bus, &devfn), -ENOENT);
	dmar_free(&d);
}

static void refused(const char *says)
{
	struct kh_err e = { 0 };
	struct dmar d;

	assert_int_equal(dmar_parse(table, table_len, &d, &e), -EBADMSG);
	if (!strstr(e.msg, says))
		fail_msg("said: %s", e.msg);
	assert_null(d.entry);
	build(NULL);
}

static void refuses_what_contradicts_itself(void **ctx)
{
	(void)ctx;
	table[0] = 'X';
	refused("no DMAR table");
	table[4]++;
	refused("its header says");
	table[4] = 47;
	refused("its header says");
	table[48 + 2] = 0;
	refused("at byte 48");
	table[48 + 2] = 15;
	refused("length of 15 bytes");
	table[48 + 3] = 0x80;
	refused("at byte 48");
	table[48 + 17] = 0;
	refused("length of 0 bytes");
	table[48 + 17] = 7;
	refused("length of 7 bytes");
	table[48 + 17] = 11;
	refused("does not end within its structure");
	/* A path deeper than any machine has. */
	add(DMAR_DRHD, 16 + 6 + 2 * (DMAR_MAX_PATH + 1))[17] = 6 + 2 * (DMAR_MAX_PATH + 1);
	finish();
	refused("a path of 17 steps");
	table_len = 20;
	refused("20 bytes");
}

static void checksum(void **ctx)
{
	struct kh_err e = { 0 };
	struct dmar d;

	(void)ctx;
	table[9]++;
	assert_int_equal(dmar_parse(table, table_len, &d, &e), 0);
	assert_false(d.checksum_ok);
	dmar_free(&d);
}

/* The sanitizers watch: each length, each byte with each of some values, and bytes at random. */
static void any_bytes(void **ctx)
{
	static const uint8_t values[] = { 0, 1, 4, 5, 6, 7, 8, 0x7f, 0x80, 0xff };
	struct kh_err e;
	struct dmar d;
	uint32_t seed = 1;
	unsigned int round, i, accepted = 0;
	uint8_t *copy;

	(void)ctx;
	for (round = 0; round < table_len * sizeof(values) + 20000; round++) {
		size_t len = round < table_len ? round : table_len;

		copy = malloc(len ? len : 1);
		memcpy(copy, table, len);
		if (round < table_len * sizeof(values))
			copy[len ? round / sizeof(values) % len : 0] = values[round % sizeof(values)];
		for (i = 0; round >= table_len * sizeof(values) && i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			copy[40 + (seed >> 8) % (len - 40)] = seed >> 24;
		}
		memset(&e, 0, sizeof(e));
		if (!dmar_parse(copy, len, &d, &e)) {
			accepted++;
			assert_true(d.nr_scopes <= len / 8);
			dmar_free(&d);
		} else {
			assert_true(e.msg[0]);
		}
		free(copy);
	}
	assert_true(accepted > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_each_structure, build),
		cmocka_unit_test_setup(refuses_what_contradicts_itself, build),
		cmocka_unit_test_setup(checksum, build),
		cmocka_unit_test_setup(any_bytes, build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
