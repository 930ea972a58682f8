/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox_calls.c - the system calls of each kind of thread.
 *
 * A thread that comes to need another call gets a line here, and the reason.
 * What is not here is refused: to run a program, to open or make a file for
 * writing, to make, bind or connect a socket, to signal or trace a process, to
 * become another user, to make memory executable.
 */
#include "daemon/sandbox_calls.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define P SANDBOX_ROLE(SANDBOX_PROCESS)
#define M (P | SANDBOX_ROLE(SANDBOX_MAIN))
#define C (P | SANDBOX_ROLE(SANDBOX_CAPTURER))
#define R (P | SANDBOX_ROLE(SANDBOX_READER))
#define Q (P | SANDBOX_ROLE(SANDBOX_QUERY))

#define ALL	 (M | C | R | Q)
#define ALLOCATE (M | R | Q) /* a capturer never does */

/* clang-format off */
#define CALL(name)	  SCMP_SYS(name), 0, {{0}}
#define CALL1(name, a)	  SCMP_SYS(name), 1, {a}
#define CALL2(name, a, b) SCMP_SYS(name), 2, {a, b}
/* An argument's lower half; what an int has above that means nothing. */
#define IS(arg, value)	      {arg, SCMP_CMP_MASKED_EQ, 0xffffffff, value}
#define HAS_NONE_OF(arg, set) {arg, SCMP_CMP_MASKED_EQ, set, 0}
#define HAS(arg, bit)	      {arg, SCMP_CMP_MASKED_EQ, bit, bit}
#define IS_NULL(arg)	      {arg, SCMP_CMP_EQ, 0, 0}
/* clang-format on */

/* Of open(2)'s flags, those that write or make. */
#define WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))

const struct sandbox_call sandbox_calls[] = {
	/* To go on, to wait, to end. */
	{ALL, CALL(restart_syscall)},
	{ALL, CALL(futex)},
	{ALL, CALL(sched_yield)},
	{ALL, CALL(rt_sigprocmask)},
	{ALL, CALL(rt_sigreturn)},
	{ALL, CALL(exit)},
	{ALL, CALL(exit_group)},
	{ALL, CALL1(prctl, IS(0, PR_GET_NAME))}, /* to tell who was refused */
	{ALL, CALL(getpid)},
	{ALL, CALL(gettid)},
	{ALL, CALL2(tgkill, IS(0, SANDBOX_OWN_PID), IS(2, SIGABRT))}, /* abort() */
	/* Where the vDSO has no clock. */
	{ALL, CALL(clock_gettime)},
	{ALL, CALL(gettimeofday)},
	{ALL, CALL(time)},
	{M | C | R, CALL(nanosleep)},
	{M | C | R, CALL(clock_nanosleep)},

	/* Memory. A thread that ends gives its stack back. */
	{ALL, CALL(madvise)},
	{ALL, CALL(munmap)},
	{ALLOCATE, CALL(brk)},
	{ALLOCATE, CALL(mremap)},
	{ALLOCATE, CALL1(mmap, HAS_NONE_OF(2, PROT_EXEC))},
	{ALLOCATE, CALL1(mprotect, HAS_NONE_OF(2, PROT_EXEC))},

	/* What is open: files, eventfds, sockets. */
	{ALL, CALL(write)}, /* standard error; that a worker has ended */
	{M | R | Q, CALL(read)},
	{M | R | Q, CALL(close)},
	{M | R, CALL(lseek)},
	{M | R, CALL(pread64)},
	{M | R, CALL(fstat)},
	{M | R, CALL(newfstatat)},
	{M | R, CALL(statx)}, /* as newer C libraries look at a file */
	{ALL, CALL(poll)},
	{ALL, CALL(ppoll)},
	{M, CALL(sysinfo)}, /* qsort(3) of many networks: how much memory there is */
	{M, CALL(writev)},
	{M, CALL1(ioctl, IS(1, TCGETS))}, /* is it a terminal? */

	/* Files: to read; and our socket's is removed at the end. */
	{M | R, CALL1(openat, HAS_NONE_OF(2, WRITES))},
	{M, CALL(unlink)},
	{M, CALL(unlinkat)},

	/* The rings: losses, filters, and interfaces that come back. */
	{M, CALL(recvfrom)},
	{M, CALL2(getsockopt, IS(1, SOL_PACKET), IS(2, PACKET_STATISTICS))},
	{M, CALL2(setsockopt, IS(1, SOL_SOCKET), IS(2, SO_ATTACH_FILTER))},
	{M, CALL2(setsockopt, IS(1, SOL_PACKET), IS(2, PACKET_ADD_MEMBERSHIP))},
	{M, CALL1(ioctl, IS(1, SIOCGIFINDEX))},
	{M, CALL1(ioctl, IS(1, SIOCGIFHWADDR))},
	{M, CALL1(ioctl, IS(1, SIOCGIFMTU))},
	{M, CALL1(ioctl, IS(1, SIOCGIFFLAGS))},
	{C, CALL2(getsockopt, IS(1, SOL_SOCKET), IS(2, SO_ERROR))},

	/* Clients. To whom a socket is connected, no other (nor the service manager's). */
	{Q, CALL(epoll_wait)},
	{Q, CALL(epoll_pwait)},
	{Q, CALL(epoll_ctl)},
	{Q, CALL(accept4)},
	{Q, CALL(recvfrom)},
	{M | Q, CALL1(sendto, IS_NULL(4))},
	{Q, CALL2(getsockopt, IS(1, SOL_SOCKET), IS(2, SO_PEERCRED))},

	/* To start the threads, which then take more from themselves. */
	{P, CALL1(clone, HAS(0, CLONE_THREAD))},
	{P, CALL(set_robust_list)},
	{P, CALL(rseq)},
	{P, CALL(sched_getaffinity)},
	{P, CALL(sched_setaffinity)},
	{P, CALL1(prctl, IS(0, PR_SET_NAME))},
	{P, CALL(rt_sigaction)},
	{P, CALL(seccomp)},
	{0, 0, 0, {{0}}},
};

const struct sandbox_call sandbox_refused_sanitized[] = {
	{ALL, CALL(socket)}, {ALL, CALL(connect)}, {ALL, CALL(bind)},
	{ALL, CALL(listen)}, {ALL, CALL(mkdir)},   {ALL, CALL(rename)},
	{ALL, CALL(execve)}, {ALL, CALL(setuid)},  {0, 0, 0, {{0}}},
};
