/* What the program needs from the system that it runs on, in the program's own terms.  Each group of
   functions is implemented in one file for each system, system_GROUP_posix.c, system_GROUP_windows.c and so
   on, or in system_GROUP_unix.c for POSIX and WASI; configure chooses the files of one system.  No other
   file of src/ or tools/ includes a header of a system.

   Functions that can fail say so by their result, and leave the reason in errno. */
#ifndef DD_SYSTEM_H
#define DD_SYSTEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/system.h"

/* ---- files ----

   Paths are UTF-8.  A descriptor is a number that fdopen and fileno know; no child process inherits it, and
   its bytes are not translated. */

/* STREAM: a pipe or a device that takes and gives characters.  OTHER: a socket, a disk. */
enum dd_system_kind {
    DD_SYSTEM_NOTHING,
    DD_SYSTEM_FILE,
    DD_SYSTEM_FOLDER,
    DD_SYSTEM_LINK,
    DD_SYSTEM_STREAM,
    DD_SYSTEM_OTHER,
};

/* What is at a path.  Two files are the same if device and number are. */
struct dd_system_file {
    enum dd_system_kind kind;
    uint64_t device, number;
    uint64_t size;
    int64_t written; /* when it was last written to, in nanoseconds since 1970 */
};

/* Fills f with what a path leads to, by links too.  Returns false when there is nothing, or it is not
   known; the kind is then NOTHING. */
bool dd_system_examine(struct dd_system_file *f, const char *path);
/* The same for what is at the path itself: the kind is LINK if that is a link. */
bool dd_system_examine_link(struct dd_system_file *f, const char *path);
/* The same for an open file. */
bool dd_system_examine_open(struct dd_system_file *f, int descriptor);
/* Return whether a path leads to something, to a folder, to a regular file. */
bool dd_system_exists(const char *path);
bool dd_system_is_folder(const char *path);
bool dd_system_is_file(const char *path);
/* Returns whether both paths lead to the same file or folder. */
bool dd_system_same(const char *a, const char *b);

/* How a file is opened: for writing alone, at its end; and made if it is missing; NEW: it must be missing;
   NO_LINK: the path itself must not be a link.  With none of them it is opened for reading. */
enum {
    DD_SYSTEM_WRITE = 1,
    DD_SYSTEM_APPEND = 2,
    DD_SYSTEM_CREATE = 4,
    DD_SYSTEM_NEW = 8,
    DD_SYSTEM_NO_LINK = 16,
};

/* Opens a file without waiting: a pipe that nobody reads is not opened for writing.  Returns its descriptor,
   or -1; ENXIO: it is a socket, or a device that is not there. */
int dd_system_open(const char *path, unsigned how);
void dd_system_close(int descriptor);
/* Opens a file with a mode of fopen. */
FILE *dd_system_stream(const char *path, const char *mode);

/* Writes all of data; false: a part of it may be written. */
bool dd_system_write(int descriptor, const void *data, size_t size);
/* Cuts a file to its first `size` bytes. */
bool dd_system_cut(int descriptor, uint64_t size);
/* Return when all of a file, or what is needed to read its bytes again, is on the disk. */
bool dd_system_flush(int descriptor);
bool dd_system_flush_data(int descriptor);
/* Returns when the names in a folder are on the disk.  False (EIO): the disk reports an error.  A file system
   that cannot do it, and a folder that cannot be opened, are no errors. */
bool dd_system_flush_folder(const char *path);

/* Maps a file of size > 0 bytes for reading; NULL: it cannot be mapped. */
const void *dd_system_map(int descriptor, size_t size);
void dd_system_unmap(const void *data, size_t size);
/* Gives the memory of a part of a mapping back; reading there fetches it again. */
void dd_system_forget(const void *data, size_t size);

/* Renames a file, and replaces what is at `to`. */
bool dd_system_replace(const char *from, const char *to);
/* Renames a file; false (EEXIST): something is at `to`. */
bool dd_system_rename(const char *from, const char *to);
/* Remove a file; an empty folder. */
bool dd_system_remove(const char *path);
bool dd_system_remove_folder(const char *path);
/* Makes a folder; false (EEXIST): something is there. */
bool dd_system_make_folder(const char *path);
/* Calls each(user, name) for every name in a folder, in any order, until it returns false.  Returns false
   when the folder cannot be read. */
bool dd_system_walk(const char *path, bool (*each)(void *user, const char *name), void *user);
/* Returns the name at the end of a path, behind the last character that ends the name of a folder. */
const char *dd_system_name(const char *path);
/* Returns the path of an existing file or folder without links, allocated, or NULL. */
char *dd_system_real_path(const char *path);

/* Locks an open file until it is closed, alone or shared with others; false (EWOULDBLOCK): another process
   holds a lock of it.  Locks bind only those who ask for them. */
bool dd_system_lock(int descriptor, bool shared);
/* Opens what stands for a folder in dd_system_lock, and tells which folder it is; -1: see errno. */
int dd_system_open_folder(const char *path, struct dd_system_file *about);
/* Returns the process that holds the lock alone; 0: it is not known. */
long dd_system_lock_holder(int descriptor);

/* The room for more in the file system of a folder. */
struct dd_system_room {
    double bytes, files; /* files is infinite where their number has no limit */
};

/* Returns false when it is not known. */
bool dd_system_room(struct dd_system_room *r, const char *folder);
/* Return whether this process may read a file, and write into a folder; false: see errno. */
bool dd_system_may_read(const char *path);
bool dd_system_may_write_into(const char *folder);

/* Opens an empty file for reading and writing, which has no name and ends with the program. */
FILE *dd_system_scratch(void);

/* ---- time ---- */

/* RUNNING:  the time for which the machine has run.  It measures durations, and stands still while the
             machine sleeps.
   ELAPSED:  the same with the time that the machine slept, if the system counts it.
   OF_DAY:   seconds since 1970 (UTC); somebody may set this clock. */
enum dd_time { DD_TIME_RUNNING, DD_TIME_ELAPSED, DD_TIME_OF_DAY };

/* Returns the time of a clock in seconds. */
double dd_system_time(enum dd_time clock);

/* Sleeps for so many seconds, or until a signal comes. */
void dd_system_pause(double seconds);

/* ---- threads ---- */

/* A thread that runs work(user).  The caller fills in these two, and keeps the struct until the join. */
struct dd_system_thread {
    void (*work)(void *user);
    void *user;
    uintptr_t handle;
};

/* Starts a thread with a stack of `stack` bytes.  It computes under the default floating-point environment
   or under that of its caller.  It takes none of the signals that ask the program to stop.  Returns false
   when the system starts no more threads. */
bool dd_system_thread_start(struct dd_system_thread *t, size_t stack);
/* Returns when the thread has ended. */
void dd_system_thread_join(struct dd_system_thread *t);

/* Lets threads sleep until another thread has changed something.  The memory holds what the system needs for
   it. */
struct dd_system_sleepers {
    _Alignas(16) unsigned char memory[128];
};

void dd_system_sleepers_begin(struct dd_system_sleepers *s);
void dd_system_sleepers_end(struct dd_system_sleepers *s);
/* Sleeps while must_sleep(user) is true.  It is called at the beginning and after every wake-up, by one
   thread at a time. */
void dd_system_sleep(struct dd_system_sleepers *s, bool (*must_sleep)(const void *user), const void *user);
/* Lets all sleepers call must_sleep again. */
void dd_system_wake(struct dd_system_sleepers *s);

/* Returns the number of this process.  A fork changes it. */
long dd_system_process(void);

/* ---- memory ---- */

/* Returns a block of at least so many bytes, aligned to a power of two; NULL: there is no memory.  With an
   alignment of 2 MB it lies on huge pages if the system has them. */
void *dd_system_block(size_t align, size_t bytes);
void dd_system_block_free(void *block);

/* ---- the process ---- */

/* Prepares a program at the beginning of main.  Standard streams that the caller has closed are opened so
   that every read and write of them fails; otherwise the next file would get the number of such a stream,
   and results would go into that file.  The words of the command line become UTF-8.  Standard error may get
   a buffer: whoever writes to it flushes it.  Returns false when this is not possible. */
bool dd_system_begin(int *words, char ***word);

/* Calls stop whenever somebody asks the program to stop; hangup: the terminal or the session ends, which may
   come together with another reason.  A reason that the caller of the program ignores stays ignored.  stop
   may run in the middle of everything, and may call only dd_system_remove, dd_system_say and _Exit.  From
   then on a write to a closed pipe, or beyond a limit on the size of files, fails like other writes. */
void dd_system_catch_stop(void (*stop)(bool hangup));
/* Calls torn when a page of a mapped file cannot be read: another program has cut the file off.  path is NULL
   if it is not known.  torn ends the program; it may call the same functions as stop. */
void dd_system_catch_torn(void (*torn)(char *path));
/* Writes text to standard error, without buffers.  A failed write is ignored. */
void dd_system_say(const char *text);

/* Gives this process, and the threads that it starts from now on, the lowest priority for the processor and
   the disk.  A refusal is ignored, because it does no harm. */
void dd_system_background(void);

/* Runs a program that is found by its name, with these words, which end with NULL, and with the files as
   standard input and output.  Its messages are dropped.  Returns its exit code; 127: it is not installed,
   126: it could not be started. */
int dd_system_run(const char *const *word, FILE *in, FILE *out);

/* Fills text [size] with the words of the command line, each ended by a zero byte, and returns their length
   together; 0: it is not known. */
size_t dd_system_command_line(char *text, size_t size);

/* What a stream shows: TEXT: a terminal without control sequences; PALETTE, COLORS: a terminal that obeys ISO
   6429, with 256 colours or with 24 bits of colour. */
enum dd_system_terminal {
    DD_SYSTEM_NO_TERMINAL,
    DD_SYSTEM_TEXT,
    DD_SYSTEM_PALETTE,
    DD_SYSTEM_COLORS,
};
enum dd_system_terminal dd_system_terminal(FILE *f);
/* Returns the width of a terminal in characters; 0: it is not known. */
int dd_system_columns(FILE *f);

/* ---- the machine ----

   root is "", or in tests a folder that stands for the root of a system that tells about itself in files. */

/* Returns how many threads it is sensible to start: the physical cores among the processors on which this
   process may run, or fewer if it gets only a part of their time. */
int dd_system_cores(const char *root);
/* Returns how many bytes of memory this process may take, and names the limit; 0: there is none. */
double dd_system_memory_limit(const char **name, const char *root);

enum dd_system_power { DD_SYSTEM_POWER_UNKNOWN, DD_SYSTEM_MAINS, DD_SYSTEM_BATTERY };

/* On this the time of work depends. */
struct dd_system_state {
    enum dd_system_power power;
    double mhz;     /* mean clock of the processors; NAN: unknown */
    double celsius; /* temperature of the hottest zone; NAN: unknown */
    double
        throttled; /* how often processors were slowed down for heat since the start of the machine, or 0 */
};

void dd_system_state(struct dd_system_state *s, const char *root);
/* Writes the name of the processor, "unknown" if the system does not tell it. */
void dd_system_processor(char *name, size_t size, const char *root);

/* Begins to watch the memory of this process. */
void dd_system_memory_begin(void);
/* Returns the largest number of bytes that the process has held since then, or since its start where the
   peak cannot be reset. */
double dd_system_memory_peak(void);

/* ---- the thread's locale ---- */

/* Lets numbers be written and read as in C by the calling thread.  Returns what `leave` needs; NULL: the
   locale stays as it is. */
void *dd_system_locale_enter(void);
void dd_system_locale_leave(void *before);
#endif
