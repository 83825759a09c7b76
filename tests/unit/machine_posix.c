/* Thread counts and memory of machines made of files, as Linux tells about itself. */
#include <sys/stat.h>
#include "base/cgroup.h"
#include "base/cpu.h"
#include "tests/check.h"
#include "tests/host.h"

static const char *root;

/* Makes a machine of `cpus` processors. This process is allowed those in `allowed`, and i and i + step
   are siblings (step 0: none). */
static void machine(int cpus, const char *allowed, int step)
{
    char path[128], text[128];
    host_environment("OMP_NUM_THREADS", NULL);
    root = strdup(check_folder());
    snprintf(text, sizeof text, "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t%s\nMems_allowed:\t1\n",
             allowed);
    check_put(root, "/proc/thread-self/status", text);
    for (int i = 0; i < cpus; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", i,
                 i % 2 ? "thread_siblings_list" : "core_cpus_list");
        if (step)
            snprintf(text, sizeof text, "%d,%d\n", i % step, i % step + step);
        else
            snprintf(text, sizeof text, "%d\n", i);
        check_put(root, path, text);
    }
}

static int threads(void)
{
    int n = dd_cpu_threads(root);
    free((char *)root);
    root = NULL;
    return n;
}

TEST(threads, affinity)
{
    machine(16, "0-15", 0);
    CHECK(threads() == 16);
    machine(16, "3", 0);
    CHECK(threads() == 1);
    machine(16, "0,2-4,15", 0);
    CHECK(threads() == 5);
    machine(4, "0-1023", 0); /* processors that the topology does not know are cores of their own */
    CHECK(threads() == 1024);
}

TEST(threads, siblings_count_once)
{
    machine(16, "0-15", 8);
    CHECK(threads() == 8);
    machine(16, "8-15", 8); /* the second thread of each core */
    CHECK(threads() == 8);
    machine(16, "0,8,9", 8);
    CHECK(threads() == 2);
}

TEST(threads, slow_cores_count)
{
    machine(20, "0-19", 0); /* six fast cores with two threads, eight slow ones */

    for (int i = 0; i < 12; i++) {
        char path[128], text[32];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", i,
                 i % 2 ? "thread_siblings_list" : "core_cpus_list");
        snprintf(text, sizeof text, "%d-%d\n", i & ~1, i | 1);
        check_put(root, path, text);
    }
    /* Linux lists the two kinds of cores of a hybrid machine here. */
    check_put(root, "/sys/devices/cpu_core/cpus", "0-11\n");
    check_put(root, "/sys/devices/cpu_atom/cpus", "12-19\n");
    CHECK(dd_cpu_threads(root) == 14);

    check_put(root, "/proc/thread-self/status", "Cpus_allowed_list:\t10-13\n");
    CHECK(dd_cpu_threads(root) == 3);
    check_put(root, "/proc/thread-self/status", "Cpus_allowed_list:\t14-16\n"); /* slow cores only */
    CHECK(threads() == 3);
}

TEST(threads, broken_files)
{
    static const char *const lists[] = { "", "x", "3-", "-1", "5-2", "0-99999999999999999999", "1,,2" };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        machine(2, lists[i], 0);
        CHECK(threads() == host_processors());
    }
    machine(2, "0-1", 0);
    check_put(root, "/sys/devices/system/cpu/cpu0/topology/core_cpus_list", "nonsense");
    check_put(root, "/proc/self/cgroup", "nonsense\n0:\n\n::\n");
    check_put(root, "/proc/self/mountinfo", "nonsense - \n - cgroup2\n");
    CHECK(threads() == 2);
}

TEST(threads, quota_version_2)
{
    machine(16, "0-15", 0);
    check_put(root, "/proc/self/cgroup", "0::/user.slice/job\n");
    check_put(root, "/proc/self/mountinfo",
              "22 1 0:2 / /proc rw - proc proc rw\n30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 "
              "cgroup2 rw\n");
    check_put(root, "/sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n");
    check_put(root, "/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    CHECK(dd_cpu_threads(root) == 4); /* the group above limits too */
    check_put(root, "/sys/fs/cgroup/user.slice/job/cpu.max", "250000 100000\n");
    CHECK(dd_cpu_threads(root) == 3); /* rounded up */
    check_put(root, "/sys/fs/cgroup/user.slice/job/cpu.max", "1000 100000\n");
    CHECK(dd_cpu_threads(root) == 1);
    check_put(root, "/sys/fs/cgroup/user.slice/job/cpu.max", "-5 0\n");
    CHECK(threads() == 4);
}

TEST(threads, quota_version_2_in_a_container)
{
    machine(16, "0-15", 0); /* without a namespace the group's path leads outside the mount */
    check_put(root, "/proc/self/cgroup", "0::/docker/abc/worker\n");
    check_put(root, "/proc/self/mountinfo", "30 1 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    check_put(root, "/sys/fs/cgroup/cpu.max", "600000 100000\n");
    CHECK(dd_cpu_threads(root) == 6);
    check_put(root, "/sys/fs/cgroup/worker/cpu.max", "200000 100000\n");
    CHECK(dd_cpu_threads(root) == 2);
    /* This is another group, whose name only begins alike. */
    check_put(root, "/proc/self/cgroup", "0::/docker/abcdef\n");
    CHECK(threads() == 6);
}

TEST(threads, quota_version_1)
{
    machine(16, "0-15", 0);
    check_put(root, "/proc/self/cgroup", "9:cpuset:/other\n4:cpu,cpuacct:/jobs/7\n1:name=systemd:/x\n0::/\n");
    check_put(root, "/proc/self/mountinfo",
              "31 1 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
              "32 1 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n");
    check_put(root, "/sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_quota_us", "-1\n");
    check_put(root, "/sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_period_us", "100000\n");
    CHECK(dd_cpu_threads(root) == 16);
    check_put(root, "/sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_quota_us", "150000\n");
    CHECK(dd_cpu_threads(root) == 2);
    check_put(root, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
    check_put(root, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "50000\n");
    CHECK(threads() == 1);
}

TEST(memory, limit_version_2)
{
    machine(2, "0-1", 0);
    CHECK(dd_cgroup_memory(root) == 0);

    check_put(root, "/proc/self/cgroup", "0::/user.slice/job\n");
    check_put(root, "/proc/self/mountinfo",
              "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
    CHECK(dd_cgroup_memory(root) == 0);

    check_put(root, "/sys/fs/cgroup/user.slice/job/memory.max", "max\n");
    CHECK(dd_cgroup_memory(root) == 0);
    check_put(root, "/sys/fs/cgroup/user.slice/memory.max", "3000000000\n");
    CHECK(dd_cgroup_memory(root) == 3e9); /* the group above limits too */
    check_put(root, "/sys/fs/cgroup/user.slice/job/memory.max", "2000000000\n");
    CHECK(dd_cgroup_memory(root) == 2e9);

    check_put(root, "/sys/fs/cgroup/user.slice/job/memory.high", "1000000000\n");
    CHECK(dd_cgroup_memory(root) == 1e9); /* the kernel begins to slow it down there */
    check_put(root, "/sys/fs/cgroup/user.slice/job/memory.high", "nonsense\n");
    CHECK(dd_cgroup_memory(root) == 2e9);

    free((char *)root);
}

TEST(memory, limit_version_1)
{
    machine(2, "0-1", 0);
    check_put(root, "/proc/self/cgroup", "9:memory:/jobs/7\n4:cpu,cpuacct:/other\n0::/\n");
    check_put(root, "/proc/self/mountinfo",
              "31 1 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    /* This number stands for no limit. */
    check_put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(dd_cgroup_memory(root) == 0);
    check_put(root, "/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", "536870912\n");
    CHECK(dd_cgroup_memory(root) == 0x1p29);
    free((char *)root);
}
