/* SPDX-License-Identifier: GPL-2.0 */
/* What others find under INSTR_PINS. */
#ifndef KHCTL_PINS_H
#define KHCTL_PINS_H

struct bpf_link;
struct bpf_object;
struct kh_probe;

/** pins_make() - maps as map/<name>, links as link/<program>. Return: 0 or -errno. */
int pins_make(struct bpf_object *obj, struct bpf_link * const *link, const struct kh_probe *probe,
	      unsigned int n);

/** pins_remove() - whatever is there */
void pins_remove(void);

#endif
