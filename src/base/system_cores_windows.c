/* Counts the cores that this process may use: the physical cores among the processors of its affinity mask,
   or fewer where the job that it belongs to gets only a part of their time. */
#include <stdlib.h>
#include <windows.h>
#include "base/system.h"

/* Returns the number of physical cores that hold a processor of the mask; 0: it is not known. */
static int physical_cores(DWORD_PTR mask)
{
    DWORD size = 0;
    int count = 0;
    GetLogicalProcessorInformationEx(RelationProcessorCore, NULL, &size);
    char *list = malloc(size);
    if (!list || !GetLogicalProcessorInformationEx(RelationProcessorCore, (void *)list, &size))
        size = 0;

    /* The records have lengths of their own. */
    for (DWORD at = 0; at < size;) {
        const SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX *core = (const void *)(list + at);
        count += (core->Processor.GroupMask[0].Mask & mask) != 0;
        at += core->Size;
    }
    free(list);
    return count;
}

/* Returns the processors' worth of time that the job may take, rounded up; 0: there is no limit.  The rate is
   in hundredths of a percent of all processors. */
static int quota(void)
{
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = { 0 };
    const DWORD hard = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    SYSTEM_INFO system;

    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &rate, sizeof rate, NULL) ||
        (rate.ControlFlags & hard) != hard)
        return 0;
    GetSystemInfo(&system);
    return (int)((rate.CpuRate * system.dwNumberOfProcessors + 9999) / 10000);
}

int dd_system_cores(const char *root)
{
    DWORD_PTR own = 0, all = 0;
    SYSTEM_INFO system;
    (void)root;

    GetSystemInfo(&system);
    int n = (int)system.dwNumberOfProcessors, limit = quota();
    if (GetProcessAffinityMask(GetCurrentProcess(), &own, &all) && own) {
        int cores = physical_cores(own);
        n = cores ? cores : n;
    }
    if (limit && limit < n)
        n = limit;
    return n > 1 ? n : 1;
}
