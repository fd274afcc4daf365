# SPDX-License-Identifier: GPL-2.0
# Unit tests: no VM, no root, seconds. Included by the Makefile at the top, after ctl/ctl.mk.

ifndef CTL_LIB_SRC
include ctl/ctl.mk
endif

UNIT_CFLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
UNIT_OUT := $(BUILD)/tests/unit
UNIT_TESTS := $(patsubst tests/unit/%.c,$(UNIT_OUT)/%,$(sort $(wildcard tests/unit/test-*.c)))
# Everything of khctl but its main().
UNIT_OBJ := $(patsubst %.c,$(UNIT_OUT)/%.o,$(filter-out ctl/main.c,$(CTL_SRC)) $(CTL_LIB_SRC))
UNIT_CPPFLAGS := $(CTL_CPPFLAGS) -DTOP='"$(CURDIR)"'

.PHONY: check-unit
check-unit: $(UNIT_TESTS) $(BUILD)/ctl/khctl
	@tests/unit/run $(UNIT_TESTS) tests/unit/rooms.py tests/unit/docs.py

$(UNIT_OBJ): $(UNIT_OUT)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC       $< (sanitized)"
	$(CTL_Q)$(CC) $(UNIT_CPPFLAGS) $(UNIT_CFLAGS) $(CTL_WARN) $(CTL_PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(UNIT_OUT)/ctl/evidence/instr_full.o $(UNIT_OUT)/ctl/evidence/instr_bare.o: | $(BPF_SKEL)

$(UNIT_TESTS): $(UNIT_OUT)/%: tests/unit/%.c $(UNIT_OBJ)
	@mkdir -p $(@D)
	@echo "  CCLD     $<"
	$(CTL_Q)$(CC) $(UNIT_CPPFLAGS) $(UNIT_CFLAGS) -Wall -Wextra -Werror $(CTL_PKG_CFLAGS) -MMD -MP -MF $@.d \
		-o $@ $< $(UNIT_OBJ) $(CTL_PKG_LIBS) $(shell $(PKG_CONFIG) --libs cmocka)

-include $(UNIT_OBJ:.o=.d) $(UNIT_TESTS:=.d)
