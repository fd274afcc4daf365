/* SPDX-License-Identifier: GPL-2.0 */
/* Verbs and their options as tables, from which parsing, help and completion come. */
#ifndef KHCTL_OPTS_H
#define KHCTL_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum exit_code {
	EXIT_DONE	= 0,
	EXIT_FAILED	= 1,	/* and undone */
	EXIT_USAGE	= 2,
	EXIT_REFUSED	= 3,	/* by the preflight; nothing changed */
	EXIT_LOST	= 4,	/* failed after the point of no return */
	EXIT_UNKNOWN	= 5,	/* nothing is violated, but not all is known */
};

/** struct str_list - arguments of an option that may be repeated; @v has room for @room of them */
struct str_list {
	const char **v;
	unsigned int n;
	unsigned int room;
};

enum opt_type {
	OPT_FLAG,		/* bool */
	OPT_STR,		/* const char * */
	OPT_LIST,		/* struct str_list; may be given several times */
	OPT_ARGS,		/* struct str_list: the arguments without dashes; the name is for the help */
};

/**
 * struct opt - one option
 * @name: without the dashes
 * @type: of the field
 * @offset: of the field in the structure of options
 * @arg: what its argument is called in the help; NULL for a flag
 * @help: one line
 * @required: it must be given
 */
struct opt {
	const char *name;
	enum opt_type type;
	size_t offset;
	const char *arg;
	const char *help;
	bool required;
};

/**
 * struct verb - what khctl can do
 * @opts: ends with a zero @name
 * @run: returns an exit code
 */
struct verb {
	const char *name;
	const char *help;
	const struct opt *opts;
	int (*run)(const void *opts);
};

/**
 * opts_parse() - fill a structure
 * @argv: the arguments after the verb
 *
 * Return: 0; 1 when --help was asked for; -EINVAL after a message on stderr.
 */
int opts_parse(const struct verb *verb, int argc, char **argv, void *opts);

/** opts_free() - what opts_parse() allocated, also after an error */
void opts_free(const struct verb *verb, void *opts);

void opts_help(FILE *f, const struct verb *verb);

#endif
