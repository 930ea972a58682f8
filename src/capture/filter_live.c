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

#include "base/compat.h"
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

/* Whether frames of such devices are to pass: all, or those that are there. */
static bool is_there(const struct filter_device *devices, size_t n, uint16_t hatype)
{
	for (size_t i = 0; i < n; i++)
		if (devices[i].hatype == hatype)
			return true;
	return false;
}

/* A test of the device's type, and behind it the program for those of `types`. */
static void append_for_types(struct program *p, const struct filter_live *f,
			     const struct bpf_program *one, const uint16_t *types, unsigned n)
{
	load(p, SKF_AD_HATYPE);
	for (unsigned i = 0; i < n; i++)
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, n - i, 0, types[i]);
	emit(p, BPF_JMP | BPF_JA, 0, 0, one->bf_len);
	append(p, one, f->snap);
}

/* For the devices that carry Ethernet, or those that carry bare IP. With `any`
 * those that come later pass as well; but it is no fault of the filter's if it
 * is not one for bare IP, and none of that is there. */
static int append_filter(struct program *p, struct filter_live *f,
			 const struct filter_device *devices, size_t n, uint16_t link, bool any,
			 struct err *e)
{
	static const uint16_t all[] = {ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_NONE,    ARPHRD_RAWIP,
				       ARPHRD_PPP,   ARPHRD_TUNNEL,   ARPHRD_TUNNEL6, ARPHRD_SIT};
	struct filter_device d = {"lo", 0, link == LINK_ETHERNET ? ARPHRD_ETHER : ARPHRD_NONE};
	bool must = any && link == LINK_ETHERNET;
	uint16_t types[sizeof(all) / sizeof(all[0])];
	const struct bpf_program *one;
	unsigned types_n = 0;
	struct err ignored;
	int ret;

	for (size_t i = n; i-- > 0;)
		if (netdev_link(devices[i].hatype) == link) {
			d = devices[i];
			must = true;
		}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (netdev_link(all[i]) == link && (any || is_there(devices, n, all[i])))
			types[types_n++] = all[i];
	ret = program_for(&one, f, &d, must ? e : &ignored);
	if (ret < 0)
		return must ? ret : 0;
	if (types_n)
		append_for_types(p, f, one, types, types_n);
	return 0;
}

/* Frames of other devices do not pass. The program for bare IP is compiled in
 * any case: it needs no rights, but files, for names that it may hold. */
static int append_filters(struct program *p, struct filter_live *f,
			  const struct filter_device *devices, size_t n, bool any, struct err *e)
{
	int ret = 0;

	if (any || is_there(devices, n, ARPHRD_ETHER) || is_there(devices, n, ARPHRD_LOOPBACK))
		ret = append_filter(p, f, devices, n, LINK_ETHERNET, any, e);
	if (ret == 0)
		ret = append_filter(p, f, devices, n, LINK_RAW, any, e);
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
