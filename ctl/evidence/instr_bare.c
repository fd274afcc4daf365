// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of resume.bpf.c, as bpf(2) takes them: bpf/bare made tables of them
 * when khctl was built. Nothing is read, probed or relocated, for guests wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/util.h"
#include "evidence/instr_parts.h"

/* The instruction that is to get the file descriptor of a map; @offset: in its value, -1: the map itself */
struct bare_ref {
	unsigned int insn;
	unsigned int map;
	int offset;
};

/* @cookie: not 0: the program before, on one more tracepoint */
struct bare_prog {
	const char *name;
	const char *tracepoint;
	unsigned int cookie;
	const struct bpf_insn *insns;
	unsigned int nr_insns;
	const struct bare_ref *refs;
	unsigned int nr_refs;
};

#include "bpf/resume.bare.h"

/* As in linux/bpf.h since 6.10; an older one lacks the cookie. */
union raw_tp_open {
	union bpf_attr attr;
	struct {
		__u64 name;
		__u32 prog_fd;
		__u32 zero;
		__u64 cookie;
	} tp;
};

/* What the cookies stand for. */
static const char * const points[] = {
	[KH_NEW_CFG_WRITE] = "pci_cfg_write",
	[KH_NEW_PAGE_ALLOC] = "iommu_page_alloc",
	[KH_NEW_PAGE_FREE] = "iommu_page_free",
	[KH_NEW_KVM_THREAD] = "kvm_vcpu_thread",
};

#define INSNS_MAX 256
_Static_assert(BARE_BSS_BYTES == sizeof(*((struct instr *)0)->lost), "the one variable of the programs");
_Static_assert(BARE_NR_MAPS <= BARE_MAPS_MAX, "room for the maps");
_Static_assert(ARRAY_SIZE(bare_progs) <= KH_MAX_PROBES, "room for the programs");

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int fd = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return fd < 0 ? -errno : fd;
}

static int make_maps(struct instr *in)
{
	union bpf_attr attr;
	unsigned int i;

	for (i = 0; i < BARE_NR_MAPS; i++) {
		attr = bare_maps[i];
		in->bare_map[i] = bpf(BPF_MAP_CREATE, &attr);
		if (in->bare_map[i] < 0)
			return in->bare_map[i];
		in->nr_bare_maps = i + 1;
	}
	in->ring_fd = in->bare_map[BARE_MAP_ring];
	in->lost = mmap(NULL, sizeof(*in->lost), PROT_READ, MAP_SHARED, in->bare_map[BARE_MAP_bss], 0);
	if (in->lost == MAP_FAILED) {
		in->lost = NULL;
		return -errno;
	}
	return 0;
}

static int load_prog(const struct instr *in, const struct bare_prog *p)
{
	struct bpf_insn insns[INSNS_MAX], *insn;
	union bpf_attr attr;
	unsigned int i;

	if (p->nr_insns > INSNS_MAX)
		return -E2BIG;
	memcpy(insns, p->insns, p->nr_insns * sizeof(*insns));
	for (i = 0; i < p->nr_refs; i++) {
		insn = &insns[p->refs[i].insn];
		insn->src_reg = p->refs[i].offset < 0 ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
		insn->imm = in->bare_map[p->refs[i].map];
		if (p->refs[i].offset >= 0)
			insn[1].imm = p->refs[i].offset;
	}
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = p->nr_insns;
	attr.license = (uintptr_t)"GPL";
	copy_str(attr.prog_name, sizeof(attr.prog_name), p->name);
	return bpf(BPF_PROG_LOAD, &attr);
}

bool bare_shared(const struct instr *in, unsigned int i)
{
	return in->nr_bare_maps && bare_progs[i].cookie;
}

static int share_prog(int prog_fd)
{
	int fd = fcntl(prog_fd, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Of the programs on several tracepoints. */
static bool points_good(void)
{
	unsigned int i, cookie;

	for (i = 0; i < ARRAY_SIZE(bare_progs); i++) {
		cookie = bare_progs[i].cookie;
		if (cookie && (cookie >= ARRAY_SIZE(points) || strcmp(points[cookie], bare_progs[i].tracepoint) ||
			       strcmp(points[cookie - 1], bare_progs[i - 1].tracepoint)))
			return false;
	}
	return true;
}

int bare_load(struct instr *in)
{
	unsigned int i;
	int rc, fd = -1;

	for (i = 0; i < ARRAY_SIZE(bare_progs); i++) {
		copy_str(in->probe[i].name, sizeof(in->probe[i].name), bare_progs[i].tracepoint);
		in->probe[i].state = KH_PROBE_ATTACHED;
	}
	in->nr_probes = ARRAY_SIZE(bare_progs);
	rc = points_good() ? make_maps(in) : -EINVAL;
	for (i = 0; !rc && i < ARRAY_SIZE(bare_progs); i++) {
		if (!bare_progs[i].cookie)
			fd = load_prog(in, &bare_progs[i]);
		else if (fd >= 0)
			fd = share_prog(fd);
		in->prog_fd[i] = fd < 0 ? -1 : fd;
		if (fd >= 0)
			continue;
		probe_failed(&in->probe[i], -fd);
		/* Without the right to load one, none can be. */
		if (fd == -EPERM)
			rc = -EPERM;
	}
	return rc;
}

void bare_attach(struct instr *in)
{
	union raw_tp_open open;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bare_progs); i++) {
		if (in->prog_fd[i] < 0)
			continue;
		memset(&open, 0, sizeof(open));
		open.tp.name = (uintptr_t)bare_progs[i].tracepoint;
		open.tp.prog_fd = in->prog_fd[i];
		open.tp.cookie = bare_progs[i].cookie;
		in->bare_link[i] = bpf(BPF_RAW_TRACEPOINT_OPEN, &open.attr);
		in->nr_bare_links = i + 1;
		if (in->bare_link[i] >= 0)
			continue;
		probe_failed(&in->probe[i], -in->bare_link[i]);
		close(in->prog_fd[i]);
		in->prog_fd[i] = -1;
	}
}

static bool is_watched(const struct instr *in, uint32_t bdf)
{
	unsigned int i;

	for (i = 0; i < in->nr_watched; i++)
		if (in->watched[i] == bdf)
			return true;
	return false;
}

int bare_watch(struct instr *in, uint32_t bdf)
{
	if (is_watched(in, bdf))
		return 0;
	if (in->nr_watched == KH_MAX_WATCHED)
		return -ENOSPC;
	in->watched[in->nr_watched++] = bdf;
	return 0;
}

bool bare_event(const struct instr *in, const void *data, size_t size, struct kh_event *ev)
{
	struct kh_new e;

	if (size < sizeof(e))
		return false;
	memcpy(&e, data, sizeof(e));
	*ev = (struct kh_event){ .tsc = e.ns, .version = KH_EVENT_VERSION, .cpu = e.cpu,
				 .pid = e.pid_tgid >> 32, .bdf = KH_NO_BDF };
	switch (e.point) {
	case KH_NEW_CFG_WRITE:
		ev->type = KH_EV_PCI_CFG_WRITE;
		ev->bdf = KH_BDF(e.arg[0], e.arg[1] >> 8, e.arg[1]);
		ev->arg[0] = (uint32_t)e.arg[2];
		ev->arg[1] = (uint32_t)e.arg[3];
		ev->arg[2] = (uint32_t)e.arg[4];
		return is_watched(in, ev->bdf);
	case KH_NEW_PAGE_ALLOC:
	case KH_NEW_PAGE_FREE:
		ev->type = e.point == KH_NEW_PAGE_ALLOC ? KH_EV_IOMMU_PAGE_ALLOC : KH_EV_IOMMU_PAGE_FREE;
		ev->arg[0] = e.arg[0];
		ev->arg[1] = (uint32_t)e.arg[1];
		ev->arg[2] = (uint8_t)e.arg[3] ? KH_PAGE_KRAM : KH_PAGE_BUDDY;
		ev->arg[3] = (uint32_t)e.arg[2];
		ev->caller = e.arg[4];
		return true;
	case KH_NEW_KVM_THREAD:
		ev->type = KH_EV_KVM_RUN;
		ev->arg[0] = (uint32_t)e.arg[1];
		/* Its first, even if it is to return at once: QEMU's is, and what comes next is no other thread's. */
		return !(uint32_t)e.arg[2];
	}
	return false;
}

void bare_free(struct instr *in)
{
	unsigned int i;

	for (i = 0; i < in->nr_bare_links; i++)
		if (in->bare_link[i] >= 0)
			close(in->bare_link[i]);
	/* Those of the other way belong to libbpf. */
	for (i = 0; in->nr_bare_maps && i < in->nr_probes; i++)
		if (in->prog_fd[i] >= 0)
			close(in->prog_fd[i]);
	if (in->lost)
		munmap(in->lost, sizeof(*in->lost));
	for (i = 0; i < in->nr_bare_maps; i++)
		close(in->bare_map[i]);
	in->lost = NULL;
	in->nr_bare_links = 0;
	in->nr_bare_maps = 0;
}
