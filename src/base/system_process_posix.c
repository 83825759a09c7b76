/* The process and its surroundings by the calls of POSIX. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/system.h"

bool dd_system_begin(int *words, char ***word)
{
    (void)words;
    (void)word;
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
            return false;
    return true;
}

/* ---- priority ---- */

/* These are values of linux/ioprio.h: the kind of target, and the class, which is shifted above 13 bits of
   data. */
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3, IOPRIO_CLASS_SHIFT = 13 };

/* Linux may share the processor between sessions before it looks at priorities within them ("autogroup",
   sched(7)). */
static void lower_session(void)
{
    int file = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;

    ssize_t written = write(file, "19", 2);
    (void)written;
    close(file);
}

/* The lowest priority for the processor is SCHED_IDLE, which runs only when no other process wants to; if it
   is refused, the lowest ordinary priority.  For the disk it is Linux's class "idle", set by a system call
   for which C libraries have no function.  A session of its own is made the lowest of sessions too.  In a
   session that others lead, such as a terminal's, nothing but this process is changed. */
void dd_system_background(void)
{
    enum { NICEST = 19 };

#ifdef SYS_ioprio_set
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
#endif

    if (getsid(0) == getpid())
        lower_session();

#ifdef SCHED_IDLE
    const struct sched_param none = { .sched_priority = 0 };
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0)
#endif
        setpriority(PRIO_PROCESS, 0, NICEST);
}

/* ---- other programs ---- */

int dd_system_run(const char *const *word, FILE *in, FILE *out)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        if (nowhere < 0 || dup2(fileno(in), 0) < 0 || dup2(fileno(out), 1) < 0 || dup2(nowhere, 2) < 0)
            _exit(126);
        execvp(word[0], (char *const *)(uintptr_t)word);
        _exit(127);
    }

    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* Linux keeps the words in this form. */
size_t dd_system_command_line(char *text, size_t size)
{
    FILE *f = fopen("/proc/self/cmdline", "re");
    size_t length = f ? fread(text, 1, size, f) : 0;
    if (f)
        fclose(f);
    return length;
}

/* ---- the terminal ---- */

enum dd_system_terminal dd_system_terminal(FILE *f)
{
    const char *name = getenv("TERM"), *depth = getenv("COLORTERM");
    if (!isatty(fileno(f)))
        return DD_SYSTEM_NO_TERMINAL;
    if (!name || !strcmp(name, "dumb"))
        return DD_SYSTEM_TEXT;
    return depth && (!strcmp(depth, "truecolor") || !strcmp(depth, "24bit")) ? DD_SYSTEM_COLORS
                                                                             : DD_SYSTEM_PALETTE;
}

int dd_system_columns(FILE *f)
{
    struct winsize size;
    return ioctl(fileno(f), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
