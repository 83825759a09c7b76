/* What the control groups of this process allow, by version 1 and 2: the tightest limit of its own group and of every group above it.  sysroot: "",
   or in tests a folder that holds /proc and /sys.  Where a file is missing or makes no sense, its limit does not count. */
#ifndef DD_CGROUP_H
#define DD_CGROUP_H

/* The limit of one group, whose files lie in folder; 0: none. */
typedef double dd_cgroup_limit(const char *sysroot, const char *folder, int version);
double dd_cgroup_least(const char *sysroot, int version, const char *controller, dd_cgroup_limit *limit);
/* Bytes; 0: no limit. */
double dd_cgroup_memory(const char *sysroot);
#endif
