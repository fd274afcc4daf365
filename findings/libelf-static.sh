#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Debian 13's libelf.a cannot be linked: it needs symbols that no library of Debian 13 has.
#
# Versions: libelf-dev 0.192 (Debian trixie) and 0.196 (sid).
# libelf.a of 0.192 uses eu_search_tree_init() and others, which it does not contain, and which no other library of the
# package has. So a program with a static libelf ends in "undefined reference to eu_search_tree_init". 0.196 contains
# them.
# Why it matters: guests wait while the libraries of khctl resume are loaded. libbpf is linked statically, and libelf,
# which libbpf needs, cannot be.
. "$(dirname "$0")/lib.sh"

missing() {
	nm "$root"/usr/lib/x86_64-linux-gnu/libelf.a 2> /dev/null |
		awk '$1 == "U" && $2 ~ /^eu_/ { used[$2] = 1 } $2 == "T" { made[$3] = 1 }
		     END { for (s in used) if (!(s in made)) print s }' | sort | paste -sd ' '
}

suites trixie
get libelf-dev=0.192-4
same "0.192, undefined in libelf.a" "$(missing)" "eu_search_tree_fini eu_search_tree_init eu_tdelete eu_tsearch"

fresh
suites sid
get libelf-dev=0.196-1
same "0.196, undefined in libelf.a" "$(missing)" ""
verdict
