/* tuner_run.c: runs a tuned solver (diffusion/tuned.c) on a batch, and computes the gradient of a loss by the
   learned numbers.  With p = softmax of the logits z, and the shifts s:

     times    t_i = (T - 1) (p_0 + ... + p_i), which rise to T - 1
     told     f_i = t_i + s_i, within 0 and T - 1, the step that the network is told
     x0       m_i = clip(x0(x_i, network(x_i, f_i), lambda_i))
     step     x_{i-1} = A x_i - M p1 D,  D = m_i + w (m_i - m_{i+1}) + c1 (m_{i+1} - m_i) + c2 (m_{i+2} - m_i)
              A = (1 + a) sigma_{i-1} / sigma_i,  M = (1 + b) alpha_{i-1}
              w = h / (2 (lambda_i - lambda_{i+1}))

   Let g be the gradient by x_{i-1}, and by_A the gradient by A, and so on.  With
   d alpha / d lambda = alpha sigma^2 and d sigma / d lambda = -sigma alpha^2,

     by_A  = <g, x_i>,   by_M = -p1 <g, D>,   by_p1 = -M <g, D>,   by_w = -M p1 <g, m_i - m_{i+1}>
     by_c1 = -M p1 <g, m_{i+1} - m_i>,        by_c2 = -M p1 <g, m_{i+2} - m_i>
     by_h  = -(p1 + 1) by_p1 + w / h by_w
     by_lambda_{i-1} += -alpha_{i-1}^2 A by_A + sigma_{i-1}^2 M by_M + by_h
     by_lambda_i     += alpha_i^2 A by_A - by_h

   and the gradients by m_i, m_{i+1}, m_{i+2} are multiples of g.  The forward pass keeps one state and one
   prediction for each step.  The backward pass runs the network's forward pass anew for each step. */
#include "train/tuner_run.h"
#include <math.h>
#include <string.h>
#include "diffusion/fractional.h"
#include "diffusion/marginal.h"
#include "diffusion/tuned.h"

/* ---- the present solver ---- */

/* Fills p [K], the parts of T - 1 between the times. */
static void parts(const ddpm_tuner *t, double *p)
{
    const double *z = t->state + DD_TUNER_LOGIT * t->K;
    double most = z[0], sum = 0;
    for (int i = 1; i < t->K; i++)
        most = fmax(most, z[i]);
    for (int i = 0; i < t->K; i++)
        sum += p[i] = exp(z[i] - most);
    for (int i = 0; i < t->K; i++)
        p[i] /= sum;
}

void dd_tuner_run_table(ddpm_tuner *t)
{
    int K = t->K;
    double p[DD_TUNER_STEPS_MOST], sum = 0, last = t->T - 1;
    parts(t, p);

    for (int i = 0; i < K; i++) {
        sum += p[i];
        double time = i == K - 1 ? last : fmin(last * sum, last);
        t->table[DDPM_TUNED_T * K + i] = time;
        t->table[DDPM_TUNED_FED * K + i] = fmin(fmax(time + t->state[DD_TUNER_SHIFT * K + i], 0), last);
        t->alpha_bar[i] = dd_fractional_alpha_bar(t->schedule, t->T, time, &t->log_snr_slope[i]);
        t->log_snr[i] = log(t->alpha_bar[i] / (1 - t->alpha_bar[i]));
    }
    memcpy(t->table + DDPM_TUNED_OF_X * K, t->state + DD_TUNER_OF_X * K, 4 * (size_t)K * sizeof *t->table);
}

/* ---- forward ---- */

/* Runs the network at position i on the states there.  Its prediction goes to t->p. */
static void predict(ddpm_tuner *t, const int32_t *classes, int i)
{
    const double *x = t->x + (size_t)i * t->size;
    struct dd_slice s = { .out = t->out, .x = t->in, .t = t->t, .classes = classes, .n = t->batch };
    for (size_t e = 0; e < t->size; e++)
        t->in[e] = (float)x[e];
    for (int k = 0; k < t->batch; k++)
        t->t[k] = (float)t->table[DDPM_TUNED_FED * t->K + i] * (float)t->t_scale;

    t->network.forward(t->network.user, &s);
    for (size_t at = 0; at < (size_t)t->batch * t->pixels; at++)
        for (size_t c = 0; c < t->channels; c++)
            t->p[at * t->channels + c] = t->out[at * t->outputs + c];
}

void dd_tuner_run_forward(ddpm_tuner *t, const double *x, const int32_t *classes)
{
    int K = t->K;
    struct dd_tuned_solver solver = { K, t->table, t->alpha_bar, t->log_snr };
    dd_tuner_run_table(t);
    memcpy(t->x + (size_t)(K - 1) * t->size, x, t->size * sizeof *x);

    for (int i = K - 1; i >= 0; i--) {
        double *here = t->x + (size_t)i * t->size, *m0 = t->m + (size_t)i * t->size;
        double *next = i ? here - t->size : t->image;
        struct dd_tuned_step s;
        predict(t, classes, i);
        dd_marginal_x0(m0, here, t->p, t->prediction, t->clip, t->alpha_bar[i], t->size);

        dd_tuned_step_fill(&s, &solver, i, K - 1 - i);
        memcpy(next, here, t->size * sizeof *next);
        dd_tuned_step_apply(&s, next, (const double *const[]){ m0, m0 + t->size, m0 + 2 * t->size }, t->clip,
                            t->size);
    }
}

/* ---- backward ---- */

static double product(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t e = 0; e < n; e++)
        sum += a[e] * b[e];
    return sum;
}

/* Returns <g, a - b>. */
static double product_of_change(const double *g, const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t e = 0; e < n; e++)
        sum += g[e] * (a[e] - b[e]);
    return sum;
}

/* Adds factor g [n] to `to`. */
static void add(double *to, double factor, const double *g, size_t n)
{
    for (size_t e = 0; e < n && factor != 0; e++)
        to[e] += factor * g[e];
}

/* Goes back through the step from position i.  by_x, the gradient by the step's end, is multiplied by A.
   The gradients by predictions, coefficients and lambda are added up. */
static void back_step(ddpm_tuner *t, int i)
{
    int K = t->K;
    size_t n = t->size;
    double *g = t->by_x, *m = t->m + (size_t)i * n, *by_m = t->by_m + (size_t)i * n;
    double alpha2 = i ? t->alpha_bar[i - 1] : 1, here2 = t->alpha_bar[i];
    struct dd_tuned_solver solver = { K, t->table, t->alpha_bar, t->log_snr };
    struct dd_tuned_step s;
    dd_tuned_step_fill(&s, &solver, i, K - 1 - i);
    double w = s.second ? 1 / (2 * s.r0) : 0, scale = -s.of_m * s.p1;

    /* The scalar products of g with x, D and the parts of D. */
    double by_of_x = product(g, t->x + (size_t)i * n, n), by_d = product(g, m, n);
    double change1 = i < K - 1 ? product_of_change(g, m + n, m, n) : 0;
    double change2 = i < K - 2 ? product_of_change(g, m + 2 * n, m, n) : 0;
    by_d += (s.before1 - w) * change1 + s.before2 * change2;

    t->slope[DD_TUNER_OF_X * K + i] += by_of_x * s.of_x / (1 + t->table[DDPM_TUNED_OF_X * K + i]);
    t->slope[DD_TUNER_OF_M * K + i] += by_d * scale / (1 + t->table[DDPM_TUNED_OF_M * K + i]);
    t->slope[DD_TUNER_BEFORE1 * K + i] += scale * change1;
    t->slope[DD_TUNER_BEFORE2 * K + i] += scale * change2;

    /* The gradient by lambda.  Position 0 has none, because its step ends at the image for every lambda. */
    if (i) {
        double by_w = -scale * change1, by_h = s.of_m * (s.p1 + 1) * by_d;
        if (s.second) {
            by_h += by_w * w / s.h;
            double by_gap = -by_w * w / (s.h * s.r0);
            t->by_lambda[i] += by_gap;
            t->by_lambda[i + 1] -= by_gap;
        }
        t->by_lambda[i - 1] += by_h - alpha2 * s.of_x * by_of_x + (1 - alpha2) * scale * by_d;
        t->by_lambda[i] += here2 * s.of_x * by_of_x - by_h;
    }

    /* The gradients by the predictions, then the gradient by the state. */
    add(by_m, scale * (1 + w - s.before1 - s.before2), g, n);
    if (i < K - 1)
        add(by_m + n, scale * (s.before1 - w), g, n);
    if (i < K - 2)
        add(by_m + 2 * n, scale * s.before2, g, n);
    for (size_t e = 0; e < n; e++)
        g[e] *= s.of_x;
}

/* Computes dout, the gradient by the network's prediction, from by_m at position i, the gradient by a
   clipped x0.  The part by x goes to by_x directly, the part by lambda to by_lambda. */
static void back_x0(ddpm_tuner *t, int i)
{
    const double *x = t->x + (size_t)i * t->size, *by_m = t->by_m + (size_t)i * t->size;
    double alpha = sqrt(t->alpha_bar[i]), sigma = sqrt(1 - t->alpha_bar[i]), clip = t->clip, sum = 0;
    double of_x = 0, of_p = 1, of_x_by_lambda = 0, of_p_by_lambda = 0; /* x0 = of_x x + of_p p */
    if (t->prediction == DDPM_V) {
        of_x = alpha;
        of_p = -sigma;
        of_x_by_lambda = alpha * sigma * sigma;
        of_p_by_lambda = sigma * alpha * alpha;
    } else if (t->prediction == DDPM_EPS) {
        of_x = 1 / alpha;
        of_p = -sigma / alpha;
        of_x_by_lambda = -sigma * sigma / alpha;
        of_p_by_lambda = sigma / alpha;
    }

    for (size_t at = 0; at < (size_t)t->batch * t->pixels; at++)
        for (size_t c = 0; c < t->outputs; c++) {
            size_t e = at * t->channels + c;
            bool variance = c >= t->channels;
            double g = variance ? 0 : by_m[e], x0 = variance ? 0 : of_x * x[e] + of_p * t->p[e];
            if (clip > 0 && fabs(x0) >= clip)
                g = 0;
            t->dout[at * t->outputs + c] = (float)(of_p * g);
            if (variance)
                continue;
            t->by_x[e] += of_x * g;
            sum += g * (of_x_by_lambda * x[e] + of_p_by_lambda * t->p[e]);
        }
    t->by_lambda[i] += sum;
}

/* Goes back through the network at position i.  Returns the gradient by the step that the network was
   told. */
static double back_network(ddpm_tuner *t, const int32_t *classes, int i)
{
    struct dd_slice s = { .out = t->out,
                          .x = t->in,
                          .t = t->t,
                          .classes = classes,
                          .n = t->batch,
                          .dout = t->dout,
                          .dx = t->dx,
                          .dt = t->dt };
    double sum = 0;
    predict(t, classes, i);
    back_x0(t, i);
    t->network.backward(t->network.user, &s);

    for (size_t e = 0; e < t->size; e++)
        t->by_x[e] += t->dx[e];
    for (int k = 0; k < t->batch; k++)
        sum += t->dt[k];
    return sum * t->t_scale;
}

/* Fills the slopes of logits and shifts from the gradients by lambda and by the steps that the network is
   told. */
static void back_times(ddpm_tuner *t, const double *by_fed)
{
    int K = t->K;
    double p[DD_TUNER_STEPS_MOST], by_p[DD_TUNER_STEPS_MOST], later = 0, mean = 0, last = t->T - 1;
    parts(t, p);

    /* p_i moves t_i and all later times, except the last one, which stays at T - 1. */
    for (int i = K - 1; i >= 0; i--) {
        double told = t->table[DDPM_TUNED_T * K + i] + t->state[DD_TUNER_SHIFT * K + i];
        double free = told >= 0 && told <= last ? by_fed[i] : 0;
        t->slope[DD_TUNER_SHIFT * K + i] = free;
        if (i < K - 1)
            later += t->by_lambda[i] * t->log_snr_slope[i] / 2 + free;
        by_p[i] = last * later;
        mean += p[i] * by_p[i];
    }
    for (int i = 0; i < K; i++)
        t->slope[DD_TUNER_LOGIT * K + i] = p[i] * (by_p[i] - mean);
}

void dd_tuner_run_backward(ddpm_tuner *t, const int32_t *classes)
{
    size_t K = (size_t)t->K;
    double by_fed[DD_TUNER_STEPS_MOST];
    memset(t->slope, 0, DD_TUNER_KINDS * K * sizeof *t->slope);
    memset(t->by_lambda, 0, K * sizeof *t->by_lambda);
    memset(t->by_m, 0, K * t->size * sizeof *t->by_m);

    for (int i = 0; i < t->K; i++) {
        back_step(t, i);
        by_fed[i] = back_network(t, classes, i);
    }
    back_times(t, by_fed);
}
