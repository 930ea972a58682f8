/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sandbox.c - each kind of thread tries what it must not do, and does what
 * it must.
 *
 * Each try is made by a child, which first enters the process's sandbox and
 * then a role's, by the daemon's own functions.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sandbox.h"

#define SAID_BYTES 8192

static char folder[] = "/tmp/test_sandbox.XXXXXX";
static char readable[64], secret[64], made[64], socket_file[64];
static int stream_fd, unbound_fd; /* sockets that are open before */

/* --- forbidden ---------------------------------------------------------------- */

static long try_execve(void)
{
	static char name[] = "/bin/true";
	char *const args[] = {name, NULL};

	return execv(name, args);
}

static long try_execveat(void)
{
	static char name[] = "/bin/true";
	char *const args[] = {name, NULL};

	return syscall(SYS_execveat, AT_FDCWD, name, args, NULL, 0);
}

static long try_fork(void)
{
	const pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child;
}

static long try_vfork(void)
{
	return syscall(SYS_clone, SIGCHLD | 0x4000 /* CLONE_VFORK */, NULL, NULL, NULL, 0);
}

static long try_open_for_writing(void)
{
	return open(readable, O_WRONLY);
}

static long try_open_for_both(void)
{
	return open(readable, O_RDWR);
}

static long try_create(void)
{
	return open(made, O_RDONLY | O_CREAT, 0600);
}

static long try_truncate_on_open(void)
{
	return open(readable, O_RDONLY | O_TRUNC);
}

static long try_temporary_file(void)
{
	return open(folder, O_TMPFILE | O_RDWR, 0600);
}

static long try_openat2(void)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = {.flags = O_RDONLY};

	return syscall(SYS_openat2, AT_FDCWD, readable, &how, sizeof(how));
}

static long try_creat(void)
{
	return creat(made, 0600);
}

static long try_truncate(void)
{
	return truncate(readable, 0);
}

static long try_mkdir(void)
{
	return mkdir(made, 0700);
}

static long try_rename(void)
{
	return rename(readable, made);
}

static long try_link(void)
{
	return link(readable, made);
}

static long try_symlink(void)
{
	return symlink(readable, made);
}

static long try_chmod(void)
{
	return chmod(readable, 0777);
}

static long try_chown(void)
{
	return chown(readable, 1, 1);
}

static long try_mknod(void)
{
	return mknod(made, S_IFIFO | 0600, 0);
}

static long try_tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_udp6(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0);
}

static long try_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long try_socketpair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static struct sockaddr_un unix_address(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", made);
	return at;
}

static long try_bind(void)
{
	const struct sockaddr_un at = unix_address();

	return bind(unbound_fd, (const struct sockaddr *)&at, sizeof(at));
}

static long try_listen(void)
{
	return listen(stream_fd, 1);
}

static long try_connect(void)
{
	const struct sockaddr_un at = unix_address();

	return connect(unbound_fd, (const struct sockaddr *)&at, sizeof(at));
}

static long try_sendto_elsewhere(void)
{
	const struct sockaddr_un at = unix_address();

	return sendto(unbound_fd, "x", 1, 0, (const struct sockaddr *)&at, sizeof(at));
}

static long try_sendmsg(void)
{
	struct iovec one = {.iov_base = readable, .iov_len = 1};
	const struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};

	return sendmsg(stream_fd, &m, 0);
}

static long try_any_socket_option(void)
{
	const int on = 1;

	return setsockopt(stream_fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
}

static long try_any_ioctl(void)
{
	int n;

	return ioctl(stream_fd, FIONREAD, &n);
}

static long try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

static long try_code_of_data(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static long try_kill(void)
{
	return kill(getppid(), 0);
}

static long try_kill_thread_of_another(void)
{
	return syscall(SYS_tgkill, 1, 1, SIGABRT);
}

static long try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_read_of_another(void)
{
	return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
}

static long try_setuid(void)
{
	return setuid(0);
}

static long try_setgroups(void)
{
	return syscall(SYS_setgroups, 0, NULL);
}

static long try_unshare(void)
{
	return syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */);
}

static long try_setns(void)
{
	return syscall(SYS_setns, 0, 0);
}

static long try_mount(void)
{
	return mount("none", folder, "tmpfs", 0, NULL);
}

static long try_chroot(void)
{
	return chroot(folder);
}

static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long try_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}

static long try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, 0, -1, 0);
}

static long try_memfd(void)
{
	return memfd_create("x", 0);
}

static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 0);
}

static long try_personality(void)
{
	return syscall(SYS_personality, 0x0040000 /* ADDR_NO_RANDOMIZE */);
}

static long try_settimeofday(void)
{
	return syscall(SYS_settimeofday, NULL, NULL);
}

static long try_other_filter(void)
{
	return syscall(SYS_seccomp, 0 /* strict */, 0, NULL);
}

static long try_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

static long try_thread(void)
{
	return syscall(SYS_clone, 0x10000 | 0x800 | 0x100 /* THREAD, SIGHAND, VM */, NULL, NULL,
		       NULL, 0);
}

static long try_open(void)
{
	return open(readable, O_RDONLY);
}

static long try_unlink(void)
{
	return unlink(socket_file);
}

static long try_mmap(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
											     : 0;
}

static long try_accept(void)
{
	return accept4(stream_fd, NULL, NULL, SOCK_CLOEXEC);
}

static long try_attach_filter(void)
{
	return setsockopt(stream_fd, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0);
}

#define M     (1u << SANDBOX_MAIN)
#define C     (1u << SANDBOX_CAPTURER)
#define R     (1u << SANDBOX_READER)
#define Q     (1u << SANDBOX_QUERY)
#define P     (1u << SANDBOX_PROCESS)
#define ROLES (M | C | R | Q)

static const struct attempt {
	const char *name;
	long (*make)(void);
	unsigned refused; /* to whom */
} attempts[] = {
	{"execve", try_execve, P | ROLES},
	{"execveat", try_execveat, P | ROLES},
	{"fork", try_fork, P | ROLES},
	{"clone of a process", try_vfork, P | ROLES},
	{"open for writing", try_open_for_writing, P | ROLES},
	{"open for reading and writing", try_open_for_both, P | ROLES},
	{"open, to create", try_create, P | ROLES},
	{"open, to truncate", try_truncate_on_open, P | ROLES},
	{"open a temporary file", try_temporary_file, P | ROLES},
	{"openat2", try_openat2, P | ROLES},
	{"creat", try_creat, P | ROLES},
	{"truncate", try_truncate, P | ROLES},
	{"mkdir", try_mkdir, P | ROLES},
	{"rename", try_rename, P | ROLES},
	{"link", try_link, P | ROLES},
	{"symlink", try_symlink, P | ROLES},
	{"chmod", try_chmod, P | ROLES},
	{"chown", try_chown, P | ROLES},
	{"mknod", try_mknod, P | ROLES},
	{"a TCP socket", try_tcp, P | ROLES},
	{"a UDP socket", try_udp6, P | ROLES},
	{"a packet socket", try_packet, P | ROLES},
	{"a netlink socket", try_netlink, P | ROLES},
	{"a Unix socket", try_unix, P | ROLES},
	{"socketpair", try_socketpair, P | ROLES},
	{"bind", try_bind, P | ROLES},
	{"listen", try_listen, P | ROLES},
	{"connect", try_connect, P | ROLES},
	{"sendto another address", try_sendto_elsewhere, P | ROLES},
	{"sendmsg", try_sendmsg, P | ROLES},
	{"a socket option", try_any_socket_option, P | ROLES},
	{"an ioctl", try_any_ioctl, P | ROLES},
	{"mmap of code", try_code, P | ROLES},
	{"mprotect to code", try_code_of_data, P | ROLES},
	{"kill", try_kill, P | ROLES},
	{"tgkill", try_kill_thread_of_another, P | ROLES},
	{"ptrace", try_ptrace, P | ROLES},
	{"process_vm_readv", try_read_of_another, P | ROLES},
	{"setuid", try_setuid, P | ROLES},
	{"setgroups", try_setgroups, P | ROLES},
	{"unshare", try_unshare, P | ROLES},
	{"setns", try_setns, P | ROLES},
	{"mount", try_mount, P | ROLES},
	{"chroot", try_chroot, P | ROLES},
	{"bpf", try_bpf, P | ROLES},
	{"io_uring_setup", try_io_uring, P | ROLES},
	{"perf_event_open", try_perf, P | ROLES},
	{"memfd_create", try_memfd, P | ROLES},
	{"userfaultfd", try_userfaultfd, P | ROLES},
	{"personality", try_personality, P | ROLES},
	{"settimeofday", try_settimeofday, P | ROLES},
	{"prctl", try_prctl, P | ROLES},
	{"seccomp", try_other_filter, ROLES},
	{"clone of a thread", try_thread, ROLES},
	{"open for reading", try_open, C | Q},
	{"unlink", try_unlink, C | R | Q},
	{"mmap", try_mmap, C},
	{"accept4", try_accept, M | C | R},
	{"attach a filter", try_attach_filter, C | R | Q},
};

/* --- a child in the sandbox ----------------------------------------------------- */

static void enter(const struct sandbox *s, enum sandbox_role role)
{
	struct err e;

	if (sandbox_enter(s, SANDBOX_PROCESS, &e) < 0 ||
	    (role != SANDBOX_PROCESS && sandbox_enter(s, role, &e) < 0)) {
		dprintf(STDERR_FILENO, "%s\n", e.text);
		_exit(2);
	}
}

static struct sandbox *prepare(void)
{
	const char *const files[] = {"-", readable, "/no/such/file"};
	const struct sandbox_conf conf = {.files = files, .files_n = 3, .socket = socket_file};
	struct sandbox *s;
	struct err e;

	if (sandbox_prepare(&s, &conf, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* Runs act(arg) in the role; what the child said on standard error, and how it
 * ended. */
static int in_role(enum sandbox_role role, int (*act)(void *arg), void *arg, char *said)
{
	struct sandbox *s = prepare();
	size_t n = 0;
	ssize_t got;
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		sandbox_free(s); /* its own is made anew: a filter names its process */
		s = prepare();
		enter(s, role);
		_exit(act(arg));
	}
	close(fds[1]);
	while ((got = read(fds[0], said + n, SAID_BYTES - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = 0;
	close(fds[0]);
	sandbox_free(s);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int make_attempt(void *arg)
{
	const struct attempt *a = arg;
	long ret;

	errno = 0;
	ret = a->make();
	if (ret == -1 && errno == EPERM)
		return 0;
	dprintf(STDERR_FILENO, "gives %ld, errno %d\n", ret, errno);
	return 1;
}

static const char *const role_names[] = {"process", "main", "capturer", "reader", "query"};

static void what_is_forbidden_fails_in_every_role(void **state)
{
	char said[SAID_BYTES];
	unsigned made_n = 0;

	(void)state;
	for (unsigned role = 0; role < SANDBOX_ROLES; role++)
		for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
			struct attempt a = attempts[i];
			int status;

			if (!(a.refused >> role & 1))
				continue;
			status = in_role((enum sandbox_role)role, make_attempt, &a, said);
			made_n++;
			if (!WIFEXITED(status) || WEXITSTATUS(status))
				fail_msg("%s by %s: status %#x: %s", a.name, role_names[role],
					 (unsigned)status, said);
			if (!strstr(said,
				    "the sandbox refused thread test_sandbox the system call"))
				fail_msg("%s by %s: nobody was told: %s", a.name, role_names[role],
					 said);
		}
	print_message("%u attempts refused\n", made_n);
}

/* --- what is told ------------------------------------------------------------------ */

static int be_refused_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		if (socket(AF_INET, SOCK_DGRAM, 0) != -1 || errno != EPERM)
			return 1;
	return 0;
}

static void a_refused_call_is_told_by_name_and_once(void **state)
{
	char said[SAID_BYTES];

	(void)state;
	assert_int_equal(in_role(SANDBOX_QUERY, be_refused_often, NULL, said), 0);
	assert_non_null(strstr(said, "the system call socket ("));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static int be_signalled(void *arg)
{
	(void)arg;
	raise(SIGSYS); /* by tgkill(2): refused, and told */
	return 0;
}

static void it_cannot_signal_itself_either(void **state)
{
	char said[SAID_BYTES];

	(void)state;
	assert_int_equal(in_role(SANDBOX_MAIN, be_signalled, NULL, said), 0);
	assert_non_null(strstr(said, "tgkill"));
}

/* --- allowed ------------------------------------------------------------------------ */

static int abort_it(void *arg)
{
	(void)arg;
	abort();
}

static void abort_still_aborts(void **state)
{
	char said[SAID_BYTES];

	(void)state;
	for (unsigned role = 0; role < SANDBOX_ROLES; role++) {
		const int status = in_role((enum sandbox_role)role, abort_it, NULL, said);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_string_equal(said, "");
	}
}

static int read_and_write(void *arg)
{
	char text[8] = "";
	char *room = malloc(16 << 20);
	const int fd = open(readable, O_RDONLY | O_CLOEXEC);

	(void)arg;
	if (!room || fd < 0 || read(fd, text, sizeof(text)) != 5 || strcmp(text, "hello") != 0)
		return 1;
	memset(room, 1, 16 << 20);
	free(room);
	close(fd);
	return 0;
}

static void who_reads_files_can(void **state)
{
	char said[SAID_BYTES];

	(void)state;
	assert_int_equal(in_role(SANDBOX_READER, read_and_write, NULL, said), 0);
	assert_int_equal(in_role(SANDBOX_MAIN, read_and_write, NULL, said), 0);
}

static int remove_the_socket(void *arg)
{
	(void)arg;
	return unlink(socket_file) == 0 ? 0 : 1;
}

static void its_socket_can_be_removed(void **state)
{
	char said[SAID_BYTES];

	(void)state;
	assert_int_equal(mknod(socket_file, S_IFSOCK | 0600, 0), 0);
	assert_int_equal(in_role(SANDBOX_MAIN, remove_the_socket, NULL, said), 0);
	assert_int_equal(access(socket_file, F_OK), -1);
}

/* --- Landlock ----------------------------------------------------------------------- */

static int read_what_was_not_named(void *arg)
{
	(void)arg;
	if (open(secret, O_RDONLY) != -1 || errno != EACCES)
		return 1;
	if (open("/etc/passwd", O_RDONLY) != -1 || errno != EACCES)
		return 2;
	if (open("/proc/self/mem", O_RDONLY) != -1 || errno != EACCES)
		return 3;
	return unlink(secret) == -1 && errno == EACCES ? 0 : 4;
}

static void files_that_were_not_named_are_out_of_reach(void **state)
{
	char said[SAID_BYTES];

	(void)state;
	if (!sandbox_landlock_version()) {
		print_message("this kernel has no Landlock: seccomp alone was tested\n");
		return;
	}
	print_message("Landlock version %d\n", sandbox_landlock_version());
	assert_int_equal(in_role(SANDBOX_READER, read_what_was_not_named, NULL, said), 4 << 8);
	assert_int_equal(in_role(SANDBOX_MAIN, read_what_was_not_named, NULL, said), 0);
}

/* --- threads -------------------------------------------------------------------------- */

static const struct sandbox *shared;

static void *enter_and_try(void *arg)
{
	const enum sandbox_role *role = arg;
	struct err e;

	if (sandbox_enter(shared, *role, &e) < 0)
		return (void *)"entered not";
	if (socket(AF_INET, SOCK_DGRAM, 0) != -1 || errno != EPERM)
		return (void *)"made a socket";
	if (*role != SANDBOX_READER && (open(readable, O_RDONLY) != -1 || errno != EPERM))
		return (void *)"opened a file";
	return NULL;
}

static int start_threads(void *arg)
{
	enum sandbox_role roles[] = {SANDBOX_CAPTURER, SANDBOX_QUERY, SANDBOX_READER};
	pthread_t threads[3];
	void *fault;

	(void)arg;
	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, enter_and_try, &roles[i]) != 0)
			return 1;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &fault);
		if (fault) {
			dprintf(STDERR_FILENO, "%s\n", (const char *)fault);
			return 2;
		}
	}
	return read_and_write(NULL); /* theirs is not ours */
}

static void each_thread_has_its_own(void **state)
{
	char said[SAID_BYTES];
	struct sandbox *s = prepare();
	int status;

	(void)state;
	shared = s;
	status = in_role(SANDBOX_PROCESS, start_threads, NULL, said);
	sandbox_free(s);
	if (status)
		fail_msg("status %#x: %s", (unsigned)status, said);
}

static void *wait_then_try(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_ACQUIRE))
		sched_yield();
	return (void *)(intptr_t)(socket(AF_INET, SOCK_DGRAM, 0) == -1 && errno == EPERM);
}

/* Threads that a library may have started before are bound as well. */
static void the_process_s_is_for_all_its_threads(void **state)
{
	bool go = false;
	pthread_t thread;
	void *refused = NULL;
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		struct sandbox *s = prepare();

		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		if (pthread_create(&thread, NULL, wait_then_try, &go) != 0)
			_exit(2);
		enter(s, SANDBOX_PROCESS);
		__atomic_store_n(&go, true, __ATOMIC_RELEASE);
		pthread_join(thread, &refused);
		_exit(refused ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- */

static void put_file(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
}

static int set_up(void **state)
{
	int pair[2];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(readable, sizeof(readable), "%s/readable", folder);
	snprintf(secret, sizeof(secret), "%s/secret", folder);
	snprintf(made, sizeof(made), "%s/made", folder);
	snprintf(socket_file, sizeof(socket_file), "%s/run", folder);
	assert_int_equal(mkdir(socket_file, 0700), 0);
	strcat(socket_file, "/socket");
	put_file(readable);
	put_file(secret);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	stream_fd = pair[0];
	unbound_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return unbound_fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(access(made, F_OK), -1);
	unlink(readable);
	unlink(secret);
	*strrchr(socket_file, '/') = 0;
	rmdir(socket_file);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_forbidden_fails_in_every_role),
		cmocka_unit_test(a_refused_call_is_told_by_name_and_once),
		cmocka_unit_test(it_cannot_signal_itself_either),
		cmocka_unit_test(abort_still_aborts),
		cmocka_unit_test(who_reads_files_can),
		cmocka_unit_test(its_socket_can_be_removed),
		cmocka_unit_test(files_that_were_not_named_are_out_of_reach),
		cmocka_unit_test(each_thread_has_its_own),
		cmocka_unit_test(the_process_s_is_for_all_its_threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
