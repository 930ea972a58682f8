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

static int compile(struct bpf_program *out, const struct filter_live *f, pcap_t *h, struct err *e)
{
	if (pcap_compile(h, out, f->text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return err_set(e, -EINVAL, "filter '%s': %s", f->text, pcap_geterr(h));
	return 0;
}

/* Bare IP has no tags that could be taken off: no open interface is needed. */
static int compile_raw(struct bpf_program *out, const struct filter_live *f, struct err *e)
{
	pcap_t *h = pcap_open_dead(DLT_RAW, (int)f->snap);
	int ret;

	if (!h)
		return err_set(e, -ENOMEM, "no memory for a filter");
	ret = compile(out, f, h, e);
	pcap_close(h);
	return ret;
}

/* 0, or a status of libpcap's with e filled and *out NULL. */
static int open_ethernet(pcap_t **out, const struct filter_live *f, const char *name, struct err *e)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *h = pcap_create(name, why);
	int status;

	*out = NULL;
	if (!h) {
		err_set(e, -EINVAL, "filter on %s: %s", name, why);
		return PCAP_ERROR;
	}
	pcap_set_snaplen(h, (int)f->snap);
	status = pcap_activate(h);
	if (status < 0) {
		err_set(e, -EINVAL, "filter on %s: %s", name,
			*pcap_geterr(h) ? pcap_geterr(h) : pcap_statustostr(status));
		pcap_close(h);
		return status;
	}
	*out = h;
	return 0;
}

/* libpcap opens no interface that is down; the frames of loopback look alike. */
static int compile_ethernet(struct bpf_program *out, const struct filter_live *f, const char *name,
			    struct err *e)
{
	struct err ignored;
	pcap_t *h;
	int ret, status = open_ethernet(&h, f, name, e);

	if (status == PCAP_ERROR_IFACE_NOT_UP)
		status = open_ethernet(&h, f, "lo", &ignored);
	if (!h)
		return status == PCAP_ERROR_PERM_DENIED ? -EPERM : -EINVAL;
	if (pcap_datalink(h) == DLT_EN10MB)
		ret = compile(out, f, h, e);
	else
		ret = err_set(e, -EINVAL,
			      "a filter on %s: libpcap and the kernel see its frames differently; "
			      "leave the filter out",
			      name);
	pcap_close(h);
	return ret;
}

/* The program for frames as the device has them; compiled if there is none. */
static int program_for(const struct bpf_program **out, struct filter_live *f,
		       const struct filter_device *d, struct err *e)
{
	const bool is_ethernet = netdev_link(d->hatype) == LINK_ETHERNET;
	struct filter_live_kept *k = is_ethernet ? &f->ethernet : &f->raw;
	int ret = 0;

	if (!k->is_there)
		ret = is_ethernet ? compile_ethernet(&k->program, f, d->name, e)
				  : compile_raw(&k->program, f, e);
	if (ret < 0)
		return ret;
	k->is_there = true;
	*out = &k->program;
	return 0;
}

static bool is_first_of_type(const struct filter_device *devices, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (devices[j].hatype == devices[i].hatype)
			return false;
	return true;
}

/* The filter's own program, for frames of devices of one type. */
static int append_filter(struct program *p, struct filter_live *f, const struct filter_device *d,
			 struct err *e)
{
	const struct bpf_program *one;
	const int ret = program_for(&one, f, d, e);

	if (ret < 0)
		return ret;
	load(p, SKF_AD_HATYPE);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, d->hatype);
	emit(p, BPF_JMP | BPF_JA, 0, 0, one->bf_len);
	append(p, one, f->snap);
	return 0;
}

/* For each type of device its own; frames of others do not pass. */
static int append_filters(struct program *p, struct filter_live *f,
			  const struct filter_device *devices, size_t n, bool any, struct err *e)
{
	/* What may come later: then libpcap may not open it any more. */
	static const struct filter_device later = {"lo", 0, ARPHRD_ETHER};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < n; i++) {
		any = any && devices[i].hatype != later.hatype;
		if (is_first_of_type(devices, i) &&
		    netdev_link(devices[i].hatype) != NETDEV_LINK_UNKNOWN)
			ret = append_filter(p, f, &devices[i], e);
	}
	if (ret == 0 && any)
		ret = append_filter(p, f, &later, e);
	emit(p, BPF_RET | BPF_K, 0, 0, 0);
	return ret;
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
		ret = append_filters(&p, f, devices, n, any, e);
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
	if (f->ethernet.is_there)
		pcap_freecode(&f->ethernet.program);
	if (f->raw.is_there)
		pcap_freecode(&f->raw.program);
}
