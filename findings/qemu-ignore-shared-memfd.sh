#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU, x-ignore-shared: RAM of a memfd with share=on is sent all the same.
#
# Versions: QEMU 10.0.13 (Debian trixie) and 11.1.3 (sid).
# The capability leaves shared memory out of the stream, but only memory with a named file. A memory-backend-memfd
# with share=on goes into the stream page by page, without a message; memory-backend-file with share=on does not.
# Why it matters: which RAM survives by staying where it is cannot be read from share=on alone.
. "$(dirname "$0")/lib.sh"

look() {
	python3 - <<'END'
import os
import tempfile
from qemu import Qemu
MIB = 64
# what lies in the guest's RAM: random, so that zero pages do not hide it
DATA = os.urandom(16 << 20)
with tempfile.TemporaryDirectory() as d:
    with open(d + "/data", "wb") as f:
        f.write(DATA)
    for kind in ("file,mem-path=" + d + "/ram", "memfd"):
        q = Qemu("-machine", "q35,memory-backend=m", "-m", f"{MIB}M", "-S",
                 "-object", f"memory-backend-{kind},id=m,size={MIB}M,share=on",
                 "-device", f"loader,file={d}/data,addr=0x1000000,force-raw=on")
        end = q.cpr_reboot("migrate", f"file:{d}/state")
        print(end, os.path.getsize(d + "/state") > len(DATA))
        q.quit()
END
}

for one in "trixie 1:10.0.13+ds-0+deb13u1" "sid 1:11.1.3+ds-1"; do
	set -- $one
	fresh
	suites "$1"
	get_all "qemu-system-x86=$2"
	mapfile -t found < <(look)
	same "$2, memory-backend-file: completed, RAM in the stream" "${found[0]}" "completed False"
	same "$2, memory-backend-memfd: completed, RAM in the stream" "${found[1]}" "completed True"
done
verdict
