# SPDX-License-Identifier: GPL-2.0
"""Frequency of this machine's time stamp counter."""
import ctypes
import mmap
import time

# rdtsc; shl $32, %rdx; or %rdx, %rax; ret
READ_TSC = b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3"


def tsc_khz(seconds=0.5):
    """Measured against the clock that nothing adjusts."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(READ_TSC)
    address = ctypes.c_char.from_buffer(page)
    read_tsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(address))

    def sample():
        """The closest of several pairs of readings: the scheduler may come in between."""
        pairs = []
        for _ in range(50):
            before = read_tsc()
            clock = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            after = read_tsc()
            pairs.append((after - before, (before + after) // 2, clock))
        return min(pairs)[1:]

    first_tsc, first_clock = sample()
    time.sleep(seconds)
    last_tsc, last_clock = sample()
    return (last_tsc - first_tsc) * 1000000 // (last_clock - first_clock)
