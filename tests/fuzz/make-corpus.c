// SPDX-License-Identifier: GPL-2.0
/* make-corpus DIR: the seeds, made with the code under test, so that none has to be kept. */
#include <errno.h>
#include <sys/stat.h>
#include "../unit/sample.h"
#include "base/util.h"

/* @how is the harness's first byte. */
static int seed(const char *dir, const char *name, char how, const void *data, size_t size)
{
	char path[4096];
	FILE *f = fopen(path_fmt(path, sizeof(path), "%s/%s-%d", dir, name, how), "wb");
	int bad;

	if (!f)
		return -errno;
	bad = fwrite(&how, 1, 1, f) != 1 || fwrite(data, 1, size, f) != size;
	return fclose(f) || bad ? -EIO : 0;
}

static int bundle(const char *dir, const struct evidence *ev, const char *name)
{
	char path[4096], *data;
	struct kh_err e = { 0 };
	size_t size;
	int rc;

	path_fmt(path, sizeof(path), "%s/%s", dir, name);
	rc = evidence_save(ev, path, &e);
	if (!rc)
		rc = read_all(path, &data, &size);
	if (rc)
		return rc;
	remove(path);
	rc = seed(dir, name, 0, data, size);
	if (!rc)
		rc = seed(dir, name, 3, data, size);
	free(data);
	return rc;
}

int main(int argc, char **argv)
{
	struct evidence ev;
	int rc;

	if (argc != 2)
		return 2;
	mkdir(argv[1], 0755);
	sample_make(&ev);
	rc = bundle(argv[1], &ev, "whole");
	if (!rc)
		rc = seed(argv[1], "manifest", 2, ev.blob[KH_SEC_MANIFEST_OLD].data,
			  ev.blob[KH_SEC_MANIFEST_OLD].size);
	/* Small ones are tried more often. */
	sample_put(&ev, KH_SEC_RECORDER, NULL, 0);
	sample_put(&ev, KH_SEC_HANDOVER, NULL, 0);
	sample_put(&ev, KH_SEC_EVENTS_OLD, NULL, 0);
	sample_put(&ev, KH_SEC_EVENTS_NEW, NULL, 0);
	if (!rc)
		rc = bundle(argv[1], &ev, "small");
	evidence_free(&ev);
	if (rc)
		fprintf(stderr, "make-corpus: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
