# SPDX-License-Identifier: BSD-2-Clause
#
# unit.py - run a service as its unit says, where there is no systemd to do it:
# user, capabilities, file system, system calls, notification.
#
# Every setting of the unit has to be known here: either it is applied, or it is
# named among those that only systemd can, so that none is passed over unseen.

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import traceback

CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    0x20000, 1, 32, 4096, 16384, 1 << 18)
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 8, 24, 38, 47
CAPS = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}
NAMESPACE_FLAGS = 0x7E020080  # CLONE_NEW*
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
ALLOW, ERRNO_EPERM, ERRNO_ENOSYS = 0x7FFF0000, 0x00050001, 0x00050000 | 38
EQ, MASKED_EQ = 4, 7

# By whoever manages the service, not by the process; or of other kernel's parts.
OF_SYSTEMD_ALONE = {
    "After", "Description", "Documentation", "WantedBy", "Type", "Restart", "RestartSec",
    "RestartPreventExitStatus", "TimeoutStopSec", "RuntimeDirectoryPreserve", "DevicePolicy",
    "IPAddressDeny", "KeyringMode", "RemoveIPC", "ProtectHostname", "ProtectClock",
    "ProtectKernelLogs", "ProtectKernelModules", "RestrictRealtime", "RestrictSUIDSGID",
    "LockPersonality", "PrivateIPC", "PrivateMounts", "IPAddressAllow", "DynamicUser", "ProcSubset",
}
APPLIED = {
    "ExecStart", "ExecReload", "User", "Group", "AmbientCapabilities", "CapabilityBoundingSet",
    "NoNewPrivileges", "RuntimeDirectory", "RuntimeDirectoryMode", "UMask", "ProtectSystem",
    "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectControlGroups",
    "ProtectKernelTunables", "ProtectProc", "RestrictAddressFamilies", "RestrictNamespaces",
    "MemoryDenyWriteExecute", "SystemCallArchitectures", "SystemCallFilter",
    "SystemCallErrorNumber", "SupplementaryGroups",
}

libc = ctypes.CDLL(None, use_errno=True)


def check(ret, what):
    if ret < 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (what, os.strerror(ctypes.get_errno())))


def mount(source, target, kind, flags, data=None):
    check(libc.mount(source.encode(), target.encode(), kind.encode() if kind else None,
                     ctypes.c_ulong(flags), data.encode() if data else None), "mount " + target)


class Unit:
    """What a .service file says: the values of each key, in order."""

    def __init__(self, path):
        self.values = {}
        with open(path, encoding="utf-8") as f:
            for line in f:
                key, equals, value = line.strip().partition("=")
                if not line.startswith("#") and equals:
                    self.values.setdefault(key, []).append(value)
        strange = set(self.values) - OF_SYSTEMD_ALONE - APPLIED
        if strange:
            raise AssertionError("what does the test make of %s?" % ", ".join(sorted(strange)))

    def one(self, key, default=None):
        return self.values.get(key, [default])[-1]

    def is_on(self, key):
        return self.one(key) == "yes"

    def system_calls(self):
        """The allow list, as systemd adds it up."""
        allowed = expand("@default")
        for value in self.values["SystemCallFilter"]:
            names = set().union(*(expand(name) for name in value.lstrip("~").split()))
            allowed = allowed - names if value.startswith("~") else allowed | names
        return allowed | expand("@default")


def expand(name):
    """A system call, or all of a group."""
    if not name.startswith("@"):
        return {name}
    done = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True,
                          capture_output=True, text=True)
    names = [line.strip() for line in done.stdout.splitlines()[1:]]
    return set().union(*(expand(n) for n in names if n and not n.startswith("#")))


class ArgCmp(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


class Filter:
    """A seccomp filter (libseccomp), for whoever loads it."""

    def __init__(self, unit):
        self.lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.ctx = ctypes.c_void_p(self.lib.seccomp_init(ERRNO_EPERM))
        rules = {
            "socket": [[ArgCmp(0, EQ, FAMILIES[f])]
                       for f in unit.one("RestrictAddressFamilies").split()],
            "clone": [[ArgCmp(0, MASKED_EQ, NAMESPACE_FLAGS, 0)]],
            "mmap": [[ArgCmp(2, MASKED_EQ, PROT_WRITE | PROT_EXEC, bits)]
                     for bits in (0, PROT_WRITE, PROT_EXEC)],
            "mprotect": [[ArgCmp(2, MASKED_EQ, PROT_EXEC, 0)]],
            "pkey_mprotect": [[ArgCmp(2, MASKED_EQ, PROT_EXEC, 0)]],
            "shmat": [[ArgCmp(2, MASKED_EQ, SHM_EXEC, 0)]],
        }
        for name in unit.system_calls() - {"unshare", "setns", "clone3"}:
            for rule in rules.get(name, [[]]):
                self.add(name, ALLOW, rule)
        self.add("clone3", ERRNO_ENOSYS, [])  # its flags cannot be seen

    def add(self, name, action, rule):
        number = self.lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # of another architecture, or newer than libseccomp
            return
        if self.lib.seccomp_rule_add_array(self.ctx, action, number, len(rule),
                                           (ArgCmp * max(len(rule), 1))(*rule)) < 0:
            raise AssertionError("no rule for " + name)

    def load(self):
        check(self.lib.seccomp_load(self.ctx), "seccomp_load")


class Service:
    """A unit of a scratch root."""

    def __init__(self, root, path):
        self.root = root
        self.unit = Unit(os.path.join(root, path.lstrip("/")))
        self.filter = Filter(self.unit)
        self.pid = None
        self.notes = []
        self.log = os.path.join(root, "run/log")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(root, "run/notify"))
        os.chmod(os.path.join(root, "run/notify"), 0o777)
        self.notify.settimeout(0.05)

    def ids(self):
        """Of the user and group, as the scratch root knows them."""
        with open(os.path.join(self.root, "etc/passwd"), encoding="utf-8") as f:
            users = {fields[0]: fields for fields in (line.split(":") for line in f)}
        with open(os.path.join(self.root, "etc/group"), encoding="utf-8") as f:
            groups = {fields[0]: fields for fields in (line.split(":") for line in f)}
        return (int(users[self.unit.one("User")][2]), int(groups[self.unit.one("Group")][2]),
                [int(groups[g][2]) for g in self.unit.one("SupplementaryGroups", "").split()])

    def start(self):
        uid, gid, more = self.ids()
        folder = self.unit.one("RuntimeDirectory")
        if folder:
            path = os.path.join(self.root, "run", folder)
            os.makedirs(path, exist_ok=True)
            os.chmod(path, int(self.unit.one("RuntimeDirectoryMode", "0755"), 8))
            os.chown(path, uid, gid)
        with open(self.log, "ab"):
            pass
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.become(uid, gid, more)
            except BaseException:  # pylint: disable=broad-except
                traceback.print_exc()
            os._exit(99)

    def become(self, uid, gid, more):
        """In the child: what the unit says, and then its command."""
        fd = os.open(self.log, os.O_WRONLY | os.O_APPEND)
        null = os.open("/dev/null", os.O_RDONLY)
        for at, to in ((null, 0), (fd, 1), (fd, 2)):
            os.dup2(at, to)
        self.close_in()
        os.umask(int(self.unit.one("UMask", "0022"), 8))
        bounding = [CAPS[c] for c in self.unit.one("CapabilityBoundingSet", "").split()]
        ambient = [CAPS[c] for c in self.unit.one("AmbientCapabilities", "").split()]
        for cap in range(64):
            if cap not in bounding and libc.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0:
                break  # the last one that there is
        check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keepcaps")
        os.setgroups(more)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        mask = sum(1 << cap for cap in ambient)
        head = (ctypes.c_uint32 * 2)(0x20080522, 0)
        check(libc.capset(head, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)), "capset")
        for cap in ambient:
            check(libc.prctl(PR_CAP_AMBIENT, 2, cap, 0, 0), "ambient")
        command = shlex.split(self.unit.one("ExecStart"))
        env = {"NOTIFY_SOCKET": "/run/notify", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
               "USER": self.unit.one("User"), "LANG": "C.UTF-8"}
        if self.unit.is_on("NoNewPrivileges"):
            check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        self.filter.load()
        os.execve(command[0], command, env)

    def close_in(self):
        """The file system as the unit says."""
        check(libc.unshare(CLONE_NEWNS), "unshare")
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        at = self.root
        if self.unit.one("ProtectSystem") == "strict":
            self.make_read_only("")
        mount("proc", at + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "hidepid=invisible" if self.unit.one("ProtectProc") == "invisible" else None)
        if self.unit.is_on("ProtectKernelTunables"):
            self.make_read_only("/proc/sys")
            self.make_read_only("/sys")
        self.replace_folders()
        folder = self.unit.one("RuntimeDirectory")
        self.make_read_only("/run")
        if folder:
            folder = at + "/run/" + folder
            mount(folder, folder, None, MS_BIND)
            mount("none", folder, None, MS_REMOUNT | MS_BIND)
        os.chroot(at)
        os.chdir("/")

    def make_read_only(self, folder):
        at = self.root + folder
        mount(at, at, None, MS_BIND | MS_REC)
        mount("none", at, None, MS_REMOUNT | MS_BIND | MS_RDONLY)

    def replace_folders(self):
        if self.unit.is_on("PrivateTmp"):
            for folder in ("/tmp", "/var/tmp"):
                mount("tmpfs", self.root + folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
        if self.unit.is_on("ProtectHome"):
            for folder in ("/home", "/root"):
                mount("tmpfs", self.root + folder, "tmpfs", MS_RDONLY, "mode=000")
        if self.unit.is_on("PrivateDevices"):
            dev = self.root + "/dev"
            mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755")
            for name in ("null", "zero", "full", "random", "urandom", "tty"):
                with open(dev + "/" + name, "wb"):
                    pass
                mount("/dev/" + name, dev + "/" + name, None, MS_BIND)
            mount("none", dev, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID)

    # --- from outside ---

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def wait_note(self, words, limit=30):
        """Until it tells its manager that; all since the last time."""
        until = time.monotonic() + limit
        while not any(words in note for note in self.notes):
            if time.monotonic() > until or os.waitpid(self.pid, os.WNOHANG)[0]:
                raise AssertionError("no %s; it says: %s" % (words, self.said()))
            try:
                self.notes.append(self.notify.recv(4096).decode())
            except TimeoutError:
                pass
        notes, self.notes = self.notes, []
        return notes

    def reload_commands(self):
        return [shlex.split(value.replace("$MAINPID", str(self.pid)))
                for value in self.unit.values["ExecReload"]]

    def status(self):
        with open("/proc/%d/status" % self.pid, encoding="utf-8") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self):
        self.notify.close()
