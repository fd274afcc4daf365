# SPDX-License-Identifier: GPL-2.0
"""What the scenarios share: a lab with its load, an upgrade in it, and what must hold afterwards."""
import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tools/lab"))
from lab import BUILD, MEMMAP, Lab  # noqa: E402

from life import RING, Life, log_since_ready, serial_report, serial_until  # noqa: E402
from logs import bad_lines, without_reports  # noqa: E402
from tap import Tap  # noqa: E402

# What the witness wants to see beyond what the lab records of itself.
MORE_TRACE = [x for event in ("e1000e_tx_descr", "e1000e_rx_written_to_guest", "e1000e_rx_not_written_to_guest",
                              "e1000e_irq_msix_notify_vec") for x in ("-trace", event)]
KERNELS = {"a": "-kha", "b": "-khb", "stock": "-stock", "inject": "-khi"}


@contextlib.contextmanager
def lab(tap, name, folder=None, **options):
    """A running lab. Its folder is kept if anything failed, or if KEEP is set."""
    folder = folder or os.path.join(BUILD, "vm", name)
    failed = tap.failed
    machine = [*MORE_TRACE, *options.pop("machine", [])]
    it = Lab(folder, machine=machine, **options)
    it.logs = []
    entered = False
    try:
        with it:
            it.start()
            tap.say(f"{name}: outer QEMU started")
            it.wait_boot()
            entered = True
            yield it
    except Exception as error:  # noqa: BLE001: whatever it is, it is one failed check
        why = (str(error).strip().splitlines() or [repr(error)])[0].replace("#", "")[:150]
        tap.check(f"{name}: ran to its end ({why})", False, f"{error}\n{traceback.format_exc()}")
        if not entered:
            tap.finish()
    if tap.failed == failed and not os.environ.get("KEEP"):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        tap.say(f"records kept in {folder}")


def khctl(lab, arguments, timeout=120):
    """Runs khctl in L1; returns exit status, its JSON (None if there is none) and all that it said."""
    job = "/run/khctl.%d" % time.monotonic_ns()
    status, talk = lab.run(f"khctl {arguments} --json >{job}", timeout)
    _, out = lab.run(f"cat {job}; rm -f {job}")
    try:
        data = json.loads(out)
    except ValueError:
        data = None
    return status, data, talk + out


def save_kernel_log(lab):
    """L1's kernel log as it stands, kept for check_logs()."""
    text = lab.check("dmesg")
    with open(lab.path(f"l1-dmesg-{lab.boot}"), "w", encoding="utf-8") as f:
        f.write(text)
    lab.logs.append((f"L1, boot {lab.boot}", text))


def check_logs(tap, lab, guests=("g1",)):
    """Every kernel's log: L1's old and new ones, the guests'."""
    save_kernel_log(lab)
    for name, text in [("L1's console", lab.console()), *lab.logs,
                       *((g, without_reports(lab.guest_console(g))) for g in guests)]:
        bad = bad_lines(text)
        tap.check(f"nothing bad in the log of {name}", text and not bad, bad or "the log is empty")
    tap.check("L1's kernel is not tainted", lab.check("cat /proc/sys/kernel/tainted").strip() == "0")


def kram_pages(lab):
    """Pages in use, by owner and in all."""
    out = lab.check("cd /sys/kernel/kram && grep . owners/* area*/used_pages")
    pages = {k: int(v) for k, v in re.findall(r"^(\S+):(\d+)$", out, re.M)}
    return sum(v for k, v in pages.items() if k.endswith("used_pages")), pages


def host(lab):
    """What a host has when its boot is over, whatever was put off in it."""
    out = lab.check("cat /sys/devices/system/cpu/online; grep MemTotal /proc/meminfo; ls /sys/module /sys/kernel/slab | wc -l; "
                    "cat /sys/kernel/initcall_deferred 2>/dev/null | wc -l; cat /proc/sys/kernel/printk")
    cpus, memory, entries, pending, console = out.splitlines()
    return {"cpus": cpus, "kib": int(memory.split()[1]), "entries": int(entries), "pending": int(pending),
            "loglevel": int(console.split()[0])}


def check_host_whole(tap, lab, before):
    now = host(lab)
    tap.check("the host's CPUs are those of before", now["cpus"] == before["cpus"], (before, now))
    # a kernel's own size and what it reserves differ a little
    tap.check("its memory is all there", abs(now["kib"] - before["kib"]) < before["kib"] // 50, (before, now))
    tap.check("the console says what it said before", now["loglevel"] == before["loglevel"] > 5, (before, now))
    tap.check("no initcall is left out", now["pending"] == 0 and now["entries"] > before["entries"] * 0.9, (before, now))


def witness(lab, begin, end, upgrades=1, nics=1):
    """The witness is a program of its own: only files and its answer go between."""
    done = subprocess.run([os.path.join(TOP, "tests/witness/witness.py"), lab.dir, "--from", str(begin), "--to", str(end),
                           "--upgrades", str(upgrades), "--nics", str(nics)], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"verdict": "unknown", "error": done.stderr, "checks": []}


def jump(lab, command, timeout=180):
    """Runs an upgrade; returns (jumped, exit status, output). The new kernel has finished its init if jumped."""
    boot, since = lab.boot, len(lab.console())
    job = lab.spawn(command)
    lab.wait_for(lambda: job.done() or lab.boot > boot, timeout, "the end of: " + command)
    if job.result is not None:
        return False, *job.result
    lab.wait_jump(boot, timeout)
    match = lab.wait_console(r"init: khctl resume ended with (\d+)", timeout, since)
    return True, int(match[1]), lab.console()[since:]


def upgrade(tap, lab, to, sockets=("/run/g1.qmp",), more="", timeout=240):
    """khctl upgrade to kernel `to`, seen from L1."""
    command = " ".join(["khctl upgrade --kernel /boot/bzImage-" + to, *("--qmp " + s for s in sockets), more])
    save_kernel_log(lab)
    jumped, status, output = jump(lab, command, timeout)
    if not tap.check(f"L1 went to the next kernel ({to})", jumped, f"exit status {status}\n{output}"):
        raise RuntimeError("the upgrade did not get as far as the jump")
    release = lab.check("uname -r").strip()
    tap.check(f"the new kernel is {to}", release.endswith(KERNELS[to]), release)
    tap.check("khctl resume succeeded", status == 0, output[-3000:])
    return release


def attached(lab):
    """What of the instruments is at work in L1: nothing, while no upgrade is on."""
    found = {"programs": lab.check("bpftool prog show").strip(),
             "pins": lab.run("ls -d /sys/fs/bpf/khctl")[0] == 0,
             "recorder": not lab.check("cat /sys/kernel/kram/recorder").startswith("stopped")}
    return [name for name, there in found.items() if there]


def check_quiet(tap, lab, when):
    there = attached(lab)
    tap.check(f"no program is loaded, nothing is pinned, the recorder stands {when}", not there, there)


def send(lab, path, to):
    """A file of this machine's into L1."""
    with open(path, "rb") as f:
        data = f.read()
    lab.check(f": >{to}")
    for at in range(0, len(data), 60000):
        # a word of a command has at most 128 KiB
        lab.check(f"echo {base64.b64encode(data[at:at + 60000]).decode()} | base64 -d >>{to}")


def crowd(lab):
    """One function gets as many programs as a kernel takes, so that khctl's own cannot be attached."""
    for name in ("crowd", "crowd.bpf.o"):
        send(lab, os.path.join(BUILD, "tests/vm", name), "/run/" + name)
    lab.check("chmod +x /run/crowd; setsid /run/crowd /run/crowd.bpf.o </dev/null >/run/crowd.log 2>&1 & "
              "i=0; while [ ! -s /run/crowd.log ] && [ $i -lt 600 ]; do usleep 50000; i=$((i+1)); done")
    out = lab.check("cat /run/crowd.log")
    if out != "38 attached\n":
        raise RuntimeError("the function is not full: " + out)


def check_verify(tap, lab):
    status, data, talk = khctl(lab, "verify")
    tap.check("khctl verify passes", status == 0, talk)
    return data


def check_same_life(tap, before, after):
    """The guest's own view: what must be the same, and what must have gone on."""
    b, a = before["guest"], after["guest"]
    tap.check("same boot id", a["boot_id"] == b["boot_id"], (b["boot_id"], a["boot_id"]))
    tap.check("uptime and ticks go on", a["uptime_ns"] > b["uptime_ns"] and a["ticks"] > b["ticks"], (b, a))
    tap.check("the guest's kernel is not tainted", a["tainted"] == 0, a["tainted"])
    tap.check("no process ended", a["dead_workers"] == 0, a)
    tap.check("the link never went", a["link"] == b["link"] and a["link"]["operstate"] == "up", (b["link"], a["link"]))
    tap.check("no message of the guest's kernel", not log_since_ready(a), log_since_ready(a))
    tap.check("the same clocksource", a["clocksource"] == b["clocksource"], (b["clocksource"], a["clocksource"]))
    for name in ("eth0-rx-0", "eth0-tx-0"):
        tap.check(f"interrupts of {name} go on", a["interrupts"][name] > b["interrupts"][name],
                  (b["interrupts"], a["interrupts"]))


def check_traffic(tap, reports):
    for who, other in (("guest", "peer"), ("peer", "guest")):
        udp, tcp = reports[who]["udp"], reports[who]["tcp"]
        for count in ("missing", "duplicated", "reordered", "corrupt"):
            tap.check(f"{other} to {who}: {count} 0", udp[count] == 0, udp)
        tap.check(f"{who}: every datagram could be sent", udp["send_errors"] == 0, udp)
        tap.check(f"{who}: the connection is up and its bytes are right",
                  tcp["status"] == "up" and tcp["verified"] and not tcp["bad"], tcp)


def check_all_arrived(tap, reports):
    """After stop_traffic(): each end has got each datagram that the other one sent."""
    for who, other in (("guest", "peer"), ("peer", "guest")):
        tap.check(f"all datagrams from {other} arrived", reports[who]["udp"]["unique"] == reports[other]["udp"]["sent"],
                  (reports[who]["udp"], reports[other]["udp"]))


def check_memory(tap, life):
    mem = life.check_memory()["mem"]
    tap.check(f"the pattern in {mem['bytes'] >> 20} MiB of guest RAM is intact", mem["errors"] == 0, mem)


def check_witness(tap, lab, begin, end, upgrades=1, nics=1):
    report = witness(lab, begin, end, upgrades, nics)
    for c in report["checks"]:
        tap.check(f"witness: {c['id']}", c["verdict"] == "pass", "\n".join([c["verdict"], *c["evidence"]]))
    tap.check("witness: verdict", report["verdict"] == "pass", report.get("error", report["verdict"]))
    for pause in report.get("wire", {}).get("pauses", []):
        tap.check("what came during the pause fits the receive ring", pause["frames_to_guest"] <= RING, pause)
        tap.check("the guest's peer went on sending during the pause", pause["numbered_to_guest"] > 0, pause)
    return report


def check_agreement(tap, verify, report):
    """Two observers, one upgrade; compare.py is a program of its own as the witness is."""
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("witness", "khctl")]
        for name, data in zip(names, (report, verify or {})):
            with open(name, "w", encoding="utf-8") as f:
                json.dump(data, f)
        done = subprocess.run([os.path.join(TOP, "tests/witness/compare.py"), *names], capture_output=True, text=True,
                              check=False)
    tap.check("the witness and khctl agree on each claim", done.returncode == 0, done.stdout + done.stderr)
    return json.loads(done.stdout)["pairs"] if done.stdout else []


def check_second_guest(tap, lab, before):
    """g2 has no network: a pass over RAM and disk that began after `before` was taken."""
    b = before
    a = serial_until(lab, "g2", lambda r: r["mem"]["passes"] >= b["mem"]["begun"] + 1
                     and r["disk"]["passes"] >= b["disk"]["passes"] + 2, "passes over RAM and disk", 180)
    tap.check("g2: same boot id, ticks go on", a["boot_id"] == b["boot_id"] and a["ticks"] > b["ticks"], (b, a))
    tap.check("g2: RAM intact", a["mem"]["errors"] == 0 and a["mem"]["bytes"] > 0, a["mem"])
    tap.check("g2: disk intact and written to", a["disk"]["errors"] == 0 and a["disk"]["io_errors"] == 0
              and a["disk"]["writes"] > b["disk"]["writes"], a["disk"])
    tap.check("g2: no process ended", a["dead_workers"] == 0, a)
    return a
