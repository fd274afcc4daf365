/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that a verdict rests on. It is gathered once from the running
 * host, or read from a bundle; who judges sees nothing else.
 */
#ifndef KHCTL_EVIDENCE_H
#define KHCTL_EVIDENCE_H

#include "evidence/recorder.h"
#include "state/manifest.h"

/* Which manifest: those of the state area, and one of the running kernel. */
enum man_when {
	MAN_OLD,	/* at the pause */
	MAN_NEW,	/* before the resume */
	MAN_NOW,
	NR_MAN
};

/**
 * struct evidence - checked and taken apart
 * @blob: the sections as they lie in a bundle; the rest points into them
 * @host: always there
 * @plan: always there
 * @handover: NULL: there is none, @host tells why
 * @man: @h is NULL when it cannot be used, and @man_error tells why
 * @man_rc: 0, -ENOENT: not there, else damaged
 * @rec: @h is NULL when it cannot be used, and @rec_error tells why
 * @vm: what QEMU said of each VM of @plan; NULL: nobody asked
 * @iomem: /proc/iomem, NULL: could not be read
 * @klog: NULL: could not be read
 */
struct evidence {
	struct {
		void *data;
		size_t size;
	} blob[KH_NR_SECTIONS];
	const struct kh_host *host;
	const struct kh_plan *plan;
	const struct kram_handover *handover;
	char handover_error[200];
	struct man man[NR_MAN];
	int man_rc[NR_MAN];
	char man_error[NR_MAN][200];
	struct recorder rec;
	char rec_error[200];
	const struct kh_vm_now *vm;
	const char *iomem;
	const char *klog;
};

/**
 * evidence_gather() - from the running host
 * @running: for each VM of the plan, whether the caller has just heard from QEMU that the guest runs;
 *	     NULL: each QEMU is asked
 *
 * Return: 0, -errno with a message; to be freed also then.
 */
int evidence_gather(struct evidence *ev, const struct state *s, const struct kh_plan *plan,
		    const bool *running, struct kh_err *e);

/** evidence_save() - as a bundle, whole or not at all. Return: 0, -errno with a message. */
int evidence_save(const struct evidence *ev, const char *path, struct kh_err *e);

/**
 * evidence_load() - a bundle
 *
 * Return: 0; -EBADMSG when it is damaged or none, -EPROTONOSUPPORT for another
 * version, -errno, with a message; to be freed also then.
 */
int evidence_load(struct evidence *ev, const char *path, struct kh_err *e);

/** evidence_parse() - the same from memory */
int evidence_parse(struct evidence *ev, const void *data, size_t size, struct kh_err *e);

void evidence_free(struct evidence *ev);

#endif
