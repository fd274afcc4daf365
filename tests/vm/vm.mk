# SPDX-License-Identifier: GPL-2.0
# The load that the guests and their peer run, and the scenarios that boot a lab.

KHLOAD_SRC := $(sort $(wildcard tests/vm/guest/*.c))

build/guest/bin/khload: $(KHLOAD_SRC) tests/vm/guest/khload.h
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -O2 -g0 -Wall -Wextra -Werror -static -o $@ $(KHLOAD_SRC)

# Runs in L1.
HOLDER_SRC := $(sort $(wildcard tests/vm/holder/*.c))

build/tests/vm/holder: $(HOLDER_SRC) tests/vm/holder/holder.h
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -O2 -g0 -Wall -Wextra -Werror -static -o $@ $(HOLDER_SRC)

# Seconds, no VM: the parts that judge are judged first.
.PHONY: check-khload check-witness
check-unit: check-khload check-witness
check-khload: build/guest/bin/khload
	$(Q)tests/vm/guest/test-khload.py $<
check-witness:
	$(Q)tests/witness/test-witness.py

# For the scenarios in which one BPF program, or all of them, cannot be attached.
build/tests/vm/crowd.bpf.o: tests/vm/bpf/crowd.bpf.c
	$(Q)mkdir -p $(@D)
	@echo "  BPF      $@"
	$(Q)$(CLANG) -O2 -g -target bpf -I/usr/include/$(shell $(CC) -print-multiarch) -Wall -Wextra -Werror -c -o $@ $<

build/tests/vm/crowd: tests/vm/bpf/crowd.c tests/vm/vm.mk
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -O2 -s -Wall -Wextra -Werror -o $@ $< $(shell $(PKG_CONFIG) --cflags libbpf) $(CTL_LINK_LIBS)

build/tests/vm/without: tests/vm/bpf/without.c
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -O2 -s -Wall -Wextra -Werror -o $@ $<

# Asks a QEMU in L1, which has no Python.
build/tests/vm/qmp: tests/vm/qmp.c
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -O2 -s -Wall -Wextra -Werror -static -o $@ $<

images: build/tests/vm/qmp build/tests/vm/crowd.bpf.o build/tests/vm/crowd build/tests/vm/without

# This lab has its own folder and the kernel that violates on purpose. No other lab contains that kernel.
EVIDENCE_LAB := build/evidence/lab
.PHONY: check-evidence
check-evidence: all
	$(Q)tools/build-kernel build inject
	$(Q)for d in bin ctl firmware guest lab tests; do ln -sfn ../../$$d $(EVIDENCE_LAB)/$$d; done
	@echo "  L1       $(EVIDENCE_LAB)/img/l1.img"
	$(Q)tools/l1-image $(EVIDENCE_LAB)
	$(Q)KHCTL_LAB_BUILD=$(CURDIR)/$(EVIDENCE_LAB) KHCTL_EVIDENCE_OUT=$(CURDIR)/build tests/vm/run evidence blind

# Many upgrades in a row without a false alarm; not part of check. SOAK=5 runs five.
.PHONY: soak
soak: all
	$(Q)tests/vm/soak.py $(or $(SOAK),20)

.PHONY: demo check-vm
demo: all
	$(Q)tests/vm/demo.py

# Scenarios before "--" depend on wall time, so each runs alone. The others leave one of two CPUs idle, so they run two at a
# time. All scenarios run, also when one fails.
VM_SCENARIOS := upgrade cards icount undo guests trace holder back -- damaged negative bad-input fidelity storage kexec
check-vm: all
	$(Q)tests/vm/run $(VM_SCENARIOS)
