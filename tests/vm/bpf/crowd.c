// SPDX-License-Identifier: GPL-2.0
/* crowd FILE: attach every program of a BPF object, say how many, and stay. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct bpf_object *obj = argc == 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *p;
	unsigned int n = 0;

	if (!obj || bpf_object__load(obj))
		return 1;
	bpf_object__for_each_program(p, obj)
		n += !!bpf_program__attach(p);
	printf("%u attached\n", n);
	fflush(stdout);
	pause();
	return 0;
}
