/* An LD_PRELOAD library that lets one call of the whole process fail, libraries included. FAULT names
   the kind of call. FAULT_AT is the number n of the call, counted from 1 where main begins. FAULT_LOG is
   a file that gets a line with the caller when it happens.

     malloc   malloc, calloc, realloc, memalign and their like return NULL: replaced here
     mmap     mmap of a file returns ENOMEM: replaced here
     read     read, pread: EIO            write   write, writev: ENOSPC
     fsync    fsync, fdatasync: EIO       rename  rename, renameat, renameat2, link: EIO

   The C library makes the last two rows' calls for itself too (stdio), where nothing can be replaced. So
   a seccomp filter turns them into SIGSYS, and the handler makes the call after all, or lets it fail. A
   sixth argument tells the filter that a call is the handler's own. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { ARCH = AUDIT_ARCH_X86_64 };

#define NUMBER(c) (c)->uc_mcontext.gregs[REG_RAX]
#define ARGUMENT(c, i) (c)->uc_mcontext.gregs[(int[]){ REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8 }[i]]
#define RESULT(c) NUMBER(c)
#elif defined(__aarch64__)
enum { ARCH = AUDIT_ARCH_AARCH64 };

#define NUMBER(c) (c)->uc_mcontext.regs[8]
#define ARGUMENT(c, i) (c)->uc_mcontext.regs[i]
#define RESULT(c) (c)->uc_mcontext.regs[0]
#endif
/* The sixth argument of the handler's own calls. No call of a program has this number there. */
enum { OWN = 0x6A09E667 };

static const struct {
    const char *kind;
    int number, error;
} calls[] = {
    { "read", SYS_read, EIO },       { "read", SYS_pread64, EIO },     { "write", SYS_write, ENOSPC },
    { "write", SYS_writev, ENOSPC }, { "fsync", SYS_fsync, EIO },      { "fsync", SYS_fdatasync, EIO },
    { "rename", SYS_renameat, EIO }, { "rename", SYS_renameat2, EIO }, { "rename", SYS_linkat, EIO },
#ifdef SYS_rename
    { "rename", SYS_rename, EIO },   { "rename", SYS_link, EIO },
#endif
};
enum { CALLS = sizeof calls / sizeof *calls };

static atomic_long left; /* calls before the one that fails; 0: it has failed, or none shall */
/* The kind of call that shall fail, and which of the replaced functions count. */
static const char *kind = "";
static int mallocs, mmaps;

/* Reports the failed call. Nothing here may allocate. */
static void report(const void *caller)
{
    Dl_info info;
    const char *object = caller && dladdr(caller, &info) && info.dli_fname ? info.dli_fname : "?",
               *slash = strrchr(object, '/');
    char line[512];
    int n = snprintf(line, sizeof line, "%s in %s, %s\n", kind, slash ? slash + 1 : object,
                     caller && info.dli_sname ? info.dli_sname : "?");

    int fd = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    syscall(SYS_write, fd, line, (size_t)n, 0, 0, OWN);
    syscall(SYS_close, fd);
}

/* Counts a call. Returns 1, after a report, if it is the one that shall fail. */
static int fails(const void *caller)
{
    if (atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1)
        return 0;
    report(caller);
    return 1;
}

/* ---- what is replaced ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
/* The caller is the function that asked for memory, not the one that wraps it. */
#define UNLESS_IT_FAILS(call) mallocs &&fails(__builtin_return_address(0)) ? (errno = ENOMEM, NULL) : (call)

void *malloc(size_t size)
{
    return UNLESS_IT_FAILS(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return UNLESS_IT_FAILS(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    return UNLESS_IT_FAILS(__libc_realloc(p, size));
}

void *memalign(size_t align, size_t size)
{
    return UNLESS_IT_FAILS(__libc_memalign(align, size));
}

void *aligned_alloc(size_t align, size_t size)
{
    return UNLESS_IT_FAILS(__libc_memalign(align, size));
}

int posix_memalign(void **p, size_t align, size_t size)
{
    void *made = UNLESS_IT_FAILS(__libc_memalign(align, size));
    if (made)
        *p = made;
    return made ? 0 : ENOMEM;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (mmaps && fd >= 0 && fails(__builtin_return_address(0))) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

/* ---- what is trapped ---- */

/* Handles SIGSYS: makes the call with the mark OWN, which the filter lets pass, or sets its error. A
   system call returns its error as a negative number. */
static void trapped(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    int saved = errno, failed = 0;
    (void)signal, (void)info;
    for (int i = 0; i < CALLS && !failed; i++)
        if (calls[i].number == (int)NUMBER(c) && fails(NULL))
            failed = calls[i].error;

    long result = failed ? -1
                         : syscall((long)NUMBER(c), ARGUMENT(c, 0), ARGUMENT(c, 1), ARGUMENT(c, 2),
                                   ARGUMENT(c, 3), ARGUMENT(c, 4), OWN);

    RESULT(c) = result < 0 ? -(failed ? failed : errno) : result;
    errno = saved;
}

/* Installs a filter that traps the calls of this kind. Behind the head, each call jumps to the last
   instruction, the trap, and anything else falls through to the one before, which lets it pass. */
static void trap(void)
{
    struct sock_filter f[CALLS + 8] = {
        /* The handler's own calls pass. */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };

    unsigned short n = 4, last = 4;
    for (int i = 0; i < CALLS; i++)
        last += !strcmp(calls[i].kind, kind);
    for (int i = 0; i < CALLS; i++)
        if (!strcmp(calls[i].kind, kind)) {
            f[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number,
                                                (unsigned char)(last - n), 0);
            n++;
        }

    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);

    struct sock_fprog program = { n, f };
    struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER };
    if (last > 4 && (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
                     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)))
        _exit(125);
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAULT_AT");
    kind = getenv("FAULT") ? getenv("FAULT") : "";
    unsetenv("LD_PRELOAD"); /* programs that it starts go without */
    mallocs = !strcmp(kind, "malloc");
    mmaps = !strcmp(kind, "mmap");

    trap();
    atomic_store(&left, at ? atol(at) : 0);
}
