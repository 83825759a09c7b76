/* Runs `ddpm convert` inside the test program. */
#include "converted.h"
#include "check.h"
#include "tools/cli/options.h"

int converted(const char *path, const char *const flags[CONVERTED_FLAGS], const char *out)
{
    const char *words[CONVERTED_FLAGS + 4] = { path, "-o", out, "-q" };
    char *argv[CONVERTED_FLAGS + 4];
    int argc = 4, arguments, status;
    ddpm_error err;

    for (int i = 0; flags[i]; i++)
        words[argc++] = flags[i];
    for (int i = 0; i < argc; i++)
        argv[i] = strdup(words[i]);

    void *settings = malloc(command_convert.size);
    memcpy(settings, command_convert.defaults, command_convert.size);
    status = options_parse(&command_convert, settings, argc, argv, &arguments, &err);

    if (!status)
        status = command_convert.run(settings, argv, arguments);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    free(settings);
    return status;
}
