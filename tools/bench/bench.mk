# SPDX-License-Identifier: GPL-2.0
# make bench, and what runs in L1 for it.

BENCH_BIN := build/bench/l1-jump build/bench/vfio-map

$(BENCH_BIN): build/bench/%: tools/bench/%.c
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -O2 -g0 -Wall -Wextra -Werror -static -o $@ $<

build/bench/initrd-plain: tools/bench/plain-initrd build/stamp/sources
	$(Q)mkdir -p $(@D)
	@echo "  INITRD   $@"
	$(Q)tools/bench/plain-initrd build $@

.PHONY: bench bench-image profile check-bench
check-unit: check-bench
check-bench:
	$(Q)tools/bench/test-bench.py

bench-image: all $(BENCH_BIN) build/bench/initrd-plain
	$(Q)tools/profile/build build

bench: bench-image
	$(Q)tools/bench/bench.py $(BENCH)

profile: bench-image
	$(Q)tools/profile/profile.py $(PROFILE)
