// SPDX-License-Identifier: GPL-2.0
/* The image parser, fed with small images made here. */
#include "unit.h"
#include <linux/kram.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "host/image.h"

#define SETUP 1024		/* boot sector and one more */
#define BODY 256
#define INFO 64			/* of kernel_info in the body */

static uint8_t img[SETUP + BODY];
static struct kernel_image k;

static void le32(size_t at, uint32_t v)
{
	memcpy(img + at, &v, 4);
}

static void seal(void)
{
	le32(sizeof(img) - 4, ~crc32(0, img, sizeof(img) - 4));
}

/* One that nothing is wrong with. */
static int make(void **ctx)
{
	(void)ctx;
	memset(img, 0, sizeof(img));
	img[0x1f1] = 1;
	le32(0x1f4, BODY / 16);
	memcpy(img + 0x202, "HdrS", 4);
	img[0x206] = 0x0f;
	img[0x207] = 0x02;
	img[0x20e] = 0x80;
	strcpy((char *)img + 0x280, "6.12.1-test (me) #1 SMP");
	img[0x234] = 1;
	img[0x236] = 3;
	le32(0x238, 2047);
	le32(0x268, INFO);
	le32(SETUP + INFO, 0x506f544c);
	le32(SETUP + INFO + 4, 16);
	le32(SETUP + INFO + 8, 16 + 12 + 12);
	/* Somebody else's item comes first. */
	le32(SETUP + INFO + 16, 0x12345678);
	le32(SETUP + INFO + 20, 12);
	le32(SETUP + INFO + 28, KRAM_IMAGE_MAGIC);
	le32(SETUP + INFO + 32, 12);
	le32(SETUP + INFO + 36, KRAM_ABI_VERSION);
	seal();
	return 0;
}

static void good(void **ctx)
{
	(void)ctx;
	image_parse(img, sizeof(img), &k);
	assert_true(k.bzimage && k.complete && k.crc_ok && k.relocatable && k.above_4g);
	assert_true(k.has_kram);
	assert_int_equal(k.kram_abi, KRAM_ABI_VERSION);
	assert_int_equal(k.protocol, 0x20f);
	assert_string_equal(k.version, "6.12.1-test (me) #1 SMP");
}

static void bad_magic(void **ctx)
{
	(void)ctx;
	img[0x202] = 'h';
	image_parse(img, sizeof(img), &k);
	assert_false(k.bzimage);
	image_parse(img, 0, &k);
	assert_false(k.bzimage);
	image_parse(img, 0x205, &k);
	assert_false(k.bzimage);
}

static void old_protocol(void **ctx)
{
	(void)ctx;
	img[0x206] = 0x0e;
	image_parse(img, sizeof(img), &k);
	assert_true(k.bzimage);
	assert_false(k.has_kram || k.relocatable);
}

static void not_relocatable(void **ctx)
{
	(void)ctx;
	img[0x234] = 0;
	img[0x236] = 1;
	seal();
	image_parse(img, sizeof(img), &k);
	assert_true(k.crc_ok && !k.relocatable && !k.above_4g);
}

static void bad_crc(void **ctx)
{
	size_t i;

	(void)ctx;
	for (i = SETUP; i < sizeof(img); i += 7) {
		img[i] ^= 0x10;
		image_parse(img, sizeof(img), &k);
		assert_false(k.crc_ok);
		img[i] ^= 0x10;
	}
}

static void cut_short(void **ctx)
{
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(img); i++) {
		/* On the heap, so that a read beyond it is seen. */
		uint8_t *copy = malloc(i ? i : 1);

		memcpy(copy, img, i);
		image_parse(copy, i, &k);
		assert_false(k.complete || k.crc_ok || k.has_kram);
		free(copy);
	}
}

static void no_kram(void **ctx)
{
	(void)ctx;
	le32(SETUP + INFO + 28, 0);
	seal();
	image_parse(img, sizeof(img), &k);
	assert_true(k.crc_ok && !k.has_kram);
	make(NULL);
	le32(SETUP + INFO + 8, 16);
	seal();
	image_parse(img, sizeof(img), &k);
	assert_true(k.crc_ok && !k.has_kram);
}

static void other_abi(void **ctx)
{
	(void)ctx;
	le32(SETUP + INFO + 36, KRAM_ABI_VERSION + 1);
	seal();
	image_parse(img, sizeof(img), &k);
	assert_true(k.has_kram);
	assert_int_equal(k.kram_abi, KRAM_ABI_VERSION + 1);
}

/* Sizes that lead out of the image or nowhere. */
static void wild_kernel_info(void **ctx)
{
	static const uint32_t wild[] = { 0, 1, 7, 0xffffffff, 0x7fffffff, BODY - INFO + 1 };
	static const size_t where[] = { 4, 8, 20 };
	size_t i, j;

	(void)ctx;
	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		for (j = 0; j < sizeof(wild) / sizeof(wild[0]); j++) {
			make(NULL);
			le32(SETUP + INFO + where[i], wild[j]);
			seal();
			image_parse(img, sizeof(img), &k);
			assert_true(k.crc_ok);
		}
	make(NULL);
	le32(0x268, 0xfffffff0);
	seal();
	image_parse(img, sizeof(img), &k);
	assert_false(k.has_kram);
}

static void signed_later(void **ctx)
{
	(void)ctx;
	/* PE header at 0x40, checksum at +0x58, place of the certificates at +0xa8. */
	le32(0x3c, 0x40);
	memcpy(img + 0x40, "PE\0\0", 4);
	seal();
	le32(0x40 + 0x58, 0xdeadbeef);
	le32(0x40 + 0xa8, sizeof(img));
	le32(0x40 + 0xac, 512);
	image_parse(img, sizeof(img), &k);
	assert_true(k.crc_ok);
	img[SETUP + 3] ^= 1;
	image_parse(img, sizeof(img), &k);
	assert_false(k.crc_ok);
}

static void other_files(void **ctx)
{
	(void)ctx;
	assert_int_equal(image_read("/nonexistent/bzImage", &k), -ENOENT);
	assert_int_equal(image_read("/", &k), -EINVAL);
	assert_int_equal(image_read("/dev/null", &k), -EINVAL);
	assert_int_equal(image_read("/bin/sh", &k), 0);
	assert_false(k.bzimage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good, make),
		cmocka_unit_test_setup(bad_magic, make),
		cmocka_unit_test_setup(old_protocol, make),
		cmocka_unit_test_setup(not_relocatable, make),
		cmocka_unit_test_setup(bad_crc, make),
		cmocka_unit_test_setup(cut_short, make),
		cmocka_unit_test_setup(no_kram, make),
		cmocka_unit_test_setup(other_abi, make),
		cmocka_unit_test_setup(wild_kernel_info, make),
		cmocka_unit_test_setup(signed_later, make),
		cmocka_unit_test(other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
