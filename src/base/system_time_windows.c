/* Reads the clocks of Windows as a number of seconds. */
#include "base/system.h"
#include "base/system_windows.h"

typedef VOID WINAPI interrupt_time(PULONGLONG time);

/* Windows 10 has a precise clock that stands still while the machine sleeps.  On a system without it, the
   clock of measurements takes its place, which goes on in sleep on most machines. */
static double running(void)
{
    static interrupt_time *_Atomic precise;
    static _Atomic bool looked;
    LARGE_INTEGER count, frequency;
    ULONGLONG time;

    if (!looked) {
        HMODULE library = GetModuleHandleW(L"kernelbase.dll");
        FARPROC found = library ? GetProcAddress(library, "QueryUnbiasedInterruptTimePrecise") : NULL;
        precise = (interrupt_time *)(void (*)(void))found;
        looked = true;
    }
    if (precise) {
        precise(&time);
        return 1e-7 * (double)time;
    }
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}

/* The system counts units of 100 ns from 1601. */
static double of_day(void)
{
    FILETIME t;
    GetSystemTimePreciseAsFileTime(&t);
    uint64_t units = (uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime;
    return 1e-7 * (double)(units - 116444736000000000);
}

double dd_system_time(enum dd_time clock)
{
    switch (clock) {
    case DD_TIME_ELAPSED: return 1e-3 * (double)GetTickCount64();
    case DD_TIME_OF_DAY: return of_day();
    default: return running();
    }
}

void dd_system_pause(double seconds)
{
    Sleep((DWORD)(1e3 * seconds));
}
