# SPDX-License-Identifier: GPL-2.0
"""The outer QEMU's debugger interface: stop L1 at an address and change its physical memory.

This is how memory is damaged at an instant when no software of L1 runs.
"""
import os
import socket


class Debugger:
    """Connecting stops L1; resume() or detach() lets it go on."""

    def __init__(self, lab):
        path = lab.sockets + "/gdb"
        lab.qmp("human-monitor-command", **{"command-line": f"gdbserver unix:{path},server=on,wait=off"})
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(120)
        self.buffer = b""
        self.command("qSupported:swbreak+;hwbreak+")
        self.command("?")

    def send(self, text):
        data = text.encode()
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))

    def receive(self):
        """The next packet; acknowledgements are skipped."""
        while True:
            start = self.buffer.find(b"$")
            end = self.buffer.find(b"#", start) if start >= 0 else -1
            if end >= 0 and len(self.buffer) >= end + 3:
                packet = self.buffer[start + 1:end]
                self.buffer = self.buffer[end + 3:]
                self.socket.sendall(b"+")
                return packet.decode()
            data = self.socket.recv(65536)
            if not data:
                raise RuntimeError("the debugger interface was closed")
            self.buffer += data

    def command(self, text):
        self.send(text)
        answer = self.receive()
        if answer.startswith("E"):
            raise RuntimeError(f"debugger: {text[:60]}: {answer}")
        return answer

    def break_at(self, address):
        self.command(f"Z1,{address:x},1")

    def clear(self, address):
        self.command(f"z1,{address:x},1")

    def resume(self):
        self.send("vCont;c")

    def wait_stop(self, timeout):
        self.socket.settimeout(timeout)
        try:
            return self.receive()
        finally:
            self.socket.settimeout(120)

    def physical(self, on):
        if self.command(f"Qqemu.PhyMemMode:{int(on)}") != "OK":
            raise RuntimeError("debugger: no physical addresses")

    def read(self, address, length):
        return bytes.fromhex(self.command(f"m{address:x},{length:x}"))

    def write(self, address, data):
        self.command(f"M{address:x},{len(data):x}:{data.hex()}")

    def detach(self):
        self.command("D")
        self.socket.close()


def at_symbol(lab, symbol):
    """Address of a function of L1's running kernel."""
    line = lab.check(f"grep -E ' [tT] {symbol}$' /proc/kallsyms").split()
    address = int(line[0], 16)
    if not address:
        raise RuntimeError(f"/proc/kallsyms hides {symbol}")
    return address


def dump(lab, name, start, size):
    """Physical memory of L1 into a file of the lab's folder; best while L1 stands."""
    path = lab.path(name)
    lab.qmp("pmemsave", val=start, size=size, filename=path)
    return path


def different_pages(one, other, page=4096, step=1 << 20):
    """Numbers of the pages in which two dumps differ."""
    pages, base = [], 0
    with open(one, "rb") as a, open(other, "rb") as b:
        if os.path.getsize(one) != os.path.getsize(other):
            raise RuntimeError("dumps of different sizes")
        while x := a.read(step):
            y = b.read(step)
            if x != y:
                pages += [(base + i) // page for i in range(0, len(x), page) if x[i:i + page] != y[i:i + page]]
            base += len(x)
    return pages
