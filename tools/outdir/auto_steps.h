/* --steps auto: the most steps for which there is time. */
#ifndef DDPM_AUTO_STEPS_H
#define DDPM_AUTO_STEPS_H
#include "sample/time_budget.h"
#include "sample/generator.h"

/* The images to be made, and the parts of their generator. */
struct auto_steps {
    const struct recipe *recipe;          /* its steps are not read */
    const ddpm_model *model, *classifier; /* classifier NULL: there is none */
    const struct command *command;
    const struct common *common;
    const struct time_budget *time_budget;
    const char *folder; /* the folder for the images, or NULL */
    bool force;         /* begin the folder anew: its steps do not count */
    int n, batch;       /* images to be made, and at a time */
};

/* Chooses the steps, *steps allocated: those that the folder was begun with, or else the largest number K <=
   T with

     images * K * seconds of a step and image + saving <= 9/10 of the time left

   Says on stderr which number it chose.  DDPM_EUSAGE: there is not even time for one step. */
int auto_steps(char **steps, const struct auto_steps *a, ddpm_error *err);
#endif
