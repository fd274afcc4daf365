#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU with -daemonize: the same relative path means two files, before and after the start.
#
# Versions: QEMU 10.0.13 (Debian trixie) and 11.1.3 (sid).
# Paths of the command line are opened in the working directory of the caller. Then QEMU changes its directory to /,
# so a path in QMP is looked up there. query-named-block-nodes goes on to show the relative path of the command line.
# Why it matters: a VM that is started again from its arguments and from /proc/PID/cwd looks for its files in /.
. "$(dirname "$0")/lib.sh"

look() {
	python3 - <<'END'
import os
import tempfile
from qemu import Qemu
with tempfile.TemporaryDirectory() as d:
    with open(d + "/disk.raw", "wb") as f:
        f.truncate(65536)
    for more in ([], ["-daemonize"]):
        q = Qemu("-machine", "none", "-pidfile", d + "/pid",
                 "-blockdev", "driver=file,filename=disk.raw,node-name=first", *more, cwd=d)
        with open(d + "/pid") as f:
            cwd = os.readlink(f"/proc/{int(f.read())}/cwd")
        answer = q.do("blockdev-add", driver="file", filename="disk.raw", **{"node-name": "second"})
        shown = q.do("query-named-block-nodes")["return"][-1]["file"]
        print("same" if cwd == os.path.realpath(d) else cwd, shown, "added" if "return" in answer else answer["error"]["desc"])
        q.quit()
END
}

for one in "trixie 1:10.0.13+ds-0+deb13u1" "sid 1:11.1.3+ds-1"; do
	set -- $one
	fresh
	suites "$1"
	get_all "qemu-system-x86=$2"
	mapfile -t found < <(look)
	same "$2" "${found[0]}" "same disk.raw added"
	same "$2, -daemonize" "${found[1]}" "/ disk.raw Could not open 'disk.raw': No such file or directory"
done
verdict
