/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter_live.c - the program that the kernel asks of each frame.
 *
 * On loopback every frame is seen twice, leaving and arriving: the leaving ones
 * are let go.
 */
#include "capture/filter_live.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <string.h>

#include "base/link.h"
#include "capture/netdev.h"

struct program {
	struct sock_filter *out;
	unsigned n;
	bool too_long;
};

static void emit(struct program *p, unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	if (p->n == FILTER_LIVE_MAX) {
		p->too_long = true;
		return;
	}
	p->out[p->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
}

static void load(struct program *p, int what)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + what));
}

static void test_loopback(struct program *p)
{
	load(p, SKF_AD_HATYPE);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, ARPHRD_LOOPBACK);
	load(p, SKF_AD_PKTTYPE);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PACKET_OUTGOING);
	emit(p, BPF_RET | BPF_K, 0, 0, 0);
}

static void test_index(struct program *p, const struct filter_live_conf *c)
{
	load(p, SKF_AD_IFINDEX);
	for (size_t i = 0; i < c->devices_n; i++)
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(c->devices_n - i), 0,
		     (uint32_t)c->devices[i].index);
	emit(p, BPF_RET | BPF_K, 0, 0, 0);
}

/* libpcap's program for one device, with its accepting returns cut to snap. */
static void append(struct program *p, const struct bpf_program *f, uint32_t snap)
{
	for (unsigned i = 0; i < f->bf_len; i++) {
		const struct bpf_insn *n = &f->bf_insns[i];
		const bool accepts = n->code == (BPF_RET | BPF_K) && n->k;

		emit(p, n->code, n->jt, n->jf, accepts ? snap : n->k);
	}
}

static int compile_one(struct bpf_program *out, const struct filter_device *d,
		       const struct filter_live_conf *c, struct err *e)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *h = pcap_create(d->name, why);
	int ret = 0, dlt, status;

	if (!h)
		return err_set(e, -EINVAL, "filter on %s: %s", d->name, why);
	pcap_set_snaplen(h, (int)c->snap);
	status = pcap_activate(h);
	dlt = status < 0 ? -1 : pcap_datalink(h);
	if (status < 0)
		ret = err_set(e, status == PCAP_ERROR_PERM_DENIED ? -EPERM : -EINVAL,
			      "filter on %s: %s", d->name,
			      *pcap_geterr(h) ? pcap_geterr(h) : pcap_statustostr(status));
	else if (dlt != (netdev_link(d->hatype) == LINK_ETHERNET ? DLT_EN10MB : DLT_RAW))
		ret = err_set(e, -EINVAL,
			      "a filter on %s: libpcap and the kernel see its frames differently; "
			      "leave the filter out",
			      d->name);
	else if (pcap_compile(h, out, c->text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		ret = err_set(e, -EINVAL, "filter '%s': %s", c->text, pcap_geterr(h));
	pcap_close(h);
	return ret;
}

static bool is_first_of_type(const struct filter_live_conf *c, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (c->devices[j].hatype == c->devices[i].hatype)
			return false;
	return true;
}

/* For each type of device its own program; frames of others do not pass. */
static int append_filters(struct program *p, const struct filter_live_conf *c, struct err *e)
{
	for (size_t i = 0; i < c->devices_n; i++) {
		struct bpf_program f;
		int ret;

		if (!is_first_of_type(c, i) ||
		    netdev_link(c->devices[i].hatype) == NETDEV_LINK_UNKNOWN)
			continue;
		ret = compile_one(&f, &c->devices[i], c, e);
		if (ret < 0)
			return ret;
		load(p, SKF_AD_HATYPE);
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, c->devices[i].hatype);
		emit(p, BPF_JMP | BPF_JA, 0, 0, f.bf_len);
		append(p, &f, c->snap);
		pcap_freecode(&f);
	}
	emit(p, BPF_RET | BPF_K, 0, 0, 0);
	return 0;
}

int filter_live_compile(struct sock_filter out[FILTER_LIVE_MAX], const struct filter_live_conf *c,
			struct err *e)
{
	struct program p = {.out = out};
	int ret;

	test_loopback(&p);
	if (!c->any)
		test_index(&p, c);
	if (c->text) {
		ret = append_filters(&p, c, e);
		if (ret < 0)
			return ret;
	} else {
		emit(&p, BPF_RET | BPF_K, 0, 0, c->snap);
	}
	if (p.too_long)
		return err_set(e, -E2BIG, "filter '%.200s': its program has more than %d steps",
			       c->text ? c->text : "", FILTER_LIVE_MAX);
	return (int)p.n;
}
