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

static void test_index(struct program *p, const struct filter_device *devices, size_t n)
{
	load(p, SKF_AD_IFINDEX);
	for (size_t i = 0; i < n; i++)
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(n - i), 0,
		     (uint32_t)devices[i].index);
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

static int compile_one(struct bpf_program *out, const struct filter_live *f,
		       const struct filter_device *d, struct err *e)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *h = pcap_create(d->name, why);
	int ret = 0, dlt, status;

	if (!h)
		return err_set(e, -EINVAL, "filter on %s: %s", d->name, why);
	pcap_set_snaplen(h, (int)f->snap);
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
	else if (pcap_compile(h, out, f->text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		ret = err_set(e, -EINVAL, "filter '%s': %s", f->text, pcap_geterr(h));
	pcap_close(h);
	return ret;
}

/* Where the program for the device's type is kept; compiled if there is none. */
static int program_for(struct filter_live *f, const struct filter_device *d, struct err *e)
{
	int ret;

	for (size_t i = 0; i < f->kept_n; i++)
		if (f->kept[i].hatype == d->hatype)
			return (int)i;
	if (f->kept_n == FILTER_LIVE_TYPES)
		return err_set(e, -E2BIG, "a filter on more than %d types of interfaces",
			       FILTER_LIVE_TYPES);
	ret = compile_one(&f->kept[f->kept_n].program, f, d, e);
	if (ret < 0)
		return ret;
	f->kept[f->kept_n].hatype = d->hatype;
	return (int)f->kept_n++;
}

static bool is_first_of_type(const struct filter_device *devices, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (devices[j].hatype == devices[i].hatype)
			return false;
	return true;
}

/* For each type of device its own program; frames of others do not pass. */
static int append_filters(struct program *p, struct filter_live *f,
			  const struct filter_device *devices, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct bpf_program *one;
		int at;

		if (!is_first_of_type(devices, i) ||
		    netdev_link(devices[i].hatype) == NETDEV_LINK_UNKNOWN)
			continue;
		at = program_for(f, &devices[i], e);
		if (at < 0)
			return at;
		one = &f->kept[at].program;
		load(p, SKF_AD_HATYPE);
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, devices[i].hatype);
		emit(p, BPF_JMP | BPF_JA, 0, 0, one->bf_len);
		append(p, one, f->snap);
	}
	emit(p, BPF_RET | BPF_K, 0, 0, 0);
	return 0;
}

int filter_live_compile(struct filter_live *f, struct sock_filter out[FILTER_LIVE_MAX],
			const struct filter_device *devices, size_t n, bool any, struct err *e)
{
	struct program p = {.out = out};
	int ret;

	test_loopback(&p);
	if (!any)
		test_index(&p, devices, n);
	if (f->text) {
		ret = append_filters(&p, f, devices, n, e);
		if (ret < 0)
			return ret;
	} else {
		emit(&p, BPF_RET | BPF_K, 0, 0, f->snap);
	}
	if (p.too_long)
		return err_set(e, -E2BIG, "filter '%.200s': its program has more than %d steps",
			       f->text ? f->text : "", FILTER_LIVE_MAX);
	return (int)p.n;
}

void filter_live_fini(struct filter_live *f)
{
	while (f->kept_n)
		pcap_freecode(&f->kept[--f->kept_n].program);
}
