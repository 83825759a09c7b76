/* Signals: those that ask the program to stop, and SIGBUS.  The handlers call only what POSIX allows
   there. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/system.h"

void dd_system_say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;
}

/* ---- stops ---- */

static void (*stop_now)(bool hangup);

/* systemd and terminals send a hangup along with another signal. */
static void note(int number)
{
    stop_now(number == SIGHUP);
}

void dd_system_catch_stop(void (*stop)(bool hangup))
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction a = { .sa_handler = note, .sa_flags = SA_RESTART }, before;
    sigemptyset(&a.sa_mask);
    stop_now = stop;

    /* nohup, and shells that start a job in the background, have made the program ignore signals. */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &a, NULL);

    /* A write that meets one of these fails with EPIPE or EFBIG instead. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* ---- files that are cut off while they are mapped ----

   The pages behind the new end are gone, and reading them raises SIGBUS.  The handler finds the name of the
   file in /proc/self/maps, whose lines are "BEGIN-END MODE OFFSET DEVICE INODE   PATH". */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads the hexadecimal number at *at, and moves *at behind it. */
static uintptr_t take_hex(const char **at)
{
    uintptr_t v = 0;
    for (; hex_digit(**at) >= 0; ++*at)
        v = v << 4 | (uintptr_t)hex_digit(**at);
    return v;
}

/* Returns the path in a line of maps if the address lies between its two numbers; NULL otherwise. */
static char *path_of(char *line, uintptr_t address)
{
    const char *at = line;
    uintptr_t begin = take_hex(&at);
    if (*at != '-')
        return NULL;
    at++;
    return address >= begin && address < take_hex(&at) ? strchr(line, '/') : NULL;
}

/* Returns the name of the file that is mapped at the address, or NULL. */
static char *mapped_file(uintptr_t address)
{
    static char line[PATH_MAX + 128];
    char block[1024], *path = NULL;
    size_t length = 0;
    ssize_t n = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    while (!path && fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
        for (ssize_t i = 0; i < n && !path; i++) {
            if (block[i] != '\n') {
                line[length] = block[i];
                /* A line that is too long loses its end. */
                length += length < sizeof line - 2;
                continue;
            }

            line[length] = 0;
            length = 0;
            path = path_of(line, address);
        }
    return path;
}

static void (*torn_now)(char *path);

static void handle_bus(int number, siginfo_t *info, void *context)
{
    (void)context;
    /* A SIGBUS with another cause ends the program as usual. */
    if (info->si_code != BUS_ADRERR) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    torn_now(mapped_file((uintptr_t)info->si_addr));
}

void dd_system_catch_torn(void (*torn)(char *path))
{
    struct sigaction a = { .sa_sigaction = handle_bus, .sa_flags = SA_SIGINFO };
    sigemptyset(&a.sa_mask);
    torn_now = torn;
    sigaction(SIGBUS, &a, NULL);
}
