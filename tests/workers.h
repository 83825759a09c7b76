/* The processes that run tests side by side. On POSIX systems they are forked; on Windows the program is
   started again, with the place of the worker and of the memory that all share in its environment. */
#ifndef WORKERS_H
#define WORKERS_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Returns memory of zeros that this process and its workers share, or NULL. In a worker on Windows it is
   the memory of the process that has started it. */
void *workers_memory(size_t size);
/* Returns the place of this process among the workers, or -1 if it starts them. A forked worker does not
   ask: it calls work at once. */
int workers_place(void);
/* Starts the worker of a place, which calls work(user, place), which does not return. Returns its process,
   or -1. */
intptr_t workers_start(int place, void (*work)(void *user, int place), void *user);
/* Makes standard output and error of this process go to a file. Returns a descriptor of what standard output
   was, or -1. */
int workers_collect(FILE *file);
/* Waits until one of these processes (-1: none) has ended. Returns its place and sets *status, which is 0
   if it has ended with exit(0); returns -1 when there is none to wait for. */
int workers_wait(const intptr_t *process, int workers, int *status);
#endif
