/* What interrupts a program of Windows: events of its console, and pages of mapped files that cannot be
   read. */
#include <string.h>
#include "base/system.h"
#include "base/system_windows.h"
#include <psapi.h>

void dd_system_say(const char *text)
{
    DWORD written;
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), text, (DWORD)strlen(text), &written, NULL);
}

/* ---- stops ---- */

static void (*stop_now)(bool hangup);

/* The system calls this on a thread of its own.  After the events that close the console or end the session
   it kills the process when this function returns, or after some seconds; so the function waits, and the
   program uses these seconds to save its work. */
static BOOL WINAPI note(DWORD event)
{
    bool closes = event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT;
    stop_now(closes);
    if (closes)
        Sleep(INFINITE);
    return TRUE;
}

void dd_system_catch_stop(void (*stop)(bool hangup))
{
    stop_now = stop;
    SetConsoleCtrlHandler(note, TRUE);
}

/* ---- files that cannot be read while they are mapped ---- */

static void (*torn_now)(char *path);

/* Returns the name of the file that is mapped at the address, "\Device\VOLUME\FOLDER\NAME", or NULL. */
static char *mapped_file(void *address)
{
    static wchar_t wide[2048];
    static char name[4 * 2048];
    if (!K32GetMappedFileNameW(GetCurrentProcess(), address, wide, 2048))
        return NULL;
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, name, sizeof name, NULL, NULL) ? name : NULL;
}

/* The system cuts no file off that is mapped, but a drive may go away. */
static LONG WINAPI handle_fault(EXCEPTION_POINTERS *fault)
{
    const EXCEPTION_RECORD *e = fault->ExceptionRecord;
    if (e->ExceptionCode == EXCEPTION_IN_PAGE_ERROR && e->NumberParameters >= 2)
        torn_now(mapped_file((void *)e->ExceptionInformation[1]));
    return EXCEPTION_CONTINUE_SEARCH;
}

void dd_system_catch_torn(void (*torn)(char *path))
{
    torn_now = torn;
    SetUnhandledExceptionFilter(handle_fault);
}
