/* Reads the state of the machine and the memory of this process.  Linux has a small file for each value.  A
   value whose file is missing (in a container, on another system) is NAN or unknown. */
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__)
#include <sys/resource.h>
#endif
#include "base/cgroup.h"
#include "base/file.h"
#include "base/system.h"

/* Sum, maximum and count of the numbers in all files that match a pattern. */
struct numbers {
    double sum, most;
    int count;
};

static struct numbers read_numbers(const char *root, const char *pattern)
{
    struct numbers n = { 0, -INFINITY, 0 };
    char path[512], text[64], *end;
    glob_t found;
    snprintf(path, sizeof path, "%s%s", root, pattern);
    if (glob(path, 0, NULL, &found))
        return n;

    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (!dd_file_line(text, sizeof text, "", "", found.gl_pathv[i]))
            continue;
        double v = strtod(text, &end);
        if (end == text)
            continue;
        n.sum += v;
        n.most = fmax(n.most, v);
        n.count++;
    }
    globfree(&found);
    return n;
}

/* Returns what feeds the machine: mains if a supply (type Mains or USB) is online, otherwise the battery
   if it is discharging. */
static enum dd_system_power read_power(const char *root)
{
    enum dd_system_power power = DD_SYSTEM_POWER_UNKNOWN;
    char path[512], text[64];
    glob_t found;
    snprintf(path, sizeof path, "%s/sys/class/power_supply/*", root);
    if (glob(path, 0, NULL, &found))
        return power;

    for (size_t i = 0; i < found.gl_pathc && power != DD_SYSTEM_MAINS; i++) {
        snprintf(path, sizeof path, "%s/online", found.gl_pathv[i]);
        if (dd_file_line(text, sizeof text, "", "", path) && !strcmp(text, "1"))
            power = DD_SYSTEM_MAINS;

        snprintf(path, sizeof path, "%s/status", found.gl_pathv[i]);
        if (power != DD_SYSTEM_MAINS && dd_file_line(text, sizeof text, "", "", path))
            power = strcmp(text, "Discharging") ? DD_SYSTEM_MAINS : DD_SYSTEM_BATTERY;
    }
    globfree(&found);
    return power;
}

/* Returns the mean of the clocks in lines "cpu MHz : 2100.000", for machines without cpufreq; NAN: there
   are no such lines. */
static double cpuinfo_mhz(const char *root)
{
    char path[512], line[256];
    double sum = 0, v;
    int count = 0;
    snprintf(path, sizeof path, "%s/proc/cpuinfo", root);

    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "cpu MHz : %lf", &v) == 1) {
            sum += v;
            count++;
        }

    if (f)
        fclose(f);
    return count ? sum / count : NAN;
}

void dd_system_state(struct dd_system_state *s, const char *root)
{
    struct numbers clock = read_numbers(root, "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq");
    struct numbers heat = read_numbers(root, "/sys/class/thermal/thermal_zone*/temp");
    if (!heat.count)
        heat = read_numbers(root, "/sys/class/hwmon/hwmon*/temp*_input");

    /* The files hold kHz and thousandths of a degree. */
    s->power = read_power(root);
    s->mhz = clock.count ? clock.sum / clock.count / 1e3 : cpuinfo_mhz(root);
    s->celsius = heat.count ? heat.most / 1e3 : NAN;
    s->throttled =
        read_numbers(root, "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count").sum;
}

void dd_system_processor(char *name, size_t size, const char *root)
{
    char path[512], line[256];
    snprintf(name, size, "unknown");
    snprintf(path, sizeof path, "%s/proc/cpuinfo", root);

    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        line[strcspn(line, "\n")] = 0;
        if (!colon || strncmp(line, "model name", 10))
            continue;
        snprintf(name, size, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }

    if (f)
        fclose(f);
}

double dd_system_memory_limit(const char **name, const char *root)
{
    *name = "the limit of this cgroup";
    return dd_cgroup_memory(root);
}

void dd_system_memory_begin(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f)
        return;

    /* Writing 5 resets the peak to what is held now (proc(5), since Linux 4.0). */
    fputs("5", f);
    fclose(f);
}

/* Returns the bytes that a line of /proc/self/status such as "VmHWM: 1234 kB" tells; 0: there is no such
   line. */
static double status_bytes(const char *key)
{
    char line[256];
    double kib = 0;
    size_t n = strlen(key);

    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, n)) {
            kib = strtod(line + n, NULL);
            break;
        }

    if (f)
        fclose(f);
    return 1024 * kib;
}

/* On Linux, VmHWM counts from exec on.  ru_maxrss of getrusage survives exec there, so it may be the peak
   of the program that started this one.  In a sandbox without VmHWM, the memory held now is the best
   estimate. */
double dd_system_memory_peak(void)
{
#if defined(__APPLE__)
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : (double)usage.ru_maxrss;
#else
    double peak = status_bytes("VmHWM:");
    return peak > 0 ? peak : status_bytes("VmRSS:");
#endif
}
