/* Tells what a path leads to, before an output goes there. */
#ifndef DD_TARGET_H
#define DD_TARGET_H
#include <stdbool.h>
#include "base/error.h"

/* NEW:     nothing is there
   FILE:    a regular file, a link to one, or a link to nothing
   STREAM:  a device, a pipe, or a file that a process holds open (/proc/self/fd/1), by links too
   OTHER:   a folder, a socket, a disk
   INVALID: the system has no such names for files */
enum dd_target { DD_TARGET_NEW, DD_TARGET_FILE, DD_TARGET_STREAM, DD_TARGET_OTHER, DD_TARGET_INVALID };

enum dd_target dd_target_kind(const char *path);

/* Opens a DD_TARGET_STREAM, or standard output by the name "-", for writing.  *standard says whether it is
   standard output. */
int dd_target_open(int *fd, bool *standard, const char *path, ddpm_error *err);
#endif
