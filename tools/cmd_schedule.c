/* ddpm schedule: prints the chain that a sampler walks, a line for each step i = 0..K-1.  C(i) is the step of
   the full chain:

     alpha_bar_i  = alpha_bar of the full chain at C(i)
     alpha_i      = alpha_bar_i / alpha_bar_(i-1)
     beta_i       = 1 - alpha_i
     beta_tilde_i = (1 - alpha_bar_(i-1)) / (1 - alpha_bar_i) beta_i
     posterior mean = mean_x0 x0 + mean_xt x_t          (Ho et al. 2020, eq. 7)
     log_snr_i    = ln(alpha_bar_i / (1 - alpha_bar_i)) */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/options.h"

struct settings {
    struct common common;
    const char *model, *betas, *steps, *spacing;
    int64_t timesteps;
    bool csv;
};
static const struct settings defaults = { .steps = "all" };

static const char *const columns[] = { "i",          "c",       "beta",    "alpha",  "alpha_bar",
                                       "beta_tilde", "mean_x0", "mean_xt", "log_snr" };

enum { COLUMNS = sizeof columns / sizeof *columns };

/* The formats of the cells and heads of the table for people.  A row has 80 characters unless a value is
   below 1e-99. */
static const char *const cells[COLUMNS] = { "%5.0f",   " %5.0f", " %9.4g", " %9.4g", " %9.4g",
                                            " %10.4g", " %9.4g", " %9.4g", " %7.3f" };
static const char *const heads[COLUMNS] = { "%5s",   " %5s", " %9s", " %9s", " %9s",
                                            " %10s", " %9s", " %9s", " %7s" };

/* Returns alpha_i, as 1 - beta or as the quotient, whichever keeps more digits: 1 - beta cancels when beta
   is near 1. */
static double alpha_of(const ddpm_tables *t, int i)
{
    double before = i > 0 ? t->alpha_bar[i - 1] : 1;
    return t->beta[i] < 0.5 ? 1 - t->beta[i] : t->alpha_bar[i] / before;
}

/* Fills value with the columns of step i. */
static void fill_row(double value[COLUMNS], const ddpm_tables *t, int i)
{
    const double row[COLUMNS] = { i,
                                  t->t[i],
                                  t->beta[i],
                                  alpha_of(t, i),
                                  t->alpha_bar[i],
                                  t->beta_tilde[i],
                                  t->mean_x0[i],
                                  t->mean_xt[i],
                                  t->log_snr[i] };
    memcpy(value, row, sizeof row);
}

static void print_heads(bool csv)
{
    for (int k = 0; k < COLUMNS; k++)
        if (csv)
            printf("%s%s", k ? "," : "", columns[k]);
        else
            printf(heads[k], columns[k]);
    putchar('\n');
}

static void print_cells(const double value[COLUMNS], bool csv)
{
    for (int k = 0; k < COLUMNS; k++)
        if (csv)
            printf("%s%.17g", k ? "," : "", value[k]);
        else
            printf(cells[k], value[k]);
    putchar('\n');
}

/* Prints the row as JSON, with all digits.  JSON has no infinity, so log_snr is null at steps without
   signal. */
static void print_json(const double value[COLUMNS])
{
    for (int k = 0; k < COLUMNS; k++)
        if (isfinite(value[k]))
            printf("%s\"%s\":%.17g", k ? "," : "{", columns[k], value[k]);
        else
            printf("%s\"%s\":null", k ? "," : "{", columns[k]);
    puts("}");
}

/* Makes the chain of a named schedule of betas. */
static int chain_of_betas(ddpm_chain **chain, const struct settings *s, ddpm_error *err)
{
    int T = s->timesteps ? (int)s->timesteps : 1000;
    double *beta = malloc((size_t)T * sizeof *beta), *alpha_bar = malloc((size_t)T * sizeof *alpha_bar);
    int code = beta && alpha_bar ? DDPM_OK : dd_error_memory(err, "the steps");

    if (!code)
        code = ddpm_betas(beta, alpha_bar, T, s->betas ? s->betas : "linear", err);
    if (!code) {
        ddpm_about a = { .steps = T, .beta = beta, .alpha_bar = alpha_bar };
        code = ddpm_chain_respace(chain, &a, s->steps, s->spacing, err);
    }

    free(beta);
    free(alpha_bar);
    return code;
}

/* Makes the chain of a model's own schedule. */
static int chain_of_model(ddpm_chain **chain, const struct settings *s, ddpm_error *err)
{
    ddpm_model *m = NULL;
    int code = model_open(&m, s->model, err);
    if (!code)
        code = ddpm_chain_respace(chain, ddpm_model_about(m), s->steps, s->spacing, err);
    ddpm_model_close(m);
    return code;
}

static int run(void *settings, char **argument, int arguments)
{
    const struct settings *s = settings;
    ddpm_error err;
    ddpm_chain *chain = NULL;
    (void)argument;
    (void)arguments;

    if (s->model && (s->betas || s->timesteps)) {
        dd_error(&err, DDPM_EUSAGE,
                 "-m takes the schedule from the model: leave out --betas and --timesteps");
        return complain(&command_schedule, &err);
    }
    if ((s->betas || s->timesteps ? chain_of_betas : chain_of_model)(&chain, s, &err))
        return complain(&command_schedule, &err);

    const ddpm_tables *t = ddpm_chain_tables(chain);
    if (t->warning)
        remark(&command_schedule, &s->common, "%s", t->warning);

    if (!s->common.json)
        print_heads(s->csv);
    for (int i = 0; i < t->K; i++) {
        double value[COLUMNS];
        fill_row(value, t, i);
        if (s->common.json)
            print_json(value);
        else
            print_cells(value, s->csv);
    }
    ddpm_chain_free(chain);
    return 0;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "model", 'm', OPTION_TEXT, "MODEL", "the model's own schedule (default: the embedded model's)", NULL,
      FIELD(model), 0, 0 },
    { "betas", 0, OPTION_TEXT, "SPEC", "a named schedule instead: linear, linear:1e-4,0.02, cosine, ...",
      NULL, FIELD(betas), 0, 0 },
    { "timesteps", 0, OPTION_INT, "T", "its number of steps (default: 1000)", NULL, FIELD(timesteps), 1,
      65535 },
    { "steps", 0, OPTION_TEXT, "STEPS", "50, all, a list 0,10,999 or sections iddpm:10,15,20 (default: all)",
      NULL, FIELD(steps), 0, 0 },
    { "spacing", 0, OPTION_CHOICE, "NAME",
      "how the steps are chosen; optimal: least bound of all lists "
      "from 0 to T-1 (default: iddpm)",
      ddpm_spacing_names, FIELD(spacing), 0, 0 },
    { "csv", 0, OPTION_FLAG, NULL, "comma-separated, all digits", NULL, FIELD(csv), 0, 0 },
};
const struct command command_schedule = {
    .name = "schedule",
    .arguments = "",
    .least = 0,
    .most = 0,
    .run = run,
    .does = "Prints, per step, i, C(i), beta, alpha, alpha_bar, beta_tilde, posterior mean coefficients, log "
            "SNR.",
    .examples = "  ddpm schedule --timesteps 7 --steps 4\n  ddpm schedule -m model.ddpm --steps 50 "
                "--spacing trailing --json\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
