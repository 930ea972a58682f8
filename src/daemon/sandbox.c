/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.c - what the process can do once it has started: its work.
 *
 * The filters are made by one thread before there are others; a thread that
 * enters its role makes one system call and allocates nothing. Filters add up:
 * a call must pass the process's and the role's. So the process's is in force
 * from the moment in which the first frame can come, and each thread, once it
 * runs, gives up what was only needed to start it.
 *
 * A refused call comes as SIGSYS to the thread that made it, where it is told,
 * and made to fail. The signal must not be blocked: then the kernel would end
 * the process.
 */
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compat.h"
#include "daemon/sandbox_calls.h"
#include "daemon/sandbox_check.h"

#define SI_SECCOMP 1 /* SYS_SECCOMP, of asm-generic/siginfo.h */

struct sandbox {
	struct sock_fprog filters[SANDBOX_ROLES]; /* owned */
	int ruleset_fd;				  /* of Landlock; -1: the kernel has none */
};

/* --- what was refused ------------------------------------------------------- */

static char names[SANDBOX_CALLS_MAX][24]; /* of calls; made before there is a filter */
static bool told[SANDBOX_CALLS_MAX];	  /* atomic */

static size_t put(char *out, size_t n, const char *text)
{
	const size_t len = strlen(text);

	memcpy(out + n, text, len);
	return n + len;
}

static size_t put_number(char *out, size_t n, unsigned number)
{
	unsigned unit = 1;

	while (number / unit >= 10)
		unit *= 10;
	for (; unit; unit /= 10)
		out[n++] = (char)('0' + number / unit % 10);
	return n;
}

/* By memcpy and write alone, since a signal may come anywhere. */
static void tell(unsigned call)
{
	char text[160], thread[17] = "";
	size_t n;

	prctl(PR_GET_NAME, thread);
	n = put(text, 0, "tcsniff: the sandbox refused thread ");
	n = put(text, n, thread);
	n = put(text, n, " the system call ");
	n = put(text, n, names[call][0] ? names[call] : "without a name");
	n = put(text, n, " (");
	n = put_number(text, n, call);
	n = put(text, n, "), once or more: a fault of ours, or an attack\n");
	if (write(STDERR_FILENO, text, n) < 0)
		return; /* nobody listens */
}

static void on_refusal(int signal, siginfo_t *info, void *context)
{
	const int before = errno;
	const unsigned call = (unsigned)info->si_syscall;

	(void)signal;
	if (info->si_code != SI_SECCOMP)
		return; /* somebody's kill(2) */
	compat_set_result((ucontext_t *)context, -EPERM);
	if (call < SANDBOX_CALLS_MAX && !__atomic_exchange_n(&told[call], true, __ATOMIC_RELAXED))
		tell(call);
	errno = before;
}

static int listen_for_refusals(struct err *e)
{
	const struct sigaction a = {.sa_sigaction = on_refusal,
				    .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER};
	sigset_t set;

	for (int i = 0; i < SANDBOX_CALLS_MAX; i++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);

		snprintf(names[i], sizeof(names[i]), "%s", name ? name : "");
		free(name);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (sigaction(SIGSYS, &a, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) < 0)
		return err_sys(e, "sandbox: SIGSYS");
	return 0;
}

/* --- seccomp ------------------------------------------------------------------ */

#define REFUSED (COMPAT_SETS_RESULT ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM))

static int add_call(scmp_filter_ctx ctx, const struct sandbox_call *call)
{
	struct scmp_arg_cmp args[SANDBOX_ARGS];

	memcpy(args, call->args, sizeof(args));
	for (unsigned i = 0; i < call->args_n; i++)
		if (args[i].datum_b == SANDBOX_OWN_PID)
			args[i].datum_b = (scmp_datum_t)getpid();
	return seccomp_rule_add_array(ctx, COMPAT_SANITIZED ? REFUSED : SCMP_ACT_ALLOW,
				      call->number, call->args_n, args);
}

static int add_calls(scmp_filter_ctx ctx, const struct sandbox_call *calls, enum sandbox_role role)
{
	int ret = 0;

	for (; ret == 0 && calls->roles; calls++)
		if (calls->roles & SANDBOX_ROLE(role))
			ret = add_call(ctx, calls);
	return ret;
}

/* What clone3(2) is asked for stands in memory, where no filter can see it: it
 * is said not to be there, and the C library goes back to clone(2). */
static int hide_clone3(scmp_filter_ctx ctx, enum sandbox_role role)
{
	if (role != SANDBOX_PROCESS || COMPAT_SANITIZED)
		return 0;
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* The filter as the kernel takes it. libseccomp gives it through a descriptor. */
static int export_filter(struct sock_fprog *out, scmp_filter_ctx ctx, struct err *e)
{
	const int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;
	int ret;

	if (fd < 0)
		return err_sys(e, "sandbox: memfd_create");
	ret = seccomp_export_bpf(ctx, fd);
	if (ret < 0 || fstat(fd, &st) < 0) {
		close(fd);
		return err_set(e, ret < 0 ? ret : -EIO, "sandbox: libseccomp makes no filter (%d)",
			       ret);
	}
	out->len = (unsigned short)((size_t)st.st_size / sizeof(*out->filter));
	out->filter = malloc((size_t)st.st_size);
	if (!out->filter)
		ret = err_set(e, -ENOMEM, "no memory for the sandbox");
	else if (pread(fd, out->filter, (size_t)st.st_size, 0) != st.st_size)
		ret = err_sys(e, "sandbox: memfd");
	close(fd);
	return ret;
}

static int make_filter(struct sock_fprog *out, enum sandbox_role role, struct err *e)
{
	const scmp_filter_ctx ctx = seccomp_init(COMPAT_SANITIZED ? SCMP_ACT_ALLOW : REFUSED);
	int ret;

	if (!ctx)
		return err_set(e, -ENOMEM, "no memory for the sandbox");
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (ret == 0)
		ret = add_calls(ctx, COMPAT_SANITIZED ? sandbox_refused_sanitized : sandbox_calls,
				role);
	if (ret == 0)
		ret = hide_clone3(ctx, role);
	if (ret < 0)
		err_set(e, ret, "sandbox: libseccomp refuses a rule: %s", strerror(-ret));
	else
		ret = export_filter(out, ctx, e);
	seccomp_release(ctx);
	if (ret == 0 && !COMPAT_SANITIZED)
		ret = sandbox_check(out, role, e);
	return ret;
}

/* The mitigation of speculative stores that older kernels add to a filter is
 * for code that is not trusted, and costs the workers much. */
static int install(const struct sock_fprog *filter, unsigned flags, struct err *e)
{
	long ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			   flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, filter);

	if (ret < 0 && errno == EINVAL)
		ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, filter);
	if (ret < 0)
		return err_sys(e, "the kernel takes no seccomp filter (see --no-sandbox)");
	if (ret > 0)
		return err_set(e, -ESRCH, "sandbox: thread %ld cannot be bound by it", ret);
	return 0;
}

/* --- Landlock ------------------------------------------------------------------- */

/* Of version 6; earlier kernels know the first of these fields alone. */
struct landlock_attr {
	uint64_t fs, net, scoped;
};

int sandbox_landlock_version(void)
{
	const long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

/* All that this version can take away. */
static struct landlock_attr everything(int version, size_t *bytes)
{
	static const unsigned rights[] = {0, 13, 14, 15, 15, 16}; /* on files, by version */
	const size_t known = sizeof(rights) / sizeof(rights[0]);
	const unsigned fs = rights[(size_t)version < known ? (size_t)version : known - 1];

	*bytes = version >= 6 ? 24 : version >= 4 ? 16 : 8;
	return (struct landlock_attr){
		.fs = (1ull << fs) - 1,
		.net = version >= 4 ? 3 : 0,	/* to bind, to connect */
		.scoped = version >= 6 ? 3 : 0, /* abstract sockets, signals */
	};
}

static int open_ruleset(int *out, struct err *e)
{
	const int version = sandbox_landlock_version();
	struct landlock_attr attr;
	size_t bytes;
	long fd;

	*out = -1;
	if (!version)
		return 0;
	attr = everything(version, &bytes);
	fd = syscall(SYS_landlock_create_ruleset, &attr, bytes, 0);
	if (fd < 0)
		return err_sys(e, "the kernel makes no Landlock ruleset (see --no-sandbox)");
	*out = (int)fd;
	return 0;
}

/* What is not there, or is no file of a file system (a pipe), needs no rule. */
static int allow(int ruleset, const char *path, uint64_t rights, struct err *e)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};
	long ret;

	if (ruleset < 0)
		return 0;
	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES
			       ? 0
			       : err_sys(e, "sandbox: cannot look at %s", path);
	ret = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (ret < 0 && errno != EBADFD)
		ret = err_sys(e, "Landlock takes no rule for %s (see --no-sandbox)", path);
	else
		ret = 0;
	close(rule.parent_fd);
	return (int)ret;
}

static int allow_socket(int ruleset, const char *path, struct err *e)
{
	char *folder = path ? strdup(path) : NULL;
	int ret = 0;

	if (path && !folder)
		return err_set(e, -ENOMEM, "no memory for the sandbox");
	if (folder)
		ret = allow(ruleset, dirname(folder), LANDLOCK_ACCESS_FS_REMOVE_FILE, e);
	free(folder);
	return ret;
}

static int make_ruleset(int *out, const struct sandbox_conf *c, struct err *e)
{
	int ret = open_ruleset(out, e);

	for (size_t i = 0; ret == 0 && i < c->files_n; i++)
		if (strcmp(c->files[i], "-") != 0)
			ret = allow(*out, c->files[i], LANDLOCK_ACCESS_FS_READ_FILE, e);
	for (size_t i = 0; ret == 0 && i < SANDBOX_FOLDERS && c->folders[i]; i++)
		ret = allow(*out, c->folders[i], LANDLOCK_ACCESS_FS_READ_FILE, e);
	if (ret == 0)
		ret = allow_socket(*out, c->socket, e);
	if (ret == 0 && COMPAT_SANITIZED)
		ret = allow(*out, "/proc",
			    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, e);
	return ret;
}

/* --- both ------------------------------------------------------------------------- */

int sandbox_prepare(struct sandbox **out, const struct sandbox_conf *c, struct err *e)
{
	struct sandbox *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return err_set(e, -ENOMEM, "no memory for the sandbox");
	ret = make_ruleset(&s->ruleset_fd, c, e);
	for (unsigned role = 0; ret == 0 && role < SANDBOX_ROLES; role++)
		ret = make_filter(&s->filters[role], (enum sandbox_role)role, e);
	if (ret < 0) {
		sandbox_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void sandbox_free(struct sandbox *s)
{
	if (!s)
		return;
	for (unsigned role = 0; role < SANDBOX_ROLES; role++)
		free(s->filters[role].filter);
	if (s->ruleset_fd >= 0)
		close(s->ruleset_fd);
	free(s);
}

static int enter_process(const struct sandbox *s, struct err *e)
{
	const int ret = listen_for_refusals(e);

	if (ret < 0)
		return ret;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	if (s->ruleset_fd >= 0 && syscall(SYS_landlock_restrict_self, s->ruleset_fd, 0) < 0)
		return err_sys(e, "Landlock does not take effect (see --no-sandbox)");
	return install(&s->filters[SANDBOX_PROCESS], SECCOMP_FILTER_FLAG_TSYNC, e);
}

int sandbox_enter(const struct sandbox *s, enum sandbox_role role, struct err *e)
{
	if (!s)
		return 0;
	return role == SANDBOX_PROCESS ? enter_process(s, e) : install(&s->filters[role], 0, e);
}
