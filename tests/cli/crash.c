/* LD_PRELOAD=crash.so counts the program's operations on files, cuts them short or writes them down.

     CRASH_KILL=N       SIGKILL before the N-th operation
     CRASH_TICK=N       SIGTERM when the program asks for the time the N-th time; it asks at every node
     CRASH_HUP=N        SIGHUP likewise
     CRASH_TICKS=FILE   FILE gets how often it asked in all
     CRASH_CLOCK=S      a clock of its own, from 2026-01-01 05:59:00 UTC, S seconds later at each question
     CRASH_LOAD=N:F     from the N-th question on that clock goes F times as fast, as on a busy machine
     CRASH_JUMP=N:S     the clock on the wall is set forward by S at the N-th question
     CRASH_SUSPEND=N:S  the machine sleeps for S at the N-th question
     CRASH_TIME=FILE    FILE gets the seconds that went by, sleep included
     CRASH_MEMORY=FILE  FILE gets the most memory that it held, in MB

   CRASH_STATES=DIR with CRASH_FOLDER=F writes down, before every operation, what a loss of power could
   leave of the folder F, as DIR/NNN-names-data. `names` is all (as they are) or synced (as they were
   when the folder was last synchronised). `data` is all or synced (each file as long as it was at its
   last fsync). The program only ever appends to its files or cuts them, so a synchronised state is a
   length. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096 };

/* A file of the folder: its name and the inode that its data is kept under. */
struct name {
    char text[128];
    ino_t inode;
};

/* The size that each inode had at its last fsync. */
static struct synced {
    ino_t inode;
    off_t size;
} file[MOST];
/* The names in the folder when it was last synchronised. */
static struct name listed[MOST];
/* files and names count the entries of these tables, count the operations; busy is set while this library
   works with files itself, which is not counted. */
static int files, names, count, busy;

static off_t synced_size(ino_t inode)
{
    for (int i = 0; i < files; i++)
        if (file[i].inode == inode)
            return file[i].size;
    return 0;
}

static void note_size(ino_t inode, off_t size)
{
    int i = 0;
    while (i < files && file[i].inode != inode)
        i++;
    if (i < MOST)
        file[i] = (struct synced){ inode, size };
    files += i == files;
}

static int list(const char *folder, struct name *out)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_type == DT_REG && n < MOST) {
            snprintf(out[n].text, sizeof out[n].text, "%.120s", e->d_name);
            out[n++].inode = e->d_ino;
        }
    if (d)
        closedir(d);
    return n;
}

/* Keeps every file of the folder under a hard link named by its inode, by which a file that is removed
   or replaced later is still found. */
static void keep(const char *folder, const char *states)
{
    static struct name now[MOST];
    char from[512], to[512];
    int n = list(folder, now);
    for (int i = 0; i < n; i++) {
        snprintf(from, sizeof from, "%s/%s", folder, now[i].text);
        snprintf(to, sizeof to, "%s/inode-%llu", states, (unsigned long long)now[i].inode);
        link(from, to);
    }
}

/* Writes the file n of a state: all of its data, or as much as its last fsync covered. */
static void put(const char *states, const char *state, const struct name *n, int synced)
{
    char from[512], to[512], block[65536];
    snprintf(from, sizeof from, "%s/inode-%llu", states, (unsigned long long)n->inode);
    snprintf(to, sizeof to, "%s/%s", state, n->text);
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");

    off_t left = synced ? synced_size(n->inode) : (off_t)1 << 40;
    for (size_t got; in && out && left > 0 &&
                     (got = fread(block, 1, left < (off_t)sizeof block ? (size_t)left : sizeof block, in));
         left -= (off_t)got)
        fwrite(block, 1, got, out);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
}

/* Writes the four states: names all or synced (k / 2), data all or synced (k % 2). */
static void write_states(const char *folder, const char *states)
{
    static struct name now[MOST];
    static const char *const kind[] = { "all", "synced" };
    char state[512];
    keep(folder, states);
    int n = list(folder, now);
    for (int k = 0; k < 4; k++) {
        snprintf(state, sizeof state, "%s/%03d-%s-%s", states, count, kind[k / 2], kind[k % 2]);
        mkdir(state, 0777);
        for (int i = 0; i < (k / 2 ? names : n); i++)
            put(states, state, k / 2 ? &listed[i] : &now[i], k % 2);
    }
}

/* Returns whether a variable is set to n. */
static int at(const char *variable, int n)
{
    const char *text = getenv(variable);
    return text && atoi(text) == n;
}

/* Everything that is there before the first operation counts as synchronised. */
static void begin(const char *folder, const char *states)
{
    char path[512];
    struct stat st;
    keep(folder, states);
    names = list(folder, listed);
    for (int i = 0; i < names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, listed[i].text);
        if (stat(path, &st) == 0)
            note_size(st.st_ino, st.st_size);
    }
}

/* Counts an operation before it is made, writes the states and kills where it is asked for. */
static void operation(void)
{
    const char *folder = getenv("CRASH_FOLDER"), *states = getenv("CRASH_STATES");
    int number = errno;
    if (busy)
        return;
    busy = 1;
    count++;

    if (folder && states && count == 1)
        begin(folder, states);
    if (folder && states)
        write_states(folder, states);

    if (at("CRASH_KILL", count))
        kill(getpid(), SIGKILL);
    busy = 0;
    errno = number;
}

/* Notes what an fsync of a file or of the folder has covered. */
static void synchronised(int fd)
{
    const char *folder = getenv("CRASH_FOLDER"), *states = getenv("CRASH_STATES");
    struct stat st, own;
    if (!folder || !states || fstat(fd, &st))
        return;
    busy = 1;
    if (S_ISREG(st.st_mode))
        note_size(st.st_ino, st.st_size);
    else if (stat(folder, &own) == 0 && own.st_ino == st.st_ino) {
        keep(folder, states);
        names = list(folder, listed);
    }
    busy = 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd)
{
    operation();
    int r = REAL(fsync)(fd);
    synchronised(fd);
    return r;
}

int fdatasync(int fd)
{
    operation();
    int r = REAL(fdatasync)(fd);
    synchronised(fd);
    return r;
}

int rename(const char *a, const char *b)
{
    operation();
    return REAL(rename)(a, b);
}

int renameat2(int x, const char *a, int y, const char *b, unsigned flags)
{
    operation();
    return REAL(renameat2)(x, a, y, b, flags);
}

int unlink(const char *path)
{
    operation();
    return REAL(unlink)(path);
}

int unlinkat(int fd, const char *path, int flags)
{
    operation();
    return REAL(unlinkat)(fd, path, flags);
}

int ftruncate(int fd, off_t size)
{
    operation();
    int r = REAL(ftruncate)(fd, size);
    return r;
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fd > 2)
        operation();
    return REAL(write)(fd, data, size);
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (flags & O_CREAT)
        operation();
    return REAL(open)(path, flags, mode);
}

/* ticks counts the questions for the time. The seconds of the program's own clock are those that went by
   awake and asleep; jumped is how far the clock on the wall was set forward; load is how fast it goes. */
static int ticks;
static double awake, asleep, jumped, load = 1;

/* Returns S of the variable, which is N:S, at the N-th question; else 0. */
static double seconds_at(const char *variable)
{
    const char *text = getenv(variable), *colon = text ? strchr(text, ':') : NULL;
    return colon && atoi(text) == ticks ? atof(colon + 1) : 0;
}

/* Gives the time of a clock: CLOCK_MONOTONIC stands still in sleep, CLOCK_REALTIME begins at 05:59:00 UTC
   and can be set. */
static int own_time(clockid_t clock, struct timespec *t)
{
    double now = awake + (clock == CLOCK_MONOTONIC ? 0 : asleep) +
                 (clock == CLOCK_REALTIME ? 1767247140 + jumped : 1000);
    *t = (struct timespec){ (time_t)now, (long)(1e9 * (now - (double)(time_t)now)) };
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    const char *pace = getenv("CRASH_CLOCK");
    ticks++;
    load = at("CRASH_LOAD", ticks) ? seconds_at("CRASH_LOAD") : load;
    awake += pace ? load * atof(pace) : 0;
    asleep += seconds_at("CRASH_SUSPEND");
    jumped += seconds_at("CRASH_JUMP");

    if (at("CRASH_TICK", ticks))
        raise(SIGTERM);
    if (at("CRASH_HUP", ticks))
        raise(SIGHUP);
    return pace ? own_time(clock, t) : REAL(clock_gettime)(clock, t);
}

/* Writes a number to the file that a variable names, if it is set. */
static void write_number(const char *variable, double value)
{
    FILE *f = getenv(variable) ? fopen(getenv(variable), "w") : NULL;
    if (f)
        fprintf(f, "%.15g\n", value), fclose(f);
}

/* Writes the figures that were asked for when the program ends. */
__attribute__((destructor)) static void tell(void)
{
    write_number("CRASH_TICKS", ticks);
    write_number("CRASH_TIME", awake + asleep);

    char line[256];
    double kib = 0;
    FILE *f = getenv("CRASH_MEMORY") ? fopen("/proc/self/status", "r") : NULL;
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "VmHWM: %lf", &kib);
    if (f)
        fclose(f);
    write_number("CRASH_MEMORY", kib / 1024);
}
