/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults.c - a preloaded library in which calls fail that somebody chose.
 *
 * Stands before the C library, and so before the program and the libraries that
 * it uses. Told by the environment:
 *
 *   FAULTS_CALL    name of the call that is to fail; "alloc": every way to get
 *                  memory, mmap(2) among them. None: nothing fails
 *   FAULTS_ERRNO   how; several, with commas between them, in turn
 *   FAULTS_FIRST   the first that fails: 1 is the first there is
 *   FAULTS_EVERY   and then every so-manieth; 0: only that one
 *   FAULTS_PLACES  1: counts places in the program, not calls: what was called
 *                  from the same place before is let through
 *   FAULTS_FD      a descriptor that gets a line for the first fault; and at the
 *                  end, if no call was named, one for each call that was made
 *   FAULTS_CLOCK   a file; the seconds in it are added to CLOCK_REALTIME
 *
 * Functions are declared under names of their own, and have the C library's in
 * the object file alone: so no header has an opinion about them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT	__attribute__((visibility("default")))
#define PLACES	4096
#define DEPTH	10
#define ROOM	65536
#define CALLS	128
#define ALLOC	"alloc"
#define SKIPPED 2 /* of a backtrace: our own functions */

static struct {
	const char *call;
	int errors[8];
	unsigned errors_n;
	uint64_t first, every;
	bool by_place, is_ready;
	int fd;
} conf;

static uint64_t seen, failed; /* of the call that was named; atomic */
static uint64_t places[PLACES];
static __thread bool is_busy; /* we are inside ourselves */

static struct {
	const char *name;
	uint64_t n;
} counts[CALLS]; /* atomic */

static long raw_write(int fd, const void *data, size_t n)
{
	static long (*next)(int, const void *, size_t);

	if (!next)
		next = (long (*)(int, const void *, size_t))(uintptr_t)dlsym(RTLD_NEXT, "write");
	return next(fd, data, n);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void read_errors(const char *text)
{
	char *end = NULL;

	for (; text && *text && conf.errors_n < 8; text = *end ? end + 1 : end)
		conf.errors[conf.errors_n++] = (int)strtol(text, &end, 10);
	if (!conf.errors_n)
		conf.errors[conf.errors_n++] = ENOMEM;
}

__attribute__((constructor)) static void begin(void)
{
	void *frames[DEPTH];

	is_busy = true;
	conf.call = getenv("FAULTS_CALL");
	read_errors(getenv("FAULTS_ERRNO"));
	conf.first = number_of("FAULTS_FIRST", 1);
	conf.every = number_of("FAULTS_EVERY", 0);
	conf.by_place = number_of("FAULTS_PLACES", 0);
	conf.fd = (int)number_of("FAULTS_FD", (uint64_t)-1);
	backtrace(frames, DEPTH); /* loads what it needs */
	conf.is_ready = true;
	is_busy = false;
}

__attribute__((destructor)) static void end(void)
{
	is_busy = true;
	for (unsigned i = 0; i < CALLS && counts[i].name && conf.fd >= 0 && !conf.call; i++) {
		char line[96];
		const int n = snprintf(line, sizeof(line), "%s %lu\n", counts[i].name,
				       (unsigned long)counts[i].n);

		raw_write(conf.fd, line, (size_t)n);
	}
}

static void count(const char *name)
{
	for (unsigned i = 0; i < CALLS; i++) {
		const char *none = NULL;

		__atomic_compare_exchange_n(&counts[i].name, &none, name, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
		if (!strcmp(counts[i].name, name)) {
			__atomic_fetch_add(&counts[i].n, 1, __ATOMIC_RELAXED);
			return;
		}
	}
}

/* Whether this place in the program has not called before. */
static bool is_new_place(void)
{
	void *frames[DEPTH];
	const int n = backtrace(frames, DEPTH);
	uint64_t hash = 14695981039346656037ull;

	for (int i = SKIPPED; i < n; i++)
		hash = (hash ^ (uintptr_t)frames[i]) * 1099511628211ull;
	for (uint64_t i = 0; i < PLACES; i++) {
		uint64_t *at = &places[(hash + i) % PLACES], none = 0;

		if (__atomic_compare_exchange_n(at, &none, hash, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
		if (none == hash)
			return false;
	}
	return false;
}

/* "failed libpcap.so.0.8": the file whose code made the call. */
static __attribute__((noinline)) void tell_who_called(void)
{
	void *frames[DEPTH];
	const int n = backtrace(frames, DEPTH);
	const char *file = "?";
	char line[96];
	Dl_info us, who;

	dladdr((void *)(uintptr_t)raw_write, &us);
	for (int i = 0; i < n; i++)
		if (dladdr(frames[i], &who) && who.dli_fbase != us.dli_fbase) {
			file = strrchr(who.dli_fname, '/');
			file = file ? file + 1 : who.dli_fname;
			break;
		}
	raw_write(conf.fd, line, (size_t)snprintf(line, sizeof(line), "failed %.80s\n", file));
}

static bool is_chosen(uint64_t n)
{
	if (n < conf.first)
		return false;
	return n == conf.first || (conf.every && (n - conf.first) % conf.every == 0);
}

/* Whether this call of `name` is to fail; errno is set. */
static __attribute__((noinline)) bool fails(const char *name)
{
	bool chosen = false;
	uint64_t before = 0;

	if (is_busy || !conf.is_ready)
		return false;
	is_busy = true;
	if (!conf.call)
		count(name);
	else if (!strcmp(name, conf.call) && (!conf.by_place || is_new_place()))
		chosen = is_chosen(__atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED));
	if (chosen)
		before = __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED);
	if (chosen && before == 0 && conf.fd >= 0)
		tell_who_called();
	is_busy = false;
	if (chosen)
		errno = conf.errors[before % conf.errors_n];
	return chosen;
}

/* --- system calls --------------------------------------------------------------- */

#define NEXT(type, name)                                                                           \
	static type next;                                                                          \
	if (!next)                                                                                 \
	next = (type)(uintptr_t)dlsym(RTLD_NEXT, name)

#define WRAP(ret, name, params, args)                                                              \
	EXPORT ret faulty_##name params __asm__(#name);                                            \
	ret faulty_##name params                                                                   \
	{                                                                                          \
		typedef ret(*fn) params;                                                           \
		NEXT(fn, #name);                                                                   \
		return fails(#name) ? (ret)-1 : next args;                                         \
	}

/* Whose third argument is not always there. */
#define WRAP_OPEN(name)                                                                            \
	EXPORT int faulty_##name(const char *path, int flags, ...) __asm__(#name);                 \
	int faulty_##name(const char *path, int flags, ...)                                        \
	{                                                                                          \
		typedef int (*fn)(const char *, int, ...);                                         \
		va_list ap;                                                                        \
		unsigned mode;                                                                     \
		NEXT(fn, #name);                                                                   \
		va_start(ap, flags);                                                               \
		mode = va_arg(ap, unsigned);                                                       \
		va_end(ap);                                                                        \
		return fails(#name) ? -1 : next(path, flags, mode);                                \
	}

#define WRAP_CONTROL(name, type)                                                                   \
	EXPORT int faulty_##name(int fd, type what, ...) __asm__(#name);                           \
	int faulty_##name(int fd, type what, ...)                                                  \
	{                                                                                          \
		typedef int (*fn)(int, type, ...);                                                 \
		va_list ap;                                                                        \
		long arg;                                                                          \
		NEXT(fn, #name);                                                                   \
		va_start(ap, what);                                                                \
		arg = va_arg(ap, long);                                                            \
		va_end(ap);                                                                        \
		return fails(#name) ? -1 : next(fd, what, arg);                                    \
	}

WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_CONTROL(fcntl, int)
WRAP_CONTROL(fcntl64, int)
WRAP_CONTROL(ioctl, unsigned long)

WRAP(int, accept4, (int fd, void *a, void *n, int flags), (fd, a, n, flags))
WRAP(int, access, (const char *path, int mode), (path, mode))
WRAP(int, bind, (int fd, const void *a, unsigned n), (fd, a, n))
WRAP(int, chmod, (const char *path, unsigned mode), (path, mode))
WRAP(int, connect, (int fd, const void *a, unsigned n), (fd, a, n))
WRAP(int, epoll_create1, (int flags), (flags))
WRAP(int, epoll_ctl, (int ep, int op, int fd, void *event), (ep, op, fd, event))
WRAP(int, epoll_wait, (int ep, void *events, int n, int ms), (ep, events, n, ms))
WRAP(int, eventfd, (unsigned n, int flags), (n, flags))
WRAP(int, fchmod, (int fd, unsigned mode), (fd, mode))
WRAP(int, fchown, (int fd, unsigned u, unsigned g), (fd, u, g))
WRAP(int, fchownat, (int fd, const char *path, unsigned u, unsigned g, int flags),
     (fd, path, u, g, flags))
WRAP(int, flock, (int fd, int how), (fd, how))
WRAP(int, fstat, (int fd, void *st), (fd, st))
WRAP(int, fstat64, (int fd, void *st), (fd, st))
WRAP(long, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))
WRAP(int, getsockopt, (int fd, int level, int name, void *p, void *n), (fd, level, name, p, n))
WRAP(int, listen, (int fd, int n), (fd, n))
WRAP(long, lseek, (int fd, long at, int from), (fd, at, from))
WRAP(long, lseek64, (int fd, long at, int from), (fd, at, from))
WRAP(int, lstat, (const char *path, void *st), (path, st))
WRAP(int, lstat64, (const char *path, void *st), (path, st))
WRAP(int, madvise, (void *p, size_t n, int how), (p, n, how))
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, mkdir, (const char *path, unsigned mode), (path, mode))
WRAP(int, munmap, (void *p, size_t n), (p, n))
WRAP(int, nanosleep, (const void *a, void *b), (a, b))
WRAP(int, poll, (void *fds, unsigned long n, int ms), (fds, n, ms))
WRAP(int, prctl, (int what, long a, long b, long c, long d), (what, a, b, c, d))
WRAP(long, pread, (int fd, void *p, size_t n, long at), (fd, p, n, at))
WRAP(long, pread64, (int fd, void *p, size_t n, long at), (fd, p, n, at))
WRAP(long, read, (int fd, void *p, size_t n), (fd, p, n))
WRAP(long, __read_chk, (int fd, void *p, size_t n, size_t room), (fd, p, n, room))
WRAP(long, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
WRAP(int, sched_getaffinity, (int pid, size_t n, void *set), (pid, n, set))
WRAP(long, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
WRAP(int, setitimer, (int which, const void *a, void *b), (which, a, b))
WRAP(int, setsockopt, (int fd, int level, int name, const void *p, unsigned n),
     (fd, level, name, p, n))
WRAP(int, sigaction, (int number, const void *a, void *b), (number, a, b))
WRAP(int, signalfd, (int fd, const void *set, int flags), (fd, set, flags))
WRAP(int, sigprocmask, (int how, const void *set, void *old), (how, set, old))
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, stat, (const char *path, void *st), (path, st))
WRAP(int, stat64, (const char *path, void *st), (path, st))
WRAP(long, syscall, (long n, long a, long b, long c, long d, long e, long f), (n, a, b, c, d, e, f))
WRAP(int, unlink, (const char *path), (path))
WRAP(long, write, (int fd, const void *p, size_t n), (fd, p, n))

/* On Linux the descriptor is gone, whatever close(2) says. */
EXPORT int faulty_close(int fd) __asm__("close");
int faulty_close(int fd)
{
	typedef int (*fn)(int);
	int ret;

	NEXT(fn, "close");
	ret = next(fd);
	return fails("close") ? -1 : ret;
}

/* Says by what it returns. */
EXPORT int faulty_pthread_create(void *t, const void *attr, void *(*run)(void *),
				 void *arg) __asm__("pthread_create");
int faulty_pthread_create(void *t, const void *attr, void *(*run)(void *), void *arg)
{
	typedef int (*fn)(void *, const void *, void *(*)(void *), void *);

	NEXT(fn, "pthread_create");
	return fails("pthread_create") ? errno : next(t, attr, run, arg);
}

/* --- memory ------------------------------------------------------------------------ */

/* What dlsym() asks for while we look for who gives memory. */
static char room[ROOM];
static size_t room_used;

static void *of_room(size_t n)
{
	void *p = room + room_used;

	room_used += (n + 15) / 16 * 16;
	if (room_used > ROOM)
		abort();
	return p;
}

static bool is_of_room(const void *p)
{
	return (const char *)p >= room && (const char *)p < room + ROOM;
}

#define WRAP_MEMORY(name, bytes, params, args)                                                     \
	EXPORT void *faulty_##name params __asm__(#name);                                          \
	void *faulty_##name params                                                                 \
	{                                                                                          \
		typedef void *(*fn)params;                                                         \
		static __thread bool looking;                                                      \
		static fn next;                                                                    \
		if (looking)                                                                       \
			return of_room(bytes);                                                     \
		if (!next) {                                                                       \
			looking = true;                                                            \
			next = (fn)(uintptr_t)dlsym(RTLD_NEXT, #name);                             \
			looking = false;                                                           \
		}                                                                                  \
		return fails(ALLOC) ? NULL : next args;                                            \
	}

WRAP_MEMORY(malloc, n, (size_t n), (n))
WRAP_MEMORY(calloc, n *size, (size_t n, size_t size), (n, size))
WRAP_MEMORY(aligned_alloc, n, (size_t align, size_t n), (align, n))
WRAP_MEMORY(memalign, n, (size_t align, size_t n), (align, n))
WRAP_MEMORY(mallocx, n, (size_t n, int flags), (n, flags))

EXPORT void *faulty_realloc(void *p, size_t n) __asm__("realloc");
void *faulty_realloc(void *p, size_t n)
{
	typedef void *(*fn)(void *, size_t);

	NEXT(fn, "realloc");
	if (is_of_room(p)) {
		void *more = malloc(n);

		return more ? memcpy(more, p, n) : NULL; /* what lies behind is ours, too */
	}
	return fails(ALLOC) ? NULL : next(p, n);
}

EXPORT int faulty_posix_memalign(void **out, size_t align, size_t n) __asm__("posix_memalign");
int faulty_posix_memalign(void **out, size_t align, size_t n)
{
	typedef int (*fn)(void **, size_t, size_t);

	NEXT(fn, "posix_memalign");
	return fails(ALLOC) ? ENOMEM : next(out, align, n);
}

EXPORT void faulty_free(void *p) __asm__("free");
void faulty_free(void *p)
{
	typedef void (*fn)(void *);

	if (is_of_room(p))
		return;
	NEXT(fn, "free");
	next(p);
}

#define WRAP_MMAP(name)                                                                            \
	EXPORT void *faulty_##name(void *p, size_t n, int prot, int flags, int fd,                 \
				   long at) __asm__(#name);                                        \
	void *faulty_##name(void *p, size_t n, int prot, int flags, int fd, long at)               \
	{                                                                                          \
		typedef void *(*fn)(void *, size_t, int, int, int, long);                          \
		NEXT(fn, #name);                                                                   \
		if (fails(#name) || fails(ALLOC))                                                  \
			return (void *)-1;                                                         \
		return next(p, n, prot, flags, fd, at);                                            \
	}

WRAP_MMAP(mmap)
WRAP_MMAP(mmap64)

/* --- time --------------------------------------------------------------------------- */

/* The file is mapped once: the clock may be asked where no file can be opened. */
static const volatile int64_t *clock_file(void)
{
	static const volatile int64_t *mapped;
	static bool looked;
	const char *path;
	FILE *f;

	if (looked)
		return mapped;
	looked = true;
	path = getenv("FAULTS_CLOCK");
	f = path ? fopen(path, "rb") : NULL;
	if (f) {
		typedef void *(*fn)(void *, size_t, int, int, int, long);
		NEXT(fn, "mmap");
		mapped = next(NULL, 8, 1 /* PROT_READ */, 1 /* MAP_SHARED */, fileno(f), 0);
		fclose(f);
	}
	return mapped;
}

EXPORT int faulty_clock_gettime(clockid_t clock, struct timespec *ts) __asm__("clock_gettime");
int faulty_clock_gettime(clockid_t clock, struct timespec *ts)
{
	typedef int (*fn)(clockid_t, struct timespec *);
	const volatile int64_t *ahead = clock == CLOCK_REALTIME ? clock_file() : NULL;
	int ret;

	NEXT(fn, "clock_gettime");
	ret = next(clock, ts);
	if (ahead)
		ts->tv_sec += *ahead;
	return ret;
}
