// SPDX-License-Identifier: GPL-2.0
/* khctl: replace the kernel of a host under running VMs. */
#include <signal.h>
#include <string.h>
#include "base/tsc.h"
#include "verbs.h"

static int usage(FILE *f, int rc)
{
	const struct verb *v;

	fprintf(f, "usage: khctl VERB [OPTION]...\n\n");
	for (v = khctl_verbs; v->name; v++)
		fprintf(f, "  %-10s %s\n", v->name, v->help);
	fprintf(f, "\nkhctl VERB --help tells the options of one; khctl(8) the whole.\n");
	return rc;
}

/* For a shell: complete -C 'khctl complete' khctl */
static int complete(int argc, char **argv)
{
	const char *word = argc > 3 ? argv[3] : "", *prev = argc > 4 ? argv[4] : "";
	const struct verb *v;
	const struct opt *o;

	for (v = khctl_verbs; v->name; v++) {
		if (!strcmp(prev, "khctl") && !strncmp(v->name, word, strlen(word)))
			printf("%s\n", v->name);
		if (strcmp(prev, v->name))
			continue;
		for (o = v->opts; o->name; o++)
			if (o->type != OPT_ARGS)
				printf("--%s\n", o->name);
	}
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct khctl_opts opts = { .start_tsc = tsc_now() };
	const struct verb *v;
	int rc;

	if (argc < 2)
		return usage(stderr, EXIT_USAGE);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return usage(stdout, EXIT_DONE);
	if (!strcmp(argv[1], "complete"))
		return complete(argc, argv);
	for (v = khctl_verbs; v->name && strcmp(v->name, argv[1]); v++)
		;
	if (!v->name) {
		fprintf(stderr, "khctl: unknown verb %s\n", argv[1]);
		return usage(stderr, EXIT_USAGE);
	}
	/* A QEMU that ends while it is written to is an error like any other. */
	signal(SIGPIPE, SIG_IGN);
	rc = opts_parse(v, argc - 2, argv + 2, &opts);
	if (rc > 0)
		opts_help(stdout, v);
	rc = rc > 0 ? EXIT_DONE : rc ? EXIT_USAGE : v->run(&opts);
	opts_free(v, &opts);
	return rc;
}
