// SPDX-License-Identifier: GPL-2.0
/* The survey of shapes of real hosts: what it says of each, and that a saved copy says the same. */
#include "unit.h"
#include <json-c/json.h>
#include <sys/wait.h>
#include "base/out.h"
#include "preflight/survey_parts.h"
#include "verbs.h"
#include "host_shape.h"
#include "host_shapes.h"

static char text[65536];

static void add(const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
}

static void add_note(void *ctx, const char *id, const char *note)
{
	(void)ctx;
	assert_true(note[0]);
	add("note %s\n", id);
}

/* The result as host_shapes.h writes it; reasons of the host are told once. */
static const char *result(const struct survey *s)
{
	const struct survey_fn *f;
	unsigned int i, r;

	text[0] = '\0';
	for (r = 0; r < SURVEY_REASONS; r++)
		if (s->host_reasons >> r & 1)
			add("host %s\n", survey_rules[r].id);
	for (i = 0; i < s->nr_fns; i++) {
		f = &s->fn[i];
		if (f->bridge)
			continue;
		add("%s %s", f->name, survey_verdict_name(f->verdict));
		for (r = 0; r < SURVEY_REASONS; r++)
			if (f->reasons >> r & 1 && !(s->host_reasons >> r & 1))
				add(" %s", survey_rules[r].id);
		/* What the running kernel does not say comes from the table. */
		if (!f->linked && f->unit >= 0)
			add(" @dmar%d", s->unit[f->unit].number);
		add("\n");
	}
	for (i = 0; i < s->nr_units; i++)
		if (s->unit[i].ignored)
			add("dmar%d %s\n", s->unit[i].number, s->unit[i].ignored);
	survey_notes(s, add_note, NULL);
	if (s->src.nr_unread)
		add("unread %u\n", s->src.nr_unread);
	return text;
}

static void run(struct survey *s, const char *root, const char *save)
{
	struct survey_in in = { .root = root, .save = save };
	struct kh_err e = { 0 };

	if (survey_run(s, &in, &e))
		fail_msg("%s: %s", root, e.msg);
}

static char *json_of(const struct survey *s)
{
	struct json_object *o = out_new("check");
	char *copy;

	survey_json(s, o);
	copy = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
	json_object_put(o);
	return copy;
}

static void says_of_each(void **ctx)
{
	const struct host_shape *h;
	struct survey s;
	struct shape shape;
	unsigned int i, bad = 0;

	(void)ctx;
	for (i = 0; i < ARRAY_SIZE(host_shapes); i++) {
		h = &host_shapes[i];
		shape_make(&shape, h->shape);
		run(&s, shape.root, NULL);
		if (strcmp(result(&s), h->result)) {
			print_message("%s:\n%swanted:\n%s", h->name, text, h->result);
			bad++;
		}
		survey_end(&s);
		shape_remove(&shape);
	}
	assert_int_equal(bad, 0);
}

/* Each reason is the result of a shape: a reason that no host has cannot be seen failing. */
static void each_reason_is_met(void **ctx)
{
	/* Read errors that a test cannot make as root, and machines without a CPU vendor: cases of their own. */
	static const enum survey_reason elsewhere[] = { SV_NOT_X86, SV_DMAR_UNREAD, SV_DMAR_BROKEN, SV_NO_UNIT };
	unsigned int r, i;
	char word[48];
	bool met;

	(void)ctx;
	for (r = 0; r < SURVEY_REASONS; r++) {
		snprintf(word, sizeof(word), " %s", survey_rules[r].id);
		for (i = 0, met = false; i < ARRAY_SIZE(host_shapes); i++)
			met |= strstr(host_shapes[i].result, word) != NULL;
		for (i = 0; i < ARRAY_SIZE(elsewhere); i++)
			met |= elsewhere[i] == r;
		if (!met)
			fail_msg("no shape has the reason %s", survey_rules[r].id);
	}
}

static void doc_has(const char *doc, const char *id)
{
	char word[48];

	snprintf(word, sizeof(word), "`%s`", id);
	if (!strstr(doc, word))
		fail_msg("docs/survey.md says nothing of %s", word);
}

/* Notes are those that the shapes and the tests below lead to. */
static void documented(void **ctx)
{
	static const char * const notes[] = {
		"x2apic-opt-out", "units-differ", "dmar-checksum", "handover-limit", "no-kvm", "e820", "low-memory",
	};
	unsigned int i;
	size_t len;
	char *doc;

	(void)ctx;
	assert_int_equal(read_all(TOP "/docs/survey.md", &doc, &len), 0);
	for (i = 0; i < SURVEY_REASONS; i++)
		doc_has(doc, survey_rules[i].id);
	for (i = 0; i < ARRAY_SIZE(notes); i++)
		doc_has(doc, notes[i]);
	free(doc);
}

static void tar(const char *archive, const char *root)
{
	char command[512];

	assert_int_equal(mkdir(root, 0700), 0);
	snprintf(command, sizeof(command), "tar -C %s -xf %s", root, archive);
	assert_int_equal(WEXITSTATUS(system(command)), 0);
}

/* A copy of a copy says what the host says, and holds nothing that names it. */
static void copy_says_the_same(void **ctx)
{
	char archive[128], copy[128], *a, *b, *data;
	struct survey s, t;
	struct shape shape, unpacked;
	unsigned int i, secrets = 0;
	size_t len;

	(void)ctx;
	for (i = 0; i < ARRAY_SIZE(host_shapes); i++) {
		if (!strcmp(host_shapes[i].name, "not-root"))
			continue;
		secrets += strstr(host_shapes[i].shape, SHAPE_SECRET) || strstr(host_shapes[i].shape, "serial");
		shape_make(&shape, host_shapes[i].shape);
		snprintf(archive, sizeof(archive), "%s/copy.tar", shape.root);
		run(&s, shape.root, archive);
		assert_int_equal(read_all(archive, &data, &len), 0);
		assert_null(memmem(data, len, SHAPE_SECRET, strlen(SHAPE_SECRET)));
		assert_null(memmem(data, len, SHAPE_SECRET + 7, 6));
		snprintf(copy, sizeof(copy), "%s-copy", shape.root);
		tar(archive, copy);
		strcpy(unpacked.root, copy);
		run(&t, copy, NULL);
		a = json_of(&s);
		b = json_of(&t);
		if (strcmp(a, b))
			fail_msg("%s: host %s\ncopy %s", host_shapes[i].name, a, b);
		free(a);
		free(b);
		free(data);
		survey_end(&s);
		survey_end(&t);
		shape_remove(&shape);
		shape_remove(&unpacked);
	}
	assert_true(secrets >= 4);
}

static void fails(const char *root, const char *save, const char *guest, int rc, const char *says)
{
	struct str_list guests = { &guest, guest ? 1 : 0, 1 };
	struct survey_in in = { root, save, &guests };
	struct kh_err e = { 0 };
	struct survey s;

	assert_int_equal(survey_run(&s, &in, &e), rc);
	survey_end(&s);
	if (!strstr(e.msg, says))
		fail_msg("said: %s", e.msg);
}

static const char *shape_text_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(host_shapes); i++)
		if (!strcmp(host_shapes[i].name, name))
			return host_shapes[i].shape;
	fail_msg("no shape %s", name);
	return NULL;
}

static void refuses(void **ctx)
{
	char archive[128];
	struct shape shape;

	(void)ctx;
	fails("/nonexistent", NULL, NULL, -ENOENT, "/nonexistent");
	fails("/tmp", NULL, NULL, -ENOENT, "no folders sys and proc");
	shape_make(&shape, shape_text_of("not-root"));
	snprintf(archive, sizeof(archive), "%s/copy.tar", shape.root);
	/* A copy of half of it would be a copy of another host. */
	fails(shape.root, archive, NULL, -EACCES, "0000:00:1c.0/config");
	assert_int_equal(access(archive, F_OK), -1);
	fails(shape.root, NULL, "2X", -EINVAL, "2X is no size");
	fails(shape.root, NULL, "0", -EINVAL, "0 is no size");
	fails(shape.root, NULL, "99999999G", -EINVAL, "no size");
	shape_remove(&shape);
	shape_make(&shape, shape_text_of("rest"));
	fails(shape.root, "/nonexistent/copy.tar", NULL, -ENOENT, "/nonexistent/copy.tar");
	shape_remove(&shape);
}

static void exit_codes(void **ctx)
{
	const char *size = "2X";
	struct khctl_opts bad = { .survey = true, .guests = { &size, 1, 1 } };
	struct khctl_opts none = { .survey = true, .root = "/nonexistent" };
	struct khctl_opts alone = { .root = "/" }, alone_too = { .save = "/nonexistent" };

	(void)ctx;
	assert_int_equal(verb_check(&bad), EXIT_USAGE);
	assert_int_equal(verb_check(&none), EXIT_FAILED);
	/* Without --survey these options mean nothing, and nothing is checked. */
	assert_int_equal(verb_check(&alone), EXIT_USAGE);
	assert_int_equal(verb_check(&alone_too), EXIT_USAGE);
}

/* The sanitizers watch: lists that lead in circles, and bytes at random, in files of each size. */
static void any_config(void **ctx)
{
	static const size_t sizes[] = { 0, 3, 63, 64, 65, 255, 256, 257, 4095, 4096 };
	uint8_t cfg[4096] = { 0 };
	uint32_t seed = 1;
	struct shape shape;
	struct survey s;
	unsigned int i, k, unread = 0;

	(void)ctx;
	shape_make(&shape, "cpu GenuineIntel vmx\nfn 0000:00:01.0 8086:1 20000 msix ats\n");
	for (i = 0; i < 400; i++) {
		for (k = 0; k < sizeof(cfg); k++) {
			seed = seed * 1664525 + 1013904223;
			cfg[k] = i % 4 ? seed >> 24 : 0;
		}
		cfg[6] |= 0x10;
		cfg[0x0e] = 0;
		cfg[0x34] = 0x50;
		if (!(i % 4)) {
			cfg[0x50] = 0x10;
			cfg[0x51] = i % 8 ? 0x50 : 0x40;
			put16(cfg + 0x102, 0x1000);
		}
		shape_put(&shape, "sys/bus/pci/devices/0000:00:01.0/config", cfg, sizes[i % ARRAY_SIZE(sizes)]);
		run(&s, shape.root, NULL);
		assert_int_equal(s.nr_fns, 1);
		assert_int_equal(survey_count(&s, SURVEY_YES), 0);
		unread += s.src.nr_unread;
		survey_end(&s);
	}
	assert_true(unread > 40 && unread < 360);
	shape_remove(&shape);
}

/* Links of a copy lead nowhere outside of it, and a pipe in it does not stop the survey. */
static void copies_of_strangers(void **ctx)
{
	struct shape shape;
	struct survey s;
	char path[128];

	(void)ctx;
	shape_make(&shape, "kernel 6.12.107\ndmar 39 1\ndrhd fed91000 0 1\nend\n" MEM_8G);
	snprintf(path, sizeof(path), "%s/proc/cpuinfo", shape.root);
	assert_int_equal(symlink("/proc/cpuinfo", path), 0);
	snprintf(path, sizeof(path), "%s/proc/interrupts", shape.root);
	assert_int_equal(mkfifo(path, 0600), 0);
	run(&s, shape.root, NULL);
	assert_string_equal(s.vendor, "");
	assert_int_equal(s.remapping, SURVEY_NOT_KNOWN);
	assert_int_equal(s.src.nr_unread, 2);
	survey_end(&s);
	shape_remove(&shape);
}

static void tables_that_cannot_be_used(void **ctx)
{
	struct shape shape;
	struct survey s;

	(void)ctx;
	shape_make(&shape, "cpu GenuineIntel\n" MEM_8G);
	shape_text(&shape, "sys/firmware/acpi/tables/DMAR", "DMAR");
	run(&s, shape.root, NULL);
	assert_int_equal(s.host_reasons, 1ULL << SV_DMAR_BROKEN);
	survey_end(&s);
	shape_remove(&shape);
	/* A folder is what can be made here that cannot be read. */
	shape_make(&shape, "cpu GenuineIntel\n" MEM_8G);
	shape_folder(&shape, "sys/firmware/acpi/tables/DMAR");
	run(&s, shape.root, NULL);
	assert_int_equal(s.host_reasons, 1ULL << SV_DMAR_UNREAD);
	survey_end(&s);
	shape_remove(&shape);
	shape_make(&shape, MEM_8G);
	run(&s, shape.root, NULL);
	assert_int_equal(s.host_reasons, 1ULL << SV_NOT_X86);
	survey_end(&s);
	shape_remove(&shape);
	/* No unit for the rest, and none that names the function. */
	shape_make(&shape, "cpu GenuineIntel vmx\nirq IR\ndmar 39 1\ndrhd fed90000 0 0 e:0/2.0\nend\n"
		   "unit 0 fed90000 d2008c40660462 f050da\nfn 0000:00:02.0 8086:1 20000 group=1 unit=0 msix\n"
		   "fn 0000:00:03.0 8086:1 20000 msix\n" MEM_8G);
	run(&s, shape.root, NULL);
	assert_string_equal(result(&s), "0000:00:02.0 yes\n0000:00:03.0 no no-unit\n");
	survey_end(&s);
	shape_remove(&shape);
}

/* Every range in RAM of the firmware's map, outside of what is reserved, of whole 16 MiB, none in another. */
static void check_plan(const struct survey *s, const uint64_t (*ram)[2], unsigned int nr,
		       uint64_t taken, uint64_t taken_end)
{
	const struct mem_range *r;
	unsigned int i, k;
	bool in;

	for (i = 0; i < s->plan.nr_ranges; i++) {
		r = &s->plan.range[i];
		assert_int_equal(r->size % (16 << 20), 0);
		assert_int_equal(r->start % (16 << 20), 0);
		for (k = 0, in = false; k < nr; k++)
			in |= r->start >= ram[k][0] && r->start + r->size <= ram[k][1];
		assert_true(in);
		assert_true(r->start >= taken_end || r->start + r->size <= taken);
		for (k = 0; k < i; k++)
			assert_true(r->start >= s->plan.range[k].start + s->plan.range[k].size ||
				    s->plan.range[k].start >= r->start + r->size);
	}
}

static void plans_memory(void **ctx)
{
	static const uint64_t ram[][2] = { { 0x100000, 0x760f2000 }, { 0x100000000, 0x4080000000 } };
	const char *sizes[] = { "64G", "2G", "16G" };
	struct str_list guests = { sizes, 3, 3 };
	struct survey_in in = { .guests = &guests };
	struct kh_err e = { 0 };
	struct shape shape;
	struct survey s;

	(void)ctx;
	shape_make(&shape, shape_text_of("x2apic-opt-out"));
	in.root = shape.root;
	assert_int_equal(survey_run(&s, &in, &e), 0);
	check_plan(&s, ram, 2, 0x100000000, 0x101000000);
	assert_int_equal(s.plan.nr_ranges, 5);
	assert_string_equal(s.plan.error, "");
	assert_false(s.plan.invented || s.plan.low);
	/* Large guests have pages of a GiB, the first of which is not theirs. */
	assert_int_equal(s.plan.range[0].start, 0x140000000);
	assert_int_equal(s.plan.range[0].size, 65ULL << 30);
	assert_int_equal(s.plan.range[1].size, (2ULL << 30) + (16 << 20));
	assert_int_equal(s.plan.range[2].start % (1 << 30), 0);
	assert_int_equal(s.plan.range[4].type, ':');
	/* Page tables of 82 GiB in pages of 4 KiB alone take 1/512 of it. */
	assert_true(s.plan.kram_pages > (82ULL << 30) / 4096 / 512);
	assert_true(s.plan.range[4].size > s.plan.kram_pages * 4096);
	/* One reservation at the edge of the RAM, five ranges, and two gaps that the GiB of large guests leave. */
	assert_int_equal(s.plan.e820, 14);
	assert_int_equal(s.plan.e820_after, 14 + 1 + 5 + 2);
	survey_end(&s);
	sizes[0] = "600G";
	assert_int_equal(survey_run(&s, &in, &e), 0);
	assert_string_equal(s.plan.error, "no free RAM is large enough");
	assert_int_equal(s.plan.nr_ranges, 0);
	survey_end(&s);
	/* Something is set aside already: an example would only confuse. */
	in.guests = NULL;
	assert_int_equal(survey_run(&s, &in, &e), 0);
	assert_false(s.plan.invented);
	assert_int_equal(s.plan.nr_ranges, 0);
	assert_int_equal(s.plan.nr_have, 1);
	assert_int_equal(s.plan.have[0].start, 0x100000000);
	assert_int_equal(s.plan.have[0].size, 16 << 20);
	assert_int_equal(s.plan.e820_after, 14 + 1);
	survey_end(&s);
	shape_text(&shape, "proc/cmdline", "quiet memmap=1M$0x5000000");
	assert_int_equal(survey_run(&s, &in, &e), 0);
	assert_true(s.plan.invented);
	assert_int_equal(s.plan.nr_have, 0);
	assert_int_equal(s.plan.guest[0], 128ULL << 30);
	check_plan(&s, ram, 2, 0x5000000, 0x5100000);
	survey_end(&s);
	shape_remove(&shape);
}

/* RAM above 4 GiB in two pieces, the first of which is too small. */
static void ram_with_a_hole(void **ctx)
{
	static const uint64_t ram[][2] = { { 0x100000000, 0x180000000 }, { 0x200000000, 0x600000000 } };
	const char *size = "3G";
	struct str_list guests = { &size, 1, 1 };
	struct survey_in in = { .guests = &guests };
	struct kh_err e = { 0 };
	struct shape shape;
	struct survey s;

	(void)ctx;
	shape_make(&shape, "cpu GenuineIntel vmx\nmem 100000000 17fffffff System RAM\nmem 180000000 1ffffffff Reserved\n"
		   "mem 200000000 5ffffffff System RAM\n");
	in.root = shape.root;
	assert_int_equal(survey_run(&s, &in, &e), 0);
	check_plan(&s, ram, 2, 0, 0);
	assert_int_equal(s.plan.range[0].start, 0x200000000);
	survey_end(&s);
	shape_remove(&shape);
}

/* A machine of 3 GiB, and one whose firmware has more entries than reach the next kernel. */
static void small_and_broken_maps(void **ctx)
{
	char *map = malloc(16384), *p = map;
	struct shape shape;
	struct survey s;
	unsigned int i;

	(void)ctx;
	shape_make(&shape, "cpu GenuineIntel vmx\nmem 0 9fbff System RAM\nmem 100000 bfffffff System RAM\n");
	run(&s, shape.root, NULL);
	assert_true(s.plan.low);
	assert_int_equal(s.plan.guest[0], 2ULL << 30);
	survey_end(&s);
	shape_remove(&shape);
	p += sprintf(p, "cpu GenuineIntel vmx\n");
	for (i = 0; i < 126; i++)
		p += sprintf(p, "mem %x %x %s\n", 0x100000 + i * 0x1000, 0x100fff + i * 0x1000, i % 2 ? "System RAM" : "Reserved");
	sprintf(p, "mem 100000000 4ffffffff System RAM\n");
	shape_make(&shape, map);
	run(&s, shape.root, NULL);
	assert_int_equal(s.plan.e820, 127);
	assert_int_equal(s.plan.e820_after, 130);
	assert_non_null(strstr(s.plan.error, "130 entries"));
	survey_end(&s);
	shape_remove(&shape);
	shape_make(&shape, "cpu GenuineIntel vmx\n");
	run(&s, shape.root, NULL);
	assert_non_null(strstr(s.plan.error, "memory map cannot be read"));
	survey_end(&s);
	shape_remove(&shape);
	free(map);
}

/* As many functions as a handover holds, all on one level; then with a bridge above one of them. */
static bool says_limit(bool bridge)
{
	char *hosts = malloc((KRAM_MAX_DEVICES + 8) * 64), *p = hosts;
	struct shape shape;
	struct survey s;
	unsigned int i;
	bool said;

	p += sprintf(p, "cpu GenuineIntel vmx\ncmdline intel_iommu=on\nirq IR\ndmar 39 1\ndrhd fed91000 0 1\nend\n"
		     "unit 0 fed91000 d2008c40660462 f050da\n" MEM_8G);
	if (bridge)
		p += sprintf(p, "fn 0000:00:1c.0 8086:1 60400 unit=0 sec=01 sub=01 type=4\n");
	for (i = 0; i < KRAM_MAX_DEVICES; i++)
		p += sprintf(p, "fn 0000:%02x:%02x.%x 8086:1 20000 unit=0 msix\n", 1 + i / 256, i / 8 % 32, i % 8);
	shape_make(&shape, hosts);
	run(&s, shape.root, NULL);
	assert_int_equal(survey_count(&s, SURVEY_YES), KRAM_MAX_DEVICES);
	said = strstr(result(&s), "note handover-limit");
	survey_end(&s);
	shape_remove(&shape);
	free(hosts);
	return said;
}

static void more_than_one_upgrade_keeps(void **ctx)
{
	(void)ctx;
	assert_false(says_limit(false));
	assert_true(says_limit(true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_of_each),
		cmocka_unit_test(each_reason_is_met),
		cmocka_unit_test(documented),
		cmocka_unit_test(copy_says_the_same),
		cmocka_unit_test(refuses),
		cmocka_unit_test(exit_codes),
		cmocka_unit_test(any_config),
		cmocka_unit_test(copies_of_strangers),
		cmocka_unit_test(tables_that_cannot_be_used),
		cmocka_unit_test(plans_memory),
		cmocka_unit_test(ram_with_a_hole),
		cmocka_unit_test(small_and_broken_maps),
		cmocka_unit_test(more_than_one_upgrade_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
