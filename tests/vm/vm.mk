# SPDX-License-Identifier: GPL-2.0
# The load that the guests and their peer run, and the scenarios that boot a lab.

KHLOAD_SRC := $(sort $(wildcard tests/vm/guest/*.c))

build/guest/bin/khload: $(KHLOAD_SRC) tests/vm/guest/khload.h
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -O2 -g0 -Wall -Wextra -Werror -static -o $@ $(KHLOAD_SRC)

# Seconds, no VM: the parts that judge are judged first.
.PHONY: check-khload check-witness
check-unit: check-khload check-witness
check-khload: build/guest/bin/khload
	$(Q)tests/vm/guest/test-khload.py $<
check-witness:
	$(Q)tests/witness/test-witness.py

.PHONY: demo check-vm
demo: all
	$(Q)tests/vm/demo.py

# One after the other: each lab wants the whole machine. All run, also when one fails.
VM_SCENARIOS := upgrade icount negative bad-input undo damaged
check-vm: all
	$(Q)tests/vm/run $(VM_SCENARIOS)
