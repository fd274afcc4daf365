// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/opts.h"
#include "base/util.h"

static const struct opt *find_opt(const struct verb *verb, const char *name, size_t len)
{
	const struct opt *o;

	for (o = verb->opts; o->name; o++)
		if (o->type != OPT_ARGS && strlen(o->name) == len && !strncmp(o->name, name, len))
			return o;
	return NULL;
}

static const struct opt *find_args(const struct verb *verb)
{
	const struct opt *o;

	for (o = verb->opts; o->name; o++)
		if (o->type == OPT_ARGS)
			return o;
	return NULL;
}

static int complain(const struct verb *verb, const char *what, const char *arg)
{
	fprintf(stderr, "khctl %s: %s %s (khctl %s --help)\n", verb->name, what, arg, verb->name);
	return -EINVAL;
}

static int add_to_list(const struct verb *verb, struct str_list *list, const char *val)
{
	const char **v = list->v;

	if (list->n == list->room) {
		v = realloc(v, (2 * list->room + 4) * sizeof(*v));
		if (!v)
			return complain(verb, "out of memory at", val);
		list->v = v;
		list->room = 2 * list->room + 4;
	}
	v[list->n++] = val;
	return 0;
}

static int set_opt(const struct verb *verb, const struct opt *o, const char *val, void *opts)
{
	char *field = (char *)opts + o->offset;
	struct str_list *list = (struct str_list *)field;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)field = true;
		return 0;
	case OPT_STR:
		if (*(const char **)field)
			return complain(verb, "given twice:", o->name);
		*(const char **)field = val;
		return 0;
	case OPT_LIST:
	case OPT_ARGS:
		return add_to_list(verb, list, val);
	}
	return -EINVAL;
}

static bool is_set(const struct opt *o, const void *opts)
{
	const char *field = (const char *)opts + o->offset;

	switch (o->type) {
	case OPT_FLAG:
		return *(const bool *)field;
	case OPT_STR:
		return *(const char * const *)field;
	case OPT_LIST:
	case OPT_ARGS:
		return ((const struct str_list *)field)->n;
	}
	return false;
}

int opts_parse(const struct verb *verb, int argc, char **argv, void *opts)
{
	const struct opt *o, *last = NULL;
	const char *name, *val;
	int i, rc;

	for (i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return 1;
		/* An option that may be repeated takes all that follows: --qmp A B */
		if (argv[i][0] != '-' && last && last->type == OPT_LIST) {
			rc = set_opt(verb, last, argv[i], opts);
			if (rc)
				return rc;
			continue;
		}
		o = find_args(verb);
		if (argv[i][0] != '-' && o) {
			rc = set_opt(verb, o, argv[i], opts);
			if (rc)
				return rc;
			continue;
		}
		if (!has_prefix(argv[i], "--"))
			return complain(verb, "unexpected argument", argv[i]);
		name = argv[i] + 2;
		o = find_opt(verb, name, strcspn(name, "="));
		if (!o)
			return complain(verb, "unknown option", argv[i]);
		val = strchr(name, '=');
		if (val && o->type == OPT_FLAG)
			return complain(verb, "no argument is taken by", argv[i]);
		if (val)
			val++;
		else if (o->type != OPT_FLAG && i + 1 < argc)
			val = argv[++i];
		else if (o->type != OPT_FLAG)
			return complain(verb, "argument missing for", argv[i]);
		rc = set_opt(verb, o, val, opts);
		if (rc)
			return rc;
		last = o;
	}
	for (o = verb->opts; o->name; o++)
		if (o->required && !is_set(o, opts))
			return complain(verb, "missing option:", o->name);
	return 0;
}

void opts_free(const struct verb *verb, void *opts)
{
	struct str_list *list;
	const struct opt *o;

	for (o = verb->opts; o->name; o++) {
		if (o->type != OPT_LIST && o->type != OPT_ARGS)
			continue;
		list = (struct str_list *)((char *)opts + o->offset);
		free(list->v);
		memset(list, 0, sizeof(*list));
	}
}

void opts_help(FILE *f, const struct verb *verb)
{
	const struct opt *o;
	char left[64];

	o = find_args(verb);
	fprintf(f, "khctl %s%s%s%s: %s\n\n", verb->name, o ? o->required ? " " : " [" : "",
		o ? o->arg : "", o ? o->required ? " [...]" : "...]" : "", verb->help);
	for (o = verb->opts; o->name; o++) {
		if (o->type == OPT_ARGS)
			path_fmt(left, sizeof(left), "%s...", o->arg);
		else
			path_fmt(left, sizeof(left), "--%s%s%s%s", o->name, o->arg ? " " : "",
				 o->arg ? o->arg : "", o->type == OPT_LIST ? "..." : "");
		fprintf(f, "  %-24s %s%s\n", left, o->help, o->required ? " (required)" : "");
	}
}
