/* What tests need from Windows. */
#include "tests/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

void host_environment(const char *name, const char *value)
{
    _putenv_s(name, value ? value : "");
}

void *host_fence(size_t bytes)
{
    SYSTEM_INFO info;
    DWORD before;
    GetSystemInfo(&info);
    char *p = VirtualAlloc(NULL, bytes + info.dwPageSize, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!p || !VirtualProtect(p + bytes, info.dwPageSize, PAGE_NOACCESS, &before))
        exit(1);
    return p;
}

int host_fork(int (*run)(void *user), void *user)
{
    (void)run;
    (void)user;
    return HOST_NO_FORK;
}

double host_cpu_time(void)
{
    FILETIME created, ended, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &created, &ended, &kernel, &user);
    ULARGE_INTEGER k = { .u = { kernel.dwLowDateTime, kernel.dwHighDateTime } },
                   u = { .u = { user.dwLowDateTime, user.dwHighDateTime } };
    return 1e-7 * (double)(k.QuadPart + u.QuadPart);
}

static HANDLE open_to_write(const char *path)
{
    return CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                       OPEN_EXISTING, 0, NULL);
}

/* FILETIME counts steps of 100 ns since 1601. */
bool host_set_written(const char *path, int64_t time)
{
    static const int64_t since_1601 = 11644473600;
    FILETIME at;
    HANDLE h = open_to_write(path);
    GetSystemTimePreciseAsFileTime(&at);
    if (time >= 0) {
        uint64_t steps = (uint64_t)(time / 100 + since_1601 * 10000000);
        at = (FILETIME){ (DWORD)steps, (DWORD)(steps >> 32) };
    }

    bool set = h != INVALID_HANDLE_VALUE && SetFileTime(h, NULL, NULL, &at);
    CloseHandle(h);
    return set;
}

bool host_truncate(const char *path, size_t size)
{
    HANDLE h = open_to_write(path);
    LARGE_INTEGER to = { .QuadPart = (LONGLONG)size };
    if (h == INVALID_HANDLE_VALUE)
        return false;
    bool cut = SetFilePointerEx(h, to, NULL, FILE_BEGIN) && SetEndOfFile(h);
    CloseHandle(h);
    return cut;
}

int host_processors(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return (int)info.dwNumberOfProcessors;
}
