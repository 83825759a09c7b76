/* The table of commands, a line for each.  The options of a command are a table at the end of its own
   file. */
#include "commands.h"

const struct command_entry commands[] = {
    { &command_sample, "make images" },
    { &command_merge, "make one manifest of those of many machines" },
    { &command_sheet, "make a contact sheet of pictures" },
    { &command_convert, "turn a foreign checkpoint into a model file" },
    { &command_export, "turn a model file into a folder for diffusers, or make it smaller" },
    { &command_info, "show a model, how a picture was made, or this CPU and build" },
    { &command_forward, "run the network once on given tensors" },
    { &command_schedule, "print the steps that a sampler takes" },
    { &command_eval, "measure bits per dimension of a data set" },
    { &command_distance, "measure how far two sets of images are apart" },
    { &command_train, "train a model on images" },
    { &command_tune, "learn a solver of few steps for a model" },
    { &command_bench, "measure time and quality against the number of steps" },
    { &command_verify, "make a picture again from its own text and compare" },
};
const int commands_count = sizeof commands / sizeof *commands;
_Static_assert(sizeof commands / sizeof *commands <= COMMANDS_MAX, "COMMANDS_MAX is too small");
