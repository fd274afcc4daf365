# SPDX-License-Identifier: GPL-2.0
# make help lists the targets. All output goes to build/.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all

ifeq ($(V),1)
Q :=
else
Q := @
endif

CC := gcc

# Each folder has one makefile of its own.
include $(wildcard ctl/ctl.mk tests/unit/unit.mk tests/fuzz/fuzz.mk tests/mutants/mutants.mk tests/vm/vm.mk tools/lab/lab.mk tools/bench/bench.mk)

.PHONY: help
help:
	@echo "make demo           one upgrade from kernel A to kernel B, with a report in build/demo/"
	@echo "make check          every short test: check-unit check-fuzz check-patches check-vm"
	@echo "make check-unit     unit tests and documents, no VM, a minute"
	@echo "make check-fuzz     any bytes for the readers of bundles and manifests, FUZZ_SECONDS=10"
	@echo "make check-patches  kernel/ and qemu-patches/ apply, pass checkpatch and export to the same bytes"
	@echo "                    (BUILD_EACH=1: and a host without KRAM builds after each)"
	@echo "make check-vm       all scenarios in the lab, about 20 minutes"
	@echo "make check-evidence do every violation on purpose and see who notices: build/evidence/violations.json; not part of check"
	@echo "make check-mutants  list conditions that no unit test notices when they change; not part of check"
	@echo "make soak           20 upgrades in a row without a false alarm (SOAK=20), not part of check"
	@echo "make bench          the blackout in virtual time beside the stock ways, with a report in build/bench/"
	@echo "make profile        show where the time of one upgrade goes, function by function"
	@echo "make lab            give a prompt in L1, the host under test, with a guest running"
	@echo "make all            install missing packages, fetch sources and build; the other targets do so by themselves"
	@echo "make clean          remove build/ (downloads stay in the cache)"
	@echo "V=1 shows the commands; logs of the builds are in build/log/"

# Each of these programs finds out itself what is up to date. make only keeps their order.
.PHONY: deps sources kernels qemu
deps:
	$(Q)tools/deps

build/stamp/sources: tools/sources tools/debian-uri | deps
	$(Q)tools/sources build
	$(Q)touch $@

sources: build/stamp/sources

kernels: build/stamp/sources
	$(Q)tools/build-kernel build

qemu: build/stamp/sources
	$(Q)tools/build-qemu build

$(BPF_OBJ) build/bpf/resume.bpf.o build/tests/vm/crowd build/tests/vm/crowd.bpf.o build/tests/vm/without: | deps
build/guest/bin/khload build/tests/vm/holder build/lab/first $(CTL_OBJ) $(CTL_UNCHECKED_OBJ): | deps

# Images
build/guest/initrd.gz: tools/guest-image tests/vm/guest/init build/guest/bin/khload build/stamp/sources
	@echo "  GUEST    $@"
	$(Q)tools/guest-image build tests/vm/guest/init build/guest/bin/khload

L1_INPUTS = $(wildcard build/boot/bzImage-* build/bin/qemu-* tools/lab/l1-*) tools/bench/l1-stock

build/img/l1.img: tools/l1-image build/guest/initrd.gz build/lab/first build/ctl/khctl build/ctl/khctl-unchecked $(BENCH_BIN) build/tests/vm/holder build/bench/initrd-plain $(L1_INPUTS)
	@echo "  L1       $@"
	$(Q)tools/l1-image build

# kernels and qemu run side by side, because each has long steps that use one CPU only. The inputs of the images are
# known once both have run.
.PHONY: all images
all: build/stamp/sources
	$(Q)$(MAKE) -j2 kernels qemu
	$(Q)$(MAKE) images
images: build/img/l1.img

.PHONY: check check-patches demo lab clean
check: all
	$(Q)$(MAKE) check-unit
	$(Q)$(MAKE) check-fuzz
	$(Q)$(MAKE) check-patches
	$(Q)$(MAKE) check-vm

# BUILD_EACH=1 also builds the kernel after each patch.
check-patches: build/stamp/sources
	$(Q)tools/patches check linux build/linux
	$(Q)tools/patches check qemu build/qemu
	$(Q)[ -z "$(BUILD_EACH)" ] || tools/patches build linux build/linux build/linux-each

lab: all
	$(Q)tools/lab/lab

clean:
	$(Q)rm -rf build
