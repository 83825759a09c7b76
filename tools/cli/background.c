/* The processor: SCHED_IDLE, which runs where nothing else wants to, or where that is refused the nicest of the
   ordinary priorities.  The disk: Linux's class "idle", by a call that C libraries have no function for. */
#include "cli/background.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICEST = 19 };

/* From linux/ioprio.h: who is meant, and the class, which stands above 13 bits of its data. */
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
