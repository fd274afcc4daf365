# SPDX-License-Identifier: GPL-2.0
# khctl. Included by the Makefile at the top; also works alone: make -f ctl/ctl.mk

BUILD	?= build
CFLAGS	?= -O2 -g
PKG_CONFIG ?= pkg-config
V	?= 0
CTL_Q	:= $(if $(filter 1,$(V)),,@)

include bpf/bpf.mk

# Of libdaxctl the header only: ctl/host/dax.c loads it. Guests wait until all libraries of khctl resume are
# loaded, so what can becomes part of it. libelf, which libbpf needs, cannot: Debian 13's libelf.a lacks symbols.
CTL_PKGS := json-c libxxhash zlib libbpf
CTL_WARN := -std=gnu11 -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow
CTL_CPPFLAGS := -D_GNU_SOURCE -Ikernel/src/include/uapi -Ictl -I. -I$(BUILD)
CTL_PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(CTL_PKGS) libdaxctl)
CTL_PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(CTL_PKGS)) -ldl -lpthread
CTL_LINK_LIBS = -Wl,-Bstatic $(shell $(PKG_CONFIG) --libs $(filter-out zlib,$(CTL_PKGS))) -Wl,-Bdynamic \
	-lelf -lz -ldl -lpthread

# The rooms of ctl/, each using only the ones before it (tests/unit/rooms.py checks that); the verbs come last.
CTL_ROOMS := format base host state vm evidence preflight
CTL_LIB_SRC := $(sort $(wildcard $(CTL_ROOMS:%=ctl/%/*.c)))
CTL_SRC := $(sort $(wildcard ctl/*.c))
CTL_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(CTL_SRC) $(CTL_LIB_SRC))
# The same, but preflight findings stop nothing. Only for tests that show what would happen.
CTL_UNCHECKED_OBJ := $(patsubst ctl/%.c,$(BUILD)/ctl/unchecked/%.o,$(CTL_SRC) $(CTL_LIB_SRC))

.PHONY: ctl
ctl: $(BUILD)/ctl/khctl $(BUILD)/ctl/khctl-unchecked

$(BUILD)/ctl/khctl: $(CTL_OBJ)
	@echo "  LD       $@"
	$(CTL_Q)$(CC) $(CFLAGS) $(LDFLAGS) -no-pie -o $@ $^ $(CTL_LINK_LIBS)

$(BUILD)/ctl/khctl-unchecked: $(CTL_UNCHECKED_OBJ)
	@echo "  LD       $@"
	$(CTL_Q)$(CC) $(CFLAGS) $(LDFLAGS) -no-pie -o $@ $^ $(CTL_LINK_LIBS)

$(CTL_OBJ): $(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC       $<"
	$(CTL_Q)$(CC) $(CTL_CPPFLAGS) $(CFLAGS) $(CTL_WARN) $(CTL_PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(CTL_UNCHECKED_OBJ): $(BUILD)/ctl/unchecked/%.o: ctl/%.c
	@mkdir -p $(@D)
	@echo "  CC       $< (unchecked)"
	$(CTL_Q)$(CC) $(CTL_CPPFLAGS) -DKHCTL_TEST_NO_PREFLIGHT $(CFLAGS) $(CTL_WARN) \
		$(CTL_PKG_CFLAGS) -MMD -MP -c -o $@ $<

# The files that need the programs themselves.
$(foreach d,ctl ctl/unchecked,$(BUILD)/$d/evidence/instr_full.o $(BUILD)/$d/evidence/instr_bare.o): | $(BPF_SKEL)

-include $(CTL_OBJ:.o=.d) $(CTL_UNCHECKED_OBJ:.o=.d)

# Where the lab takes programs from.
$(BUILD)/bin/khctl $(BUILD)/bin/khctl-unchecked: $(BUILD)/bin/%: $(BUILD)/ctl/%
	@mkdir -p $(@D)
	$(CTL_Q)cp $< $@
