# SPDX-License-Identifier: GPL-2.0
# The programs that watch, and the header by which khctl loads them.
# Included by ctl/ctl.mk.

CLANG	?= clang
BPFTOOL	?= $(firstword $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool) bpftool)

# resume.bpf.c stays by itself: it is loaded while guests wait.
BPF_SRC	:= $(filter-out bpf/resume.bpf.c,$(sort $(wildcard bpf/*.bpf.c)))
BPF_OBJ	:= $(patsubst %.c,$(BUILD)/%.o,$(BPF_SRC))
BPF_SKEL := $(BUILD)/bpf/khctl.skel.h $(BUILD)/bpf/resume.bare.h
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Ibpf -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations

$(BPF_OBJ) $(BUILD)/bpf/resume.bpf.o: $(BUILD)/%.o: %.c $(wildcard bpf/*.h)
	@mkdir -p $(@D)
	@echo "  BPF      $<"
	$(CTL_Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(BUILD)/bpf/khctl.bpf.o: $(BPF_OBJ)
	@echo "  BPFLINK  $@"
	$(CTL_Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/bpf/khctl.skel.h: $(BUILD)/bpf/khctl.bpf.o
	@echo "  SKEL     $@"
	$(CTL_Q)$(BPFTOOL) gen skeleton $< name khctl_bpf > $@

# Without libbpf: tables for bpf(2).
$(BUILD)/bpf/resume.bare.h: bpf/bare $(BUILD)/bpf/resume.bpf.o
	@echo "  BARE     $@"
	$(CTL_Q)bpf/bare $(BUILD)/bpf/resume.bpf.o $(BPFTOOL) > $@.new && mv $@.new $@
