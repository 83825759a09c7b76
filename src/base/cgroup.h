/* The limits of the control groups of this process, of version 1 and 2.  The limit that counts is the
   tightest one of the process's own group and of every group above it.  If a file is missing or makes no
   sense, its limit does not count.  sysroot: "", or in tests a folder that holds /proc and /sys. */
#ifndef DD_CGROUP_H
#define DD_CGROUP_H

/* Returns the limit of the group whose files lie in folder; 0: it has no limit. */
typedef double dd_cgroup_limit(const char *sysroot, const char *folder, int version);

/* Returns the tightest limit of a controller ("cpu", "memory") in the hierarchy of this version; 0: there
   is no limit. */
double dd_cgroup_least(const char *sysroot, int version, const char *controller, dd_cgroup_limit *limit);

/* Returns the limit of memory in bytes; 0: there is no limit. */
double dd_cgroup_memory(const char *sysroot);
#endif
