#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""khload counts what it is sent: this plays the other end, fair and foul."""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

KHLOAD = sys.argv[1] if len(sys.argv) > 1 else "build/guest/bin/khload"
UDP_MAGIC, UDP_CHECK = 0x4b484c44, 0x6b6578656b657865
M64 = (1 << 64) - 1

passed = failed = 0


def ok(what, good, found=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
    print(f"{'ok' if good else 'not ok'} {passed + failed} - {what}" + (f" # found {found}" if not good else ""))


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def packet(seq, stamp=1):
    return struct.pack(">IIQQQ", UDP_MAGIC, 0, seq, stamp, seq ^ stamp ^ UDP_CHECK)


def stream(pos, length, salt):
    out = bytearray()
    for p in range(pos, pos + length):
        x = ((p >> 3) + salt) * 0x9e3779b97f4a7c15 & M64
        x ^= x >> 29
        x = x * 0xbf58476d1ce4e5b9 & M64
        out.append(x >> 8 * (p & 7) & 0xff)
    return bytes(out)


class Load:
    """One khload, and the questions that can be put to it."""

    running = []

    def __init__(self, *args):
        self.port = free_port(socket.SOCK_STREAM)
        self.process = subprocess.Popen([KHLOAD, "run", "--query", str(self.port), *args],
                                        stderr=subprocess.DEVNULL)
        Load.running.append(self.process)

    def ask(self, command="report"):
        out = subprocess.run([KHLOAD, "query", f"127.0.0.1:{self.port}", command],
                             capture_output=True, text=True)
        return json.loads(out.stdout) if out.returncode == 0 else None

    def until(self, condition, timeout=20):
        end = time.monotonic() + timeout
        while True:
            report = self.ask()
            if report and condition(report):
                return report
            if time.monotonic() > end:
                raise TimeoutError(json.dumps(report))
            time.sleep(0.05)

    def children(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(x) for x in f.read().split()]

    def stop(self):
        self.process.kill()
        self.process.wait()


def tcp_client(port):
    s = socket.socket()
    s.settimeout(10)
    end = time.monotonic() + 10
    while s.connect_ex(("127.0.0.1", port)):
        s.close()
        s = socket.socket()
        s.settimeout(10)
        if time.monotonic() > end:
            raise TimeoutError("khload does not listen")
        time.sleep(0.05)
    return s


def counts_datagrams():
    port = free_port(socket.SOCK_DGRAM)
    tcp = free_port(socket.SOCK_STREAM)
    # it waits for the connection before it sends; told to stop before that, it only receives
    load = Load("--udp", f"127.0.0.1:{port}", "--tcp-listen", f"127.0.0.1:{tcp}")
    load.until(lambda r: r["tcp"]["status"] == "waiting")
    load.ask("stop")
    connection = tcp_client(tcp)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for p in (packet(0), packet(1), packet(1), packet(4), packet(3), packet(5)[:-1], b"x" * 32, packet(6)):
            s.sendto(p, ("127.0.0.1", port))
    udp = load.until(lambda r: r["udp"]["next_seq"] == 7)["udp"]
    load.stop()
    connection.close()
    ok("told to stop, it sends nothing", udp["sent"] == 0, udp)
    ok("datagrams received", udp["received"] == 6, udp)
    ok("a repeated number is a duplicate", udp["duplicated"] == 1, udp)
    ok("a number after a higher one is out of order", udp["reordered"] == 1, udp)
    ok("numbers that never came, or only damaged, are missing", udp["missing"] == 2, udp)
    ok("a datagram of other bytes or length is corrupt", udp["corrupt"] == 2, udp)


def sends_datagrams():
    port = free_port(socket.SOCK_DGRAM)
    # khload itself takes the port that it sends to, on every address: look at the wire
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    raw.settimeout(5)
    load = Load("--udp", f"127.0.0.1:{port}", "--rate", "50")
    seqs = []
    while len(seqs) < 10:
        data = raw.recv(2048)[20:]
        if struct.unpack(">H", data[2:4])[0] == port:
            seqs.append(struct.unpack(">Q", data[16:24])[0])
    report = load.ask("stop")
    load.stop()
    ok("sends 0, 1, 2, ...", seqs == list(range(10)), seqs)
    ok("counts what it sent", report["udp"]["sent"] >= 10, report["udp"])


def checks_the_stream():
    port = free_port(socket.SOCK_STREAM)
    load = Load("--tcp-listen", f"127.0.0.1:{port}")
    s = tcp_client(port)
    got = b""
    while len(got) < 2048:
        got += s.recv(4096)
    ok("the stream that it sends can be computed", got == stream(0, len(got), 0x1234567))
    s.sendall(stream(0, 1000, 0x89abcde))
    tcp = load.until(lambda r: r["tcp"]["verified"] == 1000)["tcp"]
    ok("right bytes are verified", tcp["bad"] == 0 and tcp["status"] == "up", tcp)
    s.sendall(b"\xff" + stream(1001, 99, 0x89abcde))
    tcp = load.until(lambda r: r["tcp"]["bad"])["tcp"]
    ok("a wrong byte is noticed", tcp["verified"] == 1000 and tcp["bad"] == 100, tcp)
    s.close()
    tcp = load.until(lambda r: r["tcp"]["status"] == "down")["tcp"]
    ok("the end of the connection is noticed", tcp["error"] != 0, tcp)
    load.stop()


def big_mapping(pid, size):
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            low, high = (int(x, 16) for x in line.split()[0].split("-"))
            if high - low >= size and "shared" not in line:
                return low
    return None


def checks_memory():
    load = Load("--mem", "1")
    size = load.until(lambda r: r["mem"]["bytes"])["mem"]["bytes"]
    want = load.ask("memcheck")["pass"]
    mem = load.until(lambda r: r["mem"]["passes"] >= want)["mem"]
    ok("an untouched pattern passes", mem["errors"] == 0, mem)
    holes = [(pid, low) for pid in load.children() if (low := big_mapping(pid, size))]
    ok("the pattern is where the test thinks", len(holes) == 1, holes)
    with open(f"/proc/{holes[0][0]}/mem", "r+b", buffering=0) as f:
        f.seek(holes[0][1] + size // 2)
        byte = f.read(1)[0]
        f.seek(holes[0][1] + size // 2)
        f.write(bytes([byte ^ 1]))
    want = load.ask("memcheck")["pass"]
    mem = load.until(lambda r: r["mem"]["passes"] >= want)["mem"]
    ok("one changed bit is found", mem["errors"] == 1 and mem["first_bad"] == size // 2, mem)
    load.stop()


def checks_disk():
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as f:
        f.truncate(8 << 20)
        load = Load("--disk", f.name)
        disk = load.until(lambda r: r["disk"]["blocks"])["disk"]
        load.until(lambda r: r["disk"]["passes"] >= 1)
        ok("what was written is read back", disk["errors"] == 0 and disk["io_errors"] == 0, disk)
        for block in range(1024):
            os.pwrite(f.fileno(), b"\x55", block * 4096 + 100)
        disk = load.until(lambda r: r["disk"]["errors"])["disk"]
        ok("changed blocks are found", disk["errors"] > 0, disk)
        load.stop()


def ticks_and_reports():
    with tempfile.NamedTemporaryFile("r") as f:
        load = Load("--serial", f.name, "--if", "lo")
        first = load.until(lambda r: r["ticks"] > 5)
        second = load.until(lambda r: r["ticks"] > first["ticks"])
        ok("the clock and the ticks go on", second["uptime_ns"] > first["uptime_ns"], second)
        ok("the link is reported", second["link"]["carrier_changes"] is not None, second)
        with open("/proc/sys/kernel/random/boot_id") as g:
            ok("the boot id is reported", second["boot_id"] == g.read().strip(), second)
        line = next(x for x in f if x.startswith("khload: "))
        ok("the serial line carries a report", json.loads(line[8:])["name"] == "khload", line)
        os.kill(load.children()[0], 9)
        third = load.until(lambda r: r["dead_workers"])
        ok("a worker's death is reported", third["dead_workers"] == 1, third)
        load.stop()


for test in (counts_datagrams, sends_datagrams, checks_the_stream, checks_memory, checks_disk, ticks_and_reports):
    try:
        test()
    except (TimeoutError, OSError) as error:
        ok(test.__name__, False, repr(error)[:300])
    for process in Load.running:
        process.kill()
        process.wait()
print(f"1..{passed + failed}")
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed else 0)
