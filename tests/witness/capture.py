# SPDX-License-Identifier: GPL-2.0
"""What was on the wire: a reader of pcap files, and of the numbered datagrams in them."""
import collections
import struct

Frame = collections.namedtuple("Frame", "time data")
Numbered = collections.namedtuple("Numbered", "time outbound seq stamp")

UDP_MAGIC = 0x4b484c44
UDP_CHECK = 0x6b6578656b657865


class BadCapture(Exception):
    pass


def frames(data):
    """All whole frames; one that the end of the file cuts off is left out."""
    if len(data) < 24:
        raise BadCapture("no pcap header")
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(data[:4])
    if not order:
        raise BadCapture("not a pcap file")
    if struct.unpack(order + "I", data[20:24])[0] != 1:
        raise BadCapture("not a capture of Ethernet")
    out, pos = [], 24
    while pos + 16 <= len(data):
        sec, usec, kept, length = struct.unpack(order + "IIII", data[pos:pos + 16])
        if kept > 1 << 18 or kept > length:
            raise BadCapture(f"nonsense at offset {pos}")
        if pos + 16 + kept > len(data):
            break
        out.append(Frame(sec + usec / 1e6, data[pos + 16:pos + 16 + kept]))
        pos += 16 + kept
    return out


def numbered(frame, guest_mac):
    """The numbered datagram in a frame, or None."""
    d = frame.data
    if len(d) < 14 + 20 + 8 + 32 or d[12:14] != b"\x08\x00" or d[23] != 17:
        return None
    payload = 14 + (d[14] & 15) * 4 + 8
    if len(d) < payload + 32:
        return None
    magic, _, seq, stamp, check = struct.unpack(">IIQQQ", d[payload:payload + 32])
    if magic != UDP_MAGIC or check != seq ^ stamp ^ UDP_CHECK:
        return None
    return Numbered(frame.time, d[6:12] == guest_mac, seq, stamp)


def account(packets):
    """Numbers seen in one direction: each of 0..highest once and in order?"""
    seen, duplicated, reordered, highest = set(), 0, 0, -1
    for p in packets:
        if p.seq in seen:
            duplicated += 1
            continue
        seen.add(p.seq)
        if p.seq < highest:
            reordered += 1
        highest = max(highest, p.seq)
    missing = highest + 1 - len(seen)
    return {"seen": len(seen), "missing": missing, "duplicated": duplicated, "reordered": reordered}


class Capture:
    def __init__(self, data, guest_mac):
        self.frames = frames(data)
        mac = bytes.fromhex(guest_mac.replace(":", ""))
        self.numbered = [n for f in self.frames if (n := numbered(f, mac))]
        self.outbound = [n for n in self.numbered if n.outbound]
        self.inbound = [n for n in self.numbered if not n.outbound]
        self.to_guest = [f for f in self.frames if f.data[:6] in (mac, b"\xff" * 6) and f.data[6:12] != mac]

    def pauses(self, count):
        """The longest silences of the guest, in order of time, and what came to it in each."""
        gaps = sorted(((b.time - a.time, a.time, b.time) for a, b in zip(self.outbound, self.outbound[1:])),
                      reverse=True)[:count]
        return [{"silent_s": round(length, 6),
                 "frames_to_guest": sum(begin < f.time < end for f in self.to_guest),
                 "numbered_to_guest": sum(begin < n.time < end for n in self.inbound)}
                for length, begin, end in sorted(gaps, key=lambda g: g[1])]
