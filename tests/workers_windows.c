/* Starts this program again for each of the processes that run tests side by side. */
#include "tests/workers.h"
#include <process.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <windows.h>

/* The environment tells a worker its place and the name of the shared memory. */
#define PLACE "DDPM_CHECK_PLACE"
#define MEMORY "DDPM_CHECK_MEMORY"

enum { MOST_WORKERS = MAXIMUM_WAIT_OBJECTS };

void *workers_memory(size_t size)
{
    char own[64];
    const char *name = getenv(MEMORY);
    if (!name) {
        snprintf(own, sizeof own, "ddpm-check-%lu", GetCurrentProcessId());
        name = own;
        SetEnvironmentVariableA(MEMORY, own);
    }
    HANDLE h = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, (DWORD)size, name);
    return h ? MapViewOfFile(h, FILE_MAP_ALL_ACCESS, 0, 0, size) : NULL;
}

int workers_place(void)
{
    const char *place = getenv(PLACE);
    return place ? atoi(place) : -1;
}

/* The new process has the same command line, and with it the same list of tests. */
intptr_t workers_start(int place, void (*work)(void *user, int place), void *user)
{
    STARTUPINFOW start = { .cb = sizeof start };
    PROCESS_INFORMATION process;
    char text[16];
    (void)work;
    (void)user;

    fflush(stdout);
    snprintf(text, sizeof text, "%d", place);
    SetEnvironmentVariableA(PLACE, text);
    if (!CreateProcessW(NULL, GetCommandLineW(), NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return -1;
    CloseHandle(process.hThread);
    return (intptr_t)process.hProcess;
}

int workers_collect(FILE *file)
{
    int out = dup(STDOUT_FILENO);
    bool ok = dup2(fileno(file), STDOUT_FILENO) >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0;
    return ok ? out : -1;
}

int workers_wait(const intptr_t *process, int workers, int *status)
{
    HANDLE handle[MOST_WORKERS];
    int place[MOST_WORKERS], n = 0;
    DWORD code = 1;

    for (int w = 0; w < workers && n < MOST_WORKERS; w++)
        if (process[w] >= 0) {
            handle[n] = (HANDLE)process[w];
            place[n++] = w;
        }

    DWORD i = n ? WaitForMultipleObjects((DWORD)n, handle, FALSE, INFINITE) - WAIT_OBJECT_0 : MAXDWORD;
    if (i >= (DWORD)n)
        return -1;
    GetExitCodeProcess(handle[i], &code);
    CloseHandle(handle[i]);
    *status = (int)code;
    return place[i];
}
