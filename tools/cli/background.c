/* Gives the process the lowest priority.  For the processor that is SCHED_IDLE, which runs only when no
   other process wants to; if it is refused, the lowest ordinary priority.  For the disk it is Linux's
   class "idle", set by a system call for which C libraries have no function.

   Linux may share the processor between sessions before it looks at priorities within them ("autogroup",
   sched(7)), so that a session of its own is made the lowest of sessions too.  In a session that others
   lead, such as a terminal's, nothing but this process is changed. */
#include "cli/background.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICEST = 19 };

/* These are values of linux/ioprio.h: the kind of target, and the class, which is shifted above 13 bits of
   data. */
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3, IOPRIO_CLASS_SHIFT = 13 };

static void lower_session(void)
{
    int file = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;

    ssize_t written = write(file, "19", 2);
    (void)written;
    close(file);
}

void background_begin(void)
{
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
