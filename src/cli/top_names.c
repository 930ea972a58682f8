/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_names.c - what addresses are called, by reverse DNS, without waiting.
 *
 * A table of sets of WAYS places by a hash of the address; a new one takes the place
 * in its set that was looked for longest ago. The thread that asks takes whatever
 * place waits; an answer that comes after its place has been given away is
 * dropped. DNS can take many seconds, and then names come late, and nothing else.
 */
#include "cli/top_names.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SETS   512
#define WAYS   8
#define NAP_MS 10

enum state { FREE, WAITS, KNOWN, NAMELESS };

struct place {
	struct tctable_addr ip;
	enum state state;
	uint64_t used;
	char name[128];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool is_started;
	uint64_t uses;
	struct place places[SETS][WAYS];
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static bool is_same(const struct tctable_addr *a, const struct tctable_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* What comes later was asked for by what is on the screen now. */
static struct place *next_waiting(void)
{
	struct place *found = NULL;

	for (unsigned s = 0; s < SETS; s++)
		for (unsigned w = 0; w < WAYS; w++) {
			struct place *p = &names.places[s][w];

			if (p->state == WAITS && (!found || p->used > found->used))
				found = p;
		}
	return found;
}

static bool ask(const struct tctable_addr *ip, char *out, size_t n)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (ip->family == 4) {
		memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
		return getnameinfo((struct sockaddr *)&v4, sizeof(v4), out, (socklen_t)n, NULL, 0,
				   NI_NAMEREQD) == 0;
	}
	memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
	return getnameinfo((struct sockaddr *)&v6, sizeof(v6), out, (socklen_t)n, NULL, 0,
			   NI_NAMEREQD) == 0;
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&names.lock);
	for (;;) {
		struct place *p = next_waiting();
		struct tctable_addr ip;
		char name[sizeof(p->name)];
		bool is_known;

		if (!p) {
			pthread_cond_wait(&names.work, &names.lock);
			continue;
		}
		ip = p->ip;
		pthread_mutex_unlock(&names.lock);
		is_known = ask(&ip, name, sizeof(name));
		pthread_mutex_lock(&names.lock);
		if (!is_same(&p->ip, &ip))
			continue;
		p->state = is_known ? KNOWN : NAMELESS;
		if (is_known)
			memcpy(p->name, name, sizeof(p->name));
	}
	return NULL;
}

static void start(void)
{
	pthread_t thread;

	if (names.is_started)
		return;
	names.is_started = pthread_create(&thread, NULL, run, NULL) == 0;
	if (names.is_started)
		pthread_detach(thread);
}

static struct place *place_of(const struct tctable_addr *ip)
{
	uint32_t hash = 2166136261u; /* FNV-1a: the worst that comes of it is a name less */
	struct place *set, *oldest;

	for (unsigned i = 0; i < sizeof(ip->bytes); i++)
		hash = (hash ^ ip->bytes[i]) * 16777619u;
	set = oldest = names.places[hash % SETS];
	for (unsigned w = 0; w < WAYS; w++) {
		if (set[w].state != FREE && is_same(&set[w].ip, ip))
			return &set[w];
		if (set[w].used < oldest->used)
			oldest = &set[w];
	}
	*oldest = (struct place){.ip = *ip, .state = WAITS};
	pthread_cond_signal(&names.work);
	return oldest;
}

bool top_names_lookup(const struct tctable_addr *ip, char *out, size_t n)
{
	struct place *p;
	bool is_known;

	pthread_mutex_lock(&names.lock);
	start();
	p = place_of(ip);
	p->used = ++names.uses;
	is_known = p->state == KNOWN;
	if (is_known)
		snprintf(out, n, "%s", p->name);
	pthread_mutex_unlock(&names.lock);
	return is_known;
}

void top_names_wait(unsigned ms)
{
	const struct timespec nap = {.tv_nsec = NAP_MS * 1000000};

	for (unsigned waited = 0; waited < ms; waited += NAP_MS) {
		bool is_over;

		pthread_mutex_lock(&names.lock);
		is_over = !names.is_started || !next_waiting();
		pthread_mutex_unlock(&names.lock);
		if (is_over)
			return;
		nanosleep(&nap, NULL);
	}
}
