/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compat.h - where compilers and processors differ: the one place that asks.
 */
#ifndef BASE_COMPAT_H
#define BASE_COMPAT_H

#include <net/if_arp.h>
#include <stdbool.h>
#include <ucontext.h>

/* Built with AddressSanitizer or ThreadSanitizer, whose runtimes make system
 * calls of their own in every thread. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COMPAT_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COMPAT_SANITIZED true
#endif
#endif
#ifndef COMPAT_SANITIZED
#define COMPAT_SANITIZED false
#endif

/* A type of device that the C library's net/if_arp.h may not know. */
#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif

/* In a handler of SIGSYS: what the system call that was refused returns. Only
 * where COMPAT_SETS_RESULT is it known how to say so. */
#if defined(__x86_64__)
#define COMPAT_SETS_RESULT	     true
#define compat_set_result(at, value) ((at)->uc_mcontext.gregs[REG_RAX] = (value))
#elif defined(__aarch64__)
#define COMPAT_SETS_RESULT	     true
#define compat_set_result(at, value) ((at)->uc_mcontext.regs[0] = (unsigned long long)(value))
#else
#define COMPAT_SETS_RESULT	     false
#define compat_set_result(at, value) ((void)(at), (void)(value))
#endif

#endif
