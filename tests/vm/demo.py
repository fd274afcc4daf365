#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One upgrade from kernel A to kernel B, told while it happens; the report goes to build/demo/.

Exit status 0 only if khctl verify, the witness outside of the host, the traffic
and the guest itself all say that nothing was lost or touched.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from life import packets  # noqa: E402
from logs import bad_lines, without_reports  # noqa: E402
from scenario import BUILD, MORE_TRACE, Lab, Life, jump, khctl, kram_pages, log_since_ready, witness  # noqa: E402

DIR = os.path.join(BUILD, "demo")
UPGRADE = "khctl upgrade --kernel /boot/bzImage-b --qmp /run/g1.qmp"
# For the count: where a kernel lies at random makes a difference of a millisecond, and a second of this lab's clock is
# several of the peer's.
FIXED, RATE = "nokaslr norandmaps ", 2


class Demo:
    def __init__(self, lab):
        self.lab = lab
        self.start = time.monotonic()
        self.report = {"schema_version": 1, "verdict": "unknown", "old_kernel": None, "new_kernel": None,
                       "blackout_ns": None, "phases": [], "counted": None, "packets": None, "checks": []}

    def say(self, text):
        print(f"[{time.monotonic() - self.start:6.1f} s] {text}", flush=True)

    def check(self, name, good, found=None):
        self.report["checks"].append({"id": name, "ok": bool(good)} | ({} if good else {"found": str(found)[:2000]}))
        if not good:
            self.say(f"NOT AS IT SHOULD BE: {name}: {str(found)[:300]}")

    def run(self):
        lab = self.lab
        self.say("starting the outer QEMU, which plays the hardware")
        lab.start()
        self.life = Life(lab)
        lab.wait_boot()
        self.report["old_kernel"] = lab.check("uname -r").strip()
        self.say(f"L1 runs {self.report['old_kernel']}; its guest is booting")
        self.life.ready()
        # the upgrade is watched for a while on both sides of the jump
        first = self.life.both()
        before = self.life.caught_up(first)
        g = before["guest"]
        self.say(f"guest runs Debian's {g['release']}, {g['mem']['bytes'] >> 20} MiB of its RAM hold a pattern, "
                 f"{g['udp']['rate']} packets/s flow each way")
        self.upgrade(before)

    def upgrade(self, before):
        lab = self.lab
        begin = time.time()
        self.pages_before = kram_pages(lab)[0]
        self.logs = lab.check("dmesg")
        self.say(UPGRADE)
        jumped, status, output = jump(lab, UPGRADE)
        self.check("jump", jumped, output)
        if not jumped:
            return
        self.check("khctl resume", status == 0, output[-2000:])
        self.report["new_kernel"] = lab.check("uname -r").strip()
        self.say(f"L1 runs {self.report['new_kernel']}")
        self.check("kernel changed", self.report["new_kernel"] != self.report["old_kernel"])
        self.after(before, begin)

    def after(self, before, begin):
        after = self.life.caught_up(before)
        self.say("the guest and its peer hear each other")
        status, verify, talk = khctl(self.lab, "verify")
        self.check("khctl verify", status == 0 and verify, talk)
        self.report["verify"] = verify
        _, state, talk = khctl(self.lab, "status")
        self.times(state or {}, talk)
        self.say("checking the guest's RAM")
        mem = self.life.check_memory()["mem"]
        self.check("guest RAM", not mem["errors"], mem)
        last = self.life.stop_traffic()
        self.same_life(before["guest"], last["guest"])
        self.traffic(last)
        self.say("asking the witness outside")
        self.judge(begin)
        self.check_logs()
        self.report["preserved"] = {"device": "0000:01:00.0", "guest_ram_bytes": 2 << 30,
                                    "pattern_bytes": mem["bytes"], "kram_pages_before": self.pages_before,
                                    "kram_pages_after": kram_pages(self.lab)[0]}

    def times(self, state, talk):
        self.report["phases"] = [{"name": p["name"], "ns": p["ns"]} for p in state.get("phases", [])]
        self.report["blackout_ns"] = state.get("blackout_ns")
        self.check("phases measured", self.report["phases"] and self.report["blackout_ns"], talk)

    def count(self):
        """The same upgrade in a second lab, whose clock advances 1 ns for each instruction."""
        self.say("the same upgrade once more, with a clock that counts instructions")
        with Lab(os.path.join(DIR, "counted"), kernel="a", qemu="kh", guests=("g1",), icount=True, append=FIXED) as lab:
            lab.start()
            life = Life(lab, RATE)
            lab.wait_boot()
            life.ready(240)
            jumped, status, output = jump(lab, UPGRADE, 600)
            _, state, talk = khctl(lab, "status")
        self.check("counted upgrade", jumped and status == 0 and state and state["blackout_ns"], output[-2000:] + talk)
        self.report["counted"] = {"blackout_ns": state["blackout_ns"],
                                  "phases": {p["name"]: p["ns"] for p in state["phases"] if p["in_blackout"]}}

    def same_life(self, b, a):
        self.check("same boot id", a["boot_id"] == b["boot_id"], (a, b))
        self.check("uptime and processes go on", a["uptime_ns"] > b["uptime_ns"] and a["ticks"] > b["ticks"]
                   and not a["dead_workers"], (a, b))
        self.check("link never down", a["link"] == b["link"], (a["link"], b["link"]))
        self.check("guest's kernel is silent", not log_since_ready(a) and a["tainted"] == 0, log_since_ready(a))
        self.check("interrupts go on", all(n > b["interrupts"][i] for i, n in a["interrupts"].items() if i != "eth0"),
                   (a["interrupts"], b["interrupts"]))

    def traffic(self, reports):
        p = self.report["packets"] = packets(reports)
        self.check("packets", p["sent"] and p["sent"] == p["received"]
                   and not p["lost"] + p["duplicated"] + p["reordered"], p)
        tcp = {who: r["tcp"] for who, r in reports.items()}
        self.report["tcp"] = tcp
        self.check("connection", all(t["status"] == "up" and t["verified"] and not t["bad"] for t in tcp.values()), tcp)

    def judge(self, begin):
        w = self.report["witness"] = witness(self.lab, begin, time.time())
        self.check("witness", w["verdict"] == "pass",
                   [c for c in w["checks"] if c["verdict"] != "pass"] or w)

    def check_logs(self):
        texts = [self.logs, self.lab.check("dmesg"), self.lab.console(), without_reports(self.lab.guest_console("g1"))]
        bad = [line for text in texts for line in bad_lines(text)]
        self.check("kernel logs", not bad, bad)

    @staticmethod
    def times_of(wall, counted):
        """Wall time of the emulated machine, and beside it the time counted in instructions."""
        return f"{wall / 1e6:12.3f} ms emulated" + (f" {counted / 1e6:12.3f} ms counted" if counted else "")

    def table(self):
        r = self.report
        rows = [("kernel", f"{r['old_kernel']} -> {r['new_kernel']}")]
        counted = r["counted"] or {"blackout_ns": None, "phases": {}}
        rows += [("  " + p["name"], self.times_of(p["ns"], counted["phases"].get(p["name"]))) for p in r["phases"]]
        if r["blackout_ns"]:
            rows.append(("blackout", self.times_of(r["blackout_ns"], counted["blackout_ns"])
                         + ("" if counted["blackout_ns"] else ", not counted")))
        if "preserved" in r:
            k = r["preserved"]
            rows.append(("preserved", f"{k['device']}, {k['guest_ram_bytes'] >> 20} MiB of guest RAM "
                         f"({k['pattern_bytes'] >> 20} MiB checked), {k['kram_pages_after']} KRAM pages"))
        if r["packets"]:
            rows.append(("packets", ", ".join(f"{n} {what}" for what, n in r["packets"].items())))
        rows += [("failed", c["id"]) for c in r["checks"] if not c["ok"]]
        rows.append(("verdict", r["verdict"]))
        print()
        for name, value in rows:
            print(f"  {name:10}  {value}")

    def finish(self):
        checks = self.report["checks"]
        wanted = {"jump", "khctl verify", "witness", "packets", "connection", "guest RAM", "same boot id", "kernel logs",
                  "counted upgrade"}
        if any(not c["ok"] for c in checks):
            self.report["verdict"] = "fail"
        elif wanted <= {c["id"] for c in checks}:
            self.report["verdict"] = "pass"
        self.table()
        path = os.path.join(DIR, "report.json")
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(self.report, f, indent=1)
            f.write("\n")
        os.replace(path + ".new", path)
        print(f"\n  {os.path.relpath(path)}, beside it outer-trace.log and nic.pcap")


def main():
    with Lab(DIR, kernel="a", qemu="kh", guests=("g1",), machine=MORE_TRACE) as lab:
        demo = Demo(lab)
        try:
            demo.run()
        except Exception as error:  # noqa: BLE001: the report is written whatever happened
            demo.check("ran to its end", False, repr(error))
    try:
        demo.count()
    except Exception as error:  # noqa: BLE001
        demo.check("counted upgrade", False, repr(error))
    demo.finish()
    sys.exit(0 if demo.report["verdict"] == "pass" else 1)


if __name__ == "__main__":
    main()
