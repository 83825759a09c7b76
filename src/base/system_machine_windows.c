/* The machine, as Windows tells about it: power, the limit of memory of the job that the process is in, and
   the memory that it takes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "base/system_windows.h"
#include <psapi.h>

double dd_system_memory_limit(const char **name, const char *root)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION job;
    double least = 0;
    (void)root;
    *name = "the limit of this job";
    if (!QueryInformationJobObject(NULL, JobObjectExtendedLimitInformation, &job, sizeof job, NULL))
        return 0;

    DWORD limits = job.BasicLimitInformation.LimitFlags;
    if (limits & JOB_OBJECT_LIMIT_PROCESS_MEMORY)
        least = (double)job.ProcessMemoryLimit;
    if (limits & JOB_OBJECT_LIMIT_JOB_MEMORY && (least == 0 || (double)job.JobMemoryLimit < least))
        least = (double)job.JobMemoryLimit;
    return least;
}

/* Clocks and temperatures are not told without a driver. */
void dd_system_state(struct dd_system_state *s, const char *root)
{
    SYSTEM_POWER_STATUS power = { .ACLineStatus = 255 };
    (void)root;
    GetSystemPowerStatus(&power);

    *s = (struct dd_system_state){ .power = DD_SYSTEM_POWER_UNKNOWN, .mhz = NAN, .celsius = NAN };
    if (power.ACLineStatus == 1)
        s->power = DD_SYSTEM_MAINS;
    else if (power.ACLineStatus == 0)
        s->power = DD_SYSTEM_BATTERY;
}

void dd_system_processor(char *name, size_t size, const char *root)
{
    char text[256] = "";
    DWORD length = sizeof text;
    (void)root;
    if (RegGetValueA(HKEY_LOCAL_MACHINE, "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0",
                     "ProcessorNameString", RRF_RT_REG_SZ, NULL, text, &length))
        *text = 0;

    const char *begin = text + strspn(text, " ");
    snprintf(name, size, "%s", *begin ? begin : "unknown");
}

/* The peak cannot be reset. */
void dd_system_memory_begin(void)
{
}

double dd_system_memory_peak(void)
{
    PROCESS_MEMORY_COUNTERS c;
    return K32GetProcessMemoryInfo(GetCurrentProcess(), &c, sizeof c) ? (double)c.PeakWorkingSetSize : 0;
}
