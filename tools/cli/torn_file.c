/* Ends the program with a message when a mapped file is cut off while it is read.

   The pages behind the new end are gone, and reading them raises SIGBUS.  The handler finds the name of the
   file in /proc/self/maps, whose lines are "BEGIN-END MODE OFFSET DEVICE INODE   PATH".  It calls only what
   POSIX allows in a handler. */
#include "cli/torn_file.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include "base/scan.h"
#include "cli/interrupt.h"
#include "cli/options.h"

/* Writes text to stderr.  A failed write is ignored: nothing could be done about it. */
static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;
}

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
static const char *path_of(const char *line, uintptr_t address)
{
    const char *at = line;
    uintptr_t begin = take_hex(&at);
    if (*at != '-')
        return NULL;
    at++;
    return address >= begin && address < take_hex(&at) ? strchr(line, '/') : NULL;
}

/* Writes the name of the file that is mapped at the address. */
static void say_file(uintptr_t address)
{
    static char line[PATH_MAX + 128];
    char block[1024];
    size_t length = 0;
    ssize_t n = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    const char *path = NULL;

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

    if (path)
        dd_scan_plain(line);
    say(path ? path : "a file");
}

/* Handles SIGBUS. */
static void torn(int number, siginfo_t *info, void *context)
{
    (void)context;
    /* A SIGBUS with another cause ends the program as usual. */
    if (info->si_code != BUS_ADRERR) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }

    say("ddpm: ");
    say_file((uintptr_t)info->si_addr);
    say(": was cut off while it was being read: start again when it is complete\n");
    interrupt_remove();
    _exit(exit_code(DDPM_EDATA));
}

void torn_file_catch(void)
{
    struct sigaction a = { .sa_sigaction = torn, .sa_flags = SA_SIGINFO };
    sigemptyset(&a.sa_mask);
    sigaction(SIGBUS, &a, NULL);
}
