#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Judge an upgrade from outside of the host that went through it.

Reads what the outer QEMU, which plays the hardware, wrote down: its trace and
the capture of the network card's wire. Nothing here comes from software
under test, and no code is shared with it.

Each check ends as pass, fail or unknown. Unknown is what could not be seen:
an event that was not traced, a state that was never set up, a file that ends too
early. The verdict is pass only if every check is.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import capture
import rules
from events import Trace, is_traced, traced_patterns

MAX_EVIDENCE = 40


class Witness:
    def __init__(self, trace, patterns, begin, end, nic="e1000e", nics=1):
        self.trace = trace
        self.patterns = patterns
        self.begin = begin
        self.end = end
        self.nic, self.nics = nic, nics
        self.checks = []
        self.config_writes = []

    def result(self, name, verdict, evidence=()):
        self.checks.append({"id": name, "verdict": verdict, "evidence": [str(e) for e in evidence][:MAX_EVIDENCE]})

    def judge(self, name, events, bad, unknown=()):
        """events: what the check looks at; bad: what speaks against; unknown: why nothing can be said."""
        unseen = [f"{e} is not traced" for e in events if not is_traced(e, self.patterns)]
        if bad:
            self.result(name, "fail", bad)
        elif unseen or unknown:
            self.result(name, "unknown", unseen + list(unknown))
        else:
            self.result(name, "pass")

    def before(self, *names):
        return self.trace.named(*names, end=self.begin)

    def during(self, *names):
        return self.trace.named(*names, begin=self.begin, end=self.end)

    @staticmethod
    def show(events):
        return [f"{e.time:.6f} {e.name} {e.text}" for e in events]

    # What the trace is worth at all

    def check_trace(self):
        unknown = []
        if not self.trace.events:
            unknown.append("the trace is empty")
        elif self.trace.events[0].time > self.begin:
            unknown.append("the trace begins after the upgrade did")
        elif self.trace.events[-1].time < self.end - 10:
            unknown.append("the trace ends before the upgrade did")
        self.judge("trace", (), (), unknown)

    # The IOMMU

    def check_enable(self, name, event):
        """A switch that must have been on before and must not go off."""
        off = [e for e in self.during(event) if e.text != "enable 1"]
        last = self.before(event)
        unknown = [] if last and last[-1].text == "enable 1" else [f"{event} was not seen switched on before"]
        self.judge(name, (event,), self.show(off), unknown)

    def check_pointer(self, name, event):
        """A table that must have been set before and must stay where it is."""
        last = self.before(event)
        moved = [e for e in self.during(event) if not last or e.text != last[-1].text]
        self.judge(name, (event,), self.show(moved), [] if last else [f"no {event} before"])

    def check_faults(self):
        self.judge("iommu.faults", ("vtd_dmar_fault",), self.show(self.during("vtd_dmar_fault")))

    # The card

    def check_reset(self):
        resets = ("e1000e_core_ctrl_sw_reset", "e1000e_core_ctrl_phy_reset", "e1000e_cb_qdev_reset_hold")
        # the guest's driver resets the card when it finds it: proof that a reset would be seen
        unknown = [] if self.before("e1000e_core_ctrl_sw_reset") else ["no reset was seen before either"]
        self.judge("nic.reset", resets, self.show(self.during(*resets)), unknown)

    def check_power(self):
        moves = [e for e in self.during("pci_pm_transition") if e.text.startswith(self.nic + " ")]
        self.judge("nic.power", ("pci_pm_transition",), self.show(moves))

    def check_link(self):
        self.judge("nic.link", ("e1000e_link_status_changed",), self.show(self.during("e1000e_link_status_changed")))

    def check_dma(self):
        """While the guest was silent the card went on writing into its memory."""
        sent = self.during("e1000e_tx_descr")
        gap = max(((b.time - a.time, a.time, b.time) for a, b in zip(sent, sent[1:])), default=None)
        unknown, bad = [], self.show(self.during("e1000e_rx_not_written_to_guest"))
        if not gap:
            unknown.append("the guest sent nothing")
        elif not self.trace.named("e1000e_rx_written_to_guest", begin=gap[1], end=gap[2]):
            unknown.append("nothing was written to the guest's memory while it was silent")
        self.judge("nic.dma", ("e1000e_tx_descr", "e1000e_rx_written_to_guest",
                               "e1000e_rx_not_written_to_guest"), bad, unknown)

    # Configuration space

    def find_devices(self):
        """The cards' addresses, and the bridges' above them, from the writes that set them up."""
        cards, buses = {}, {}
        for w in self.trace.config_writes(end=self.begin):
            if w.device == self.nic:
                cards.pop(w.bdf, None)
                cards[w.bdf] = True     # buses may have been numbered anew: the last ones count
            # type 1 header: primary, secondary, subordinate bus from 0x18; a byte or the whole
            elif w.offset == 0x18 and w.value > 0xff:
                buses[w.bdf] = w.value >> 8 & 0xff
            elif w.offset == 0x19:
                buses[w.bdf] = w.value & 0xff
        cards = list(cards)[-self.nics:]
        if len(cards) != self.nics:
            return [], None
        bridges = set()
        for card in cards:
            bus = int(card[:2], 16)
            while bus:
                above = [bdf for bdf, secondary in buses.items() if secondary == bus]
                if len(above) != 1:
                    return cards, None
                bridges.add(above[0])
                bus = int(above[0][:2], 16)
        return cards, sorted(bridges)

    def check_bus_master(self, name, bdfs):
        bad, unknown = [], []
        for bdf in bdfs:
            commands = [w for w in self.trace.config_writes(end=self.begin) if w.bdf == bdf and w.offset == 4]
            if not commands or not commands[-1].value & rules.BUS_MASTER:
                unknown.append(f"{bdf}: bus master was not seen switched on before")
            bad += [rules.show(w) for w in self.trace.config_writes(self.begin, self.end)
                    if w.bdf == bdf and w.offset == 4 and not w.value & rules.BUS_MASTER]
        self.judge(name, ("pci_cfg_write",), bad, unknown)

    def check_config(self, name, kind, bdfs):
        bad = []
        for w in self.trace.config_writes(self.begin, self.end):
            if w.bdf not in bdfs:
                continue
            reason = rules.reason(kind, w)
            self.config_writes.append({"time": w.time, "bdf": w.bdf, "offset": w.offset, "value": w.value,
                                       "allowed": reason is not None, "reason": reason})
            if reason is None:
                bad.append(rules.show(w))
        self.judge(name, ("pci_cfg_write",), bad)

    def check_config_space(self):
        cards, bridges = self.find_devices()
        if cards:
            self.check_bus_master("nic.bus_master", cards)
            self.check_config("nic.config", "nic", cards)
        else:
            self.result("nic.config", "unknown",
                        [f"no write to the configuration space of {self.nics} card(s) before the upgrade"])
        if bridges is None or not cards:
            self.result("bridge.config", "unknown", ["the bridge above the card was not seen set up"])
        elif bridges:
            self.check_bus_master("bridge.bus_master", bridges)
            self.check_config("bridge.config", "bridge", bridges)

    def run(self):
        self.check_trace()
        self.check_enable("iommu.translation", "vtd_dmar_enable")
        self.check_pointer("iommu.root", "vtd_reg_dmar_root")
        self.check_enable("iommu.remapping", "vtd_ir_enable")
        self.check_pointer("iommu.remapping_table", "vtd_reg_ir_root")
        self.check_faults()
        self.check_reset()
        self.check_power()
        self.check_link()
        self.check_dma()
        self.check_config_space()
        self.result("trace.parsed", "unknown" if self.trace.strange else "pass", self.trace.strange)

    def check_packets(self, cap):
        packets = {}
        for name, some in (("outbound", cap.outbound), ("inbound", cap.inbound)):
            a = packets[name] = capture.account(some)
            bad = [f"{n} {what}" for what, n in a.items() if what != "seen" and n]
            self.judge("wire." + name, (), bad, () if a["seen"] else ["no numbered datagram"])
        return packets


def verdict_of(checks):
    verdicts = {c["verdict"] for c in checks}
    if "fail" in verdicts:
        return "fail"
    return "pass" if verdicts == {"pass"} else "unknown"


def judge(trace, patterns, begin, end, capture_data=None, guest_mac=None, upgrades=1, nics=1):
    """Everything as one dict, ready for JSON."""
    w = Witness(trace, patterns, begin, end, nics=nics)
    w.run()
    report = {"schema_version": 1, "from": begin, "to": end, "upgrades": upgrades}
    if capture_data is not None:
        try:
            cap = capture.Capture(capture_data, guest_mac)
            report["wire"] = w.check_packets(cap)
            report["wire"]["pauses"] = cap.pauses(upgrades)
        except capture.BadCapture as error:
            w.result("wire", "unknown", [error])
    else:
        w.result("wire", "unknown", ["no capture"])
    report.update(verdict=verdict_of(w.checks), checks=w.checks, config_writes=w.config_writes)
    return report


def read(path, binary=False):
    with open(path, "rb" if binary else "r", **({} if binary else {"encoding": "utf-8"})) as f:
        return f.read()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir", help="folder with outer-trace.log, outer-command and nic.pcap")
    p.add_argument("--from", dest="begin", type=float, required=True, help="seconds since 1970")
    p.add_argument("--to", dest="end", type=float, required=True)
    p.add_argument("--upgrades", type=int, default=1, help="how many lie between")
    p.add_argument("--nics", type=int, default=1, help="how many cards are preserved (%(default)s)")
    p.add_argument("--mac", default="52:54:00:77:00:02", help="of the card (%(default)s)")
    a = p.parse_args()
    try:
        report = judge(Trace.read(os.path.join(a.dir, "outer-trace.log")),
                       traced_patterns(read(os.path.join(a.dir, "outer-command"))), a.begin, a.end,
                       read(os.path.join(a.dir, "nic.pcap"), True), a.mac, a.upgrades, a.nics)
    except OSError as error:
        report = {"schema_version": 1, "verdict": "unknown", "error": str(error)}
    json.dump(report, sys.stdout, indent=1)
    print()
    return {"pass": 0, "fail": 1}.get(report["verdict"], 2)


if __name__ == "__main__":
    sys.exit(main())
