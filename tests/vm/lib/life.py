# SPDX-License-Identifier: GPL-2.0
"""The life of the guests: the load that they make, asked for from outside."""
import json
import os
import re
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("KHCTL_LAB_BUILD", os.path.join(TOP, "build"))
KHLOAD = os.path.join(BUILD, "guest/bin/khload")
GUEST, PEER = "10.77.0.2", "10.77.0.1"      # on the first wire

# Datagrams per second from outside. e1000e's receive ring has 256 descriptors, and its driver gives used ones
# back in batches of 16, so at least 239 are free when the guest stops: 10 per second, and the connection's
# few segments and questions (53 frames in 4.2 s were seen), fill them in 18 s.
RATE = 10
RING = 239


class Life:
    """The guest on a wire (g1 on the first, v2 on the second) and its peer at the other end."""

    def __init__(self, lab, rate=RATE, wire=1, connect=True):
        """connect: else the peer sends its datagrams at once, whoever listens."""
        self.lab = lab
        self.guest, self.peer = f"10.77.{wire - 1}.2", f"10.77.{wire - 1}.1"
        # the wire's own, as in tests/vm/guest/init
        port = 6900 + 100 * wire
        self.query = str(port + 3)
        tcp = ["--tcp-connect", f"{self.guest}:{port + 2}"] if connect else []
        lab.in_netns([KHLOAD, "run", "--name", "peer", "--if", f"tap{wire - 1}", "--rate", str(rate),
                      "--udp", f"{self.guest}:{port + 1}", *tcp, "--query", self.query],
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, who, command="report"):
        """The answer, or None when none came; asking again is harmless."""
        child = self.lab.in_netns([KHLOAD, "query", f"{who}:{self.query}", command], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        out, _ = child.communicate()
        self.lab.children.remove(child)
        return json.loads(out) if child.returncode == 0 and out else None

    def both(self, command="report"):
        return {"guest": self.ask(self.guest, command), "peer": self.ask(self.peer, command)}

    def until(self, condition, what, timeout):
        """Wait until condition(reports) holds."""
        deadline = time.monotonic() + timeout
        reports = None
        while True:
            if self.lab.outer.poll() is not None:
                raise RuntimeError("the outer QEMU ended while waiting for " + what)
            reports = self.both()
            if all(reports.values()) and condition(reports):
                return reports
            if time.monotonic() > deadline:
                raise TimeoutError(f"no sign of {what} in {timeout} s; last seen: {json.dumps(reports)[:3000]}")
            time.sleep(0.2)

    def until_peer(self, condition, what, timeout):
        """The same for the peer alone, when the guest may not answer."""
        deadline = time.monotonic() + timeout
        while not (report := self.ask(self.peer)) or not condition(report):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no sign of {what} in {timeout} s")
            time.sleep(0.2)
        return report

    def ready(self, timeout=180):
        return self.until(lambda r: all(x["ready"] for x in r.values()), "load at both ends", timeout)

    def caught_up(self, since, timeout=60):
        """Both ends have heard more, each way, than the other had sent at `since`."""
        def more(r):
            return all(r[a]["udp"]["next_seq"] > since[b]["udp"]["sent"] + RATE
                       and r[a]["tcp"]["verified"] > since[b]["tcp"]["sent"]
                       for a, b in (("guest", "peer"), ("peer", "guest")))
        return self.until(more, "traffic both ways", timeout)

    def check_memory(self, timeout=120):
        """A pass over the pattern that begins now; returns the guest's report after it."""
        number = self.ask(self.guest, "memcheck")["pass"]
        return self.until(lambda r: r["guest"]["mem"]["passes"] >= number, "the check of the guest's RAM",
                          timeout)["guest"]

    def stop_traffic(self, timeout=60):
        """No more datagrams; returns the reports once all that were sent arrived or time is up."""
        self.both("stop")
        try:
            return self.until(lambda r: r["guest"]["udp"]["unique"] == r["peer"]["udp"]["sent"]
                              and r["peer"]["udp"]["unique"] == r["guest"]["udp"]["sent"],
                              "the last datagrams", timeout)
        except TimeoutError:
            return self.both()


def packets(reports):
    """Both directions in one."""
    def total(field):
        return sum(reports[x]["udp"][field] for x in ("guest", "peer"))
    return {"sent": total("sent"), "received": total("received"), "lost": total("sent") - total("unique"),
            "duplicated": total("duplicated"), "reordered": total("reordered")}


def only_late(line):
    """The guest's timer came late, because an emulated machine was busy: its clocks agree to 10 us, or one
    interrupt took less than 100 ms. A guest that lost the standstill of an upgrade would tell of much more."""
    match = re.search(r"Long readout interval, skipping watchdog check: cs_nsec: (\d+) wd_nsec: (\d+)", line)
    if match:
        return abs(int(match[1]) - int(match[2])) < 10000
    match = re.search(r"hrtimer: interrupt took (\d+) ns", line)
    return match and int(match[1]) < 100000000


def log_since_ready(report):
    """The guest's kernel messages that matter, from the time after its load was there."""
    lines = []
    for line in report["kernel_log"]:
        if only_late(line):
            continue
        match = re.match(r"\[ *(\d+\.\d+)\]", line)
        if not match or float(match[1]) * 1e9 > report["ready_ns"]:
            lines.append(line)
    return lines


def serial_report(lab, name):
    """The last whole report on a guest's serial line, or None."""
    for line in reversed(lab.guest_console(name).splitlines(keepends=True)):
        if line.startswith("khload: {") and line.endswith("}\n"):
            try:
                return json.loads(line[len("khload: "):])
            except ValueError:
                continue
    return None


def serial_until(lab, name, condition, what, timeout):
    found = []

    def look():
        report = serial_report(lab, name)
        if report and condition(report):
            found.append(report)
        return bool(found)

    lab.wait_for(look, timeout, f"{what} on the console of {name}")
    return found[0]
