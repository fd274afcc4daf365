# SPDX-License-Identifier: GPL-2.0
"""Altered bzImages: what to write where, worked out here, done in L1 with dd."""
import os
import struct
import zlib

from scenario import BUILD

RELOCATABLE = 0x234
KRAM_MAGIC = 0x4d41524b


class Image:
    """A copy of a built image with bytes changed, and its checksum made right again if asked for."""

    def __init__(self, kernel):
        with open(os.path.join(BUILD, "boot/bzImage-" + kernel), "rb") as f:
            self.data = bytearray(f.read())
        self.kernel = kernel
        self.patches = {}

    def set(self, offset, data):
        self.data[offset:offset + len(data)] = data
        self.patches[offset] = bytes(data)
        return self

    def find_kram(self):
        """Offset of the KRAM entry in kernel_info."""
        position = self.data.find(struct.pack("<II", KRAM_MAGIC, 12))
        if position < 0:
            raise RuntimeError("the image says nothing about KRAM")
        return position

    def payload(self):
        """Offset and size of the kernel in it, uncompressed, and what relocates it."""
        setup = ((self.data[0x1f1] or 4) + 1) * 512
        offset, size = struct.unpack_from("<II", self.data, 0x248)
        return setup + offset, size - 4

    def right_checksum(self):
        """The last four bytes make the CRC of the whole image come out as the boot protocol wants it."""
        setup_sects, syssize = self.data[0x1f1] or 4, struct.unpack_from("<I", self.data, 0x1f4)[0]
        size = (setup_sects + 1) * 512 + syssize * 16
        if size != len(self.data):
            raise RuntimeError("the image is not as long as it says")
        crc = ~zlib.crc32(self.data[:-4]) & 0xffffffff
        return self.set(len(self.data) - 4, struct.pack("<I", crc))

    def make(self, lab, path):
        """The altered copy, as a file in L1."""
        lab.check(f"cp /boot/bzImage-{self.kernel} {path}")
        for offset, data in self.patches.items():
            text = "".join(f"\\x{b:02x}" for b in data)
            lab.check(f"printf '{text}' | dd of={path} bs=1 seek={offset} conv=notrunc 2>/dev/null")
        return path
