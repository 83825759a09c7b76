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

bool host_faults(void (*run)(const void *user), const void *user)
{
    (void)run;
    (void)user;
    return false;
}

double host_cpu_time(void)
{
    FILETIME created, ended, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &created, &ended, &kernel, &user);
    ULARGE_INTEGER k = { .u = { kernel.dwLowDateTime, kernel.dwHighDateTime } },
                   u = { .u = { user.dwLowDateTime, user.dwHighDateTime } };
    return 1e-7 * (double)(k.QuadPart + u.QuadPart);
}

bool host_truncate(const char *path, size_t size)
{
    HANDLE h = CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                           OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return false;
    LARGE_INTEGER to = { .QuadPart = (LONGLONG)size };
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
