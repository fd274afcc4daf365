// SPDX-License-Identifier: GPL-2.0
/* The table of verbs: parsing, help, and the man page that must say the same. */
#include "unit.h"
#include "base/phase.h"
#include "base/util.h"
#include "verbs.h"

static struct khctl_opts o;

static const struct verb *verb(const char *name)
{
	const struct verb *v;

	for (v = khctl_verbs; v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	fail_msg("no verb %s", name);
	return NULL;
}

static int parse(const char *name, int n, ...)
{
	char *argv[16];
	va_list ap;
	int i;

	va_start(ap, n);
	for (i = 0; i < n; i++)
		argv[i] = va_arg(ap, char *);
	va_end(ap);
	/* What the last call allocated. */
	free(o.qmp.v);
	free(o.vms.v);
	free(o.leave_behind.v);
	memset(&o, 0, sizeof(o));
	return opts_parse(verb(name), n, argv, &o);
}

static void parses(void **ctx)
{
	(void)ctx;
	assert_int_equal(parse("upgrade", 7, "--kernel", "k", "--qmp", "a", "b", "--json",
			       "--append=x y=z"), 0);
	assert_string_equal(o.kernel, "k");
	assert_int_equal(o.qmp.n, 2);
	assert_string_equal(o.qmp.v[1], "b");
	assert_string_equal(o.append, "x y=z");
	assert_true(o.json && !o.human);
	assert_int_equal(parse("upgrade", 6, "--kernel", "k", "--qmp", "a", "--qmp", "b"), 0);
	assert_int_equal(o.qmp.n, 2);
	/* Without --qmp each VM that is found. */
	assert_int_equal(parse("upgrade", 5, "--kernel", "k", "--leave-behind", "7", "8"), 0);
	assert_int_equal(o.qmp.n, 0);
	assert_int_equal(o.leave_behind.n, 2);
	assert_int_equal(parse("status", 0), 0);
	assert_int_equal(parse("status", 1, "--help"), 1);
	assert_int_equal(parse("resume", 0), 0);
	assert_int_equal(parse("resume", 4, "g1", "--argv-from", "f", "g2"), 0);
	assert_int_equal(o.vms.n, 2);
	assert_string_equal(o.vms.v[1], "g2");
	assert_string_equal(o.argv_from, "f");
}

static void rejects(void **ctx)
{
	(void)ctx;
	assert_int_equal(parse("upgrade", 0), -EINVAL);
	assert_int_equal(parse("upgrade", 2, "--qmp", "k"), -EINVAL);
	assert_int_equal(parse("status", 1, "--kernel"), -EINVAL);
	assert_int_equal(parse("status", 1, "--state"), -EINVAL);
	assert_int_equal(parse("status", 1, "--json=1"), -EINVAL);
	assert_int_equal(parse("status", 1, "stray"), -EINVAL);
	assert_int_equal(parse("status", 1, "-j"), -EINVAL);
	assert_int_equal(parse("status", 4, "--state", "a", "--state", "b"), -EINVAL);
	assert_int_equal(parse("forget", 0), -EINVAL);
	assert_int_equal(parse("resume", 1, "--vm"), -EINVAL);
	opts_free(verb("upgrade"), &o);
}

static bool table_has(const struct verb *v, const char *opt)
{
	const struct opt *i;

	for (i = v->opts; i->name; i++)
		if (!strcmp(i->name, opt))
			return true;
	return false;
}

/* Every option under its verb's heading in the man page, and no other. */
static void man_page_says_the_same(void **ctx)
{
	const struct verb *v = NULL;
	char *text, *line, *save, name[64];
	unsigned int found = 0, all = 0, verbs = 0;
	const struct opt *i;
	size_t len;

	(void)ctx;
	assert_int_equal(read_all(TOP "/docs/khctl.8", &text, &len), 0);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (has_prefix(line, ".Sh "))
			v = NULL;
		if (sscanf(line, ".Ss khctl %63s", name) == 1) {
			v = verb(name);
			verbs++;
		}
		/* Names without dashes are in the table in small letters. */
		if (v && has_prefix(line, ".It Ar VM"))
			strcpy(name, "vm");
		else if (!v || sscanf(line, ".It Fl -%63s", name) != 1)
			continue;
		if (!table_has(v, name))
			fail_msg("khctl.8: khctl %s has no option --%s", v->name, name);
		found++;
	}
	for (v = khctl_verbs; v->name; v++) {
		verbs--;
		for (i = v->opts; i->name; i++)
			all++;
	}
	assert_int_equal(verbs, 0);
	assert_int_equal(found, all);
	free(text);
}

static void every_verb_speaks_json(void **ctx)
{
	const struct verb *v;

	(void)ctx;
	for (v = khctl_verbs; v->name; v++)
		assert_true(table_has(v, "json"));
}

static char trace[64];

static int enter_ok(void *ctx, struct kh_err *e)
{
	(void)ctx;
	(void)e;
	strcat(trace, "+");
	return 0;
}

static int enter_fail(void *ctx, struct kh_err *e)
{
	(void)ctx;
	strcat(trace, "!");
	return err_set(e, -EIO, "the cause");
}

static int undo(void *ctx, struct kh_err *e)
{
	(void)ctx;
	strcat(trace, "-");
	return err_set(e, -EBUSY, "a consequence");
}

static void phases_are_undone(void **ctx)
{
	static const struct phase p[] = {
		{ "a", enter_ok, undo }, { "b", enter_ok, NULL }, { "c", enter_fail, undo },
		{ "d", enter_ok, undo },
	};
	struct kh_err e = { 0 }, u = { 0 };

	(void)ctx;
	trace[0] = '\0';
	assert_int_equal(phase_run(p, 4, NULL, NULL, &e, &u), 2);
	assert_string_equal(trace, "++!--");
	assert_string_equal(e.msg, "the cause");
	assert_string_equal(u.msg, "a consequence");
	memset(&e, 0, sizeof(e));
	trace[0] = '\0';
	assert_int_equal(phase_run(p, 2, NULL, NULL, &e, &u), 2);
	assert_string_equal(trace, "++");
	/* The first error stays. */
	err_set(&e, -EIO, "first");
	err_set(&e, -EPERM, "second");
	assert_string_equal(e.msg, "first");
	assert_int_equal(e.rc, -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(rejects),
		cmocka_unit_test(man_page_says_the_same),
		cmocka_unit_test(every_verb_speaks_json),
		cmocka_unit_test(phases_are_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
