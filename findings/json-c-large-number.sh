#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# json-c reads an integer that does not fit into 64 bits as the nearest one that does, without an error.
#
# Versions: json-c 0.18 (Debian trixie) and 0.19 (sid).
# 18446744073709551616 (2^64) is parsed as type int, json_object_get_uint64() gives 2^64 - 1, errno stays 0, and the
# text that json-c writes back is another number. 2^63 with json_object_get_int64() gives 2^63 - 1 in the same way.
# Why it matters: addresses and times in QMP have 64 bits; a getter of the wrong sign changes them and reports nothing.
. "$(dirname "$0")/lib.sh"

cat > "$tmp/look.c" <<'END'
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <json-c/json.h>

int main(void)
{
	struct json_object *o = json_tokener_parse("18446744073709551616");

	errno = 0;
	printf("%s %" PRIu64 " %d %s\n", json_type_to_name(json_object_get_type(o)), json_object_get_uint64(o), errno,
	       json_object_to_json_string(o));
	o = json_tokener_parse("9223372036854775808");
	errno = 0;
	printf("%" PRId64 " %d\n", json_object_get_int64(o), errno);
	return 0;
}
END

for one in "trixie 0.18+ds-1" "sid 0.19+ds-1"; do
	set -- $one
	fresh
	suites "$1"
	get_all "libjson-c5=$2"
	get "libjson-c-dev=$2"
	# Compiled with this machine's compiler and the package's headers, run with the package's library.
	gcc -I"$root/usr/include" -c -o "$tmp/look.o" "$tmp/look.c"
	mkdir -p "$root/usr/bin"
	gcc -o "$root/usr/bin/look" "$tmp/look.o" "$root"/usr/lib/x86_64-linux-gnu/libjson-c.so.5 -Wl,--allow-shlib-undefined
	mapfile -t found < <(run look)
	same "$2, 2^64: type, value, errno, text" "${found[0]}" "int 18446744073709551615 0 18446744073709551615"
	same "$2, 2^63 as int64: value, errno" "${found[1]}" "9223372036854775807 0"
done
verdict
