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
from collections import namedtuple

import frames
import netns
from netns import veth, wait_until
from programs import LiveTest

CLIENT, SERVER = ("10.1.0.2", "fd00:1::2"), ("10.2.0.2", "fd00:2::2")
CLIENT_GW, SERVER_GW = ("10.1.0.1", "fd00:1::1"), ("10.2.0.1", "fd00:2::1")
NOBODY = (("10.1.0.50", "10.2.0.50"), ("fd00:1::50", "fd00:2::50"))
HOLE = ("10.2.0.99", "fd00:2::99")  # has a MAC address, which no station has
BEYOND = ("10.3.0.9", "fd00:3::9")  # the way there leads through the server
NOBODYS_MAC = "02:00:00:00:00:50"
INNER = ["--inner", "10.1.0.0/24,fd00:1::/64"]
PREFIX = {False: "/24", True: "/64"}
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
    "gre": "the kernel has timeouts for GRE; here it is one of the other protocols",
    "refused": "the kernel forgets a connection with the RST that refuses it, to save memory; "
               "here it stands as CLOSE for that state's timeout, so that it can be asked for",
    "ignored": "the kernel counts a segment that it ignores or calls invalid on no connection; "
               "here whatever was on the wire counts, and changes nothing else",
    "not_loose": "the kernel begins no connection with a SYN+ACK, FIN or RST, as it might have "
                 "to answer for it; here every segment belongs to one",
    "reused": "the kernel blocks nothing, but tells a SYN of the other end on CLOSE as invalid; "
              "here it starts a new connection, as any SYN does there",
    "icmp_errors": "the kernel counts an ICMP error on no connection; here it is the quoted one's",
    "fragments": "the kernel puts datagrams together before it counts; here frames count",
}

Row = namedtuple("Row", "protocol state orig reply")
End = namedtuple("End", "src dst what packets bytes")

LINE = re.compile(
    r"(\[\S+\]\s+)*ipv[46] +\d+ \S+ +(?P<protocol>\d+) (?P<left>\d+ )?"
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
    protocol = PROTOCOLS[int(m["protocol"])]
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
                () if c["protocol"] in ("gre", "esp") else ("src_port", "dst_port"))
        ends.append(End(e["src"], e["dst"], tuple(e[name] for name in what), e["packets"],
                        e["bytes"]))
    return Row(c["protocol"], c["state"], *ends)


# --- the router -----------------------------------------------------------------

class KernelTest(LiveTest):
    """Client, router, server; the router tracks, tcsniff listens."""

    tcsniff_timeouts = kernel_timeouts = 900

    def setUp(self):
        super().setUp()
        self.client, self.router, self.server = map(self.namespace, ("client", "router", "server"))
        veth(self.client, "c1", self.router, "r1")
        veth(self.router, "r2", self.server, "s1")
        for ns in (self.router, self.server):
            ns.sysctl("net.ipv4.ip_forward", 1)
            ns.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.router.sysctl("net.netfilter.nf_conntrack_acct", 1)
        # The rule's state starts tracking.
        self.router.run("nft", "add table inet t; add chain inet t f { type filter hook forward "
                        "priority 0; }; add rule inet t f ct state new,established accept")
        self.configure()

    def configure(self):
        for ns, dev, ips in ((self.client, "c1", CLIENT), (self.router, "r1", CLIENT_GW),
                             (self.router, "r2", SERVER_GW), (self.server, "s1", SERVER)):
            ns.address(dev, *(ip + PREFIX[":" in ip] for ip in ips))
        for ns, ips in ((self.client, CLIENT_GW), (self.server, SERVER_GW)):
            for ip in ips:
                ns.ip("route", "add", "default", "via", ip)
        for v6 in (False, True):
            for ip, dev in zip((*NOBODY[v6], HOLE[v6]), ("r1", "r2", "r2")):
                self.router.ip("neighbour", "add", ip, "lladdr", NOBODYS_MAC, "dev", dev)
            self.router.ip("route", "add", BEYOND[v6], "via", SERVER[v6])
        self.wires = [self.sender(self.client, "c1"), self.sender(self.server, "s1")]
        self.macs = [bytes.fromhex(self.router.mac(dev).replace(":", ""))
                     for dev in ("r1", "r2")]

    def listen(self, *args, **timeouts):
        """Starts tcsniff. timeouts: seconds for both, by tcsniff's name with _ for -;
        so long that nothing ends, without."""
        of = {name: timeouts.get(name.replace("-", "_"), 900) for name, _, _ in TIMEOUTS}
        for name, theirs, _ in TIMEOUTS:
            self.router.sysctl("net.netfilter.nf_conntrack_" + theirs, of[name])
        options = [arg for name, s in of.items() for arg in ("--timeout", "%s=%ds" % (name, s))]
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

    def ours(self):
        return sorted(map(our_row, self.connections()))

    def same(self, *states, but=None, change=None):
        """Until the two list the same connections, and these are their states. but: one
        of DIFFERENCES, and change: what it makes of the kernel's rows."""
        def look():
            theirs, ours = self.theirs(), self.ours()
            if but:
                changed = sorted(change(theirs))
                self.assertIn(but, DIFFERENCES)
                theirs = changed if changed != theirs else ["the same without: " + but]
            return theirs, ours, sorted(row.state for row in ours)

        wait_until("agreement", lambda: (lambda theirs, ours, seen: theirs == ours and
                                         seen == sorted(states))(*look()), 5, fail=False)
        theirs, ours, seen = look()
        self.assertEqual(theirs, ours)
        self.assertEqual(seen, sorted(states))
        return ours

    def forget(self):
        """Both begin anew: nothing is known to either, and what comes is in the middle."""
        self.daemon.close()
        self.router.run("conntrack", "-F")

    def tear_up(self):
        """Checks the books once the traffic is over."""
        self.assert_sums(self.daemon.ask("-a") | {"ledger": self.daemon.ask("-S")["total"][
            "ledger"]})


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
        wait_until("conntrack listens", lambda: " 12 " in " ".join(
            "%s %s " % tuple(line.split()[1:3]) for line in test.router.run(
                "cat", "/proc/net/netlink").splitlines()))

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
