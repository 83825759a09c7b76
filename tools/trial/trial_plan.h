/* How many images and which numbers of steps a bench has time for.  The seconds of a step are
   trial.step. */
#ifndef DDPM_TRIAL_PLAN_H
#define DDPM_TRIAL_PLAN_H
#include "trial/trial.h"

/* Return the largest and the smallest number of steps among the trials. */
int trial_plan_most(const struct trials *t);
int trial_plan_fewest(const struct trials *t);
/* Returns the steps that are needed for each image of a set: in all trials and in the reference. */
double trial_plan_steps(const struct trials *t);
/* Estimates the seconds that are needed for each image of a set: for its steps in every trial,
   and for all that follows the trials. */
double trial_plan_seconds(const struct trials *t);
/* Removes trials that take more than twice the limit.  The reference keeps its number of steps,
   although a trial with so many steps may be too slow to be chosen. */
void trial_plan_leave_out_slow(struct trials *t);
/* Fits the number of images, then the numbers of steps, to the budget. */
void trial_plan_fit(struct trials *t);
/* Fits the number of images to the budget again, after rounds that took `spent` seconds and with
   `rounds` to come.  The sets keep the images that they have. */
void trial_plan_again(struct trials *t, double spent, int rounds);
#endif
