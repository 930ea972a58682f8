/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tctable.h - ask a running tcsniff who uses the network, and how much.
 *
 * Threading: a struct tctable belongs to one thread at a time; different ones
 *            are independent. No global state, no signal is touched.
 * Memory:    tctable_open() allocates, tctable_close() frees. Records are
 *            given to callbacks for the time of the call.
 * Errors:    0, or -errno with the words in tctable_error(). -ENOENT: no such
 *            host. -ENOMEM: the caller's array is too small (or no memory).
 *            -EPROTO: the daemon speaks another version. -ECONNREFUSED,
 *            -ENOENT, -EACCES from tctable_open(): no daemon there, or none
 *            that we may ask. -ETIMEDOUT: it did not answer for 10 s.
 *            -ECONNRESET: it closed the connection in the middle of a reply.
 *            -EBADMSG: a reply that makes no sense. -EAGAIN: it has no memory
 *            for the request now. After any of them the next call may be made;
 *            it connects anew if need be.
 * Units:     bytes are IP bytes (no link header); *_ns are nanoseconds since
 *            the epoch as the capture stamped them; all in host byte order
 *            but for addresses, which are as on the wire.
 */
#ifndef TCTABLE_H
#define TCTABLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TCTABLE_VERSION	       2 /* of the protocol */
#define TCTABLE_SOCKET_DEFAULT "/run/tcsniff/tctable.sock"

/* ---- records ---- */

struct tctable_addr {
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
	uint8_t family;	   /* 4 or 6; 0: none */
};

enum tctable_class { TCTABLE_TCP, TCTABLE_UDP, TCTABLE_ICMP, TCTABLE_OTHER, TCTABLE_CLASSES };

struct tctable_counter {
	uint64_t packets;
	uint64_t bytes;
};

struct tctable_traffic {
	uint64_t conns; /* live connections */
	struct tctable_counter tx, rx;
};

enum tctable_host_kind {
	TCTABLE_HOST,	       /* an inner address */
	TCTABLE_HOST_OVERFLOW, /* those beyond --max-hosts, together */
	TCTABLE_HOST_FORGOTTEN /* what forgotten hosts had counted */
};

struct tctable_host {
	struct tctable_addr ip;
	uint8_t kind; /* enum tctable_host_kind */
	struct tctable_traffic cls[TCTABLE_CLASSES];
	uint64_t half_open; /* of its live connections */
	uint64_t last_ns;   /* its last packet */
	uint64_t next_conn_id;
	uint64_t use;	    /* 1 + live connections */
	uint64_t forget_ns; /* when it will be forgotten if it stays silent;
			     * 0: not (it has a connection, or hosts stay for ever) */
};

struct tctable_end {
	struct tctable_addr ip;
	uint16_t port; /* 0 if the protocol has none */
	struct tctable_counter sent;
};

struct tctable_conn {
	uint64_t id; /* counted from 0 in the host that was asked for */
	uint64_t last_ns;
	uint8_t protocol;     /* IP's number */
	uint8_t cls;	      /* enum tctable_class */
	uint8_t is_icmp;      /* then type, code and id below; ports are 0 */
	uint8_t icmp_type[2]; /* of the originator, of the reply */
	uint8_t icmp_code;
	uint16_t icmp_id;
	uint32_t icmp_errors; /* ICMP errors that quoted it */
	char state[16];	      /* "established"; "" if the protocol has none */
	struct tctable_end orig, reply;
};

#define TCTABLE_INFO_LIVE     1u /* of a network interface, not of files */
#define TCTABLE_INFO_SEGMENTS 2u /* merged packets are counted as they were on the wire */
#define TCTABLE_INFO_NIC      4u /* --direction nic */

struct tctable_info {
	uint32_t version;
	uint32_t hz; /* ticks a second of every *_ns: 1000000000 */
	uint32_t host_size, conn_size, stats_size, info_size; /* records on the wire, bytes */
	uint32_t workers;
	uint32_t flags;		  /* TCTABLE_INFO_* */
	uint64_t start_ns;	  /* when the daemon started (wall clock) */
	uint64_t now_ns;	  /* the stream's clock: its latest stamp */
	uint64_t host_timeout_ns; /* 0: never */
	char software[32];	  /* "tcsniff 0.1.0" */
	char source[256];	  /* interface or file */
};

struct tctable_ledger {
	uint64_t received;
	struct tctable_counter counted, internal;
	uint64_t tracked;
	uint64_t table_full, host_limit, icmp_error, icmp_other, fragment; /* untracked */
	uint64_t transit, not_ip, malformed;
	uint64_t kernel_drops, ring_freezes;
};

#define TCTABLE_VERDICTS   32
#define TCTABLE_COUNTERS   64
#define TCTABLE_NAME_BYTES 24

/* Why frames were not_ip or malformed. */
struct tctable_verdict {
	char name[TCTABLE_NAME_BYTES]; /* "malformed_version" */
	uint64_t frames;
};

/* One of the many figures that only some look at: docs/protocol.md lists them. */
struct tctable_named {
	char name[TCTABLE_NAME_BYTES]; /* "ring_blocks" */
	uint64_t value;
};

/* One worker's figures, or the sum of all. */
struct tctable_stats {
	uint32_t worker; /* from 0; UINT32_MAX: the sum */
	struct tctable_ledger ledger;
	uint64_t flows_capacity, flows_live, flows_started, flows_expired;
	uint64_t flows_replaced;    /* ended by a new SYN on a closing tuple */
	uint64_t flows_early_drops; /* ended early to make room */
	uint64_t arena_bytes;	    /* memory of its tables */
	/* In the sum alone; 0 in a worker's: */
	uint64_t hosts, hosts_max, hosts_forgotten;
	uint64_t directory_bytes;
	uint32_t verdicts; /* by reason */
	struct tctable_verdict verdict[TCTABLE_VERDICTS];
	uint32_t counters;
	struct tctable_named counter[TCTABLE_COUNTERS];
};

/* ---- the busiest hosts ---- */

/* What hosts are put in order by. */
enum tctable_top_key {
	TCTABLE_BY_TX,	  /* bytes sent */
	TCTABLE_BY_RX,	  /* bytes received */
	TCTABLE_BY_BYTES, /* both */
	TCTABLE_BY_TX_PACKETS,
	TCTABLE_BY_RX_PACKETS,
	TCTABLE_BY_PACKETS,   /* both */
	TCTABLE_BY_CONNS,     /* live connections */
	TCTABLE_BY_HALF_OPEN, /* of these */
	TCTABLE_BY_LAST,      /* the last packet */
	TCTABLE_BY_IP,	      /* IPv4 before IPv6 */
	TCTABLE_TOP_KEYS
};

/* What the first six of them count. A window is never shorter than the time
 * between two requests for the top, of whomever. */
enum tctable_top_window {
	TCTABLE_SINCE_START, /* all that was ever counted */
	TCTABLE_SINCE_2S,    /* rates, of about the last 2 s */
	TCTABLE_SINCE_10S,
	TCTABLE_SINCE_40S,
	TCTABLE_TOP_WINDOWS
};

#define TCTABLE_TOP_ROWS_MAX 1024

struct tctable_top {
	uint32_t rows;	   /* at most: 1 .. TCTABLE_TOP_ROWS_MAX */
	uint8_t key;	   /* enum tctable_top_key; the most first */
	uint8_t window;	   /* enum tctable_top_window */
	uint8_t ascending; /* 1: the least first */
	/* Only hosts that have a packet or a connection of one of these classes,
	 * 1u << TCTABLE_UDP and so on. What is ordered by sums or connections is
	 * so by those of these classes; rates are those of all. 0: all. */
	uint8_t classes;
	struct tctable_addr net; /* only hosts of this network; family 0: all */
	uint8_t net_bits;	 /* its prefix; bits behind it are 0 */
};

/* For a second. */
struct tctable_rate {
	struct tctable_counter tx, rx;
};

struct tctable_top_row {
	struct tctable_host host;
	/* By enum tctable_top_window, from TCTABLE_SINCE_2S on; of all classes. */
	struct tctable_rate rate[TCTABLE_TOP_WINDOWS - 1];
	uint64_t matched;     /* of how many hosts these are the first */
	uint32_t measured_ms; /* for how long the rates have been; 0: there are none yet */
};

/* ---- the frames themselves ---- */

#define TCTABLE_SAMPLE_COUNTERS 24
#define TCTABLE_SAMPLE_NETS	32

struct tctable_net {
	struct tctable_addr ip;
	uint8_t bits;	  /* of its prefix; those of ip behind it are 0 */
	uint64_t packets; /* that it had an end of */
};

/* What was found in some of the frames, since the start: docs/protocol.md says
 * in which of them, and lists the figures. */
struct tctable_sample {
	uint32_t counters;
	struct tctable_named counter[TCTABLE_SAMPLE_COUNTERS];
	uint32_t nets;				     /* between which transit packets were, */
	struct tctable_net net[TCTABLE_SAMPLE_NETS]; /* the most frequent first */
};

/* ---- a conversation ---- */

struct tctable;

/* Connects to the daemon at `path` (NULL: TCTABLE_SOCKET_DEFAULT) and checks
 * that both speak the same version and sizes of records. 0 and *out set; or
 * -errno, and *out is set all the same (NULL only for want of memory), so that
 * tctable_error() can tell; it is closed by tctable_close() as ever. */
int tctable_open(struct tctable **out, const char *path);
void tctable_close(struct tctable *t); /* NULL is fine */

/* What the last failed call of `t` had to say, without newline; never NULL. */
const char *tctable_error(const struct tctable *t);

int tctable_info(struct tctable *t, struct tctable_info *out);
int tctable_count(struct tctable *t, uint64_t *hosts);

/* Called once for each record. Not 0: stop, and the request returns that. Must
 * not use the conversation that it is called from. */
typedef int tctable_host_fn(const struct tctable_host *host, void *arg);
typedef int tctable_conn_fn(const struct tctable_conn *conn, void *arg);
typedef int tctable_stats_fn(const struct tctable_stats *stats, void *arg);
typedef int tctable_top_fn(const struct tctable_top_row *row, void *arg);

/* All hosts, in no order, then the overflow and the forgotten record. */
int tctable_hosts(struct tctable *t, tctable_host_fn *fn, void *arg);

/* The same, the last two records with it, into an array of *n records; *n becomes
 * how many there are. -ENOMEM if they are more than fit: then *n is the number
 * needed, and the array was left alone. */
int tctable_hosts_array(struct tctable *t, struct tctable_host *hosts, size_t *n);

/* One host. -ENOENT: the daemon knows none of that address. */
int tctable_host(struct tctable *t, const struct tctable_addr *ip, struct tctable_host *out);

/* The live connections of a host by ascending id; -ENOENT as above. */
int tctable_conns(struct tctable *t, const struct tctable_addr *ip, tctable_conn_fn *fn, void *arg);
int tctable_conns_array(struct tctable *t, const struct tctable_addr *ip,
			struct tctable_conn *conns, size_t *n);

/* The sum first, then each worker. */
int tctable_stats(struct tctable *t, tctable_stats_fn *fn, void *arg);

/* What frames are like. -ENOSYS: the daemon is of a time before there was this. */
int tctable_sample(struct tctable *t, struct tctable_sample *out);

/* The first hosts in some order, best first. Rates are measured from one
 * request to the next, so the first answer has none. -EINVAL: `what` makes no
 * sense. -ENOSYS: the daemon is older than this request. */
int tctable_top(struct tctable *t, const struct tctable_top *what, tctable_top_fn *fn, void *arg);

/* ---- addresses ---- */

#define TCTABLE_ADDR_TEXT 46 /* room for the longest, with its 0 */

/* "192.0.2.1", "2001:db8::1". 0, or -EINVAL. */
int tctable_addr_parse(struct tctable_addr *out, const char *text);

/* As RFC 5952 writes it; any family but 4 is taken for 6. Returns buf. */
const char *tctable_addr_format(const struct tctable_addr *ip, char buf[TCTABLE_ADDR_TEXT]);

#ifdef __cplusplus
}
#endif

#endif
