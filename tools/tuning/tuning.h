/* What `ddpm tune` does: makes a teacher's images, and learns a solver of few steps that comes near them. */
#ifndef DDPM_TUNING_H
#define DDPM_TUNING_H
#include <stdbool.h>
#include "cli/options.h"
#include "cli/progress.h"

enum { TUNING_SOLVERS_MOST = 16 };

/* A run, and how far it is.  Images 0.. teach, the next choose the best solver, the last measure it: a figure
   of an image that was learned from, or chosen by, would be too good. */
struct tuning {
    const struct command *command;
    const struct common *common;
    const ddpm_model *model;
    const ddpm_about *about;
    ddpm_net *net;
    size_t d;
    int batch; /* images that go through the network together */
    int teach, choose, measure;
    uint64_t seed;                     /* of the noises */
    int64_t iterations;                /* steps of tuning for each solver */
    double until;                      /* when the run is to end, by progress_now; 0: never */
    int K[TUNING_SOLVERS_MOST], count; /* the solvers that are asked for */

    float *image; /* [teach + choose + measure, d] of the teacher */
    int taught;   /* how many of them are made */

    /* The solver under way: the one at place `at` of K. */
    int at;
    ddpm_tuner *tuner;
    const char *spacing;  /* whose times it began with */
    double untuned, best; /* mean distances on the images that choose: at the beginning, and least so far */
    double *table;        /* [DDPM_TUNED_ROWS, K] of the least */
    ddpm_tuned done[TUNING_SOLVERS_MOST]; /* the finished ones, `at` of them; tables owned */
};

/* Opens a run whose fields up to `count` are set.  DDPM_EUSAGE: the model cannot take so many steps. */
int tuning_open(struct tuning *t, ddpm_error *err);
void tuning_close(struct tuning *t);
/* Makes the teacher's images that are still missing.  Returns early when interrupted. */
int tuning_teach(struct tuning *t, ddpm_error *err);
/* Begins the solver at t->at from the best untuned one. */
int tuning_begin(struct tuning *t, ddpm_error *err);
/* Makes the tuner of the solver at t->at, and the table of the untuned solver that it begins with, from
   t->spacing. */
int tuning_make_tuner(struct tuning *t, ddpm_error *err);
/* Called every EVERY steps of tuning, so that the state can be kept. */
typedef int tuning_save_fn(void *user, ddpm_error *err);
/* Learns the solver at t->at to its end, and moves on.  Returns early when interrupted. */
int tuning_solve(struct tuning *t, tuning_save_fn *save, void *user, ddpm_error *err);
/* The teacher, as it is named in the model: lives as long as the program. */
extern const char tuning_teacher[];
#endif
