#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Draw docs/ownership.svg: who owns what at which time of an upgrade.

usage: docs/draw.py > docs/ownership.svg

The times of the phases come from the first table of docs/blackout.md. tests/unit/docs.py checks that
the picture in the tree is the one that this program draws.
"""
import os
import re
from xml.sax.saxutils import escape

HERE = os.path.dirname(os.path.abspath(__file__))
LEFT, TOP, ROW, GAP = 150, 92, 44, 8
# Not to scale: each column has room for its words.
COLUMNS = [("guest runs", 190), ("save", 80), ("jump", 80), ("boot", 180), ("resume", 130), ("run", 60),
           ("guest runs", 190)]
OLD, NEW, NOBODY, HARDWARE, MEMORY = "#cfe0f3", "#d5ecd4", "#f3d9d2", "#f6ecc7", "#e4dcf0"

# Row, then pieces: first column, columns, colour, words.
ROWS = [
    ("host kernel", [(0, 3, OLD, "kernel A"), (3, 4, NEW, "kernel B")]),
    ("guest's CPUs", [(0, 1, OLD, "run in QEMU A"), (1, 5, NOBODY, "stand still: the blackout"),
                      (6, 1, NEW, "run in QEMU B")]),
    ("guest RAM", [(0, 3, OLD, "devdax, mapped by QEMU A"), (3, 1, MEMORY, "reserved, nobody maps it"),
                   (4, 3, NEW, "same pages, mapped by QEMU B")]),
    ("device state", [(0, 1, OLD, "in QEMU A"), (1, 1, OLD, "written"), (2, 2, MEMORY, "in the state area (devdax)"),
                      (4, 1, NEW, "read"), (5, 2, NEW, "in QEMU B")]),
    ("PCI device", [(0, 3, OLD, "held by vfio-pci of kernel A"), (3, 1, MEMORY, "kept: no driver holds it"),
                    (4, 3, NEW, "adopted by vfio-pci of kernel B")]),
    ("its DMA", [(0, 7, HARDWARE, "goes on all the time: the bus master bit stays set, nothing is reset")]),
    ("IOMMU tables", [(0, 3, OLD, "in KRAM, owned by kernel A, then sealed"),
                      (3, 4, NEW, "same pages in KRAM, adopted by kernel B")]),
    ("translation", [(0, 7, HARDWARE, "and interrupt remapping: on all the time")]),
    ("interrupts", [(0, 1, OLD, "to the guest"), (1, 1, NOBODY, "made up later"),
                    (2, 3, NOBODY, "vectors masked, pending bits in the device"), (5, 2, NEW, "to the guest")]),
    ("who records", [(0, 2, OLD, "BPF programs, recorder"), (2, 2, MEMORY, "recorder in KRAM"),
                     (4, 3, NEW, "BPF program, recorder")]),
]


def phases():
    """{name: milliseconds as they stand in docs/blackout.md}"""
    with open(os.path.join(HERE, "blackout.md"), encoding="utf-8") as f:
        found = dict(re.findall(r"^\| (save|jump|boot|resume|run|blackout) \| ([\d.]+) \|", f.read(), re.M))
    missing = {"save", "jump", "boot", "resume", "run", "blackout"} - set(found)
    if missing:
        raise SystemExit("docs/blackout.md gives no time for " + ", ".join(sorted(missing)))
    return found


def text(x, y, words, anchor="middle", size=13, more=""):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}"{more}>{escape(words)}</text>'


def main():
    ms = phases()
    edges = [LEFT]
    for _, width in COLUMNS:
        edges.append(edges[-1] + width)
    right, bottom = edges[-1], TOP + len(ROWS) * (ROW + GAP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" '
           f'viewBox="0 0 {right + 12} {bottom + 62}" font-family="sans-serif">',
           "<!-- Made by docs/draw.py; edit that. -->",
           f'<rect width="{right + 12}" height="{bottom + 62}" fill="white"/>']
    for i, (name, _) in enumerate(COLUMNS):
        middle = (edges[i] + edges[i + 1]) / 2
        out.append(text(middle, TOP - 30, name, more=' font-weight="bold"'))
        if name in ms:
            out.append(text(middle, TOP - 13, ms[name] + " ms", size=12))
    # the blackout, above its phases
    out += [f'<path d="M{edges[1]} {TOP - 48} v-8 H{edges[6]} v8" fill="none" stroke="black"/>',
            text((edges[1] + edges[6]) / 2, TOP - 64, f"blackout {ms['blackout']} ms, counted in instructions",
                 more=' font-weight="bold"')]
    for edge in (2, 3):
        out.append(f'<path d="M{edges[edge]} {TOP - 8} V{bottom}" stroke="#b00" stroke-width="2"/>')
    y = TOP
    for name, pieces in ROWS:
        out.append(text(LEFT - 12, y + ROW / 2 + 5, name, "end"))
        for first, count, colour, words in pieces:
            x, width = edges[first], edges[first + count] - edges[first]
            out.append(f'<rect x="{x + 1}" y="{y}" width="{width - 2}" height="{ROW}" fill="{colour}" stroke="#777"/>')
            out.append(text(x + width / 2, y + ROW / 2 + 5, words, size=12 if len(words) * 7 < width else 11))
        y += ROW + GAP
    for edge, words, anchor in ((2, "point of no return: reboot(2)", "end"), (3, "kernel A seals KRAM, kernel B starts", "start")):
        out.append(text(edges[edge] + (10 if anchor == "end" else -10), bottom + 14, words, anchor, 12, ' fill="#b00"'))
    x = LEFT
    for colour, words, width in ((OLD, "owned by the old side", 170), (NEW, "owned by the new side", 170),
                                 (MEMORY, "memory that no kernel hands out", 245), (HARDWARE, "hardware, undisturbed", 175),
                                 (NOBODY, "stopped", 90)):
        out.append(f'<rect x="{x}" y="{bottom + 30}" width="16" height="16" fill="{colour}" stroke="#777"/>')
        out.append(text(x + 22, bottom + 43, words, "start", 12))
        x += width
    out.append("</svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
