/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.c - the thread that answers tctable on a Unix socket.
 *
 * One turn of the loop: take what epoll has to say, do one slice of work for
 * each peer whose answer is in the making, let new ones in, drop those that
 * stall. So a slow client holds its own slot and nothing else, and a large
 * answer delays another client by one slice at most.
 *
 * epoll names peers by their slot. A slot is filled again only after all
 * events of the turn, so an event never meets another peer than its own.
 */
#include "query/server.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "query/internal.h"

#define NAME_LISTENER QUERY_CLIENTS /* behind the slots */
#define NAME_STOP     (QUERY_CLIENTS + 1)
#define EVENTS	      (QUERY_CLIENTS + 2)
#define LOOK_NS	      NS_PER_SEC
#define DEAF_NS	      (100 * NS_PER_MSEC) /* no accept() after one failed for want of something */

struct query_server {
	struct peer *peers[QUERY_CLIENTS];
	struct answer_context ctx;
	struct query_socket socket;
	uint64_t stall_ns;
	uint64_t deaf_until_ns; /* 0: listening */
	int epoll_fd, stop_fd;
	int (*enter)(void *arg, struct err *e);
	void (*say)(void *arg, const char *sentence);
	void (*look)(void *arg, uint64_t *stalled_ms, unsigned workers);
	void *arg;
	uint64_t look_ns;	  /* when it is due */
	uint64_t said_ns, unsaid; /* of refusals: the last word, and how many since */
	sem_t entered;
	int enter_ret; /* of enter, with its sentence; before `entered` is posted */
	struct err enter_err;
	bool is_stopping;
	bool is_running; /* the thread */
	pthread_t thread;
};

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static int watch(struct query_server *s, int op, int fd, uint32_t name, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = name};

	return epoll_ctl(s->epoll_fd, op, fd, &event);
}

/* --- peers ------------------------------------------------------------------- */

static void drop(struct query_server *s, unsigned slot)
{
	if (!s->peers[slot])
		return;
	peer_free(s->peers[slot]); /* closing it takes it out of epoll */
	s->peers[slot] = NULL;
	s->ctx.counts.clients--;
}

/* what: "refused", or "dropped". */
static void say_why(struct query_server *s, const struct peer *p, const char *what, const char *why)
{
	const uint64_t now_ns = monotonic_ns();
	char sentence[256];
	size_t n;

	s->unsaid++;
	if (!s->say || (s->said_ns && now_ns - s->said_ns < QUERY_SAY_EVERY))
		return;
	n = (size_t)snprintf(sentence, sizeof(sentence),
			     "%s a client of the socket (pid %d, uid %u, gid %u): %s", what,
			     (int)p->who.pid, (unsigned)p->who.uid, (unsigned)p->who.gid, why);
	if (s->unsaid > 1)
		snprintf(sentence + n, sizeof(sentence) - n,
			 "; %" PRIu64 " more since the last word", s->unsaid - 1);
	s->say(s->arg, sentence);
	s->said_ns = now_ns;
	s->unsaid = 0;
}

/* After something was done for a peer: it lives on, or goes. */
static void settle(struct query_server *s, unsigned slot, bool lives)
{
	struct peer *p = s->peers[slot];
	const uint32_t events = peer_events(p);

	if (p->refused) {
		s->ctx.counts.refused++;
		say_why(s, p, "refused", p->refused);
		p->refused = NULL;
	}
	if (lives && events != p->events) {
		lives = watch(s, EPOLL_CTL_MOD, p->fd, slot, events) == 0;
		p->events = events;
	}
	if (!lives)
		drop(s, slot);
}

static void hear(struct query_server *s, unsigned slot, uint32_t events, uint64_t now_ns)
{
	struct peer *p = s->peers[slot];

	if (!p)
		return;
	if (p->phase == PEER_ASKS && events & EPOLLIN)
		settle(s, slot, peer_read(p, now_ns));
	else if (events & (EPOLLHUP | EPOLLERR))
		drop(s, slot);
	else if (p->phase == PEER_SENT && events & EPOLLOUT)
		settle(s, slot, peer_write(p, now_ns));
}

/* One slice for each. Returns whether there is more to do. */
static bool work(struct query_server *s, uint64_t now_ns)
{
	bool more = false;

	for (unsigned i = 0; i < QUERY_CLIENTS; i++) {
		if (!s->peers[i] || s->peers[i]->phase != PEER_WORKED_FOR)
			continue;
		settle(s, i, peer_work(s->peers[i], now_ns));
		more |= s->peers[i] && s->peers[i]->phase == PEER_WORKED_FOR;
	}
	return more;
}

/* Drops those that stalled; returns when the next one will have. */
static uint64_t drop_stalled(struct query_server *s, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (unsigned i = 0; i < QUERY_CLIENTS; i++) {
		const uint64_t at_ns =
			s->peers[i] ? peer_deadline_ns(s->peers[i], s->stall_ns) : UINT64_MAX;

		if (at_ns <= now_ns) {
			s->ctx.counts.stalled++;
			say_why(s, s->peers[i], "dropped",
				s->peers[i]->phase == PEER_SENT
					? "it has stopped reading its answer"
					: "it has stopped in the middle of a request");
			drop(s, i);
		} else if (at_ns < next_ns)
			next_ns = at_ns;
	}
	return next_ns;
}

/* --- new ones ------------------------------------------------------------------ */

/* A user that comes with a crowd crowds out its own, not others' clients. */
static uid_t most_frequent(const struct query_server *s)
{
	unsigned most = 0;
	uid_t found = 0;

	for (unsigned i = 0; i < QUERY_CLIENTS; i++) {
		unsigned n = 0;

		for (unsigned j = 0; j < QUERY_CLIENTS; j++)
			n += s->peers[j]->who.uid == s->peers[i]->who.uid;
		if (n > most) {
			most = n;
			found = s->peers[i]->who.uid;
		}
	}
	return found;
}

/* Who has been silent longest: of those that wait for no answer, if any. */
static unsigned longest_idle(const struct query_server *s)
{
	const uid_t user = most_frequent(s);
	unsigned found = QUERY_CLIENTS;

	for (unsigned i = 0; i < QUERY_CLIENTS; i++) {
		const struct peer *p = s->peers[i], *best = s->peers[found % QUERY_CLIENTS];
		const bool asks = p->phase == PEER_ASKS, best_asks = best->phase == PEER_ASKS;

		if (p->who.uid != user)
			continue;
		if (found == QUERY_CLIENTS ||
		    (asks != best_asks ? asks : p->active_ns < best->active_ns))
			found = i;
	}
	return found;
}

static unsigned make_room(struct query_server *s)
{
	unsigned slot;

	for (slot = 0; slot < QUERY_CLIENTS; slot++)
		if (!s->peers[slot])
			return slot;
	slot = longest_idle(s);
	s->ctx.counts.crowded_out++;
	say_why(s, s->peers[slot], "dropped", "others need its place");
	drop(s, slot);
	return slot;
}

static void let_in(struct query_server *s, int fd, uint64_t now_ns)
{
	const unsigned slot = make_room(s);
	struct peer *p;

	if (peer_new(&p, fd, &s->ctx, now_ns) < 0) {
		close(fd);
		return;
	}
	p->events = peer_events(p);
	s->peers[slot] = p;
	s->ctx.counts.clients++;
	if (watch(s, EPOLL_CTL_ADD, fd, slot, p->events) < 0)
		drop(s, slot);
}

/* Without this, a listener that cannot accept would keep the thread spinning. */
static void turn_deaf(struct query_server *s, uint64_t now_ns)
{
	s->deaf_until_ns = now_ns + DEAF_NS;
	watch(s, EPOLL_CTL_MOD, s->socket.fd, NAME_LISTENER, 0);
}

static void accept_all(struct query_server *s, uint64_t now_ns)
{
	for (unsigned n = 0; n < QUERY_CLIENTS; n++) {
		const int fd = accept4(s->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			let_in(s, fd, now_ns);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno != EAGAIN)
			turn_deaf(s, now_ns);
		return;
	}
}

/* --- the thread ------------------------------------------------------------------ */

static int timeout_ms(const struct query_server *s, uint64_t next_ns, uint64_t now_ns)
{
	if (s->deaf_until_ns && s->deaf_until_ns < next_ns)
		next_ns = s->deaf_until_ns;
	if (s->look && s->look_ns < next_ns)
		next_ns = s->look_ns;
	if (next_ns == UINT64_MAX)
		return -1;
	if (next_ns <= now_ns)
		return 0;
	next_ns -= now_ns;
	return next_ns / NS_PER_MSEC >= 60000 ? 60000 : (int)(next_ns / NS_PER_MSEC) + 1;
}

/* Returns whether a new client is at the door. */
static bool hear_all(struct query_server *s, const struct epoll_event *events, int n,
		     uint64_t now_ns)
{
	bool is_called = false;

	for (int i = 0; i < n; i++) {
		const uint32_t name = events[i].data.u32;

		if (name == NAME_STOP)
			s->is_stopping = true;
		else if (name == NAME_LISTENER)
			is_called = true;
		else
			hear(s, name, events[i].events, now_ns);
	}
	return is_called;
}

/* Whoever started us waits for this. */
static bool enter(struct query_server *s)
{
	bool is_in;

	pthread_setname_np(pthread_self(), "query");
	s->enter_ret = s->enter ? s->enter(s->arg, &s->enter_err) : 0;
	is_in = s->enter_ret == 0;
	sem_post(&s->entered);
	return is_in;
}

static void *run(void *arg)
{
	struct query_server *s = arg;
	struct epoll_event events[EVENTS];
	uint64_t now_ns = monotonic_ns(), next_ns = UINT64_MAX;
	bool more = false, is_called;

	if (!enter(s))
		return NULL;
	while (!s->is_stopping) {
		const int n = epoll_wait(s->epoll_fd, events, EVENTS,
					 more ? 0 : timeout_ms(s, next_ns, now_ns));

		now_ns = monotonic_ns();
		is_called = hear_all(s, events, n, now_ns);
		more = work(s, now_ns);
		if (is_called)
			accept_all(s, now_ns);
		if (s->deaf_until_ns && s->deaf_until_ns <= now_ns) {
			s->deaf_until_ns = 0;
			watch(s, EPOLL_CTL_MOD, s->socket.fd, NAME_LISTENER, EPOLLIN);
		}
		next_ns = drop_stalled(s, now_ns);
		if (s->look && s->look_ns <= now_ns) {
			s->look(s->arg, s->ctx.stalled_ms, s->ctx.info.workers);
			s->look_ns = now_ns + LOOK_NS;
		}
	}
	return NULL;
}

/* --- start and stop ---------------------------------------------------------------- */

static void context_init(struct answer_context *ctx, const struct query_server_conf *conf)
{
	ctx->table = conf->table;
	ctx->refs_left = QUERY_REFS_POOL;
	ctx->info.workers = table_workers(conf->table);
	ctx->info.start_ns = conf->start_ns;
	snprintf(ctx->info.software, sizeof(ctx->info.software), "%s",
		 conf->software ? conf->software : "tcsniff " TCSNIFF_VERSION);
	snprintf(ctx->info.source, sizeof(ctx->info.source), "%s",
		 conf->source ? conf->source : "");
	ctx->info.flags = conf->flags;
}

static int open_fds(struct query_server *s, struct err *e)
{
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return err_sys(e, "epoll_create1");
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->stop_fd < 0)
		return err_sys(e, "eventfd");
	if (watch(s, EPOLL_CTL_ADD, s->stop_fd, NAME_STOP, EPOLLIN) < 0 ||
	    watch(s, EPOLL_CTL_ADD, s->socket.fd, NAME_LISTENER, EPOLLIN) < 0)
		return err_sys(e, "epoll_ctl");
	return 0;
}

/* With every signal blocked, so that they all go to the daemon's main thread;
 * but not the one that is about what the thread itself did. */
static int start_thread(struct query_server *s, struct err *e)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	sem_init(&s->entered, 0, 0);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret) {
		sem_destroy(&s->entered);
		return err_set(e, -ret, "cannot start the query thread: %s", strerror(ret));
	}
	while (sem_wait(&s->entered) < 0)
		;
	sem_destroy(&s->entered);
	s->is_running = s->enter_ret == 0;
	if (s->is_running)
		return 0;
	pthread_join(s->thread, NULL);
	return err_set(e, s->enter_ret, "%s", s->enter_err.text);
}

static void close_all(struct query_server *s)
{
	for (unsigned i = 0; i < QUERY_CLIENTS; i++)
		drop(s, i);
	socket_remove(&s->socket);
	if (s->stop_fd >= 0)
		close(s->stop_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s->ctx.stalled_ms);
	free(s);
}

int query_server_open(struct query_server **out, const struct query_server_conf *conf,
		      struct err *e)
{
	struct query_server *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return err_set(e, -ENOMEM, "no memory for the query server");
	s->socket.fd = s->epoll_fd = s->stop_fd = -1;
	s->enter = conf->enter;
	s->say = conf->say;
	s->look = conf->look;
	s->arg = conf->arg;
	s->stall_ns = conf->stall_ns ? conf->stall_ns : QUERY_STALL_DEFAULT;
	context_init(&s->ctx, conf);
	s->ctx.stalled_ms = calloc(s->ctx.info.workers, sizeof(*s->ctx.stalled_ms));
	if (!s->ctx.stalled_ms) {
		close_all(s);
		return err_set(e, -ENOMEM, "no memory for the query server");
	}
	ret = socket_listen(&s->socket, conf, e);
	if (ret == 0)
		ret = open_fds(s, e);
	if (ret < 0) {
		close_all(s);
		return ret;
	}
	*out = s;
	return 0;
}

int query_server_run(struct query_server *s, struct err *e)
{
	return start_thread(s, e);
}

int query_server_start(struct query_server **out, const struct query_server_conf *conf,
		       struct err *e)
{
	struct query_server *s;
	int ret = query_server_open(&s, conf, e);

	if (ret < 0)
		return ret;
	ret = query_server_run(s, e);
	if (ret < 0) {
		close_all(s);
		return ret;
	}
	*out = s;
	return 0;
}

void query_server_stop(struct query_server *s)
{
	const uint64_t one = 1;

	if (!s)
		return;
	if (s->is_running) {
		while (write(s->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		pthread_join(s->thread, NULL);
	}
	close_all(s);
}
