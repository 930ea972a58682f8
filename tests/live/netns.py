# SPDX-License-Identifier: BSD-2-Clause
#
# netns.py - network namespaces for a test: its own, and gone when it ends.
#
# Nothing here touches an interface outside of the namespaces that it made.

import atexit
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM = 0x1F, 0x24, 0x2C, 0x17
LIMIT = 30  # seconds that anything which is waited for may take

libc = ctypes.CDLL(None, use_errno=True)
made = []  # namespaces that are there


def skip(why):
    """Ends this test: skipped; where everything has to be tested, failed."""
    print(why, file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def require(*tools):
    """Root and these programs, or no test."""
    if os.geteuid() != 0:
        skip("needs root, to make network namespaces")
    missing = [tool for tool in ("ip", *tools) if shutil.which(tool) is None]
    if missing:
        skip("needs " + ", ".join(missing))
    sweep()
    atexit.register(remove_all)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def sweep():
    """Takes away what tests that were killed have left."""
    try:
        names = os.listdir("/run/netns")
    except FileNotFoundError:
        return
    for name in names:
        parts = name.split("-")
        if (len(parts) == 3 and parts[0] == "tcsniff" and parts[1].isdigit()
                and not os.path.exists("/proc/" + parts[1])):
            subprocess.run(["ip", "netns", "del", name], check=False)


def remove_all():
    while made:
        made[-1].remove()


def wait_until(what, true, limit=LIMIT, fail=True):
    """Waits until true() is; its value. what: said if that does not come."""
    until = time.monotonic() + limit
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > until and not fail:
            return value
        if time.monotonic() > until:
            what = what() if callable(what) else what
            raise AssertionError("not within %d s: %s" % (limit, what))
        time.sleep(0.02)


# What the kernel says of its own accord, some seconds after the rest, would come
# between two looks at the same counters.
QUIET = {
    "net.ipv4.neigh.%s.delay_first_probe_time": 600,
    "net.ipv6.neigh.%s.delay_first_probe_time": 600,
    "net.ipv6.conf.%s.router_solicitations": 0,
    "net.ipv6.conf.%s.dad_transmits": 0,
    "net.ipv6.conf.%s.mldv2_unsolicited_report_interval": 1,
}


class Namespace:
    """A network namespace, its loopback interface up and IPv6 off."""

    def __init__(self, name):
        self.name = "tcsniff-%d-%s" % (os.getpid(), name)
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        made.append(self)
        self.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.run("ip", "link", "set", "lo", "up")

    def remove(self):
        if self in made:
            made.remove(self)
            subprocess.run(["ip", "netns", "del", self.name], check=False)

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *(str(arg) for arg in args)]

    def run(self, *args, check=True, **kwargs):
        """Runs a command in here to its end; what it wrote to standard output."""
        done = subprocess.run(self.command(*args), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=LIMIT, check=False, text=True, **kwargs)
        if check and done.returncode:
            raise AssertionError("%s: exit %d: %s%s" % (" ".join(map(str, args)), done.returncode,
                                                        done.stdout, done.stderr))
        return done.stdout

    def sysctl(self, name, value):
        with self.inside(), open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as f:
            f.write(str(value))

    @contextlib.contextmanager
    def inside(self):
        """This thread is in the namespace; sockets stay there."""
        with open("/proc/thread-self/ns/net", "rb") as home:
            with open("/run/netns/" + self.name, "rb") as here:
                enter(here)
            try:
                yield
            finally:
                enter(home)

    def ip(self, *args):
        """ip(8)"""
        return self.run("ip", *args)

    def address(self, dev, *addresses):
        """The interface has these, and is up."""
        if any(":" in a for a in addresses):
            # Nothing of IPv6's own is to come seconds later, between two looks
            # at a counter.
            for name, value in (("accept_ra", 0), ("router_solicitations", 0),
                                ("mldv2_unsolicited_report_interval", 10), ("disable_ipv6", 0)):
                self.sysctl("net.ipv6.conf.%s.%s" % (dev, name), value)
        for a in addresses:
            self.ip("address", "add", a, "dev", dev, *(["nodad"] if ":" in a else []))
        self.ip("link", "set", dev, "up")
        # Nor are neighbours that are known to be asked for again.
        for family in ("ipv4", "ipv6") if any(":" in a for a in addresses) else ("ipv4",):
            self.sysctl("net.%s.neigh.%s.delay_first_probe_time" % (family, dev), 120)

    def counters(self, dev):
        """What the kernel has counted on an interface."""
        names = ("rx_bytes", "rx_packets", "rx_errs", "rx_drop", "rx_fifo", "rx_frame", "rx_comp",
                 "rx_mcast", "tx_bytes", "tx_packets", "tx_errs", "tx_drop")
        for line in self.run("cat", "/proc/net/dev").splitlines():
            name, _, values = line.partition(":")
            if name.strip() == dev:
                return dict(zip(names, map(int, values.split())))
        raise AssertionError("no interface " + dev)

    def frames(self, dev):
        """How many frames have passed an interface, both ways; what the cable then
        drops has been seen by those who listen."""
        counters = self.counters(dev)
        return counters["rx_packets"] + counters["tx_packets"] + counters["tx_drop"]

    def wait_quiet(self, dev):
        """Until nothing passes an interface any more."""
        def is_quiet():
            before = self.frames(dev)
            time.sleep(0.3)
            return self.frames(dev) == before

        wait_until("silence", is_quiet)

    def hang_up(self, dev):
        """Takes the interface down once nothing passes it any more."""
        self.wait_quiet(dev)
        self.ip("link", "set", dev, "down")

    def is_promisc(self, dev):
        return int(self.run("cat", "/sys/class/net/%s/flags" % dev), 16) & 0x100 != 0

    def mac(self, dev):
        return self.run("cat", "/sys/class/net/%s/address" % dev).strip()

    def offloads(self, dev, on):
        """Segments are merged (TSO, GSO, GRO), or each is a frame."""
        commands = [ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO]
        with self.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for command in ([ETHTOOL_STXCSUM] + commands if on else commands):
                value = ctypes.create_string_buffer(struct.pack("=II", command, on))
                ifreq = struct.pack("16sP", dev.encode(), ctypes.addressof(value))
                fcntl.ioctl(s, SIOCETHTOOL, ifreq.ljust(40, b"\0"))


def enter(f):
    if libc.setns(f.fileno(), CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


def veth(a, a_dev, b, b_dev, offloads=False):
    """A cable between two namespaces; both ends up."""
    subprocess.run(["ip", "link", "add", a_dev, "netns", a.name, "type", "veth",
                    "peer", "name", b_dev, "netns", b.name], check=True)
    for ns, dev in ((a, a_dev), (b, b_dev)):
        ns.offloads(dev, offloads)
        for name, value in QUIET.items():
            ns.sysctl(name % dev, value)
        ns.ip("link", "set", dev, "up")


def children_end_with_us():
    """In a child: it does not outlive this test."""
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Sender:
    """Raw frames into an interface."""

    def __init__(self, ns, dev):
        with ns.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.socket.bind((dev, 0))
        # Until the kernel has noticed that the cable is plugged in, the queue of
        # an interface drops what it gets without a word.
        self.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)

    def send(self, *frames):
        for frame in frames:
            self.socket.send(frame)

    def close(self):
        self.socket.close()


class Tun:
    """The program's end of a tun interface."""

    def __init__(self, ns, name):
        with ns.inside():
            self.fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                                        IFF_TUN | IFF_NO_PI))
        ns.ip("link", "set", name, "up")

    def send(self, *packets):
        for packet in packets:
            os.write(self.fd, packet)

    def close(self):
        os.close(self.fd)
