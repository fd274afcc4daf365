# SPDX-License-Identifier: GPL-2.0
"""A QEMU of $root (findings/lib.sh), driven by QMP."""
import json
import os
import socket
import subprocess
import tempfile
import time

ROOT = os.environ["root"]
LOADER = [ROOT + "/usr/lib64/ld-linux-x86-64.so.2", "--library-path", ROOT + "/usr/lib/x86_64-linux-gnu",
          ROOT + "/usr/bin/qemu-system-x86_64"]
QUIET = ["-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
         "-L", ROOT + "/usr/share/seabios", "-L", ROOT + "/usr/share/qemu"]


def starts(*args):
    """The message with which a QEMU ends at its start; None if it runs, and is ended then."""
    child = subprocess.Popen(LOADER + QUIET + ["-S", "-qmp", "stdio", *args], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, err = child.communicate('{"execute":"qmp_capabilities"}{"execute":"quit"}')
    return None if child.returncode == 0 else err.strip().split(": ", 1)[-1]


class Qemu:
    def __init__(self, *args, cwd=None):
        self.dir = tempfile.TemporaryDirectory()
        path = self.dir.name + "/qmp"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(60)
        self.child = subprocess.Popen(LOADER + QUIET + ["-qmp", "unix:" + path, *args], cwd=cwd)
        self.file = listener.accept()[0].makefile("rw")
        self.file.readline()
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while "event" in (answer := json.loads(self.file.readline())):
            pass
        return answer

    def hmp(self, line):
        return self.do("human-monitor-command", **{"command-line": line})["return"].strip()

    def cpr_reboot(self, command, uri):
        """migrate or migrate-incoming in mode cpr-reboot with x-ignore-shared; returns how it ended."""
        self.do("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
        self.do("migrate-set-parameters", mode="cpr-reboot")
        self.do(command, uri=uri)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = self.do("query-migrate")["return"].get("status")
            if status in ("completed", "failed"):
                return status
            time.sleep(0.05)
        return "timeout"

    def quit(self):
        self.do("quit")
        self.child.wait(60)
