# SPDX-License-Identifier: GPL-2.0
# The first process of the host under test. Included by the Makefile at the top.

build/lab/first: tools/lab/first.c
	$(Q)mkdir -p $(@D)
	@echo "  CC       $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -s -static -no-pie -Wall -Wextra -Werror -o $@ $<
