/* The process and its surroundings by the calls of Windows. */
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "base/system_windows.h"
#include <shellapi.h>

/* ---- the beginning ---- */

/* Opens a stream that the caller has closed so that it can be neither read nor written. */
static bool hold(int fd)
{
    if (_get_osfhandle(fd) >= 0)
        return true;
    int nowhere = _open("NUL", fd ? _O_RDONLY : _O_WRONLY);
    bool held = nowhere == fd || (nowhere >= 0 && _dup2(nowhere, fd) == 0);
    if (nowhere >= 0 && nowhere != fd)
        _close(nowhere);
    return held;
}

/* Returns the words of the command line in UTF-8, allocated and ended by NULL; NULL: out of memory. */
static char **list_words(int *count)
{
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), count);
    char **word = wide ? calloc((size_t)*count + 1, sizeof *word) : NULL;
    bool whole = word;
    for (int i = 0; whole && i < *count; i++) {
        word[i] = dd_system_narrow(wide[i]);
        whole = word[i];
    }
    if (wide)
        LocalFree(wide);
    return whole ? word : NULL;
}

/* No word of the program but a path has backslashes.  A path with one of the system's prefixes stays as it
   is. */
static void use_slashes(char *word)
{
    if (!strncmp(word, "\\\\?\\", 4) || !strncmp(word, "\\\\.\\", 4))
        return;
    for (char *c = word; *c; c++)
        *c = *c == '\\' ? '/' : *c;
}

/* The code page of the console, which belongs to its other programs too. */
static UINT code_page;

static void restore_code_page(void)
{
    SetConsoleOutputCP(code_page);
}

/* Bytes are not translated, text is UTF-8 on a console too until the program ends, and a drive without a disk
   is an error, no question to the user. */
bool dd_system_begin(int *words, char ***word)
{
    for (int fd = 0; fd < 3; fd++) {
        if (!hold(fd))
            return false;
        _setmode(fd, _O_BINARY);
    }
    /* Without a buffer the C library writes byte by byte, and a console takes no parts of a character. */
    setvbuf(stderr, NULL, _IOFBF, 4096);
    code_page = GetConsoleOutputCP();
    if (code_page && code_page != CP_UTF8 && SetConsoleOutputCP(CP_UTF8))
        atexit(restore_code_page);
    SetErrorMode(SEM_FAILCRITICALERRORS);

    *word = list_words(words);
    for (int i = 0; *word && i < *words; i++)
        use_slashes((*word)[i]);
    return *word;
}

size_t dd_system_command_line(char *text, size_t size)
{
    int count = 0;
    size_t used = 0;
    char **word = list_words(&count);

    for (int i = 0; word && i < count; i++) {
        size_t n = strlen(word[i]) + 1;
        if (n <= size - used) {
            memcpy(text + used, word[i], n);
            used += n;
        }
        free(word[i]);
    }
    free(word);
    return used;
}

/* ---- priority ---- */

/* The priority of the disk cannot be lowered without a small limit of memory. */
void dd_system_background(void)
{
    SetPriorityClass(GetCurrentProcess(), IDLE_PRIORITY_CLASS);
}

/* ---- other programs ---- */

/* Writes the words as a command line; none of them holds a quote. */
static void join_words(char *line, size_t size, const char *const *word)
{
    size_t used = 0;
    *line = 0;
    for (; *word && used < size; word++)
        used += (size_t)snprintf(line + used, size - used, "%s\"%s\"", used ? " " : "", *word);
}

/* Returns a handle for a child: a copy that it inherits. */
static HANDLE for_child(HANDLE h)
{
    HANDLE copy = NULL, own = GetCurrentProcess();
    DuplicateHandle(own, h, own, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS);
    return copy;
}

/* Runs a command line; the three handles are its streams. */
static int run(wchar_t *line, const HANDLE stream[3])
{
    STARTUPINFOW start = {
        .cb = sizeof start,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = stream[0],
        .hStdOutput = stream[1],
        .hStdError = stream[2],
    };
    PROCESS_INFORMATION child;
    DWORD status = 126;

    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &start, &child))
        return GetLastError() == ERROR_FILE_NOT_FOUND ? 127 : 126;
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &status);
    CloseHandle(child.hProcess);
    CloseHandle(child.hThread);
    return (int)status;
}

int dd_system_run(const char *const *word, FILE *in, FILE *out)
{
    char text[1024];
    join_words(text, sizeof text, word);
    wchar_t *line = dd_system_wide(text);
    HANDLE nowhere = CreateFileW(L"NUL", GENERIC_WRITE, FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE stream[3] = { for_child((HANDLE)_get_osfhandle(_fileno(in))),
                         for_child((HANDLE)_get_osfhandle(_fileno(out))), for_child(nowhere) };

    int status = line && stream[0] && stream[1] && stream[2] ? run(line, stream) : 126;
    for (int i = 0; i < 3; i++)
        if (stream[i])
            CloseHandle(stream[i]);
    CloseHandle(nowhere);
    free(line);
    return status;
}

/* ---- the terminal ---- */

enum dd_system_terminal dd_system_terminal(FILE *f)
{
    HANDLE h = (HANDLE)_get_osfhandle(_fileno(f));
    const char *name = getenv("TERM");
    DWORD mode;
    if (!GetConsoleMode(h, &mode))
        return DD_SYSTEM_NO_TERMINAL;
    if (name && !strcmp(name, "dumb"))
        return DD_SYSTEM_TEXT;
    return SetConsoleMode(h, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) ? DD_SYSTEM_COLORS : DD_SYSTEM_TEXT;
}

int dd_system_columns(FILE *f)
{
    CONSOLE_SCREEN_BUFFER_INFO screen;
    bool known = GetConsoleScreenBufferInfo((HANDLE)_get_osfhandle(_fileno(f)), &screen);
    return known ? screen.srWindow.Right - screen.srWindow.Left + 1 : 0;
}
