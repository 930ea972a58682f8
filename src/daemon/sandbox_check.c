/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox_check.c - whether a filter does what its table says.
 *
 * libseccomp that finds no memory may leave rules out and say nothing. A filter
 * without rt_sigreturn is a process that dies at its first signal, one without
 * a refusal is none. So it is asked, by an interpreter of the few kinds of steps
 * that seccomp filters have, before it is trusted.
 */
#include "daemon/sandbox_check.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool jumps(const struct sock_filter *at, uint32_t a)
{
	switch (BPF_OP(at->code)) {
	case BPF_JEQ:
		return a == at->k;
	case BPF_JGT:
		return a > at->k;
	case BPF_JGE:
		return a >= at->k;
	default:
		return a & at->k; /* BPF_JSET */
	}
}

/* What the filter answers; 0 for what it must not have, which is to kill. */
static uint32_t answer(const struct sock_fprog *f, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < f->len; pc++) {
		const struct sock_filter *at = &f->filter[pc];

		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
			if (at->k > sizeof(*d) - sizeof(a))
				return 0;
			memcpy(&a, (const char *)d + at->k, sizeof(a));
			break;
		case BPF_ALU: /* of its operations, filters mask */
			a &= at->k;
			break;
		case BPF_JMP:
			if (BPF_OP(at->code) == BPF_JA)
				pc += at->k;
			else
				pc += jumps(at, a) ? at->jt : at->jf;
			break;
		case BPF_RET:
			return at->k;
		default:
			return 0;
		}
	}
	return 0;
}

/* The call with arguments that its entry wants; or, for i of them, not. */
static struct seccomp_data example(const struct sandbox_call *call, unsigned except)
{
	struct seccomp_data d = {.nr = call->number, .arch = seccomp_arch_native()};

	for (unsigned i = 0; i < call->args_n; i++) {
		const struct scmp_arg_cmp *arg = &call->args[i];
		const bool masked = arg->op == SCMP_CMP_MASKED_EQ;
		const uint64_t mask = masked ? arg->datum_a : UINT64_MAX;
		uint64_t value = masked ? arg->datum_b : arg->datum_a;

		if (value == SANDBOX_OWN_PID)
			value = (uint64_t)getpid();
		d.args[arg->arg] = i == except ? ~value & mask : value;
	}
	return d;
}

static bool passes(const struct sock_fprog *f, const struct seccomp_data *d)
{
	return answer(f, d) == SECCOMP_RET_ALLOW;
}

int sandbox_check(const struct sock_fprog *filter, enum sandbox_role role, struct err *e)
{
	bool listed[SANDBOX_CALLS_MAX] = {false};

	for (const struct sandbox_call *c = sandbox_calls; c->roles; c++) {
		struct seccomp_data d = example(c, SANDBOX_ARGS);

		if (!(c->roles & SANDBOX_ROLE(role)) || c->number < 0)
			continue; /* libseccomp's number for one that is not there is below 0 */
		listed[c->number % SANDBOX_CALLS_MAX] = true;
		if (!passes(filter, &d))
			return err_set(e, -EILSEQ,
				       "sandbox: the filter refuses call %d; is there memory?",
				       c->number);
		for (unsigned i = 0; i < c->args_n; i++) {
			d = example(c, i);
			if (passes(filter, &d))
				return err_set(e, -EILSEQ, "sandbox: the filter lets call %d pass",
					       c->number);
		}
	}
	for (int i = 0; i < SANDBOX_CALLS_MAX; i++) {
		const struct seccomp_data d = {.nr = i, .arch = seccomp_arch_native()};

		if (!listed[i] && passes(filter, &d))
			return err_set(e, -EILSEQ, "sandbox: the filter lets call %d pass", i);
	}
	return 0;
}
