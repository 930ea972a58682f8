# SPDX-License-Identifier: BSD-2-Clause
#
# client.py - a client of tcsniff's socket, written from docs/protocol.md alone.
#
# A module: Client(path) asks; each request is a method.

import ipaddress
import socket
import struct

MAGIC = 0x0073777A
VERSION = 2
INFO, COUNT, HOSTS, HOST, CONNS, STATS, TOP, SAMPLE = range(256, 264)
OK, ENOENT, EAGAIN, ENOMEM, EINVAL, ENOSYS, EPROTO = 0, 2, 11, 12, 22, 38, 71
SIZES = {INFO: 352, COUNT: 8, HOSTS: 224, HOST: 224, CONNS: 120, STATS: 3304, TOP: 336,
         SAMPLE: 1800}

REQUEST = struct.Struct("<IIIIQ")
REPLY = struct.Struct("<IIIIIIIIQ")
CLASSES = ("tcp", "udp", "icmp", "other")


class Refused(Exception):
    def __init__(self, status, needed):
        super().__init__("status %d, needed %d" % (status, needed))
        self.status = status
        self.needed = needed


class Mismatch(Exception):
    """The daemon is of another version, or its records are of other sizes."""


def address(data, family):
    if family == 0:
        return None
    return ipaddress.ip_address(data[:4] if family == 4 else data)


def text(data):
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def request(number, body=b"", room=0):
    return REQUEST.pack(MAGIC, VERSION, number, len(body), room) + body


def address_body(ip):
    ip = ipaddress.ip_address(ip)
    return ip.packed.ljust(16, b"\0") + bytes([ip.version]) + bytes(7)


def info_of(record):
    names = ("magic", "version", "hz", "host_size", "conn_size", "stats_size", "info_size",
             "workers", "start_ns", "now_ns", "host_timeout_ns")
    found = dict(zip(names, struct.unpack_from("<8I3Q", record)))
    found["software"] = text(record[56:88])
    found["source"] = text(record[88:344])
    found["flags"] = struct.unpack_from("<I", record, 344)[0]
    return found


def host_of(record):
    found = {"ip": address(record[:16], record[16]), "kind": record[17]}
    found.update(zip(("half_open", "last_ns", "next_conn_id", "use", "forget_ns"),
                     struct.unpack_from("<5Q", record, 24)))
    for i, name in enumerate(CLASSES):
        found[name] = struct.unpack_from("<5Q", record, 64 + 40 * i)
    return found


def conn_of(record):
    number, last_ns, family, protocol, cls, is_icmp = struct.unpack_from("<QQ4B", record)
    icmp_id, port, reply_port = struct.unpack_from("<HHH", record, 24)
    return {
        "id": number, "last_ns": last_ns, "protocol": protocol, "class": CLASSES[cls],
        "is_icmp": is_icmp, "icmp": tuple(record[20:23]), "icmp_id": icmp_id,
        "icmp_errors": struct.unpack_from("<I", record, 32)[0], "state": text(record[40:56]),
        "orig": (address(record[56:72], family), port) + struct.unpack_from("<QQ", record, 88),
        "reply": (address(record[72:88], family), reply_port)
        + struct.unpack_from("<QQ", record, 104),
    }


def top_body(rows, key, window=0, ascending=0, classes=0, net=None):
    net = ipaddress.ip_network(net) if net else None
    body = struct.pack("<I6B6x", rows, key, window, ascending, classes,
                       net.version if net else 0, net.prefixlen if net else 0)
    return body + (net.network_address.packed if net else b"").ljust(16, b"\0")


def top_of(record):
    found = host_of(record)
    rates = struct.unpack_from("<12Q", record, 224)
    found["rates"] = {window: rates[4 * i:4 * i + 4] for i, window in enumerate((2, 10, 40))}
    found["matched"], found["measured_ms"] = struct.unpack_from("<QI", record, 320)
    return found


def named(record, at, count):
    """Names and their numbers, from the byte `at`."""
    return {text(record[i:i + 24]): struct.unpack_from("<Q", record, i + 24)[0]
            for i in range(at, at + 32 * count, 32)}


def stats_of(record):
    worker, verdicts = struct.unpack_from("<II", record)
    return {
        "worker": worker,
        "ledger": struct.unpack_from("<16Q", record, 8),
        "flows": struct.unpack_from("<7Q", record, 136),
        "hosts": struct.unpack_from("<4Q", record, 192),
        "verdicts": named(record, 224, verdicts),
        "counters": named(record, 1256, struct.unpack_from("<I", record, 1248)[0]),
    }


def sample_of(record):
    counters, nets = struct.unpack_from("<II", record)
    return {
        "counters": named(record, 8, counters),
        "nets": [("%s/%d" % (address(record[i:i + 16], record[i + 16]), record[i + 17]),
                  struct.unpack_from("<Q", record, i + 24)[0])
                 for i in range(776, 776 + 32 * nets, 32)],
    }


class Client:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, length):
        data = bytearray()
        while len(data) < length:
            got = self.socket.recv(length - len(data))
            if not got:
                raise EOFError("closed after %d of %d bytes" % (len(data), length))
            data += got
        return bytes(data)

    def answer(self, number):
        """All records of the answer to the request sent last."""
        records = []
        while True:
            prefix = self.receive(16)
            magic, version = struct.unpack_from("<II", prefix)
            if magic != MAGIC or version != VERSION:
                raise Mismatch("the daemon speaks version %d, this client %d"
                               % (version, VERSION))
            header = REPLY.unpack(prefix + self.receive(24))
            _, _, replied, status, length, size, count, flags, needed = header
            if replied != number or size * count != length or length > 65536 or flags > 1:
                raise ValueError("a header that contradicts itself: %r" % (header,))
            body = self.receive(length)
            if status != OK:
                if flags:
                    raise ValueError("more behind an error: %r" % (header,))
                error = Refused(status, needed)
                error.body = body
                raise error
            if count and size != SIZES[number]:
                raise Mismatch("records of %d bytes, not %d" % (size, SIZES[number]))
            records += [body[i * size:(i + 1) * size] for i in range(count)]
            if not flags:
                return records

    def ask(self, number, body=b"", room=0):
        self.send(request(number, body, room))
        return self.answer(number)

    def info(self):
        found = info_of(self.ask(INFO)[0])
        ours = [VERSION] + [SIZES[n] for n in (HOST, CONNS, STATS, INFO)]
        theirs = [found[n] for n in
                  ("version", "host_size", "conn_size", "stats_size", "info_size")]
        if ours != theirs:
            raise Mismatch("the daemon has %r, this client %r" % (theirs, ours))
        return found

    def count(self):
        return struct.unpack("<Q", self.ask(COUNT)[0])[0]

    def hosts(self, room=0):
        return [host_of(r) for r in self.ask(HOSTS, room=room)]

    def host(self, ip):
        return host_of(self.ask(HOST, address_body(ip))[0])

    def conns(self, ip, room=0):
        return [conn_of(r) for r in self.ask(CONNS, address_body(ip), room)]

    def stats(self):
        return [stats_of(r) for r in self.ask(STATS)]

    def top(self, *args, **options):
        return [top_of(r) for r in self.ask(TOP, top_body(*args, **options))]

    def sample(self):
        return sample_of(self.ask(SAMPLE)[0])
