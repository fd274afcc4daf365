// SPDX-License-Identifier: GPL-2.0
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "evidence/instr.h"
#include "evidence/pins.h"

static const char * const folders[] = { INSTR_PINS "/map", INSTR_PINS "/link" };

static int make_folders(void)
{
	unsigned int i;

	if (mkdir(INSTR_PINS, 0700) && errno != EEXIST)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdir(folders[i], 0700) && errno != EEXIST)
			return -errno;
	return 0;
}

int pins_make(struct bpf_object *obj, struct bpf_link * const *link, const struct kh_probe *probe,
	      unsigned int n)
{
	struct bpf_map *map;
	char path[128];
	unsigned int i;
	int rc = make_folders();

	bpf_object__for_each_map(map, obj) {
		if (rc)
			break;
		rc = bpf_map__pin(map, path_fmt(path, sizeof(path), "%s/%s", folders[0],
						bpf_map__name(map)));
	}
	for (i = 0; !rc && i < n; i++)
		if (link[i])
			rc = bpf_link__pin(link[i], path_fmt(path, sizeof(path), "%s/%s",
							     folders[1], probe[i].name));
	if (rc)
		pins_remove();
	return rc;
}

static void empty(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *f;
	char path[400];

	if (!d)
		return;
	while ((f = readdir(d)))
		if (f->d_name[0] != '.')
			unlink(path_fmt(path, sizeof(path), "%s/%s", folder, f->d_name));
	closedir(d);
	rmdir(folder);
}

void pins_remove(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(folders); i++)
		empty(folders[i]);
	rmdir(INSTR_PINS);
}
