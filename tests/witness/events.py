# SPDX-License-Identifier: GPL-2.0
"""The outer QEMU's trace, as its log backend writes it with -msg timestamp=on."""
import collections
import fnmatch
import re
import shlex

Event = collections.namedtuple("Event", "time name text")
ConfigWrite = collections.namedtuple("ConfigWrite", "time device bdf offset value")

LINE = re.compile(r"^\d+@(\d+\.\d{6}):(\w+) ?(.*)$")
CONFIG_WRITE = re.compile(r"^(\S+) ([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) @0x([0-9a-f]+) <- 0x([0-9a-f]+)$")


class Trace:
    def __init__(self, lines):
        self.events = []
        self.strange = []       # lines that are no event with a time
        for line in lines:
            match = LINE.match(line)
            if match:
                self.events.append(Event(float(match[1]), match[2], match[3].strip()))
            elif line.strip():
                self.strange.append(line.strip())

    @classmethod
    def read(cls, path):
        with open(path, encoding="utf-8", errors="replace") as f:
            return cls(f)

    def named(self, *names, begin=None, end=None):
        return [e for e in self.events if e.name in names
                and (begin is None or e.time >= begin) and (end is None or e.time < end)]

    def config_writes(self, begin=None, end=None):
        writes = []
        for e in self.named("pci_cfg_write", begin=begin, end=end):
            match = CONFIG_WRITE.match(e.text)
            if match:
                writes.append(ConfigWrite(e.time, match[1], match[2], int(match[3], 16), int(match[4], 16)))
            else:
                self.strange.append(f"{e.name} {e.text}")
        return writes


def traced_patterns(command_line):
    """What -trace options a QEMU was started with: the events that would be seen if they came."""
    words = shlex.split(command_line)
    return [words[i + 1].split(",")[0].removeprefix("enable=") for i in range(len(words) - 1)
            if words[i] in ("-trace", "--trace")]


def is_traced(event, patterns):
    return any(fnmatch.fnmatchcase(event, p) for p in patterns)
