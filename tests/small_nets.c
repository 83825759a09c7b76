/* Networks of few channels and pixels. Every option of a configuration that changes the list of
   nodes is in one of them. */
#include "tests/small_nets.h"
#include "tests/check.h"
#include "tests/known_nets.h"

#define DIFFUSION(variance)                                                                               \
    "\"steps\": 1000, \"name\": \"linear:1e-4,0.02\", \"prediction\": \"eps\", \"variance\": \"" variance \
    "\", \"clip\": 1, \"t_scale\": 0.5"

const struct small_net small_nets[] = {
    { "plain", /* checkpoint-families.md 9.2, with 11767 parameters */
      "\"arch\": \"ddpm\", \"height\": 8, \"width\": 8, \"channels\": 3, \"outputs\": 3, \"classes\": 0, "
      "\"init\": 4, \"widths\": [4,8], "
      "\"blocks\": 1, \"mid\": true, \"act\": \"silu\", \"heads\": {\"down\": [0,1], \"mid\": 1, \"up\": "
      "[0,1], \"dim\": 0}, "
      "\"norm\": {\"groups\": 4, \"eps\": 1e-5, \"mid_attention\": 4}, \"time\": {\"dim\": 4, \"hidden\": "
      "16, \"order\": \"cos,sin\"}, "
      "\"scale_shift\": false, \"pad\": \"both\", \"down\": [\"conv\"], \"up\": [\"conv\"], \"mid_scale\": "
      "1, \"center\": false, \"dropout\": 0",
      DIFFUSION("beta") },
    { "turns", /* every option takes its other value, and the last level has an odd side */
      "\"arch\": \"ddpm\", \"height\": 20, \"width\": 12, \"channels\": 1, \"outputs\": 2, \"classes\": 5, "
      "\"init\": 8, \"widths\": [16,24,32], "
      "\"blocks\": 2, \"mid\": false, \"act\": \"gelu\", \"heads\": {\"down\": [0,2,0], \"mid\": 0, \"up\": "
      "[1,0,2], \"dim\": 6}, "
      "\"norm\": {\"groups\": 8, \"eps\": 1e-6, \"mid_attention\": 0}, \"time\": {\"dim\": 9, \"hidden\": "
      "20, \"order\": \"sin,cos\"}, "
      "\"scale_shift\": true, \"pad\": \"right\", \"down\": [\"res\",\"conv\"], \"up\": [\"conv\",\"res\"], "
      "\"mid_scale\": 1.5, "
      "\"center\": true, \"dropout\": 0.1",
      DIFFUSION("learned-range") },
    { "wide", /* large enough for several tasks in every layer */
      "\"arch\": \"ddpm\", \"height\": 16, \"width\": 16, \"channels\": 3, \"outputs\": 3, \"classes\": 0, "
      "\"init\": 64, \"widths\": [64,96], "
      "\"blocks\": 1, \"mid\": true, \"act\": \"silu\", \"heads\": {\"down\": [0,2], \"mid\": 2, \"up\": "
      "[0,2], \"dim\": 0}, "
      "\"norm\": {\"groups\": 32, \"eps\": 1e-6, \"mid_attention\": 32}, \"time\": {\"dim\": 64, \"hidden\": "
      "256, \"order\": \"sin,cos\"}, "
      "\"scale_shift\": false, \"pad\": \"right\", \"down\": [\"conv\"], \"up\": [\"conv\"], \"mid_scale\": "
      "2, \"center\": false, \"dropout\": 0",
      DIFFUSION("beta") },
    { "lucid",
      "\"arch\": \"lucid\", \"height\": 16, \"width\": 8, \"channels\": 3, \"outputs\": 3, \"classes\": 0, "
      "\"init\": 12, \"widths\": [16,24], "
      "\"full\": [0,1], \"heads\": 2, \"dim\": 8, \"memory\": 4, \"time\": {\"dim\": 8, \"hidden\": 32, "
      "\"order\": \"sin,cos\"}",
      DIFFUSION("beta-tilde") },
    { "guided", /* classes with a null class, and convolutions of stride 2 */
      "\"arch\": \"lucid\", \"height\": 8, \"width\": 16, \"channels\": 2, \"outputs\": 4, \"classes\": 3, "
      "\"null_class\": true, \"init\": 12, \"widths\": [16,24], \"down\": \"conv4\", "
      "\"full\": [0,0], \"heads\": 2, \"dim\": 8, \"memory\": 0, \"time\": {\"dim\": 8, \"hidden\": 32, "
      "\"order\": \"sin,cos\"}",
      DIFFUSION("learned-range") },
    { NULL, NULL, NULL }
};

const struct small_net *small_net_find(const char *name)
{
    const struct small_net *s = small_nets;
    while (strcmp(s->name, name))
        s++;
    return s;
}

void small_net_json(char *text, size_t size, const char *name)
{
    known_net_json(text, size, small_net_find(name)->net, small_net_find(name)->diffusion);
}

ddpm_model *small_net_create(const char *name)
{
    char json[4096];
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    small_net_json(json, sizeof json, name);
    if (ddpm_model_create(&m, json, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", name, err.text);
        return NULL;
    }
    ddpm_model_init(m, 1);
    return m;
}

struct small_batch small_batch_create(const ddpm_model *m, int n)
{
    const ddpm_about *a = ddpm_model_about(m);
    size_t pixels = (size_t)(a->height * a->width);
    struct small_batch b = { .n = n,
                             .in = pixels * (size_t)a->channels,
                             .outs = pixels * (size_t)a->outputs };
    double *z = malloc(b.in * sizeof *z);
    uint64_t seed = 3;
    b.x = malloc((size_t)n * b.in * sizeof *b.x);
    b.out = calloc((size_t)n * b.outs, sizeof *b.out);
    b.t = malloc((size_t)n * sizeof *b.t);
    b.classes = a->classes ? malloc((size_t)n * sizeof *b.classes) : NULL;
    for (int i = 0; i < n; i++) {
        ddpm_noise(&seed, z, b.in, (uint32_t)i, INFINITY, 0);
        for (size_t k = 0; k < b.in; k++)
            b.x[(size_t)i * b.in + k] = (float)z[k];
        b.t[i] = (float)(i * 37 % 500) + 0.25f;
        if (b.classes)
            b.classes[i] = i % (a->classes + a->null_class);
    }
    free(z);
    return b;
}

void small_batch_free(struct small_batch *b)
{
    free(b->x);
    free(b->out);
    free(b->t);
    free(b->classes);
}
