/* Reads the state of the machine.  Linux has a small file for each value.  A value whose file is missing
   (in a container, on another system) is NAN or unknown. */
#include "cli/machine_state.h"
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__)
#include <sys/resource.h>
#endif
#include "base/file.h"

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
static enum machine_power read_power(const char *root)
{
    enum machine_power power = MACHINE_POWER_UNKNOWN;
    char path[512], text[64];
    glob_t found;
    snprintf(path, sizeof path, "%s/sys/class/power_supply/*", root);
    if (glob(path, 0, NULL, &found))
        return power;

    for (size_t i = 0; i < found.gl_pathc && power != MACHINE_AC; i++) {
        snprintf(path, sizeof path, "%s/online", found.gl_pathv[i]);
        if (dd_file_line(text, sizeof text, "", "", path) && !strcmp(text, "1"))
            power = MACHINE_AC;

        snprintf(path, sizeof path, "%s/status", found.gl_pathv[i]);
        if (power != MACHINE_AC && dd_file_line(text, sizeof text, "", "", path))
            power = strcmp(text, "Discharging") ? MACHINE_AC : MACHINE_BATTERY;
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

    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "cpu MHz : %lf", &v) == 1) {
            sum += v;
            count++;
        }

    if (f)
        fclose(f);
    return count ? sum / count : NAN;
}

void machine_state_read(struct machine_state *s, const char *root)
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

void machine_processor(char *name, size_t size, const char *root)
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

void machine_command_line(char *line, size_t size)
{
    char words[4096], *word = words;
    FILE *f = fopen("/proc/self/cmdline", "re");
    size_t length = f ? fread(words, 1, sizeof words - 1, f) : 0, used = (size_t)snprintf(line, size, "ddpm");

    if (f)
        fclose(f);
    words[length] = 0;

    /* The file holds the words, each followed by a zero byte; the first is the program.  A word with a
       character that a shell interprets gets quotes. */
    for (word += strlen(word) + 1; word < words + length && used < size; word += strlen(word) + 1) {
        const char *quote = word[strcspn(word, " \t\n'\"\\$&|;<>()*?[#~`")] ? "'" : "";
        used += (size_t)snprintf(line + used, size - used, " %s%s%s", quote, word, quote);
    }
}

bool machine_state_throttled(const struct machine_state *before, const struct machine_state *after)
{
    return after->throttled > before->throttled ||
           (before->power != MACHINE_BATTERY && after->power == MACHINE_BATTERY);
}

const char *machine_power_name(enum machine_power power)
{
    switch (power) {
    case MACHINE_AC: return "AC";
    case MACHINE_BATTERY: return "battery";
    default: return "unknown";
    }
}

void machine_memory_begin(void)
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
double machine_memory_peak(void)
{
#if defined(__APPLE__)
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : (double)usage.ru_maxrss;
#else
    double peak = status_bytes("VmHWM:");
    return peak > 0 ? peak : status_bytes("VmRSS:");
#endif
}
