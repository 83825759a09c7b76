/* --steps auto: the most steps for which there is time. */
#ifndef DDPM_AUTO_STEPS_H
#define DDPM_AUTO_STEPS_H
#include "sample/time_budget.h"
#include "sample/generator.h"

/* The images that there is time for, and what makes them. */
struct auto_steps {
    const struct recipe *recipe; /* without its number of steps */
    const ddpm_model *model;
    const struct command *command;
    const struct common *common;
    const struct time_budget *time_budget;
    const char *folder; /* where the images go, or NULL */
    bool force;         /* what is there does not count */
    int n, batch;
};

/* Chooses the steps, *steps allocated: those that the folder was begun with, or else the largest number K <=
   T with

     images * K * seconds of a step and image + saving <= 9/10 of the time left

   It says on stderr which.  DDPM_EUSAGE: there is not even time for one step. */
int auto_steps(char **steps, const struct auto_steps *a, ddpm_error *err);
#endif
