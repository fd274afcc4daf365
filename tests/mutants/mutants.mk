# SPDX-License-Identifier: GPL-2.0
# Conditions that can be changed without a test noticing. Not part of make check. Included by the Makefile at the top.

MUTANTS ?= --sample 200 ctl/base ctl/host ctl/state ctl/evidence ctl/preflight tests/witness

.PHONY: check-mutants
check-mutants: | deps
	$(Q)tests/mutants/mutants.py $(MUTANTS)
