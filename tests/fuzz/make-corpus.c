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

/*
 * Seeds with one changed byte in one part of the bundle. With 0 as the harness's first byte no checksum is
 * mended and the bundle must be refused; with 1 only the checksums of the bundle itself are mended.
 */
static int damaged(const char *dir, const char *bundle, char *data)
{
	const struct kh_bundle *b = (const void *)data;
	char name[64];
	uint64_t at;
	unsigned int i, quarter;
	int rc = 0;

	for (i = 0; i < KH_NR_SECTIONS; i++) {
		for (quarter = 0; !rc && b->section[i].size && quarter < 4; quarter++) {
			at = b->section[i].offset + b->section[i].size * quarter / 4;
			data[at] ^= 1;
			path_fmt(name, sizeof(name), "%s-part-%u-%u", bundle, i, quarter);
			rc = seed(dir, name, quarter & 1, data, b->size);
			data[at] ^= 1;
		}
	}
	return rc;
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
	if (!rc)
		rc = damaged(dir, name, data);
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
	if (!rc)
		rc = seed(argv[1], "plan", 2, ev.blob[KH_SEC_PLAN].data, ev.blob[KH_SEC_PLAN].size);
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
