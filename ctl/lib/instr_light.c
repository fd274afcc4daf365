// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of resume.bpf.c: as instructions that a small program in the
 * kernel loads, made when khctl was built. No ELF is read, nothing is probed and
 * nothing relocated, for guests wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bpf/resume.lskel.h"
#include "instr_parts.h"
#include "util.h"

static const struct {
	const char *name;
	int (*attach)(struct resume_bpf *light);
} programs[] = {
	{ "new_cfg_write", resume_bpf__new_cfg_write__attach },
	{ "new_page_alloc", resume_bpf__new_page_alloc__attach },
	{ "new_page_free", resume_bpf__new_page_free__attach },
	{ "new_kvm_run", resume_bpf__new_kvm_run__attach },
};

int light_load(struct instr *in)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		copy_str(in->probe[i].name, sizeof(in->probe[i].name), programs[i].name);
		in->probe[i].state = KH_PROBE_ATTACHED;
	}
	in->nr_probes = ARRAY_SIZE(programs);
	in->light = resume_bpf__open_and_load();
	if (!in->light)
		return -errno;
	in->ring_fd = in->light->maps.ring.map_fd;
	in->counts_fd = in->light->maps.counts.map_fd;
	in->watched_fd = in->light->maps.watched.map_fd;
	return 0;
}

void light_attach(struct instr *in)
{
	const int fd[ARRAY_SIZE(programs)] = {
		in->light->progs.new_cfg_write.prog_fd,
		in->light->progs.new_page_alloc.prog_fd,
		in->light->progs.new_page_free.prog_fd,
		in->light->progs.new_kvm_run.prog_fd,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		if (programs[i].attach(in->light) < 0)
			probe_failed(&in->probe[i], errno);
		else
			in->prog_fd[i] = fd[i];
	}
}

void light_free(struct instr *in)
{
	resume_bpf__destroy(in->light);
	in->light = NULL;
}
