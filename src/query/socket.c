/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket.c - the Unix socket that the server listens on: who may have its
 * path, who may connect, and what is left behind.
 *
 * A socket's file outlives the process that made it. Whether it is stale is
 * asked by connecting: nobody answers a stale one. Two daemons that start
 * together must not both find it stale and remove each other's; they take
 * turns by a lock on the directory, which leaves no file behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "query/internal.h"

#define BACKLOG	       1024 /* a crowd; who comes then is told to come again */
#define GROUP_BYTES    65536
#define LOCK_TRIES     100
#define LOCK_TRY_NS    10000000l /* 1 s in all */
#define DIRECTORY_MODE 0755

static int fill_address(struct sockaddr_un *out, const char *path, struct err *e)
{
	if (!*path)
		return err_set(e, -EINVAL, "the socket's path is empty; give one with --socket");
	if (strlen(path) >= sizeof(out->sun_path))
		return err_set(e, -ENAMETOOLONG,
			       "the socket's path has %zu characters, and %zu are the most: %s; "
			       "give a shorter one with --socket",
			       strlen(path), sizeof(out->sun_path) - 1, path);
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	memcpy(out->sun_path, path, strlen(path) + 1);
	return 0;
}

/* --- the directory -------------------------------------------------------------- */

static void directory_of(char out[PATH_MAX], const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(out, PATH_MAX, ".");
	else if (slash == path)
		snprintf(out, PATH_MAX, "/");
	else
		snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

static int open_existing(const char *name, struct err *e)
{
	const int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : err_sys(e, "cannot open the socket's directory %s", name);
}

/* Opens the directory, which is made if it is missing. Only one that was made is given
 * away: what came there meanwhile may be a link to another. */
static int open_directory(const char *path, const struct query_server_conf *conf, struct err *e)
{
	char name[PATH_MAX];
	int fd;

	directory_of(name, path);
	fd = open_existing(name, e);
	if (fd != -ENOENT)
		return fd;
	if (mkdir(name, DIRECTORY_MODE) < 0)
		return errno == EEXIST ? open_existing(name, e)
				       : err_sys(e, "cannot make the socket's directory %s", name);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open the socket's directory %s", name);
	fchmod(fd, DIRECTORY_MODE); /* whatever the umask: others are to get in */
	if (conf->owned && fchown(fd, conf->uid, conf->gid) < 0) {
		const int ret = err_sys(e, "cannot give away the socket's directory %s", name);

		close(fd);
		return ret;
	}
	return fd;
}

/* Waits its turn, but not for ever: the lock only guards against a race. */
static void lock_directory(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_TRY_NS};

	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return;
		nanosleep(&pause, NULL);
	}
}

/* --- what is at the path now ------------------------------------------------------ */

/* 0: nobody answers there. */
static int ask_whether_stale(const struct sockaddr_un *at, struct err *e)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret = 0;

	if (fd < 0)
		return err_sys(e, "socket(AF_UNIX)");
	/* EAGAIN: somebody listens, with more callers than can wait. */
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN)
		ret = err_set(e, -EADDRINUSE,
			      "already running: somebody answers on %s; stop that daemon, or give "
			      "this one another path with --socket",
			      at->sun_path);
	else if (errno == EPROTOTYPE)
		ret = err_set(e, -EEXIST,
			      "%s is a socket of another kind; remove it, or give another path "
			      "with --socket",
			      at->sun_path);
	else if (errno != ECONNREFUSED && errno != ENOENT)
		ret = err_sys(e, "cannot tell whether a daemon answers on %s", at->sun_path);
	close(fd);
	return ret;
}

static int clear_path(const struct sockaddr_un *at, struct err *e)
{
	struct stat st;
	int ret;

	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot look at %s", at->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, -EEXIST,
			       "%s is there and is no socket; it was left alone: give another path "
			       "with --socket",
			       at->sun_path);
	ret = ask_whether_stale(at, e);
	if (ret < 0)
		return ret;
	if (unlink(at->sun_path) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove the stale socket %s", at->sun_path);
	return 0;
}

/* --- our own ------------------------------------------------------------------------ */

static int group_id(gid_t *out, const char *name, struct err *e)
{
	struct group group, *found = NULL;
	char *room = malloc(GROUP_BYTES);
	int ret;

	if (!room)
		return err_set(e, -ENOMEM, "no memory to look up the group '%s'", name);
	ret = getgrnam_r(name, &group, room, GROUP_BYTES, &found);
	if (found)
		*out = group.gr_gid;
	free(room);
	if (found)
		return 0;
	return err_set(e, ret ? -ret : -ENOENT, "there is no group '%s' on this machine", name);
}

/* The file that bind(2) made. The directory may belong to the user that the daemon
 * becomes: what stands at the path by now may be a link to a file of root's. */
static int open_file(const char *path, struct stat *st, struct err *e)
{
	const int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot look at the socket %s", path);
	if (fstat(fd, st) == 0 && S_ISSOCK(st->st_mode) && st->st_uid == geteuid())
		return fd;
	close(fd);
	return err_set(e, -EEXIST,
		       "%s is no longer the socket that was just made there: somebody else writes "
		       "to that directory; give another path with --socket",
		       path);
}

/* Nobody but the owner may connect until the group and the mode are right. */
static int open_up(const struct query_server_conf *conf, int file, struct err *e)
{
	const uid_t user = conf->owned ? conf->uid : (uid_t)-1;
	gid_t group = conf->owned ? conf->gid : (gid_t)-1;
	char name[32]; /* that chmod(2) takes a descriptor by */
	int ret;

	if (conf->group) {
		ret = group_id(&group, conf->group, e);
		if (ret < 0)
			return ret;
	}
	if ((conf->owned || conf->group) && fchownat(file, "", user, group, AT_EMPTY_PATH) < 0)
		return err_sys(e, "cannot give %s to user %d and group %d", conf->path, (int)user,
			       (int)group);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	if (chmod(name, conf->mode) < 0)
		return err_sys(e, "cannot set the mode of %s to %03o", conf->path,
			       (unsigned)conf->mode);
	return 0;
}

static int bind_and_listen(struct query_socket *s, const struct sockaddr_un *at,
			   const struct query_server_conf *conf, struct err *e)
{
	struct stat st;
	int file, ret;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_sys(e, "socket(AF_UNIX)");
	fchmod(s->fd, 0600); /* Linux gives the file no more than the socket has */
	if (bind(s->fd, (const struct sockaddr *)at, sizeof(*at)) < 0) {
		ret = err_sys(e, "cannot make the socket %s", at->sun_path);
		goto fail_close;
	}
	file = ret = open_file(at->sun_path, &st, e);
	if (ret < 0)
		goto fail_unlink;
	ret = open_up(conf, file, e);
	close(file);
	if (ret < 0)
		goto fail_unlink;
	if (listen(s->fd, BACKLOG) < 0) {
		ret = err_sys(e, "cannot listen on %s", at->sun_path);
		goto fail_unlink;
	}
	memcpy(s->path, at->sun_path, sizeof(s->path));
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;

fail_unlink:
	unlink(at->sun_path);
fail_close:
	close(s->fd);
	s->fd = -1;
	return ret;
}

int socket_listen(struct query_socket *out, const struct query_server_conf *conf, struct err *e)
{
	struct query_socket s = {.fd = -1};
	struct sockaddr_un at;
	int directory, ret;

	ret = fill_address(&at, conf->path, e);
	if (ret < 0)
		return ret;
	directory = open_directory(conf->path, conf, e);
	if (directory < 0)
		return directory;
	lock_directory(directory);
	ret = clear_path(&at, e);
	if (ret == 0)
		ret = bind_and_listen(&s, &at, conf, e);
	close(directory);
	if (ret == 0)
		*out = s;
	return ret;
}

void socket_remove(struct query_socket *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	close(s->fd);
	s->fd = -1;
}
