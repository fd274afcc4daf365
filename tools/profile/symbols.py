# SPDX-License-Identifier: GPL-2.0
"""Names for the addresses of a profile."""
import bisect
import os
import struct
import subprocess

PAGE = 4096
SHF_EXECINSTR = 4


class Symbols:
    """Sorted symbols of one program, and the bytes of its code."""

    def __init__(self, name, path, dynamic=False):
        self.name = name
        self.code = list(code_sections(path))
        flags = ["-D"] if dynamic else []
        out = subprocess.run(["nm", "-n", *flags, "--defined-only", path], capture_output=True, text=True, check=False).stdout
        self.table = symbol_table(out)
        if not self.table and not dynamic:
            out = subprocess.run(["nm", "-n", "-D", "--defined-only", path], capture_output=True, text=True,
                                 check=False).stdout
            self.table = symbol_table(out)
        self.starts = [address for address, _ in self.table]

    def at(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        return self.table[i][1] if i >= 0 else "?"

    def find(self, code, low_bits, mask=PAGE - 1):
        """Addresses at which these bytes stand and whose low bits are these."""
        found = []
        for address, data in self.code:
            position = data.find(code)
            while position >= 0 and len(found) < 3:
                if (address + position) & mask == low_bits & mask:
                    found.append(address + position)
                position = data.find(code, position + 1)
        return found


def symbol_table(text):
    """[(address, name)] of functions, one per address."""
    table = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] in "tTwWiuV" and not words[2].startswith((".L", "__pfx_", "__cfi_", "$")):
            table.setdefault(int(words[0], 16), words[2].split("@")[0])
    return sorted(table.items())


def read_map(path):
    """System.map as {name: address}; a name that stands there twice is left out."""
    seen, twice = {}, set()
    with open(path, encoding="utf-8") as f:
        for line in f:
            address, _, name = line.split()[:3]
            if name in seen:
                twice.add(name)
            seen[name] = int(address, 16)
    return {name: address for name, address in seen.items() if name not in twice}


def code_sections(path):
    """(address, bytes) of each executable section of an ELF file."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:5] != b"\x7fELF\x02":
        return
    offset, = struct.unpack_from("<Q", data, 0x28)
    size, count, _ = struct.unpack_from("<HHH", data, 0x3a)
    for i in range(count):
        _, kind, flags, address, at, length = struct.unpack_from("<IIQQQQ", data, offset + i * size)
        if flags & SHF_EXECINSTR and kind == 1:
            yield address, data[at:at + length]


class Pages:
    """Maps code to programs by what stands in its pages: it may have been loaded anywhere."""

    def __init__(self, programs, mask=PAGE - 1):
        self.programs = programs
        self.mask = mask
        self.pages = {}

    def learn(self, blocks):
        """blocks: [(address, code)]; pages that cannot be told stay unknown."""
        by_page = {}
        for address, code in blocks:
            by_page.setdefault(address & ~(PAGE - 1), []).append((address, code))
        for page, members in by_page.items():
            self.pages[page] = self.place(sorted(members, key=lambda m: -len(m[1]))[:12])

    def place(self, members):
        """(program, distance) on which most of the page's blocks agree."""
        votes = {}
        for address, code in members:
            if len(code) < 8:
                continue
            for program in self.programs:
                found = program.find(code, address, self.mask)
                if len(found) == 1:
                    key = (program, found[0] - address)
                    votes[key] = votes.get(key, 0) + 1
        return max(votes, key=votes.get) if votes else None

    def name(self, address):
        place = self.pages.get(address & ~(PAGE - 1))
        if not place:
            return None
        program, distance = place
        return program.name, program.at(address + distance)


def libraries(programs):
    """What these programs are linked with, by name."""
    found = {}
    for program in programs:
        out = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for word in out.split():
            if word.startswith("/"):
                found[os.path.basename(word).split(".so")[0]] = word
    return sorted(found.items())


def existing(paths):
    return [(name, path) for name, path in paths if os.path.exists(path)]
