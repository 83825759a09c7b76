/* The program.  main finds the command in the table of commands.c, reads its options, runs it, and checks
   that its standard output was written. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cpu.h"
#include "base/error.h"
#include "base/system.h"
#include "config.h"
#include "cli/command_model.h"
#include "commands.h"
#include "cli/options.h"
#include "cli/torn_file.h"

static void print_overview(void)
{
    puts("ddpm: runs the U-Nets of \"Denoising Diffusion Probabilistic Models\" on ordinary CPUs\n\nUsage: "
         "ddpm COMMAND [options] [arguments]\n");
    for (int i = 0; i < commands_count; i++)
        printf("  %-10s %s\n", commands[i].command->name, commands[i].does);
    putchar('\n');
    help_words("ddpm sample makes a picture right away; ddpm COMMAND --help tells more; "
               "ddpm --version shows build and CPU.");
}

/* Prints what a newcomer needs. */
static void print_welcome(void)
{
    char text[400];
    help_words("ddpm makes images with diffusion models (DDPM U-Nets) on ordinary CPUs; "
               "a small model is built in.");
    puts("\n  ddpm sample --show                      16 images: in sample.png, and here\n"
         "  ddpm sample -n 1 --steps 250 --seed 7 -o one.png\n"
         "  ddpm verify sample.png                  the same again, pixel for pixel\n"
         "  ddpm convert CHECKPOINT -o my.ddpm      from diffusers, OpenAI, Ho, lucidrains\n"
         "  ddpm sample -m my.ddpm --steps 100\n"
         "  ddpm train IMAGES -o my.ddpm --time 1h  a model of your own\n");

    size_t n = (size_t)snprintf(text, sizeof text, "Commands:");
    for (int i = 0; i < commands_count && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s", commands[i].command->name);
    if (n < sizeof text)
        snprintf(text + n, sizeof text - n,
                 "; ddpm COMMAND --help tells more, ddpm --help what each is for.");
    help_words(text);
}

static void print_version(void)
{
    static const char *const parts[] = { BUILT_WITH NULL };
    ddpm_model *m = NULL;
    ddpm_net *net = NULL;
    struct common c = { 0 };

    printf("ddpm %s\nbuilt with:", DDPM_VERSION);
    for (int i = 0; parts[i]; i++)
        printf(" %s", parts[i]);
    printf("\nCPU: %s, %d threads\n", dd_cpu_name(dd_cpu_detect()), dd_cpu_threads(""));

    /* The engine class belongs to a network, so one is made for the embedded model. */
    if (!model_open(&m, NULL, NULL) && !model_net(&net, m, &c, 1, NULL))
        printf("engine class: %s\n", ddpm_net_describe(net)->engine_class);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

/* Returns the command of this name; NULL: there is none, and the user was told. */
static const struct command *find_command(const char *name)
{
    const char *names[COMMANDS_MAX + 1] = { NULL };
    for (int i = 0; i < commands_count; i++) {
        names[i] = commands[i].command->name;
        if (!strcmp(name, names[i]))
            return commands[i].command;
    }

    const char *near = nearest_name(name, names);
    ddpm_error said;
    dd_error(&said, DDPM_EUSAGE, "unknown command %.60s", name);
    fprintf(stderr, "ddpm: %s; %s%s%schoose from", said.text, near ? "did you mean " : "", near ? near : "",
            near ? "? " : "");
    for (int i = 0; i < commands_count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", names[i]);
    fputc('\n', stderr);
    return NULL;
}

/* Prints the help of a command.  name NULL: prints the overview of all commands. */
static int help(const char *name)
{
    if (!name) {
        print_overview();
        return 0;
    }
    const struct command *c = find_command(name);
    if (!c)
        return exit_code(DDPM_EUSAGE);
    options_help(c);
    return 0;
}

/* Reads the options of a command and runs it.  Returns the exit code. */
static int run_command(const struct command *c, int argc, char **argv)
{
    int arguments, status;
    ddpm_error err;
    void *settings = malloc(c->size);
    if (!settings) {
        fprintf(stderr, "ddpm %s: out of memory\n", c->name);
        return exit_code(DDPM_ENOMEM);
    }

    memcpy(settings, c->defaults, c->size);
    if (options_parse(c, settings, argc, argv, &arguments, &err))
        status = complain(c, &err);
    else if (((struct common *)settings)->help)
        status = help(c->name);
    else {
        if (((struct common *)settings)->background)
            dd_system_background();
        status = c->run(settings, argv, arguments);
    }
    free(settings);
    return status;
}

int main(int argc, char **argv)
{
    const struct command *c = NULL;
    int status = 0;
    if (!dd_system_begin(&argc, &argv))
        return exit_code(DDPM_EIO);

    const char *first = argc > 1 ? argv[1] : "";
    torn_file_catch();
    if (argc < 2)
        print_welcome();
    else if (!strcmp(first, "--help") || !strcmp(first, "-h") || !strcmp(first, "help"))
        status = help(argv[2]);
    else if (!strcmp(first, "--version"))
        print_version();
    else
        status = (c = find_command(first)) ? run_command(c, argc - 2, argv + 2) : exit_code(DDPM_EUSAGE);

    /* A full disk is noticed only when the buffer is written. */
    if ((fflush(stdout) || ferror(stdout)) && status == 0) {
        fprintf(stderr, "ddpm: cannot write to standard output: %s\n", strerror(errno));
        status = exit_code(DDPM_EIO);
    }
    return status;
}
