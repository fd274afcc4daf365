#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU, -device in JSON: an integer "addr" is not the slot.
#
# Versions: QEMU 10.0.13 (Debian trixie) and 11.1.3 (sid).
# In -device e1000e,addr=6 the value is a slot. In JSON the string "6" is a slot too, but the integer 6 is a
# devfn, that is slot 0, function 6. A tool that turns numbers of a command line into JSON integers moves the device.
# Why it matters: khctl starts a VM again from its arguments, and must not rewrite one form into the other.
. "$(dirname "$0")/lib.sh"

look() {
	python3 - <<'END'
from qemu import starts
for device in ("e1000e,addr=6", '{"driver": "e1000e", "addr": "6"}', '{"driver": "e1000e", "addr": 6}'):
    print(starts("-machine", "q35", "-device", device))
END
}

for one in "trixie 1:10.0.13+ds-0+deb13u1" "sid 1:11.1.3+ds-1"; do
	set -- $one
	fresh
	suites "$1"
	get_all "qemu-system-x86=$2"
	mapfile -t found < <(look)
	same "$2, addr=6" "${found[0]}" "None"
	same "$2, JSON string" "${found[1]}" "None"
	same "$2, JSON integer" "${found[2]##*: }" "single function device can't be populated in function 0.6"
done
verdict
