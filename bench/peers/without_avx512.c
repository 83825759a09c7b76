/* Hides AVX-512, AVX10, AMX and AVX-VNNI from the libraries of a process, as if its processor had AVX2 only.
   x86-64 Linux.

   isa.py has changed their CPUID instructions to an undefined opcode.  This file is preloaded; it answers the
   fault with what CPUID says, less those sets. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

static void answer(unsigned leaf, unsigned sub, unsigned r[4])
{
    __cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
    if (leaf == 7 && sub == 0) {
        r[1] &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
        r[2] &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
        r[3] &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
    } else if (leaf == 7 && sub == 1) {
        r[0] &= ~(1u << 4 | 1u << 5 | 1u << 21 | 1u << 23);
        r[3] &= ~(1u << 4 | 1u << 5 | 1u << 8 | 1u << 10 | 1u << 19);
    } else if (leaf == 0x24)
        memset(r, 0, 4 * sizeof *r);
}

static void undefined(int signal_number, siginfo_t *info, void *context)
{
    static const unsigned char changed[2] = { 0x0f, 0x04 };
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    unsigned r[4];
    (void)info;
    if (memcmp((const void *)g[REG_RIP], changed, sizeof changed)) {
        signal(signal_number, SIG_DFL); /* not ours: the instruction faults again and ends the process */
        return;
    }
    answer((unsigned)g[REG_RAX], (unsigned)g[REG_RCX], r);
    g[REG_RAX] = r[0], g[REG_RBX] = r[1], g[REG_RCX] = r[2], g[REG_RDX] = r[3];
    g[REG_RIP] += 2;
}

__attribute__((constructor)) static void install(void)
{
    struct sigaction a = { .sa_sigaction = undefined, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGILL, &a, NULL);
}
