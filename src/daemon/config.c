/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.c - a file of keys and values (libinih).
 *
 * libinih takes lines from us, so the number of a line is ours to know, and so
 * is that one was too long for it.
 */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct parse {
	struct config *c;
	const char *at, *end, *path;
	unsigned line;
	bool goes_on; /* the line begins with a blank */
	int ret;      /* of what was wrong first */
	struct err *e;
};

static int fail(struct parse *p, int ret)
{
	if (p->ret == 0)
		p->ret = ret;
	return 0; /* to libinih: an error */
}

/* As fgets(3) does. */
static char *give_line(char *out, int bytes, void *arg)
{
	struct parse *p = arg;
	const size_t left = (size_t)(p->end - p->at);
	const char *newline = left ? memchr(p->at, '\n', left) : NULL;
	const size_t n = newline ? (size_t)(newline - p->at) + 1 : left;

	if (n == 0 || p->ret < 0)
		return NULL;
	p->line++;
	if (n >= (size_t)bytes) {
		fail(p, err_set(p->e, -EINVAL,
				"%s:%u: the line is longer than %d bytes; go on in the next one, "
				"beginning with a blank",
				p->path, p->line, bytes - 2));
		return NULL;
	}
	if (memchr(p->at, 0, n)) {
		fail(p, err_set(p->e, -EINVAL, "%s:%u: there is a zero byte; this is no text",
				p->path, p->line));
		return NULL;
	}
	memcpy(out, p->at, n);
	out[n] = 0;
	p->at += n;
	p->goes_on = out[0] == ' ' || out[0] == '\t';
	return out;
}

static int add(struct config *c, const char *key, const char *value, unsigned line, bool goes_on)
{
	struct config_entry one = {strdup(key), strdup(value), line, goes_on};
	struct config_entry *more = c->entries;

	if ((c->n & (c->n - 1)) == 0) /* full at powers of two */
		more = realloc(c->entries, (c->n ? 2 * c->n : 1) * sizeof(*more));
	if (more)
		c->entries = more;
	if (!more || !one.key || !one.value) {
		free(one.key);
		free(one.value);
		return -ENOMEM;
	}
	c->entries[c->n++] = one;
	return 0;
}

static int take_pair(void *arg, const char *section, const char *key, const char *value)
{
	struct parse *p = arg;

	if (p->ret < 0)
		return 0;
	if (*section)
		return fail(p, err_set(p->e, -EINVAL,
				       "%s:%u: '%.64s' stands in a section; there are none, remove "
				       "[%.64s]",
				       p->path, p->line, key, section));
	if (add(p->c, key, value, p->line, p->goes_on) < 0)
		return fail(p, err_set(p->e, -ENOMEM, "%s:%u: no memory for its keys", p->path,
				       p->line));
	return 1;
}

int config_parse(struct config *c, const char *text, size_t n, const char *path, struct err *e)
{
	struct config all = {0};
	struct parse p = {.c = &all, .at = text, .end = text + n, .path = path, .e = e};
	const int bad_line = ini_parse_stream(give_line, &p, take_pair, &p);

	if (p.ret == 0 && bad_line)
		p.ret = err_set(e, -EINVAL,
				"%s:%d: this is neither 'key = value' nor a comment, which begins "
				"with #",
				path, bad_line);
	if (p.ret < 0) {
		config_free(&all);
		return p.ret;
	}
	*c = all;
	return 0;
}

static int read_all(int fd, char *text, size_t n)
{
	size_t done = 0;

	while (done < n) {
		const ssize_t got = read(fd, text + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (int)done;
}

static int read_open(struct config *c, int fd, const char *path, struct err *e)
{
	struct stat st;
	char *text;
	int ret;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot look at the configuration %s", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR, "the configuration %s is a folder, not a file", path);
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) /* /dev/null: an empty one */
		return err_set(e, -EINVAL,
			       "the configuration %s is a pipe or a socket, and cannot be read "
			       "again; give a file",
			       path);
	if (st.st_size > CONFIG_BYTES_MAX)
		return err_set(e, -EFBIG, "the configuration %s is larger than %u bytes", path,
			       CONFIG_BYTES_MAX);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return err_set(e, -ENOMEM, "no memory for the configuration %s", path);
	ret = read_all(fd, text, (size_t)st.st_size);
	if (ret < 0)
		err_set(e, ret, "cannot read the configuration %s: %s", path, strerror(-ret));
	else
		ret = config_parse(c, text, (size_t)ret, path, e);
	free(text);
	return ret;
}

int config_read(struct config *c, const char *path, struct err *e)
{
	/* Not to wait for the other end, should it be a pipe. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return err_sys(e, "cannot read the configuration %s", path);
	ret = read_open(c, fd, path, e);
	close(fd);
	return ret;
}

void config_free(struct config *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->entries[i].key);
		free(c->entries[i].value);
	}
	free(c->entries);
	*c = (struct config){0};
}
