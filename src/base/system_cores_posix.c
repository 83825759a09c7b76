/* Counts the cores of which this process may use all.  Linux tells under /proc and /sys of
     min(physical cores among the processors we may run on,
         quota / period of our control group and of every group above it).

   Slow cores count too: threads claim their work, so that a slow one does less (layer/parallel.h).  If a file
   is missing or makes no sense, as on other systems, its limit does not count. */
#include "base/cgroup.h"
#include "base/file.h"
#include "base/system.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPUS_MAX = 8192, WORD = 8 * sizeof(unsigned), TEXT = 4096 };

/* A set of processors. */
struct cpus {
    unsigned bit[CPUS_MAX / WORD];
};

static int cpus_has(const struct cpus *c, long i)
{
    return c->bit[(size_t)i / WORD] >> (size_t)i % WORD & 1;
}

/* Fills c from a list such as "0-3,8,10-11".  Returns how many processors it names, or 0 when the text is
   not a list. */
static int cpus_parse(struct cpus *c, const char *text)
{
    int count = 0;
    memset(c, 0, sizeof *c);

    for (const char *at = text;; at++) {
        char *end;
        long first = strtol(at, &end, 10), last = first;
        /* An entry is a number or a range of two numbers. */
        if (end == at)
            return 0;
        if (*end == '-')
            last = strtol(at = end + 1, &end, 10);
        if (end == at || first < 0 || last < first || last >= CPUS_MAX)
            return 0;

        for (long i = first; i <= last; i++, count++)
            c->bit[(size_t)i / WORD] |= 1u << (size_t)i % WORD;

        at = end;
        if (*at != ',')
            return count;
    }
}

/* Fills c with the processors on which the calling thread may run.  Returns how many they are. */
static int affinity(struct cpus *c, const char *sysroot)
{
    static const char key[] = "Cpus_allowed_list:";
    char line[TEXT];
    int count = 0;
    snprintf(line, sizeof line, "%.4000s/proc/thread-self/status", sysroot);
    FILE *f = fopen(line, "re");

    while (f && !count && fgets(line, sizeof line, f))
        if (!strncmp(line, key, sizeof key - 1))
            count = cpus_parse(c, line + sizeof key - 1);

    if (f)
        fclose(f);
    return count;
}

/* Returns the number of physical cores: it counts the allowed processors that are the first allowed one of
   their core. */
static int physical_cores(const struct cpus *allowed, const char *sysroot)
{
    int count = 0;
    for (long i = 0; i < CPUS_MAX; i++) {
        char folder[128], line[TEXT];
        struct cpus sibling;
        long first = 0;
        if (!cpus_has(allowed, i))
            continue;

        snprintf(folder, sizeof folder, "/sys/devices/system/cpu/cpu%ld/topology/", i);
        /* Newer and older kernels name the list of a core's threads differently. */
        int known = (dd_file_line(line, sizeof line, sysroot, folder, "core_cpus_list") &&
                     cpus_parse(&sibling, line)) ||
                    (dd_file_line(line, sizeof line, sysroot, folder, "thread_siblings_list") &&
                     cpus_parse(&sibling, line));

        while (known && first < i && !(cpus_has(&sibling, first) && cpus_has(allowed, first)))
            first++;
        count += !known || first == i;
    }
    return count;
}

/* Returns the quota of a group in processors, rounded up; 0: there is no quota.  Version 2 has one file
   with "QUOTA PERIOD", version 1 a file for each. */
static double quota_here(const char *sysroot, const char *folder, int version)
{
    char quota[TEXT], period[TEXT];
    double q = 0, p = 0;

    if (version == 2) {
        if (!dd_file_line(quota, sizeof quota, sysroot, folder, "/cpu.max") ||
            sscanf(quota, "%lf %lf", &q, &p) != 2)
            return 0;
    } else {
        if (!dd_file_line(quota, sizeof quota, sysroot, folder, "/cpu.cfs_quota_us") ||
            !dd_file_line(period, sizeof period, sysroot, folder, "/cpu.cfs_period_us"))
            return 0;
        q = atof(quota);
        p = atof(period);
    }

    if (!(q > 0 && p > 0 && q / p < CPUS_MAX))
        return 0;

    /* A part of a processor is worth a thread. */
    int whole = (int)(q / p);
    return whole + (q > whole * p);
}

int dd_system_cores(const char *root)
{
    struct cpus allowed;
    int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (affinity(&allowed, root))
        n = physical_cores(&allowed, root);

    /* The quota of a container may be smaller than its processors. */
    for (int version = 1; version <= 2; version++) {
        int limit = (int)dd_cgroup_least(root, version, "cpu", quota_here);
        if (limit && limit < n)
            n = limit;
    }

    return n > 1 ? n : 1;
}
