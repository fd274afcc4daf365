#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Each room of ctl/ includes only headers of itself and of rooms named before it in CTL_ROOMS (ctl/ctl.mk).

usage: rooms.py [TREE]    TREE: root of a checkout, by default the one that holds this script
"""
import os
import re
import sys

top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
ctl = os.path.join(top, "ctl")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


rooms = re.search(r"^CTL_ROOMS := (.*)$", read(os.path.join(ctl, "ctl.mk")), re.M)[1].split()
bad, seen = [], 0
for folder in sorted(d for d in os.listdir(ctl) if os.path.isdir(os.path.join(ctl, d))):
    if folder not in rooms:
        bad.append(f"ctl/{folder}: not in CTL_ROOMS of ctl/ctl.mk")
        continue
    for name in sorted(os.listdir(os.path.join(ctl, folder))):
        for header in re.findall(r'^#include "([^"]+)"', read(os.path.join(ctl, folder, name)), re.M):
            room = header.split("/")[0]
            seen += room in rooms
            if header.startswith("verb"):
                bad.append(f"ctl/{folder}/{name}: includes {header}, which lies above all rooms")
            elif room in rooms and rooms.index(room) > rooms.index(folder):
                bad.append(f"ctl/{folder}/{name}: includes {header}, but {room}/ comes after {folder}/")
            elif room not in rooms and room != "bpf":
                bad.append(f"ctl/{folder}/{name}: includes {header}, whose room is not named")
if not seen:
    bad.append("no include was found: this check looks in the wrong place")
print(("not " if bad else "") + f"ok 1 - each room of ctl/ uses only itself and rooms before it, {seen} includes")
for line in bad:
    print("# " + line)
sys.exit(bool(bad))
