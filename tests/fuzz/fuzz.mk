# SPDX-License-Identifier: GPL-2.0
# libFuzzer on what reads bundles and manifests. Seconds in make check; FUZZ_SECONDS=3600 makes it a night's work.

ifndef CTL_LIB_SRC
include ctl/ctl.mk
endif

FUZZ_CC ?= clang
FUZZ_SECONDS ?= 10
FUZZ_OUT := $(BUILD)/tests/fuzz
FUZZ_LIB := $(CTL_LIB_SRC:ctl/%.c=%)
FUZZ_CFLAGS := -O1 -g -std=gnu11 -w \
	-fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_OBJ := $(FUZZ_LIB:%=$(FUZZ_OUT)/%.o)
FUZZ_CPPFLAGS = $(CTL_CPPFLAGS) $(CTL_PKG_CFLAGS)

.PHONY: check-fuzz
check-fuzz: $(FUZZ_OUT)/fuzz-evidence $(FUZZ_OUT)/make-corpus
	@rm -rf $(FUZZ_OUT)/corpus
	$(CTL_Q)$(FUZZ_OUT)/make-corpus $(FUZZ_OUT)/corpus
	@echo "  FUZZ     $(FUZZ_SECONDS) s"
	$(CTL_Q)cd $(FUZZ_OUT) && ./fuzz-evidence -max_total_time=$(FUZZ_SECONDS) -max_len=1048576 -print_final_stats=1 \
		corpus > fuzz.log 2>&1 || { tail -40 fuzz.log; exit 1; }
	@sed -n 's/^stat::number_of_executed_units: */  fuzz: inputs tried: /p' $(FUZZ_OUT)/fuzz.log

$(FUZZ_OBJ): $(FUZZ_OUT)/%.o: ctl/%.c
	@mkdir -p $(@D)
	@echo "  FUZZCC   $<"
	$(CTL_Q)$(FUZZ_CC) $(FUZZ_CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ_OUT)/evidence/instr_full.o $(FUZZ_OUT)/evidence/instr_bare.o: | $(BPF_SKEL)

$(FUZZ_OUT)/fuzz-evidence: tests/fuzz/fuzz-evidence.c $(FUZZ_OBJ)
	$(CTL_Q)$(FUZZ_CC) $(FUZZ_CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(CTL_PKG_LIBS)

$(FUZZ_OUT)/make-corpus: tests/fuzz/make-corpus.c tests/unit/sample.h $(FUZZ_OBJ)
	$(CTL_Q)$(FUZZ_CC) $(FUZZ_CPPFLAGS) $(FUZZ_CFLAGS) -o $@ $(filter-out %.h,$^) $(CTL_PKG_LIBS)

-include $(FUZZ_OBJ:.o=.d)
