#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An example of libtctable by ctypes: what every host sent and received.

usage: hosts.py [SOCKET]
"""
import ctypes
import ipaddress
import sys

HOST, CLASSES = 0, 4  # enum tctable_host_kind, enum tctable_class


class Addr(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint8 * 16), ("family", ctypes.c_uint8)]

    def __str__(self):
        return str(ipaddress.ip_address(bytes(self.bytes[:4 if self.family == 4 else 16])))


class Counter(ctypes.Structure):
    _fields_ = [("packets", ctypes.c_uint64), ("bytes", ctypes.c_uint64)]


class Traffic(ctypes.Structure):
    _fields_ = [("conns", ctypes.c_uint64), ("tx", Counter), ("rx", Counter)]


class Host(ctypes.Structure):
    _fields_ = [("ip", Addr), ("kind", ctypes.c_uint8), ("cls", Traffic * CLASSES),
                ("half_open", ctypes.c_uint64), ("last_ns", ctypes.c_uint64),
                ("next_conn_id", ctypes.c_uint64), ("use", ctypes.c_uint64),
                ("forget_ns", ctypes.c_uint64)]


HOST_FN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Host), ctypes.c_void_p)


class Tctable:
    """A conversation with tcsniff. One thread at a time; others have their own."""

    def __init__(self, path=None):
        self.lib = ctypes.CDLL("libtctable.so.0")
        self.lib.tctable_error.restype = ctypes.c_char_p
        self.lib.tctable_error.argtypes = self.lib.tctable_close.argtypes = [ctypes.c_void_p]
        self.lib.tctable_hosts.argtypes = [ctypes.c_void_p, HOST_FN, ctypes.c_void_p]
        self.t = ctypes.c_void_p()
        ret = self.lib.tctable_open(ctypes.byref(self.t), path.encode() if path else None)
        try:
            self.check(ret)
        except OSError:
            self.close()
            raise

    def check(self, ret):
        if ret < 0:
            words = self.lib.tctable_error(self.t) if self.t else b"out of memory"
            raise OSError(-ret, words.decode())

    def close(self):
        self.lib.tctable_close(self.t)
        self.t = None

    def hosts(self):
        """A list of (address, bytes sent, bytes received)."""
        out = []

        def take(host, _):
            h = host.contents
            if h.kind == HOST:
                out.append((str(h.ip), sum(c.tx.bytes for c in h.cls),
                            sum(c.rx.bytes for c in h.cls)))
            return 0

        self.check(self.lib.tctable_hosts(self.t, HOST_FN(take), None))
        return out


def main():
    try:
        conversation = Tctable(sys.argv[1] if len(sys.argv) > 1 else None)
        for ip, sent, received in conversation.hosts():
            print(ip, sent, received)
        conversation.close()
    except OSError as e:
        sys.exit("hosts.py: %s" % e.strerror)


if __name__ == "__main__":
    main()
