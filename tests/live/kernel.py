# SPDX-License-Identifier: BSD-2-Clause
#
# kernel.py - a router whose kernel tracks connections (nf_conntrack) while
# tcsniff listens to its interface towards the client; and what the two say, in
# one form.
#
#   client c1 -- r1 router r2 -- s1 server
#
# Beside the clients and servers that are programs there is, on either side, a
# station that nobody's TCP answers for (NOBODY): the ends of a connection whose
# segments the test makes itself, one by one.

import contextlib
import re
import socket
import struct
import subprocess
import tempfile
import time
from collections import namedtuple

import frames
import netns
from netns import veth, wait_until
from programs import LiveTest

CLIENT, SERVER = ("10.1.0.2", "fd00:1::2"), ("10.2.0.2", "fd00:2::2")
CLIENT_GW, SERVER_GW = ("10.1.0.1", "fd00:1::1"), ("10.2.0.1", "fd00:2::1")
NOBODY = (("10.1.0.50", "10.2.0.50"), ("fd00:1::50", "fd00:2::50"))
HOLE = ("10.2.0.99", "fd00:2::99")  # has a MAC address, which no station has
BEYOND = ("10.3.0.9", "fd00:3::9")  # the way there leads through the server, ...
NOWHERE = ("10.4.0.9", "fd00:4::9")  # ... which says that this cannot be reached
NOBODYS_MAC = "02:00:00:00:00:50"
INNER = ["--inner", "10.1.0.0/24,fd00:1::/64"]
PREFIX = {False: "/24", True: "/64"}
TOLERANCE = 0.3  # seconds: the kernel's and our stamps, and how late a worker is
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmpv6"}

# Timeouts: of tcsniff, of the kernel's net.netfilter, and in seconds by default,
# there.
TIMEOUTS = (
    ("tcp-syn-sent", "tcp_timeout_syn_sent", 120),
    ("tcp-syn-recv", "tcp_timeout_syn_recv", 60),
    ("tcp-established", "tcp_timeout_established", 432000),
    ("tcp-fin-wait", "tcp_timeout_fin_wait", 120),
    ("tcp-close-wait", "tcp_timeout_close_wait", 60),
    ("tcp-last-ack", "tcp_timeout_last_ack", 30),
    ("tcp-time-wait", "tcp_timeout_time_wait", 120),
    ("tcp-close", "tcp_timeout_close", 10),
    ("udp", "udp_timeout", 30),
    ("udp-stream", "udp_timeout_stream", 120),
    ("icmp", "icmp_timeout", 30),
    ("icmp", "icmpv6_timeout", 30),
    ("other", "generic_timeout", 600),
)

# All that may differ, and why. Whatever else does is a fault.
DIFFERENCES = {
    "established": "a mirror port loses FINs: an hour, not five days",
    "syn_sent2": "the kernel's timeout of SYN_SENT2 cannot be set: ours is SYN_SENT's",
    "unacknowledged": "the kernel gives up in minutes on an established connection with data that "
                      "nobody acknowledges or is sent again and again; an hour does without",
    "gre": "the kernel has timeouts for GRE; here it is one of the other protocols",
    "refused": "the kernel forgets a connection with the RST that refuses it, to save memory; "
               "here it stands as CLOSE for that state's timeout, so that it can be asked for",
    "again": "the kernel does not count a SYN before the first answer to one, but the first, nor "
             "lets it renew the timeout, lest who tries for ever keeps an entry; here it counts",
    "ignored": "the kernel counts a segment that it ignores or calls invalid on no connection; "
               "here whatever was on the wire counts, and changes nothing else",
    "windows": "the kernel follows sequence numbers and windows; here they are not looked at, as a "
               "mirror loses segments: a RST of any number closes",
    "not_loose": "the kernel begins no connection with a SYN+ACK, FIN or RST, as it might have "
                 "to answer for it; here every segment belongs to one",
    "reused": "the kernel lets a SYN on CLOSE pass until it is answered, and then goes on with the "
              "old entry, unless who sent the RST sends it; here it starts a connection",
    "icmp_errors": "the kernel counts an ICMP error on no connection; here it is the quoted one's",
    "unforwarded": "the kernel begins no connection with a packet that it does not pass on; here "
                   "it was on the wire",
    "pptp": "the kernel tells GRE's version 1 apart by its call's number, and without its helper "
            "does not know which answers which; here GRE is a flow by its addresses",
    "fragments": "the kernel puts datagrams together before it counts; here frames count",
}

Row = namedtuple("Row", "protocol state orig reply")
End = namedtuple("End", "src dst what packets bytes")

LINE = re.compile(
    r"(\[\S+\]\s+)*(ipv[46] +\d+ )?\S+ +(?P<protocol>\d+) (?P<left>\d+ )?"
    r"(timeout=\d+, stream_timeout=\d+ )?((?P<state>[A-Z_0-9]+) )?"
    r"(?P<orig>src=.*?bytes=\d+) (?P<unreplied>\[UNREPLIED\] )?(?P<reply>src=.*?bytes=\d+)"
    r"(?P<rest>.*)")


# --- the two in one form -------------------------------------------------------

def same_ip(text):
    if ":" not in text:
        return text
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))


def kernels_end(text):
    values = dict(f.split("=") for f in text.split())
    what = next(([n for n in names if n in values] for names in (
        ("type", "code", "id"), ("sport", "dport")) if names[0] in values), ())
    return End(same_ip(values["src"]), same_ip(values["dst"]),
               tuple(int(values[name]) for name in what),
               int(values["packets"]), int(values["bytes"]))


def kernels_row(line):
    m = LINE.match(line)
    if not m:
        raise AssertionError("not understood: " + line)
    protocol = PROTOCOLS.get(int(m["protocol"]), m["protocol"])
    state = "unanswered" if m["unreplied"] else "answered"
    if protocol == "udp" and "[ASSURED]" in m["rest"]:
        state = "stream"
    return Row(protocol, (m["state"] or state).lower(), kernels_end(m["orig"]),
               kernels_end(m["reply"]))


def our_row(c):
    ends = []
    for way in ("orig", "reply"):
        e = c[way]
        what = (("type", "code", "id") if "type" in e else
                ("src_port", "dst_port") if c["protocol"] in ("tcp", "udp") else ())
        ends.append(End(e["src"], e["dst"], tuple(e[name] for name in what), e["packets"],
                        e["bytes"]))
    return Row(str(c["protocol"]), c["state"], *ends)


# --- the router -----------------------------------------------------------------

class KernelTest(LiveTest):
    """Client, router, server; the router tracks, tcsniff listens."""

    @classmethod
    def setUpClass(cls):
        cls.client, cls.router, cls.server = map(cls.new_namespace, ("client", "router", "server"))
        veth(cls.client, "c1", cls.router, "r1")
        veth(cls.router, "r2", cls.server, "s1")
        for ns in (cls.router, cls.server):
            ns.sysctl("net.ipv4.ip_forward", 1)
            ns.sysctl("net.ipv6.conf.all.forwarding", 1)
            for name in ("ipv4.icmp_ratelimit", "ipv6.icmp.ratelimit"):
                ns.sysctl("net." + name, 0)
        # The rule's state starts tracking.
        cls.router.run("nft", "add table inet t; add chain inet t f { type filter hook forward "
                       "priority 0; }; add rule inet t f ct state new,established accept")
        for name in ("acct", "events"):
            cls.router.sysctl("net.netfilter.nf_conntrack_" + name, 1)
        cls.configure()

    @classmethod
    def new_namespace(cls, name):
        ns = netns.Namespace(name)
        cls.addClassCleanup(ns.remove)
        return ns

    @classmethod
    def configure(cls):
        for ns, dev, ips in ((cls.client, "c1", CLIENT), (cls.router, "r1", CLIENT_GW),
                             (cls.router, "r2", SERVER_GW), (cls.server, "s1", SERVER)):
            ns.address(dev, *(ip + PREFIX[":" in ip] for ip in ips))
        for ns, ips in ((cls.client, CLIENT_GW), (cls.server, SERVER_GW)):
            for ip in ips:
                ns.ip("route", "add", "default", "via", ip)
        for v6 in (False, True):
            for ip, dev in zip((*NOBODY[v6], HOLE[v6]), ("r1", "r2", "r2")):
                cls.router.ip("neighbour", "add", ip, "lladdr", NOBODYS_MAC, "dev", dev)
            for ip in (BEYOND[v6], NOWHERE[v6]):
                cls.router.ip("route", "add", ip, "via", SERVER[v6])
                cls.server.ip("route", "add", ip, "dev", "s1")
        # The errors of routes are limited in number; these are not.
        cls.server.run("nft", "add table inet u; add chain inet u f { type filter hook forward "
                       "priority 0; }; add rule inet u f ip daddr %s reject with icmp type "
                       "host-unreachable; add rule inet u f ip6 daddr %s reject with icmpv6 type "
                       "addr-unreachable" % NOWHERE)
        for ip in SERVER:  # and neighbours know each other
            cls.client.run("ping", "-c", 1, "-W", 5, ip)
        cls.wires = [netns.Sender(ns, dev) for ns, dev in ((cls.client, "c1"), (cls.server, "s1"))]
        for wire in cls.wires:
            cls.addClassCleanup(wire.close)
        cls.macs = [bytes.fromhex(cls.router.mac(dev).replace(":", "")) for dev in ("r1", "r2")]

    def setUp(self):
        super().setUp()
        self.changes = []
        self.daemon = None

    def listen(self, *args, **timeouts):
        """Starts tcsniff. timeouts: seconds for both, by tcsniff's name with _ for -;
        so long that nothing ends, without."""
        self.changes.clear()
        of = {name: timeouts.get(name.replace("-", "_"), 900) for name, _, _ in TIMEOUTS}
        for name, theirs, _ in TIMEOUTS:
            self.router.sysctl("net.netfilter.nf_conntrack_" + theirs, of[name])
        for name in ("unacknowledged", "max_retrans"):
            self.router.sysctl("net.netfilter.nf_conntrack_tcp_timeout_" + name, 900)
        options = [arg for name, s in of.items() for arg in ("--timeout", "%s=%ds" % (name, s))]
        self.router.run("conntrack", "-F")
        self.daemon = self.tcsniff(self.router, "-i", "r1", *INNER, *options, *args)

    # --- what they list ---

    def theirs(self):
        return sorted(map(kernels_row, self.router.run(
            "cat", "/proc/net/nf_conntrack").splitlines()))

    def connections(self):
        """Ours as they are told, by ascending id of each host."""
        return [c for host in self.daemon.ask("-a")["hosts"] if host["conns"]
                for c in self.of(host["ip"])]

    def of(self, ip):
        with contextlib.suppress(AssertionError):  # it has just been forgotten
            return self.daemon.connections(ip)
        return []

    def left(self):
        """The kernel's: seconds left, by protocol and the number that tells connections."""
        out = {}
        for line in self.router.run("cat", "/proc/net/nf_conntrack").splitlines():
            row = kernels_row(line)
            out[(row.protocol, row.orig.what[:1])] = int(LINE.match(line)["left"])
        return out

    def ours(self):
        return sorted(map(our_row, self.connections()))

    def differ(self, name, change):
        """From now on one of DIFFERENCES shows: what makes the kernel's rows ours."""
        self.assertIn(name, DIFFERENCES)
        self.changes.append((name, change))

    def uncounted(self, name, way, size=0, segments=1, of=None):
        """As differ(): TCP segments of so much data, "orig" or "reply", are not in the
        kernel's counters. size: or the packet's length over IPv4 and over IPv6. of: a
        port or another number that tells which connections it is about."""
        def change(rows):
            out = []
            for row in rows:
                end = getattr(row, way)
                v6 = ":" in end.src
                length = size[v6] if isinstance(size, tuple) else (60 if v6 else 40) + size
                out.append(row if of not in (None, *end.what) else row._replace(**{
                    way: end._replace(packets=end.packets + segments,
                                      bytes=end.bytes + segments * length)}))
            return out

        self.differ(name, change)

    def expected(self):
        """What the kernel lists, but for what is meant to differ."""
        rows = self.theirs()
        for name, change in self.changes:
            changed = sorted(change(rows))
            if changed == rows:
                raise AssertionError("no longer different: %s: %s" % (name, rows))
            rows = changed
        return rows

    def same(self, *states):
        """Until the two list the same connections, and these are their states."""
        def is_same():
            with contextlib.suppress(AssertionError):
                ours = self.ours()
                return self.expected() == ours and sorted(r.state for r in ours) == sorted(states)

        wait_until("agreement", is_same, 4, fail=False)
        ours = self.ours()
        self.assertEqual(self.expected(), ours)
        self.assertEqual(sorted(row.state for row in ours), sorted(states))
        return ours

    def assert_same_ends(self, number):
        """So many connections, whose timeouts are seconds, end in both at the same time:
        in ours at the first whole second that is not before."""
        seen = [{}, {}]  # in the kernel, in ours: [last seen, then missed, last state]

        def is_over():
            for spans, look in zip(seen, (self.theirs, self.ours)):
                before = time.monotonic()
                rows = {(r.protocol, r.orig[:3], r.reply[:3]): r.state for r in look()}
                after = time.monotonic()
                for key, state in rows.items():
                    spans[key] = [before, None, state]
                for key in spans.keys() - rows.keys():
                    spans[key][1] = spans[key][1] or after
            return all(len(spans) >= number and all(to for _, to, _ in spans.values())
                       for spans in seen)

        wait_until(lambda: "ends: %s" % seen, is_over)
        self.assertEqual(*[{key: span[2] for key, span in spans.items()} for spans in seen])
        self.assertEqual(len(seen[0]), number)
        for key, (kernel_from, kernel_to, _) in seen[0].items():
            from_, to, _ = seen[1][key]
            self.assertLess(kernel_from - TOLERANCE, to, (key, "too early"))
            self.assertLess(from_, kernel_to + 1 + TOLERANCE, (key, "too late"))

    def forget(self, *args):
        """Both begin anew: what goes on is in the middle to them."""
        self.daemon.close()
        self.listen(*args)

    def tearDown(self):
        """Every packet is in the books, once."""
        if not self.daemon:
            return
        wait_until("silence", lambda: self.is_exact(self.daemon.ask("-a")), 5, fail=False)
        self.assert_sums(self.daemon.ask("-a"))

    def is_exact(self, books):
        with contextlib.suppress(AssertionError):
            self.assert_sums(books)
            return True


class Ends:
    """What the kernel says of each connection that ends, with its counters."""

    def __init__(self, test):
        self.out = open(tempfile.mktemp(prefix="ends-", dir=test.folder), "w+b")
        self.process = subprocess.Popen(
            test.router.command("stdbuf", "-oL", "conntrack", "-E", "-e", "DESTROY", "-o",
                                "timestamp"),
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.DEVNULL,
            preexec_fn=netns.children_end_with_us)
        test.addCleanup(self.out.close)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        wait_until("conntrack listens", lambda: self.listens(test.router))

    @staticmethod
    def listens(router):
        """Somebody is in the group of NETLINK_NETFILTER that hears of ends."""
        sockets = [line.split() for line in router.run("cat", "/proc/net/netlink").splitlines()]
        return any(s[1] == "12" and int(s[3], 16) & 4 for s in sockets[1:])

    def lines(self):
        with open(self.out.name, encoding="utf-8") as f:
            return [line for line in f.read().splitlines() if "DESTROY" in line]

    def rows(self):
        return [kernels_row(line) for line in self.lines()]


# --- connections made by hand -----------------------------------------------------

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}
A, B = 0, 1  # the ends, A behind the inner interface


class Tcp:
    """A connection between nobody and nobody: each segment as it is sent."""

    def __init__(self, test, v6, port, server_port=80, first=(1000, 700000)):
        self.test, self.v6 = test, v6
        self.ports = (port, server_port)
        self.next = list(first)  # sequence number, by end
        self.last = [None, None]

    def send(self, end, flags, size=0, seq=None):
        """From this end: flags of "SFRPA", and data. seq: another sequence number."""
        at = self.next[end] if seq is None else seq
        ack = self.next[1 - end] if "A" in flags else 0
        src, dst = NOBODY[self.v6][end], NOBODY[self.v6][1 - end]
        segment = struct.pack(">HHIIBBHHH", self.ports[end], self.ports[1 - end], at & 0xFFFFFFFF,
                              ack & 0xFFFFFFFF, 5 << 4, sum(FLAGS[f] for f in flags), 60000, 0, 0)
        segment += b"x" * size
        family = socket.AF_INET6 if self.v6 else socket.AF_INET
        pseudo = (socket.inet_pton(family, src) + socket.inet_pton(family, dst)
                  + struct.pack(">IBBBB", len(segment), 0, 0, 0, 6))
        segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
        packet = (frames.ipv6 if self.v6 else frames.ipv4)(src, dst, 6, segment)
        self.last[end] = frames.ethernet(frames.IPV6 if self.v6 else frames.IPV4, packet,
                                         dst=self.test.macs[end])
        self.test.wires[end].send(self.last[end])
        if seq is None:
            self.next[end] += size + ("S" in flags) + ("F" in flags)
        return self

    def again(self, end):
        """The last segment from this end once more."""
        self.test.wires[end].send(self.last[end])
        return self

    def open(self):
        return self.send(A, "S").send(B, "SA").send(A, "A")
