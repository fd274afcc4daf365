#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What was written before the pause is on disk after an upgrade, and a job of QEMU is refused by its name.

The host's files and the image of g2 lie on an ext4 of L1. g2's disk has cache=unsafe: QEMU itself never flushes it.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    BUILD, Tap, check_logs, check_second_guest, check_verify, khctl, lab, send, serial_until, upgrade)

SOCKET = ("/run/g2.qmp",)
MOUNT = "mount -t ext4 /dev/vdb /mnt"
# The file system has to be there before khctl resume, as a unit that mounts it first would do.
INIT = f"""#!/bin/sh
mount -t proc proc /proc
[ -e /dev/vda ] || mount -t devtmpfs devtmpfs /dev
{MOUNT}
exec /sbin/init.real
"""
GUEST = ("cd /run && setsid /usr/bin/qemu-kh -name g2 -L /usr/share/qemu -nodefaults -no-user-config -nographic "
         "-machine pc-q35-10.0 -accel kvm -cpu host -smp 1 -m 256M -global kvmclock.keep-tsc=on "
         "-object memory-backend-file,id=mem,size=256M,mem-path=/dev/dax1.0,share=on,align=2M -numa node,memdev=mem "
         "-chardev pipe,id=console,path=/dev/virtio-ports/kh.g2 -serial chardev:console "
         "-qmp unix:/run/g2.qmp,server=on,wait=off -pidfile /run/g2.pid "
         "-drive if=none,id=disk,file=/mnt/disk.img,format=raw,cache=unsafe -device virtio-blk-pci,drive=disk "
         "-kernel /boot/guest/vmlinuz -initrd /boot/guest/initrd.gz -append \"console=ttyS0 quiet panic=-1 "
         "$(tr ' ' '\\n' < /proc/cmdline | grep '^kh\\.' | tr '\\n' ' ')kh.guest=g2\" </dev/null >/run/g2.log 2>&1 &")


def ask(l1, *commands):
    """QMP commands to g2's QEMU; the last answer. "event:NAME" waits for an event."""
    return l1.check("/run/qmp /run/g2.qmp " + " ".join("'" + (c if isinstance(c, str) else json.dumps(c)) + "'" for c in commands))


def disk(folder):
    """Arguments for the outer QEMU: a disk with a serial number and an ext4 on it, L1's vdb."""
    path = os.path.join(folder, "host-disk.img")
    with open(path, "wb") as f:
        f.truncate(256 << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", path], check=True)
    return ["-drive", f"if=none,id=host,format=raw,file={path}", "-device", "virtio-blk-pci,drive=host,addr=0x8,serial=kh-host"]


def prepare(l1):
    send(l1, os.path.join(BUILD, "tests/vm/qmp"), "/run/qmp")
    l1.check(f"chmod +x /run/qmp; {MOUNT}; dd if=/dev/zero of=/mnt/disk.img bs=1M count=64 2>/dev/null; sync")
    l1.check("mount -o remount,rw / && mv /sbin/init /sbin/init.real")
    send_text(l1, INIT, "/sbin/init")
    l1.check("chmod +x /sbin/init; sync; mount -o remount,ro / || true")
    l1.check(GUEST)


def send_text(l1, text, to):
    l1.check(f"cat > {to} <<'END'\n{text}END\n")


def a_job_is_refused(tap, l1):
    """A mirror that is ready and not pivoted ends with its QEMU: it is refused by name."""
    ask(l1, {"execute": "drive-mirror", "arguments": {"device": "disk", "target": "/mnt/mirror.img", "sync": "full", "format": "raw",
                                                      "job-id": "my-mirror"}}, "event:BLOCK_JOB_READY")
    status, data, talk = khctl(l1, "upgrade --kernel /boot/bzImage-b --qmp /run/g2.qmp")
    found = [c for c in (data or {}).get("checks", []) if c["id"] == "vm-jobs" and not c["ok"]]
    tap.check("a mirror that is ready: the upgrade is refused and names the job", status == 3 and found
              and "my-mirror (mirror, ready)" in found[0]["found"] and found[0]["remedy"], talk)
    ask(l1, {"execute": "block-job-cancel", "arguments": {"device": "my-mirror"}}, "event:BLOCK_JOB_COMPLETED")
    ask(l1, {"execute": "migrate-set-capabilities", "arguments": {"capabilities": [{"capability": "multifd", "state": True}]}})
    status, data, talk = khctl(l1, "check --kernel /boot/bzImage-b --qmp /run/g2.qmp")
    bad = {c["id"]: c["found"] for c in (data or {}).get("checks", []) if not c["ok"]}
    tap.check("a capability that was left on is refused by name", status == 3 and bad == {"vm-caps": "multifd"}, talk)
    ask(l1, {"execute": "migrate-set-capabilities", "arguments": {"capabilities": [{"capability": "multifd", "state": False}]}})
    status, data, talk = khctl(l1, "check --kernel /boot/bzImage-b --qmp /run/g2.qmp")
    tap.check("without both nothing is refused", status == 0, talk)


def nothing_is_lost(tap, l1):
    """Files of the host that nobody synced, and blocks of the guest that QEMU does not flush."""
    second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
    l1.check("cd /mnt; for i in $(seq 1 200); do echo line $i of the old file; done > old; sync")
    l1.check("cd /mnt; dd if=/dev/urandom of=new bs=1M count=20 2>/dev/null; sha256sum new > new.sum; echo appended >> old; "
             "sed s/line/LINE/ old > old.tmp; mv old.tmp old; mkdir d; for i in $(seq 1 50); do echo $i > d/$i; done")
    dirty = int(l1.check("grep Dirty: /proc/meminfo").split()[1])
    tap.check("there is something that is not on disk yet", dirty > 10000, dirty)
    upgrade(tap, l1, "b", SOCKET)
    tap.check("the file that was written just before the upgrade is whole", l1.run("cd /mnt && sha256sum -c new.sum")[0] == 0,
              l1.run("ls -l /mnt; cd /mnt; sha256sum new; cat new.sum")[1])
    found = l1.check("cd /mnt; wc -l < old; tail -n 1 old; grep -c LINE old; ls d | wc -l; cat d/50").split()
    tap.check("so are an append, a rename and a folder", found == ["201", "appended", "200", "50", "50"], found)
    check_verify(tap, l1)
    check_second_guest(tap, l1, second)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder, \
            lab(tap, "storage", kernel="a", guests=(), machine=disk(folder)) as l1:
        prepare(l1)
        serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
        for part in (a_job_is_refused, nothing_is_lost):
            tap.say(part.__name__)
            part(tap, l1)
        check_logs(tap, l1, ("g2",))
    tap.finish()


if __name__ == "__main__":
    main()
