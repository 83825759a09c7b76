/* Power, clock, heat and throttling of machines made of files. */
#include "check.h"
#include "tools/cli/machine_state.h"

TEST(machine_state, laptop)
{
    const char *root = check_folder();
    struct dd_system_state s, later;

    check_put(root, "/sys/class/power_supply/AC/online", "1\n");
    check_put(root, "/sys/class/power_supply/BAT0/status", "Charging\n");
    check_put(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2000000\n");
    check_put(root, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3000000\n");
    check_put(root, "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "4\n");
    check_put(root, "/sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "1\n");
    check_put(root, "/sys/class/thermal/thermal_zone0/temp", "41000\n");
    check_put(root, "/sys/class/thermal/thermal_zone1/temp", "63500\n");

    dd_system_state(&s, root);
    CHECK(s.power == DD_SYSTEM_MAINS && s.mhz == 2500 && s.celsius == 63.5 && s.throttled == 5);
    dd_system_state(&later, root);
    CHECK(!machine_state_throttled(&s, &later));

    check_put(root, "/sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "2\n");
    dd_system_state(&later, root);
    CHECK(later.throttled == 6 && machine_state_throttled(&s, &later) &&
          !machine_state_throttled(&later, &later));

    s = later;

    check_put(root, "/sys/class/power_supply/AC/online", "0\n");
    check_put(root, "/sys/class/power_supply/BAT0/status", "Discharging\n");
    dd_system_state(&later, root);
    CHECK(later.power == DD_SYSTEM_BATTERY && machine_state_throttled(&s, &later) &&
          !machine_state_throttled(&later, &later));

    CHECK_TEXT(machine_power_name(later.power), "battery");
}

/* A container has no sysfs and tells its clock in cpuinfo alone; then a machine without even that. */
TEST(machine_state, little_is_told)
{
    const char *root = check_folder();
    struct dd_system_state s;
    dd_system_state(&s, root);
    CHECK(s.power == DD_SYSTEM_POWER_UNKNOWN && isnan(s.mhz) && isnan(s.celsius) && s.throttled == 0);
    check_put(root, "/proc/cpuinfo",
              "processor\t: 0\ncpu MHz\t\t: 2100.000\n\nprocessor\t: 1\ncpu MHz\t\t: 2300.000\n");
    check_put(root, "/sys/class/hwmon/hwmon0/temp1_input", "not told\n");
    dd_system_state(&s, root);
    CHECK(s.mhz == 2200 && isnan(s.celsius));
}

/* 64 MB are seen when they are touched. When they are freed, they are forgotten where Linux lets the
   peak begin anew. */
TEST(machine_state, memory)
{
    enum { SIZE = 64 << 20 };

    dd_system_memory_begin();
    double before = dd_system_memory_peak();
    char *block = malloc(SIZE);
    REQUIRE(block);
    memset(block, 1, SIZE);
    CHECK(block[SIZE / 2] == 1);
    CHECK(before > 0 && dd_system_memory_peak() >= before);
    free(block);
}
