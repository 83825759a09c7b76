/* Finds the control groups of this process.  Linux lists in /proc/self/cgroup the group of the process in
   each hierarchy, and in /proc/self/mountinfo where the hierarchies are mounted. */
#include "base/cgroup.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

enum { TEXT = 4096 };

/* Opens a file for reading, whose path begins below sysroot. */
static FILE *open_below(const char *sysroot, const char *folder, const char *name)
{
    char path[TEXT];
    int n = snprintf(path, sizeof path, "%s%s%s", sysroot, folder, name);
    return n < (int)sizeof path ? fopen(path, "re") : NULL;
}

/* Returns whether list, separated by commas, holds item. */
static int list_has(const char *list, const char *item)
{
    size_t n = strlen(item);

    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, item, n) && (at[n] == 0 || at[n] == ','))
            return 1;
    return 0;
}

/* Fills group with the process's group in the hierarchy of a controller.  A line of /proc/self/cgroup is
   "ID:CONTROLLERS:PATH"; in version 2 the ID is 0 and there are no controllers. */
static int own_group(char group[TEXT], const char *sysroot, int version, const char *controller)
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
        found = version == 2 ? !strncmp(line, "0:", 2) : list_has(controllers + 1, controller);
        if (found)
            memcpy(group, path, strlen(path) + 1);
    }

    if (f)
        fclose(f);
    return found;
}

/* Fills point with the folder where that hierarchy is mounted, and top with the group that lies at this
   folder.  In a container without a namespace of its own, top is not "/". */
static int mount_point(char point[TEXT], char top[TEXT], const char *sysroot, int version,
                       const char *controller)
{
    char line[TEXT], kind[64], options[TEXT];
    int found = 0;
    FILE *f = open_below(sysroot, "/proc/self/mountinfo", "");

    while (f && !found && fgets(line, sizeof line, f)) {
        /* "ID PARENT DEVICE TOP POINT OPTIONS... - KIND SOURCE OPTIONS". */
        char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", top, point) != 2)
            continue;
        if (sscanf(rest, " - %63s %*s %4095s", kind, options) == 2)
            found = version == 2 ? !strcmp(kind, "cgroup2")
                                 : !strcmp(kind, "cgroup") && list_has(options, controller);
    }

    if (f)
        fclose(f);
    return found;
}

double dd_cgroup_least(const char *sysroot, int version, const char *controller, dd_cgroup_limit *limit)
{
    char group[TEXT], point[TEXT], top[TEXT], folder[2 * TEXT];
    if (!own_group(group, sysroot, version, controller) ||
        !mount_point(point, top, sysroot, version, controller))
        return 0;
    /* The path of the group below the one that is mounted. */
    size_t n = strcmp(top, "/") ? strlen(top) : 0;
    const char *below = !strncmp(group, top, n) && (group[n] == '/' || !group[n]) ? group + n : "";

    double least = 0;
    /* From the group itself upwards, a folder at a time. */
    for (size_t length = strlen(below);; length--) {
        /* A folder's name ends at a slash. */
        if (length && below[length] && below[length] != '/')
            continue;

        snprintf(folder, sizeof folder, "%s%.*s", point, (int)length, below);
        double here = limit(sysroot, folder, version);
        if (here > 0 && (least == 0 || here < least))
            least = here;

        if (!length)
            return least;
    }
}

/* Returns the lower of a group's two limits in version 2, or its only limit in version 1; 0: there is no
   limit.  Numbers near 2^63 mean that there is no limit. */
static double memory_here(const char *sysroot, const char *folder, int version)
{
    static const char *const files[] = { "/memory.limit_in_bytes", "/memory.max", "/memory.high" };
    char line[TEXT];
    double least = 0;

    int first = version == 2 ? 1 : 0, end = version == 2 ? 3 : 1;
    for (int i = first; i < end; i++) {
        double v = dd_file_line(line, sizeof line, sysroot, folder, files[i]) ? atof(line) : 0;
        if (v > 0 && v < 0x1p60 && (least == 0 || v < least))
            least = v;
    }

    return least;
}

double dd_cgroup_memory(const char *sysroot)
{
    double one = dd_cgroup_least(sysroot, 1, "memory", memory_here);
    double two = dd_cgroup_least(sysroot, 2, "memory", memory_here);
    return one > 0 && (two == 0 || one < two) ? one : two;
}
