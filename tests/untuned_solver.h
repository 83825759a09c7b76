/* A tuned solver with a chain's own steps and no corrections, for tests that go through all
   samplers. */
#ifndef UNTUNED_SOLVER_H
#define UNTUNED_SOLVER_H
#include <string.h>
#include "ddpm.h"

enum { UNTUNED_MOST = 64 };

/* Fills table and returns a solver that refers to it, so the table must live as long as the solver. */
static inline ddpm_tuned untuned_solver(double table[DDPM_TUNED_ROWS * UNTUNED_MOST], const ddpm_chain *chain)
{
    const ddpm_tables *t = ddpm_chain_tables(chain);
    memset(table, 0, DDPM_TUNED_ROWS * (size_t)t->K * sizeof *table);
    memcpy(table + DDPM_TUNED_T * t->K, t->t, (size_t)t->K * sizeof *table);
    memcpy(table + DDPM_TUNED_FED * t->K, t->t, (size_t)t->K * sizeof *table);
    return (ddpm_tuned){ .K = t->K, .table = table, .teacher = "" };
}
#endif
