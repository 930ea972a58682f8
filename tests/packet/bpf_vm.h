/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bpf_vm.h - runs a classic BPF program over a frame, as the kernel would
 * (Linux, Documentation/networking/filter.rst).
 *
 * Only what a program may need that looks at nothing but the frame's bytes, by
 * link or network header (SKF_LL_OFF, SKF_NET_OFF), its protocol and the type of
 * its device. Anything else, or a program that does not end, is told by is_valid.
 */
#ifndef TESTS_PACKET_BPF_VM_H
#define TESTS_PACKET_BPF_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/filter.h>

struct bpf_frame {
	const uint8_t *bytes; /* from the link header on */
	size_t n;
	size_t net;	   /* where the network header is said to be */
	uint16_t protocol; /* host order */
	uint16_t hatype;   /* ARPHRD_* */
};

struct bpf_vm {
	const struct sock_filter *program;
	unsigned n;
	bool is_valid; /* false: it did what it may not */
};

/* Loads `bytes` at an offset; false beyond the frame. */
static inline bool bpf_load(struct bpf_vm *vm, const struct bpf_frame *f, uint32_t offset,
			    unsigned bytes, uint32_t *a)
{
	const int32_t k = (int32_t)offset;
	size_t at;

	if (k == SKF_AD_OFF + SKF_AD_PROTOCOL || k == SKF_AD_OFF + SKF_AD_HATYPE) {
		*a = k == SKF_AD_OFF + SKF_AD_PROTOCOL ? f->protocol : f->hatype;
		return true;
	}
	/* Where other loads begin depends on who asks, and when. */
	if (k >= SKF_AD_OFF || k < SKF_LL_OFF) {
		vm->is_valid = false;
		return false;
	}
	at = k >= SKF_NET_OFF ? (size_t)(k - SKF_NET_OFF) + f->net : (size_t)(k - SKF_LL_OFF);
	if (at + bytes > f->n)
		return false;
	*a = 0;
	for (unsigned i = 0; i < bytes; i++)
		*a = *a << 8 | f->bytes[at + i];
	return true;
}

static inline unsigned bpf_size(uint16_t code)
{
	return BPF_SIZE(code) == BPF_B ? 1 : BPF_SIZE(code) == BPF_H ? 2 : 4;
}

/* A op v; *is_valid false for what is not known. */
static inline uint32_t bpf_alu(struct bpf_vm *vm, uint16_t code, uint32_t a, uint32_t v)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		return a + v;
	case BPF_SUB:
		return a - v;
	case BPF_MUL:
		return a * v;
	case BPF_AND:
		return a & v;
	case BPF_OR:
		return a | v;
	case BPF_XOR:
		return a ^ v;
	case BPF_LSH:
	case BPF_RSH:
		if (v < 32)
			return BPF_OP(code) == BPF_LSH ? a << v : a >> v;
		break;
	default:
		break;
	}
	vm->is_valid = false;
	return 0;
}

static inline bool bpf_holds(struct bpf_vm *vm, uint16_t code, uint32_t a, uint32_t v)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == v;
	case BPF_JGT:
		return a > v;
	case BPF_JGE:
		return a >= v;
	case BPF_JSET:
		return (a & v) != 0;
	default:
		vm->is_valid = false;
		return false;
	}
}

/* What the program returns. A load beyond the frame ends it with 0. */
static inline uint32_t bpf_run(struct bpf_vm *vm, const struct bpf_frame *f)
{
	uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};

	for (uint64_t pc = 0; pc < vm->n && vm->is_valid; pc++) {
		const struct sock_filter *i = &vm->program[pc];
		const uint32_t source = BPF_SRC(i->code) == BPF_X ? x : i->k;
		const uint32_t word = memory[i->k % BPF_MEMWORDS];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_IMM)
				a = i->k;
			else if (BPF_MODE(i->code) == BPF_MEM)
				a = word;
			else if (BPF_MODE(i->code) != BPF_ABS && BPF_MODE(i->code) != BPF_IND)
				vm->is_valid = false;
			else if (!bpf_load(vm, f, i->k + (BPF_MODE(i->code) == BPF_IND ? x : 0),
					   bpf_size(i->code), &a))
				return 0;
			break;
		case BPF_LDX:
			x = BPF_MODE(i->code) == BPF_IMM ? i->k : word;
			vm->is_valid &=
				BPF_MODE(i->code) == BPF_IMM || BPF_MODE(i->code) == BPF_MEM;
			break;
		case BPF_ST:
			memory[i->k % BPF_MEMWORDS] = a;
			break;
		case BPF_STX:
			memory[i->k % BPF_MEMWORDS] = x;
			break;
		case BPF_ALU:
			a = bpf_alu(vm, i->code, a, source);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += bpf_holds(vm, i->code, a, source) ? i->jt : i->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		}
	}
	vm->is_valid = false; /* ran off its end */
	return 0;
}

#endif
