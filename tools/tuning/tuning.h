/* The work of `ddpm tune`: makes a teacher's images, and learns solvers of few steps that come near them. */
#ifndef DDPM_TUNING_H
#define DDPM_TUNING_H
#include <stdbool.h>
#include "cli/image_size.h"
#include "cli/progress.h"

enum { TUNING_SOLVERS_MOST = 16 };

/* A run and its progress.  The first `teach` images are learned from, the next `choose` images choose the
   best solver, and the last `measure` images measure it: a distance on images that were learned from, or
   chosen by, would be too small. */
struct tuning {
    const struct command *command;
    const struct common *common;
    const ddpm_model *model;
    const ddpm_about *about;
    struct image_size size; /* of the images, or 0 where it is the model's own */
    ddpm_net *net;
    size_t d;                          /* values of an image */
    int batch;                         /* images that go through the network together */
    int teach, choose, measure;        /* numbers of images */
    uint64_t seed;                     /* seed of the noise */
    int64_t iterations;                /* steps of tuning for each solver */
    double until;                      /* progress_now() at which the run is to end; 0: no limit */
    int K[TUNING_SOLVERS_MOST], count; /* [count] the steps of the solvers that are asked for */

    const char *teacher_solver; /* the sampler that makes the teacher's images, with order 3 */
    char teacher[40];           /* the teacher's solver, as the model file names it */
    double *batch_x; /* [2, images of a step of tuning, d]: noises, and the teacher's images of them */
    float *image;    /* [teach + choose + measure, d], the teacher's images */
    int taught;      /* how many of them have been made */

    /* The solver under way: the one at place `at` of K. */
    int at;
    ddpm_tuner *tuner;
    const char *spacing;                  /* the spacing of the steps with which it began */
    double untuned;                       /* mean distance at the beginning, on the images for choosing */
    double best;                          /* least mean distance so far, on the same images */
    double *table;                        /* [DDPM_TUNED_ROWS, K], the solver with the least distance */
    ddpm_tuned done[TUNING_SOLVERS_MOST]; /* [at] the finished solvers; their tables are owned */
};

/* Opens a run; the caller has set the fields up to `count`.  DDPM_EUSAGE: a solver has more steps than the
   model. */
int tuning_open(struct tuning *t, ddpm_error *err);
void tuning_close(struct tuning *t);
/* Sets t->teacher_solver: "dpmpp" or, where the network's x0 at the last step is of no use, "ipndm".  It does
   not depend on batch and threads. */
int tuning_choose_teacher(struct tuning *t, ddpm_error *err);
/* Makes the teacher's images that are still missing.  Returns early when interrupted. */
int tuning_teach(struct tuning *t, ddpm_error *err);
/* Begins the solver at t->at from the best untuned one. */
int tuning_begin(struct tuning *t, ddpm_error *err);
/* Makes the tuner for the solver at t->at and, from t->spacing, the table of the untuned solver with which it
   begins. */
int tuning_make_tuner(struct tuning *t, ddpm_error *err);
/* Keeps the state; called after every 25 steps of tuning and at the end. */
typedef int tuning_save_fn(void *user, ddpm_error *err);
/* Learns the solver at t->at to its end, and moves on to the next one.  Returns early when interrupted. */
int tuning_solve(struct tuning *t, tuning_save_fn *save, void *user, ddpm_error *err);
#endif
