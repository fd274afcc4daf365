#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The witness on made-up records: a clean one passes, and each thing that must not happen is caught."""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import capture
import witness
from compare import PAIRS, compare
from events import Trace, traced_patterns

MAC = "52:54:00:77:00:02"
PEER = bytes.fromhex("0a0000000001")
GUEST = bytes.fromhex(MAC.replace(":", ""))
BEGIN, END = 100.0, 120.0
PATTERNS = ["vtd_*", "pci_cfg_write", "pci_pm_transition", "e1000e_*"]

passed = failed = 0


def ok(what, good, found=""):
    global passed, failed
    passed, failed = (passed + 1, failed) if good else (passed, failed + 1)
    print(f"{'ok' if good else 'not ok'} {passed + failed} - {what}" + ("" if good else f" # found {found}"))


def boot():
    """From power-on to a guest that uses its card."""
    return [
        (1.0, "pci_cfg_write pcie-root-port 00:04.0 @0x18 <- 0x0"),
        (1.0, "pci_cfg_write pcie-root-port 00:04.0 @0x19 <- 0x1"),
        (1.0, "pci_cfg_write pcie-root-port 00:04.0 @0x4 <- 0x107"),
        (1.0, "pci_cfg_write e1000e 01:00.0 @0x4 <- 0x103"),
        (2.0, "vtd_reg_dmar_root addr 0x1b7008000 scalable 0"),
        (2.0, "vtd_dmar_enable enable 1"),
        (2.0, "vtd_reg_ir_root addr 0x1b7100000 size 0x10000"),
        (2.0, "vtd_ir_enable enable 1"),
        (5.0, "pci_cfg_write e1000e 01:00.0 @0x4 <- 0x507"),
        (5.0, "pci_cfg_write e1000e 01:00.0 @0xa2 <- 0x8004"),
        (6.0, "e1000e_core_ctrl_sw_reset Doing SW reset"),
        (6.1, "e1000e_link_status_changed New link status: 1"),
    ]


def upgrade():
    """One that is as it should be: silence from 105 to 109."""
    lines = [(t / 10, "e1000e_tx_descr 0x7f00 : 5b 1") for t in range(1000, 1200) if not 1050 < t < 1090]
    lines += [(t / 10 + 0.05, "e1000e_rx_written_to_guest Received packet written to guest (queue 0)")
              for t in range(1000, 1200)]
    return lines + [(108.0, "pci_cfg_write e1000e 01:00.0 @0xa2 <- 0xc004"),
                    (108.5, "pci_cfg_write e1000e 01:00.0 @0xa2 <- 0x8004")]


def trace(extra=(), without=""):
    lines = sorted([*boot(), *upgrade(), *extra], key=lambda x: x[0])
    return Trace(f"4711@{t:.6f}:{text}\n" for t, text in lines if not without or without not in text)


def frame(outbound, seq, stamp=7, magic=capture.UDP_MAGIC):
    payload = struct.pack(">IIQQQ", magic, 0, seq, stamp, seq ^ stamp ^ capture.UDP_CHECK)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, 1, 2)
    macs = PEER + GUEST if outbound else GUEST + PEER
    return macs + b"\x08\x00" + ip + struct.pack(">HHHH", 7001, 7001, 8 + len(payload), 0) + payload


def pcap(numbers_out, numbers_in, order="<"):
    out = struct.pack(order + "IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65536, 1)
    records = [(t, frame(True, n)) for t, n in numbers_out] + [(t, frame(False, n)) for t, n in numbers_in]
    for t, data in sorted(records, key=lambda r: r[0]):
        out += struct.pack(order + "IIII", int(t), round(t % 1 * 1e6), len(data), len(data)) + data
    return out


def wire(skip_out=(), more_in=(), order="<"):
    out = [(100 + i * 0.1 + (4 if i > 50 else 0), i) for i in range(100) if i not in skip_out]
    return pcap(out, [(100.05 + i * 0.1, i) for i in range(140)] + list(more_in), order)


def judge(t=None, patterns=PATTERNS, data=None):
    return witness.judge(t or trace(), patterns, BEGIN, END, wire() if data is None else data, MAC)


def found(report, check):
    return next((c["verdict"] for c in report["checks"] if c["id"] == check), "absent")


def clean_record_passes():
    report = judge()
    ok("a clean record passes", report["verdict"] == "pass", report["checks"])
    ok("each write to the card is listed", [w["value"] for w in report["config_writes"]] == [0xc004, 0x8004],
       report["config_writes"])
    ok("the wire's longest silence is found", report["wire"]["pauses"][0]["silent_s"] == 4.1, report["wire"])
    ok("what came during the silence is counted", report["wire"]["pauses"][0]["numbered_to_guest"] == 41,
       report["wire"])
    ok("the other byte order is read as well", judge(data=wire(order=">"))["verdict"] == "pass")


VIOLATIONS = [
    ("iommu.translation", "vtd_dmar_enable enable 0"),
    ("iommu.root", "vtd_reg_dmar_root addr 0x12345000 scalable 0"),
    ("iommu.root", "vtd_reg_dmar_root addr 0x1b7008000 scalable 1"),
    ("iommu.remapping", "vtd_ir_enable enable 0"),
    ("iommu.remapping_table", "vtd_reg_ir_root addr 0x12345000 size 0x10000"),
    ("iommu.faults", "vtd_dmar_fault sid 0x100 fault 6 addr 0xffff0000 write 1"),
    ("nic.reset", "e1000e_core_ctrl_sw_reset Doing SW reset"),
    ("nic.reset", "e1000e_core_ctrl_phy_reset Doing PHY reset"),
    ("nic.reset", "e1000e_cb_qdev_reset_hold E1000E qdev reset hold"),
    ("nic.power", "pci_pm_transition e1000e 01:00.0 PM transition D0->D3"),
    ("nic.link", "e1000e_link_status_changed New link status: 0"),
    ("nic.dma", "e1000e_rx_not_written_to_guest Received packet NOT written to guest (queue 0)"),
    ("nic.bus_master", "pci_cfg_write e1000e 01:00.0 @0x4 <- 0x503"),
    ("nic.config", "pci_cfg_write e1000e 01:00.0 @0x4 <- 0x507"),
    ("nic.config", "pci_cfg_write e1000e 01:00.0 @0xa2 <- 0x4"),
    ("nic.config", "pci_cfg_write e1000e 01:00.0 @0x10 <- 0xffffffff"),
    ("bridge.bus_master", "pci_cfg_write pcie-root-port 00:04.0 @0x4 <- 0x103"),
    ("bridge.config", "pci_cfg_write pcie-root-port 00:04.0 @0x18 <- 0x10100"),
    ("bridge.config", "pci_cfg_write pcie-root-port 00:04.0 @0x20 <- 0xfff0"),
    ("bridge.config", "pci_cfg_write pcie-root-port 00:04.0 @0x3e <- 0x42"),
    ("bridge.config", "pci_cfg_write pcie-root-port 00:04.0 @0x64 <- 0x10"),
    ("bridge.config", "pci_cfg_write pcie-root-port 00:04.0 @0x6c <- 0x400"),
]


def violations_are_caught():
    for check, line in VIOLATIONS:
        report = judge(trace([(107.0, line)]))
        ok(f"{check} fails on: {line}", found(report, check) == "fail" and report["verdict"] == "fail",
           report["checks"])
        report = judge(trace([(130.0, line)]))
        ok(f"{check} leaves alone what comes after", found(report, check) == "pass", report["checks"])
    own = judge(trace([(107.0, "pci_cfg_write pcie-root-port 00:04.0 @0x4a <- 0xc000"),
                       (107.0, "pci_cfg_write pcie-root-port 00:04.0 @0x4 <- 0x507")]))
    ok("a bridge's own interrupt is its own affair", own["verdict"] == "pass", own["checks"])
    other = judge(trace([(107.0, "pci_cfg_write virtio-blk 00:05.0 @0x4 <- 0x0"),
                         (107.0, "pci_pm_transition igb 00:09.0 PM transition D0->D3")]))
    ok("other devices are not the card", other["verdict"] == "pass", other["checks"])


def two_cards():
    """What holds for one must hold for each."""
    second = [(1.0, "pci_cfg_write pcie-root-port 00:12.0 @0x18 <- 0x0"),
              (1.0, "pci_cfg_write pcie-root-port 00:12.0 @0x19 <- 0x2"),
              (1.0, "pci_cfg_write pcie-root-port 00:12.0 @0x4 <- 0x107"),
              (5.0, "pci_cfg_write e1000e 02:00.0 @0x4 <- 0x507")]

    def both(*extra, cards=2):
        return witness.judge(trace([*second, *extra]), PATTERNS, BEGIN, END, wire(), MAC, nics=cards)

    ok("two cards: a clean record passes", both()["verdict"] == "pass", both()["checks"])
    for check, line in (("nic.bus_master", "e1000e 01:00.0 @0x4 <- 0x503"), ("nic.bus_master", "e1000e 02:00.0 @0x4 <- 0x503"),
                        ("nic.config", "e1000e 02:00.0 @0x10 <- 0xffffffff"),
                        ("bridge.config", "pcie-root-port 00:04.0 @0x20 <- 0xfff0"),
                        ("bridge.bus_master", "pcie-root-port 00:12.0 @0x4 <- 0x103")):
        report = both((107.0, "pci_cfg_write " + line))
        ok(f"two cards: {check} fails on: {line}", found(report, check) == "fail", report["checks"])
    report = both(cards=3)
    ok("a third card that was never seen is unknown", found(report, "nic.config") == "unknown", report["checks"])


ABSENT = [
    ("iommu.translation", "vtd_dmar_enable"), ("iommu.root", "vtd_reg_dmar_root"),
    ("iommu.remapping", "vtd_ir_enable"), ("iommu.remapping_table", "vtd_reg_ir_root"),
    ("nic.reset", "sw_reset"), ("nic.dma", "e1000e_tx_descr"), ("nic.dma", "e1000e_rx_written"),
    ("nic.config", "pci_cfg_write e1000e"), ("nic.bus_master", "@0x4 "), ("bridge.config", "@0x19"),
    ("bridge.bus_master", "00:04.0 @0x4 "),
]


def absence_is_not_pass():
    for check, gone in ABSENT:
        report = judge(trace(without=gone))
        ok(f"{check} is unknown without '{gone}'", found(report, check) == "unknown"
           and report["verdict"] == "unknown", report["checks"])
    for patterns, check in ((["vtd_*"], "nic.config"), (["vtd_ir_*"], "iommu.faults"), ([], "nic.link")):
        report = judge(patterns=patterns)
        ok(f"{check} is unknown when only {patterns} are traced", found(report, check) == "unknown", report["checks"])
    ok("an empty trace is unknown", judge(Trace([]))["verdict"] == "unknown")
    short = Trace(f"1@{t:.6f}:{x}\n" for t, x in sorted(boot() + upgrade()) if t < 105)
    ok("a trace that ends early is unknown", found(judge(short), "trace") == "unknown")
    untimed = trace()
    untimed.strange.append("vtd_dmar_enable enable 0")
    ok("a line without a time is not passed over", judge(untimed)["verdict"] == "unknown")


def wire_is_counted():
    ok("a number missing on the wire fails", found(judge(data=wire(skip_out=(60,))), "wire.outbound") == "fail")
    ok("a doubled number fails", found(judge(data=wire(more_in=[(118.0, 77)])), "wire.inbound") == "fail")
    late = capture.account([capture.Numbered(0, True, n, 0) for n in (0, 2, 1, 3)])
    ok("a late number is out of order, not lost", late["reordered"] == 1 and not late["missing"], late)
    ok("no traffic is unknown", found(judge(data=pcap([], [])), "wire.outbound") == "unknown")
    for data in (b"", b"\0" * 64, wire()[:24] + b"\xff" * 64):
        ok("a file that is no capture is unknown", found(judge(data=data), "wire") == "unknown")
    ok("a record cut off by the end is left out", judge(data=wire()[:-7])["verdict"] == "pass")
    ok("no capture is unknown", witness.judge(trace(), PATTERNS, BEGIN, END)["verdict"] == "unknown")


def changed(data, at, value):
    return data[:at] + value + data[at + len(value):]


def strangers_are_not_counted():
    """Only a whole UDP datagram with the right magic and check value is a numbered one."""
    good, mac = frame(True, 5), GUEST
    ok("a numbered datagram is one", capture.numbered(capture.Frame(0, good), mac) == (0, True, 5, 7))
    for what, data in (("of another EtherType", changed(good, 12, b"\x08\x06")), ("of another protocol", changed(good, 23, b"\x06")),
                       ("with another magic", frame(True, 5, magic=capture.UDP_MAGIC + 1)),
                       ("with a wrong check value", changed(good, len(good) - 1, bytes([good[-1] ^ 1]))),
                       ("that is cut short", good[:-1])):
        ok(f"a datagram {what} is not counted", capture.numbered(capture.Frame(0, data), mac) is None)
    to, own = frame(False, 1), changed(frame(True, 1), 0, b"\xff" * 6)
    wired = capture.Capture(pcap([], []) + b"".join(
        struct.pack("<IIII", 1, 0, len(d), len(d)) + d for d in (to, own, frame(True, 2), changed(to, 0, PEER))), MAC)
    ok("frames to the guest: neither its own broadcast nor another's", [f.data for f in wired.to_guest] == [to], wired.to_guest)
    ok("an empty record at the end of the file is read",
       len(capture.frames(pcap([(1, 1)], []) + struct.pack("<IIII", 2, 0, 0, 60))) == 2)


def bridges_are_found():
    """A byte written to the primary bus number says nothing about the bus below."""
    byte = judge(trace([(1.5, "pci_cfg_write pcie-root-port 00:04.0 @0x18 <- 0xff")]))
    ok("the bus below a bridge is not read from a byte write", found(byte, "bridge.config") == "pass", byte["checks"])
    first = judge(trace([(107.0, "vtd_reg_dmar_root addr 0x12345000 scalable 0")], without="0x1b7008000"))
    ok("a root table that is set for the first time during the upgrade is no pass", found(first, "iommu.root") == "fail", first["checks"])


def patterns_are_read():
    line = "'qemu' '-trace' 'vtd_*' '-trace' 'enable=pci_cfg_write' -name 'x y'"
    ok("-trace options are found", traced_patterns(line) == ["vtd_*", "pci_cfg_write"], traced_patterns(line))


def observers_are_compared():
    """The witness's own report of a clean record, against a khctl that says what it is told to."""
    ids = [c for claims, _ in PAIRS for c in claims]

    def rows(report, **other):
        claims = [{"id": i, "verdict": other.get(i.replace("-", "_"), "holds")} for i in ids]
        return compare(report, {"claims": claims})

    good = judge(trace())
    ok("two observers of a clean record agree", all(r["agree"] for r in rows(good)), rows(good))
    for value in ("violated", "unknown"):
        bad = [r for r in rows(good, bus_master=value) if not r["agree"]]
        ok(f"{value} on one side is no agreement", len(bad) == 1 and bad[0]["claims"] == ["bus-master"], bad)
    ok("a khctl that says nothing agrees with nobody", not any(r["agree"] for r in compare(good, {})))
    ok("a witness that says nothing agrees with nobody", not any(r["agree"] for r in rows({})))
    fault = judge(trace([(110.0, "vtd_dmar_fault sid 0x100 fault 6 addr 0x0 write 1")]))
    ok("both see a fault: they agree",
       [r["agree"] for r in rows(fault, no_dma_fault="violated") if r["claims"] == ["no-dma-fault"]] == [True], fault)


for test in (clean_record_passes, violations_are_caught, two_cards, absence_is_not_pass, wire_is_counted,
             strangers_are_not_counted, bridges_are_found, patterns_are_read, observers_are_compared):
    test()
print(f"1..{passed + failed}")
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed else 0)
