/* What the files of Windows share: paths in UTF-16, and errors as numbers of errno. */
#ifndef DD_SYSTEM_WINDOWS_H
#define DD_SYSTEM_WINDOWS_H
#include <stdbool.h>
#include <wchar.h>
#include <windows.h>

/* Sets errno for the present GetLastError.  Returns false. */
bool dd_system_failed(void);

/* Returns UTF-8 text as UTF-16, and the other way, allocated; NULL: errno says why. */
wchar_t *dd_system_wide(const char *text);
char *dd_system_narrow(const wchar_t *text);

/* Returns a path as the system takes it at any length, "\\?\C:\FOLDER\NAME", allocated.  NULL: errno says
   why; ENXIO: the name is that of a device, EINVAL: no file can have it. */
wchar_t *dd_system_path(const char *path);
/* Returns whether the name at the end of a path is that of a device, such as con or con.png. */
bool dd_system_is_device(const char *path);

/* Opens what is at a path with rights and flags of CreateFile, shared with everybody; no child inherits
   it. */
HANDLE dd_system_handle(const char *path, DWORD rights, DWORD how, DWORD flags);
#endif
