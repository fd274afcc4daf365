// SPDX-License-Identifier: GPL-2.0
/*
 * A copy of the files that the survey has read, as a tar archive of POSIX.1-1988 (ustar). It is built in memory
 * and written when the survey is done, so that no archive is left behind by a survey that failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/util.h"
#include "preflight/survey_parts.h"

#define BLOCK 512

/* A header of ustar; numbers are octal text. */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char device[16];
	char prefix[155];
	char pad[12];
};

_Static_assert(sizeof(struct ustar) == BLOCK, "a header is one block");

enum ustar_type { USTAR_FILE = '0', USTAR_LINK = '2', USTAR_FOLDER = '5' };

struct survey_archive {
	char *data;
	size_t len;
	size_t room;
	int rc;			/* the first error; nothing is added after it */
	char (*names)[100];	/* what is in it already: a file may be read twice */
	unsigned int nr_names;
};

struct survey_archive *archive_new(void)
{
	return calloc(1, sizeof(struct survey_archive));
}

void archive_free(struct survey_archive *a)
{
	if (!a)
		return;
	free(a->data);
	free(a->names);
	free(a);
}

/* Room for @len bytes in whole blocks, zeroed. Return: NULL after an error. */
static char *add_blocks(struct survey_archive *a, size_t len)
{
	size_t need = (len + BLOCK - 1) / BLOCK * BLOCK, room = a->room;
	char *p;

	while (a->len + need > room)
		room = room ? room * 2 : 64 * BLOCK;
	if (room > a->room) {
		p = realloc(a->data, room);
		if (!p) {
			a->rc = -ENOMEM;
			return NULL;
		}
		a->data = p;
		a->room = room;
	}
	p = a->data + a->len;
	memset(p, 0, need);
	a->len += need;
	return p;
}

/* Return: false if it is there already, or after an error. */
static bool add_name(struct survey_archive *a, const char *name)
{
	unsigned int i;
	void *p;

	if (a->rc)
		return false;
	for (i = 0; i < a->nr_names; i++)
		if (!strcmp(a->names[i], name))
			return false;
	p = realloc(a->names, (a->nr_names + 1) * sizeof(*a->names));
	if (!p) {
		a->rc = -ENOMEM;
		return false;
	}
	a->names = p;
	a->rc = copy_str(a->names[a->nr_names++], sizeof(*a->names), name);
	return !a->rc;
}

static void add_header(struct survey_archive *a, const char *name, enum ustar_type type, size_t size, const char *to)
{
	struct ustar *h = (void *)add_blocks(a, BLOCK);
	const unsigned char *p = (void *)h;
	unsigned int sum = 0, i;

	if (!h)
		return;
	a->rc = copy_str(h->name, sizeof(h->name), name);
	if (!a->rc)
		a->rc = copy_str(h->link, sizeof(h->link), to);
	snprintf(h->mode, sizeof(h->mode), "%07o", type == USTAR_FOLDER ? 0755 : 0644);
	snprintf(h->uid, sizeof(h->uid), "%07o", 0);
	snprintf(h->gid, sizeof(h->gid), "%07o", 0);
	snprintf(h->size, sizeof(h->size), "%011zo", size);
	snprintf(h->mtime, sizeof(h->mtime), "%011o", 0);
	h->type = type;
	memcpy(h->magic, "ustar", sizeof(h->magic));
	memcpy(h->version, "00", sizeof(h->version));
	/* The sum is taken with blanks in its own place. */
	memset(h->checksum, ' ', sizeof(h->checksum));
	for (i = 0; i < sizeof(*h); i++)
		sum += p[i];
	snprintf(h->checksum, sizeof(h->checksum), "%06o", sum & 0777777);
}

void archive_file(struct survey_archive *a, const char *path, const void *data, size_t len)
{
	char *p;

	if (!a || !add_name(a, path))
		return;
	add_header(a, path, USTAR_FILE, len, "");
	p = a->rc ? NULL : add_blocks(a, len);
	if (p && len)
		memcpy(p, data, len);
}

void archive_link(struct survey_archive *a, const char *path, const char *to)
{
	if (a && add_name(a, path))
		add_header(a, path, USTAR_LINK, 0, to);
}

void archive_folder(struct survey_archive *a, const char *path)
{
	char name[128];

	path_fmt(name, sizeof(name), "%s/", path);
	if (a && add_name(a, name))
		add_header(a, name, USTAR_FOLDER, 0, "");
}

int archive_write(struct survey_archive *a, const char *path, struct kh_err *e)
{
	FILE *f;
	int rc;

	if (!a->rc)
		add_blocks(a, 2 * BLOCK);	/* the end of an archive */
	if (a->rc)
		return err_set(e, a->rc, "%s: %s", path, strerror(-a->rc));
	f = fopen(path, "we");
	if (!f)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	rc = fwrite(a->data, 1, a->len, f) == a->len && !fflush(f) ? 0 : -errno;
	if (fclose(f) && !rc)
		rc = -errno;
	if (rc)
		unlink(path);
	return rc ? err_set(e, rc, "%s: %s", path, strerror(-rc)) : 0;
}
