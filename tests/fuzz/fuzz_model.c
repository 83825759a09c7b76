/* Fuzzes model files with any bytes. Either they are refused with a sentence, or there is a model whose
   numbers are finite. A small model also runs, to finite numbers or to an error that says where they
   end. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "ddpm.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIXELS_MOST = 256 };

static void check_schedule(const ddpm_about *a)
{
    for (int t = 0; t < a->steps; t++)
        require(a->beta[t] > 0 && a->beta[t] <= 1 && a->alpha_bar[t] >= 0 &&
                a->alpha_bar[t] < (t ? a->alpha_bar[t - 1] : 1));
}

/* A tuned solver that was accepted makes a chain, whose steps rise within the model's. */
static void check_tuned(const ddpm_about *a)
{
    for (int k = 0; k < a->tuned_count; k++) {
        const ddpm_tuned *s = &a->tuned[k];
        ddpm_chain *c;
        ddpm_error err = { 0 };

        for (int i = 0; i < s->K; i++) {
            double fed = s->table[DDPM_TUNED_FED * s->K + i];
            require(fed >= 0 && fed <= a->steps - 1);
        }
        for (int i = 0; i < DDPM_TUNED_ROWS * s->K; i++)
            require(isfinite(s->table[i]) != 0);

        require(ddpm_chain_tuned(&c, a, s->K, &err) == DDPM_OK);
        const double *t = ddpm_chain_tables(c)->t;
        for (int i = 0; i < s->K; i++)
            require(t[i] >= 0 && t[i] <= a->steps - 1 && (!i || t[i] > t[i - 1]));
        ddpm_chain_free(c);
    }
}

static void run(const ddpm_model *m, const ddpm_about *a)
{
    size_t pixels = (size_t)a->height * (size_t)a->width;
    float *x = calloc(pixels * (size_t)a->channels, sizeof *x),
          *out = calloc(pixels * (size_t)a->outputs, sizeof *out), t = 1;
    int32_t y = 0;
    ddpm_net *net = NULL;
    ddpm_error err = { 0 };
    require(x && out && ddpm_net_create(&net, m, &(ddpm_net_options){ .threads = 1 }, &err) == DDPM_OK);
    int code = ddpm_net_run(net, out, x, &t, a->classes ? &y : NULL, 1, &err), finite = 1;
    for (size_t i = 0; i < pixels * (size_t)a->outputs; i++)
        finite &= isfinite(out[i]) != 0;
    require(code == (finite ? DDPM_OK : DDPM_ENAN) && (finite || strstr(err.text, "image 0")));
    ddpm_net_free(net);
    free(x);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ddpm_model *m;
    ddpm_error err = { 0 };

    int code = ddpm_model_open_memory(&m, data, size, &err);
    if (code) {
        require(code == DDPM_EDATA && err.code == code && !m && err.text[0] && !strchr(err.text, '\n'));
        return 0;
    }

    const ddpm_about *a = ddpm_model_about(m);
    const ddpm_tensor *list;
    size_t n = ddpm_model_tensors(m, &list);
    for (size_t i = 1; i < n; i++)
        require(strcmp(list[i - 1].name, list[i].name) < 0);

    check_schedule(a);
    check_tuned(a);

    code = ddpm_model_check(m, &err);
    /* The check gives DDPM_EUSAGE for a model that has no id. */
    require(!code || code == DDPM_EUSAGE || (code == DDPM_EDATA && strstr(err.text, "SHA-256")));

    if (a->height * a->width <= PIXELS_MOST)
        run(m, a);

    ddpm_model_close(m);
    return 0;
}
