/* The number of threads: OMP_NUM_THREADS, or by what Linux tells under /proc and /sys
     min(fast physical cores among the processors we may run on, quota / period of our cgroup and of every group above it).
   Where a file is missing or makes no sense, as on other systems, its limit does not count.  Work is shared out evenly, so on CPUs of unequal
   cores a slow one would hold up the others: of those that are allowed only the fast ones count. */
#include "base/cpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPUS_MAX = 8192, WORD = 8 * sizeof(unsigned), TEXT = 4096 };
struct cpus { unsigned bit[CPUS_MAX / WORD]; };

static int cpus_has(const struct cpus *c, long i)
{
    return c->bit[(size_t)i / WORD] >> (size_t)i % WORD & 1;
}

/* A list such as "0-3,8,10-11"; returns how many it names, 0 when it is not a list. */
static int cpus_parse(struct cpus *c, const char *text)
{
    int count = 0;
    memset(c, 0, sizeof *c);
    for (const char *at = text;; at++) {
        char *end;
        long first = strtol(at, &end, 10), last = first;
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

/* fopen of a path below the root of the system that is asked about. */
static FILE *open_below(const char *sysroot, const char *folder, const char *name)
{
    char path[TEXT];
    int n = snprintf(path, sizeof path, "%s%s%s", sysroot, folder, name);
    return n < (int)sizeof path ? fopen(path, "re") : NULL;
}

/* The first line of a file without its end; 0 when there is none. */
static int read_line(char line[TEXT], const char *sysroot, const char *folder, const char *name)
{
    FILE *f = open_below(sysroot, folder, name);
    int ok = f && fgets(line, TEXT, f);
    if (f)
        fclose(f);
    if (ok)
        line[strcspn(line, "\n")] = 0;
    return ok;
}

/* The processors on which the calling thread may run. */
static int affinity(struct cpus *c, const char *sysroot)
{
    static const char key[] = "Cpus_allowed_list:";
    char line[TEXT];
    int count = 0;
    FILE *f = open_below(sysroot, "/proc/thread-self/status", "");
    while (f && !count && fgets(line, sizeof line, f))
        if (!strncmp(line, key, sizeof key - 1))
            count = cpus_parse(c, line + sizeof key - 1);
    if (f)
        fclose(f);
    return count;
}

static int keep(struct cpus *c, const struct cpus *fast)
{
    int count = 0;
    for (size_t i = 0; i < CPUS_MAX / WORD; i++)
        count += __builtin_popcount(c->bit[i] & fast->bit[i]);
    for (size_t i = 0; count && i < CPUS_MAX / WORD; i++)
        c->bit[i] &= fast->bit[i];
    return count;
}

/* What arm64 says of a processor, 1024 for the fastest of the machine; 0: nothing. */
static int capacity(long i, const char *sysroot)
{
    char folder[128], line[TEXT];
    snprintf(folder, sizeof folder, "/sys/devices/system/cpu/cpu%ld/", i);
    return read_line(line, sysroot, folder, "cpu_capacity") ? atoi(line) : 0;
}

/* Leaves the performance cores, where there are any: by Intel's list of them, or else those of more than half the greatest capacity. */
static void leave_fast(struct cpus *allowed, const char *sysroot)
{
    char line[TEXT];
    struct cpus fast;
    int most = 0;
    if (read_line(line, sysroot, "/sys/devices/cpu_core/", "cpus") && cpus_parse(&fast, line) && keep(allowed, &fast))
        return;
    for (long i = 0; i < CPUS_MAX; i++)
        if (cpus_has(allowed, i) && capacity(i, sysroot) > most)
            most = capacity(i, sysroot);
    memset(&fast, 0, sizeof fast);
    for (long i = 0; i < CPUS_MAX; i++)
        if (cpus_has(allowed, i) && capacity(i, sysroot) > most / 2)
            fast.bit[(size_t)i / WORD] |= 1u << (size_t)i % WORD;
    keep(allowed, &fast);
}

/* Of the allowed processors, those that are the first allowed one of their core. */
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
        int known = (read_line(line, sysroot, folder, "core_cpus_list") && cpus_parse(&sibling, line)) ||
                    (read_line(line, sysroot, folder, "thread_siblings_list") && cpus_parse(&sibling, line));
        while (known && first < i && !(cpus_has(&sibling, first) && cpus_has(allowed, first)))
            first++;
        count += !known || first == i;
    }
    return count;
}

/* "200000 100000" (v2) or the two files of v1 as a number of processors, rounded up; 0: no limit. */
static int quota_here(const char *sysroot, const char *folder, int version)
{
    char quota[TEXT], period[TEXT];
    double q = 0, p = 0;
    if (version == 2) {
        if (!read_line(quota, sysroot, folder, "/cpu.max") || sscanf(quota, "%lf %lf", &q, &p) != 2)
            return 0;
    } else {
        if (!read_line(quota, sysroot, folder, "/cpu.cfs_quota_us") || !read_line(period, sysroot, folder, "/cpu.cfs_period_us"))
            return 0;
        q = atof(quota);
        p = atof(period);
    }
    if (!(q > 0 && p > 0 && q / p < CPUS_MAX))
        return 0;
    int whole = (int)(q / p);
    return whole + (q > whole * p);
}

/* Whether list, separated by commas, holds item. */
static int list_has(const char *list, const char *item)
{
    size_t n = strlen(item);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, item, n) && (at[n] == 0 || at[n] == ','))
            return 1;
    return 0;
}

/* The line of /proc/self/cgroup, "id:controllers:path", of the hierarchy that governs the processor in this version. */
static int own_group(char group[TEXT], const char *sysroot, int version)
{
    char line[TEXT];
    int found = 0;
    FILE *f = open_below(sysroot, "/proc/self/cgroup", "");
    while (f && !found && fgets(line, sizeof line, f)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        found = version == 2 ? !strncmp(line, "0:", 2) : list_has(controllers + 1, "cpu");
        if (found)
            memcpy(group, path, strlen(path) + 1);
    }
    if (f)
        fclose(f);
    return found;
}

/* Where that hierarchy is mounted, and which of its groups is the top there (not "/" in a container without a namespace). */
static int mount_point(char point[TEXT], char top[TEXT], const char *sysroot, int version)
{
    char line[TEXT], kind[64], options[TEXT];
    int found = 0;
    FILE *f = open_below(sysroot, "/proc/self/mountinfo", "");
    while (f && !found && fgets(line, sizeof line, f)) {
        char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", top, point) != 2)
            continue;
        if (sscanf(rest, " - %63s %*s %4095s", kind, options) == 2)
            found = version == 2 ? !strcmp(kind, "cgroup2") : !strcmp(kind, "cgroup") && list_has(options, "cpu");
    }
    if (f)
        fclose(f);
    return found;
}

/* The tightest quota of the process's group and all groups above it; 0: none. */
static int quota(const char *sysroot, int version)
{
    char group[TEXT], point[TEXT], top[TEXT], folder[2 * TEXT];
    if (!own_group(group, sysroot, version) || !mount_point(point, top, sysroot, version))
        return 0;
    size_t n = strcmp(top, "/") ? strlen(top) : 0;
    const char *below = !strncmp(group, top, n) && (group[n] == '/' || !group[n]) ? group + n : "";
    int least = 0;
    for (size_t length = strlen(below);; length--) {
        if (length && below[length] && below[length] != '/')
            continue;
        snprintf(folder, sizeof folder, "%s%.*s", point, (int)length, below);
        int here = quota_here(sysroot, folder, version);
        if (here && (!least || here < least))
            least = here;
        if (!length)
            return least;
    }
}

/* OpenMP's own wish, of whose list "4,2" the first number is that of the outermost level; 0: none. */
static int wished(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    char *end = NULL;
    long n = text ? strtol(text, &end, 10) : 0;
    return end != text && n > 0 && n <= CPUS_MAX && (!*end || *end == ',') ? (int)n : 0;
}

int dd_cpu_threads(const char *sysroot)
{
    struct cpus allowed;
    int n = wished();
    if (n)
        return n;
    n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (affinity(&allowed, sysroot)) {
        leave_fast(&allowed, sysroot);
        n = physical_cores(&allowed, sysroot);
    }
    for (int version = 1; version <= 2; version++) {
        int limit = quota(sysroot, version);
        if (limit && limit < n)
            n = limit;
    }
    return n > 1 ? n : 1;
}
