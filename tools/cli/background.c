/* Gives the process the lowest priority.  For the processor that is SCHED_IDLE, which runs only when no
   other process wants to; if it is refused, the lowest ordinary priority.  For the disk it is Linux's
   class "idle", set by a system call for which C libraries have no function. */
#include "cli/background.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICEST = 19 };

/* These are values of linux/ioprio.h: the kind of target, and the class, which is shifted above 13 bits of
   data. */
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3, IOPRIO_CLASS_SHIFT = 13 };

void background_begin(void)
{
#ifdef SCHED_IDLE
    const struct sched_param none = { .sched_priority = 0 };
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0)
#endif
        setpriority(PRIO_PROCESS, 0, NICEST);

#ifdef SYS_ioprio_set
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
#endif
}
