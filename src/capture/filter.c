/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - a BPF filter expression, compiled by libpcap for each link type
 * that is met.
 */
#include "capture/filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "base/link.h"
#include "capture/source.h"

#define KERNEL_OFFSETS 0xfffff000u /* SKF_AD_OFF of linux/filter.h, and above */

struct program {
	struct program *next;
	uint16_t link;
	struct bpf_program bpf;
};

struct filter {
	struct program *last; /* the one used last stands first */
	char *text;
};

/* libpcap compiles for DLT_ numbers. They are the LINKTYPE_ numbers of files
 * but for a few that systems had given to different things. */
static int dlt_of(uint16_t link)
{
	static const struct {
		uint16_t link;
		int dlt;
	} others[] = {
		{LINK_RAW, DLT_RAW},	{LINK_RAW_12, DLT_RAW}, {LINK_RAW_14, DLT_RAW},
		{100, DLT_ATM_RFC1483}, {102, DLT_SLIP_BSDOS},	{103, DLT_PPP_BSDOS},
		{106, DLT_ATM_CLIP},	{246, DLT_PFSYNC},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].link == link)
			return others[i].dlt;
	return link;
}

static int refused(const char *text, uint16_t link, const char *why, struct err *e)
{
	return err_set(e, -EINVAL, "filter '%s', for link type %u: %s; see pcap-filter(7)", text,
		       link, why);
}

/* libpcap makes of `inbound`, `ifindex` and their like loads from where the
 * kernel has what it knows of a frame beside its bytes. */
static bool asks_the_kernel(const struct bpf_program *bpf)
{
	for (unsigned i = 0; i < bpf->bf_len; i++) {
		const struct bpf_insn *in = &bpf->bf_insns[i];

		if (BPF_CLASS(in->code) == BPF_LD && BPF_MODE(in->code) == BPF_ABS &&
		    in->k >= KERNEL_OFFSETS)
			return true;
	}
	return false;
}

#define REJECTS_ALL 1

/* 0; REJECTS_ALL: only libpcap's optimiser refuses it, because it does. */
static int compile(struct bpf_program *out, uint16_t link, const char *text, struct err *e)
{
	pcap_t *p = pcap_open_dead(dlt_of(link), SOURCE_CAP_MAX);
	int ret = 0;

	if (!p)
		return err_set(e, -ENOMEM, "no memory to compile a filter");
	if (pcap_compile(p, out, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		ret = refused(text, link, pcap_geterr(p), e);
		if (pcap_compile(p, out, text, 0, PCAP_NETMASK_UNKNOWN) == 0)
			ret = REJECTS_ALL;
	}
	if (ret >= 0 && asks_the_kernel(out)) {
		pcap_freecode(out);
		ret = refused(text, link, "it asks for what no capture file of it says", e);
	}
	pcap_close(p);
	return ret;
}

/* As compile(). */
static int add_program(struct filter *f, uint16_t link, struct err *e)
{
	struct program *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return err_set(e, -ENOMEM, "no memory to compile a filter");
	ret = compile(&p->bpf, link, f->text, e);
	if (ret < 0) {
		free(p);
		return ret;
	}
	p->link = link;
	p->next = f->last;
	f->last = p;
	return ret;
}

/* Valid for one link type that is decoded at least. For all of them it is
 * compiled now: later there may be no right to look up the names that it holds. */
static int try_all(struct filter *f, struct err *e)
{
	static const uint16_t links[] = {
		LINK_NULL, LINK_PPP,	    LINK_RAW_12,   LINK_RAW_14,	   LINK_PPP_HDLC,
		LINK_RAW,  LINK_C_HDLC,	    LINK_LOOP,	   LINK_LINUX_SLL, LINK_IPV4,
		LINK_IPV6, LINK_LINUX_SLL2, LINK_ETHERNET,
	};
	bool is_valid = false;
	int ret = 0;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		ret = add_program(f, links[i], e);
		if (ret == -ENOMEM)
			return ret;
		is_valid = is_valid || ret == 0;
	}
	return is_valid ? 0 : -EINVAL; /* with the words for Ethernet, the last */
}

int filter_new(struct filter **out, const char *text, struct err *e)
{
	struct filter *f = calloc(1, sizeof(*f));
	int ret;

	if (f)
		f->text = strdup(text);
	if (!f || !f->text) {
		free(f);
		return err_set(e, -ENOMEM, "no memory for the filter '%s'", text);
	}
	ret = try_all(f, e);
	if (ret < 0) {
		filter_free(f);
		return ret;
	}
	*out = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	while (f->last) {
		struct program *p = f->last;

		f->last = p->next;
		pcap_freecode(&p->bpf);
		free(p);
	}
	free(f->text);
	free(f);
}

/* Makes the program for a link type the first one. */
static int choose_program(struct filter *f, uint16_t link, struct err *e)
{
	int ret;

	for (struct program **at = &f->last; *at; at = &(*at)->next) {
		struct program *p = *at;

		if (p->link != link)
			continue;
		*at = p->next;
		p->next = f->last;
		f->last = p;
		return 0;
	}
	ret = add_program(f, link, e);
	return ret < 0 ? ret : 0;
}

int filter_match(struct filter *f, const struct frame *frame, struct err *e)
{
	if (f->last->link != frame->link) {
		const int ret = choose_program(f, frame->link, e);

		if (ret < 0)
			return ret;
	}
	return bpf_filter(f->last->bpf.bf_insns, frame->data, frame->wirelen, frame->caplen) != 0;
}
