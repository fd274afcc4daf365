#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU, cpr-reboot: a file of guest RAM that is not there any more is made anew, and the load completes.
#
# Versions: QEMU 10.0.13 (Debian trixie) and 11.1.3 (sid).
# After a cpr-reboot the guest's RAM should be in the file that memory-backend-file names. If the file is missing,
# QEMU creates an empty one, migrate-incoming ends with "completed", no message appears, and all RAM is zero.
# Why it matters: khctl compares the physical address of each backend before it starts QEMU, as QEMU does not.
. "$(dirname "$0")/lib.sh"

look() {
	python3 - <<'END'
import os
import tempfile
from qemu import Qemu
with tempfile.TemporaryDirectory() as d:
    args = ["-machine", "q35,memory-backend=m", "-m", "64M", "-S",
            "-object", f"memory-backend-file,id=m,size=64M,share=on,mem-path={d}/ram"]
    q = Qemu(*args, "-device", "loader,addr=0x1000000,data=0x12345678,data-len=4")
    print(q.hmp("xp /1wx 0x1000000").split(": ")[1], q.cpr_reboot("migrate", f"file:{d}/state"))
    q.quit()
    os.unlink(d + "/ram")
    q = Qemu(*args, "-incoming", "defer")
    end = q.cpr_reboot("migrate-incoming", f"file:{d}/state")
    print(q.hmp("xp /1wx 0x1000000").split(": ")[1], end)
    q.quit()
END
}

for one in "trixie 1:10.0.13+ds-0+deb13u1" "sid 1:11.1.3+ds-1"; do
	set -- $one
	fresh
	suites "$1"
	get_all "qemu-system-x86=$2"
	mapfile -t found < <(look)
	same "$2, before" "${found[0]}" "0x12345678 completed"
	same "$2, after, without the file" "${found[1]}" "0x00000000 completed"
done
verdict
