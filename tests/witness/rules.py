# SPDX-License-Identifier: GPL-2.0
"""Which writes to configuration space may happen while a device is preserved.

Whatever stands here stands in docs/config-writes.md as well; everything else is
a violation. The trace gives an offset and a value but no width, so a rule must hold
for each width that the offset allows.
"""
COMMAND = 0x04
BUS_MASTER = 0x4

MSIX_CAP = 0xa0         # of the e1000e (82574) that the lab uses
MSIX_CONTROL = MSIX_CAP + 2
MSIX_ENABLE = 0x8000


def msix_stays_enabled(write):
    if write.offset == MSIX_CONTROL:
        return bool(write.value & MSIX_ENABLE)
    return write.offset == MSIX_CAP and bool(write.value >> 16 & MSIX_ENABLE)


PORT_MSIX_CONTROL = 0x48 + 2    # of the root port that the lab uses
PORT_EXP = 0x54                 # its PCI Express capability


def at(offset, forbidden=0, required=0):
    """A write to this register that sets none of the forbidden bits and all of the required ones."""
    return lambda w: w.offset == offset and not w.value & forbidden and w.value & required == required


# (kind of device, condition, reason)
ALLOWED = [
    ("nic", msix_stays_enabled, "MSI-X control, enable kept: masks or unmasks all vectors at once"),
    ("bridge", at(0x04, required=0x6), "COMMAND, bus master and memory kept: the bridge's own INTx pin is switched"),
    ("bridge", at(0x06), "STATUS: error bits are cleared by writing them"),
    ("bridge", at(0x1e), "secondary STATUS: error bits are cleared by writing them"),
    ("bridge", at(0x3e, forbidden=0x40), "BRIDGE CONTROL without Secondary Bus Reset: error forwarding"),
    ("bridge", at(PORT_MSIX_CONTROL), "the bridge's own interrupt"),
    ("bridge", at(PORT_EXP + 0x08, forbidden=0x8000), "Device Control: error reporting and tag size of the bridge"),
    ("bridge", at(PORT_EXP + 0x0a), "Device Status: error bits are cleared by writing them"),
    ("bridge", at(PORT_EXP + 0x10, forbidden=0x30), "Link Control without Link Disable and Retrain"),
    ("bridge", at(PORT_EXP + 0x12), "Link Status: change bits are cleared by writing them"),
    ("bridge", at(PORT_EXP + 0x18, forbidden=0x400), "Slot Control with the slot's power left on: hotplug interrupts"),
    ("bridge", at(PORT_EXP + 0x1a), "Slot Status: event bits are cleared by writing them"),
    ("bridge", at(PORT_EXP + 0x1c), "Root Control: power management events and errors as interrupts"),
    ("bridge", at(PORT_EXP + 0x20), "Root Status: event bits are cleared by writing them"),
    ("bridge", at(PORT_EXP + 0x28), "Device Control 2: completion timeouts"),
]


def reason(kind, write):
    """Why a write is allowed; None if it is not."""
    for rule_kind, condition, why in ALLOWED:
        if rule_kind == kind and condition(write):
            return why
    return None


def show(write):
    return f"{write.time:.6f} {write.device} {write.bdf} {write.offset:#x} <- {write.value:#x}"
