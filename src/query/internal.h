/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - an answer in the making, and the socket that it leaves by.
 *
 * Threading: all of it belongs to the query thread, but for socket_listen()
 *            and socket_remove(), before it starts and after it ended.
 */
#ifndef QUERY_INTERNAL_H
#define QUERY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/err.h"
#include "query/server.h"
#include "table/view.h"
#include "wire/wire.h"

/* References to connections: what a dump of them sorts by. Each dump may take
 * REFS_MIN; more only as long as the pool has some. 16 bytes each. */
#define QUERY_REFS_MIN	4096
#define QUERY_REFS_MAX	(256 * 1024)
#define QUERY_REFS_POOL (2 * 1024 * 1024)

/* What the server says of itself, beside the statistics. */
struct query_counts {
	uint64_t clients;     /* now */
	uint64_t refused;     /* requests that could not be answered */
	uint64_t stalled;     /* clients dropped because they had stalled, ... */
	uint64_t crowded_out; /* ... or to make room for others */
	uint64_t memory_bytes, memory_high_bytes;
};

/* rates.c: what each host sends and receives a second, for all clients. */
struct rates {
	struct rate *at; /* by host; NULL: nobody asks. Owned */
	size_t n;
	unsigned users;	  /* clients that have asked */
	uint32_t look_ms; /* when the last look at all hosts began; 0: never */
	uint32_t pass_ms; /* of the last that came to its end */
};

/* What all answers are made from. */
struct answer_context {
	const struct table *table;
	struct tctable_info info; /* all but what changes: now_ns, host_timeout_ns */
	size_t refs_left;	  /* of QUERY_REFS_POOL */
	struct query_counts counts;
	uint64_t *stalled_ms; /* of each worker; owned by the server */
	struct rates rates;
};

/* memory.c: what clients cost is allocated and freed here, and so known. Zeroed;
 * NULL: no memory. */
void *query_calloc(struct answer_context *ctx, size_t n, size_t bytes);
void query_free(struct answer_context *ctx, void *p, size_t n, size_t bytes); /* of the same */

/* The most that it can come to. */
uint64_t query_memory_max(const struct answer_context *ctx);

struct conn_ref {
	uint64_t id;
	uint32_t slot, worker;
};

/* A host that may be among the first. */
struct top_entry {
	uint64_t key;
	struct addr ip;
	uint32_t index;
	uint8_t family;
};

struct top_pick {
	uint32_t next, end; /* index */
	uint32_t now_ms;
	bool looks;		/* measures, which one that follows another at once does not */
	bool is_picked;		/* all were looked at: the rest is sending */
	struct top_entry *best; /* owned; a heap, the worst on top; then sorted */
	uint32_t best_n, sent;
	uint64_t matched;
};

struct hosts_dump {
	uint32_t next, end; /* index */
	bool counting;	    /* first: are there more than the client has room for? */
	unsigned rests;	    /* how many of overflow and forgotten are sent */
	uint64_t found;
	uint64_t *present; /* a bit for each host that was there when counted; NULL:
			    * the client has room for any number. Owned */
	size_t present_n;
};

enum conns_phase { CONNS_SCAN, CONNS_SORT, CONNS_SEND };

struct conns_dump {
	uint32_t host;
	enum conns_phase phase;
	uint64_t next_id;  /* the least that is not sent yet */
	uint64_t limit_id; /* this and above began after the dump did */
	uint64_t found;	   /* ids in [next_id, limit_id) in this pass */
	uint64_t sent;	   /* in all passes */
	bool again;	   /* a pass before this one has been sent */
	unsigned worker;   /* where the scan is */
	uint32_t slot;
	struct conn_ref *refs; /* owned */
	size_t refs_n, refs_max;
	size_t done; /* refs left to sort, then: refs sent */
};

/* One answer: a chunk at a time into its own buffer, in bounded slices. */
struct answer {
	struct answer_context *ctx; /* borrows until answer_end() */
	const struct answer_kind *kind;
	struct wire_request request;
	union {
		struct tctable_addr ip;
		struct tctable_top what;
	}; /* the request's body */
	bool uses_rates;
	uint32_t status; /* enum wire_status */
	uint64_t needed;
	bool done; /* the chunk is the last one */
	union {
		unsigned next; /* stats: 0 the sum, then 1 + worker */
		struct hosts_dump hosts;
		struct conns_dump conns;
		struct top_pick top;
	};
	uint32_t records, body_bytes; /* in the chunk */
	uint8_t chunk[WIRE_REPLY_BYTES + WIRE_REPLY_BODY_MAX];
};

/* One kind of request, all functions of which do a bounded piece of work. */
struct answer_kind {
	uint32_t number;
	/* WIRE_OK, or how it failed. NULL: nothing to prepare. */
	enum wire_status (*begin)(struct answer *a);
	/* Adds records until the chunk is full, or a slice of work is done. True:
	 * there are no more. May set a->status as long as nothing was sent. */
	bool (*step)(struct answer *a);
	void (*end)(struct answer *a); /* frees what begin took; may be NULL */
};

/* Begins to answer r; body has r->body_bytes. a->ctx is set. */
void answer_begin(struct answer *a, const struct wire_request *r, struct bytes body);

/* Begins the answer to a request of another magic or version. */
void answer_begin_mismatch(struct answer *a, const struct wire_request *r);

/* Refuses a request whose body cannot be taken. */
void answer_begin_refusal(struct answer *a, const struct wire_request *r);

/* A slice of work. True: the chunk is to be sent, answer_bytes() of it; then
 * call again unless a->done. */
bool answer_step(struct answer *a);
/* Empties the chunk that was sent. */
void answer_next(struct answer *a);
void answer_end(struct answer *a);

static inline size_t answer_bytes(const struct answer *a)
{
	return WIRE_REPLY_BYTES + a->body_bytes;
}

/* Room for one more record of n bytes; NULL: the chunk is full. */
uint8_t *answer_add(struct answer *a, uint32_t n);

/* conns.c: the connections of a host. */
enum wire_status conns_begin(struct answer *a);
bool conns_step(struct answer *a);
void conns_end(struct answer *a);

/* top.c: the first hosts in an order. */
enum wire_status top_begin(struct answer *a);
bool top_step(struct answer *a);
void top_end(struct answer *a);

/* Of all classes. */
struct host_sums {
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
};

/* rates.c. Begins to measure for one more client, with room for hosts below
 * `end`: false, no memory. release: one client less. */
bool rates_hold(struct answer_context *ctx, uint32_t end, bool is_new);
void rates_release(struct answer_context *ctx);
/* A look at all hosts begins; false: the last one is so young that there is
 * nothing to measure, and what it found is to be taken. */
bool rates_begin(struct rates *r, uint32_t now_ms);
/* Looks at a host, as of when that began. Returns its sums, until the next look. */
const struct host_sums *rates_look(struct answer_context *ctx, uint32_t index,
				   const struct view_glance *g, const struct top_pick *p);
/* All hosts were looked at, from now_ms on. */
void rates_pass(struct rates *r, uint32_t now_ms);
void rates_prefetch(const struct rates *r, uint32_t index);
/* What was measured of it; all 0 if nothing was. */
void rates_read(const struct rates *r, uint32_t index, struct tctable_top_row *out);
/* What hosts can be compared by, of a window. */
uint64_t rates_key(const struct rates *r, uint32_t index, enum tctable_top_key key,
		   enum tctable_top_window window);
/* Bytes for hosts below `end`. */
uint64_t rates_bytes(uint64_t end);

/* answer.c: the index and view of the host asked for. */
int answer_host(const struct answer *a, uint32_t *index, struct view_host *out);

/* --- peer.c: one client's connection --------------------------------------------- */

enum peer_phase {
	PEER_ASKS,	 /* its request is awaited */
	PEER_WORKED_FOR, /* its answer is in the making */
	PEER_SENT,	 /* a chunk is on its way to it */
};

struct peer {
	int fd; /* owned */
	struct ucred who;
	const char *refused; /* why its request was, until that is told; else NULL */
	enum peer_phase phase;
	bool is_closing;    /* to be dropped when its answer is out */
	uint32_t events;    /* what epoll watches for it */
	uint64_t active_ns; /* when it last sent or took something, or was worked for */
	uint64_t since_ns;  /* when its request began to come, its chunk to leave */
	size_t in_n, out_n; /* bytes in `in`; of the chunk, how many are sent */
	uint8_t in[WIRE_REQUEST_BYTES + WIRE_REQUEST_BODY_MAX];
	struct answer answer;
};

/* 0, *out set and fd its own; or -ENOMEM. */
int peer_new(struct peer **out, int fd, struct answer_context *ctx, uint64_t now_ns);
void peer_free(struct peer *p); /* closes its fd; NULL is fine */

/* What epoll is to watch for in its phase. */
uint32_t peer_events(const struct peer *p);

/* When it will have stalled; UINT64_MAX: it owes nothing. */
uint64_t peer_deadline_ns(const struct peer *p, uint64_t stall_ns);

/* Each does what is due in one phase, without blocking. False: it is over. */
bool peer_read(struct peer *p, uint64_t now_ns);  /* PEER_ASKS */
bool peer_work(struct peer *p, uint64_t now_ns);  /* PEER_WORKED_FOR */
bool peer_write(struct peer *p, uint64_t now_ns); /* PEER_SENT */

/* --- socket.c ---------------------------------------------------------------- */

struct query_socket {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t dev; /* of the file, to know it again */
	ino_t ino;
};

/* Listens as conf says, see query_server_start(). 0, or -errno with e filled. */
int socket_listen(struct query_socket *out, const struct query_server_conf *conf, struct err *e);

/* Closes it, and removes its file if it is still the same one. */
void socket_remove(struct query_socket *s);

#endif
