/* Published architectures. The configurations are those of checkpoint-families.md 5.1 to 5.4;
   parameters and multiply-accumulates are from the table in 5.4. */
#include "tests/known_nets.h"
#include <stdio.h>
#include <string.h>

#define LINEAR_EPS "\"name\": \"linear:1e-4,0.02\", \"prediction\": \"eps\", \"clip\": 1, "
#define HO "\"steps\": 1000, " LINEAR_EPS "\"variance\": \"beta\", \"t_scale\": 1"
#define HO_SMALL "\"steps\": 1000, " LINEAR_EPS "\"variance\": \"beta-tilde\", \"t_scale\": 1"
#define GUIDED "\"steps\": 1000, " LINEAR_EPS "\"variance\": \"learned-range\", \"t_scale\": 1"
#define IMPROVED                                                                                  \
    "\"steps\": 4000, \"name\": \"cosine\", \"prediction\": \"eps\", \"clip\": 1, \"variance\": " \
    "\"learned-range\", \"t_scale\": 0.25"
#define LUCID                                                                                          \
    "\"steps\": 1000, \"name\": \"lucid-sigmoid\", \"prediction\": \"v\", \"clip\": 1, \"variance\": " \
    "\"beta-tilde\", \"t_scale\": 1"

#define SIZE(n) "\"arch\": \"ddpm\", \"height\": " #n ", \"width\": " #n ", \"channels\": 3, "
#define HO_LIKE                                                                         \
    "\"outputs\": 3, \"classes\": 0, \"blocks\": 2, \"mid\": true, \"act\": \"silu\", " \
    "\"norm\": {\"groups\": 32, \"eps\": 1e-6, \"mid_attention\": 32}, "                \
    "\"time\": {\"dim\": 128, \"hidden\": 512, \"order\": \"sin,cos\"}, "               \
    "\"scale_shift\": false, \"pad\": \"right\", \"mid_scale\": 1, \"center\": false, \"dropout\": 0.1, "
#define OPENAI(classes, blocks, dim, hidden, shift)                                                          \
    "\"outputs\": 6, \"classes\": " #classes ", \"blocks\": " #blocks ", \"mid\": true, \"act\": \"silu\", " \
    "\"norm\": {\"groups\": 32, \"eps\": 1e-5, \"mid_attention\": 32}, "                                     \
    "\"time\": {\"dim\": " #dim ", \"hidden\": " #hidden ", \"order\": \"cos,sin\"}, "                       \
    "\"scale_shift\": " #shift ", \"pad\": \"both\", \"mid_scale\": 1, \"center\": false, \"dropout\": 0, "
#define LEVELS(init, widths, down, mid, up, dim)                                                      \
    "\"init\": " #init ", \"widths\": [" widths "], \"heads\": {\"down\": [" down "], \"mid\": " #mid \
    ", \"up\": [" up "], \"dim\": " #dim "}, "
#define CONV3 "\"down\": [\"conv\",\"conv\",\"conv\"], \"up\": [\"conv\",\"conv\",\"conv\"]"
#define CONV4 "\"down\": [\"conv\",\"conv\",\"conv\",\"conv\"], \"up\": [\"conv\",\"conv\",\"conv\",\"conv\"]"
#define CONV5                                                            \
    "\"down\": [\"conv\",\"conv\",\"conv\",\"conv\",\"conv\"], \"up\": " \
    "[\"conv\",\"conv\",\"conv\",\"conv\",\"conv\"]"
#define RES3 "\"down\": [\"res\",\"res\",\"res\"], \"up\": [\"res\",\"res\",\"res\"]"
#define RES4 "\"down\": [\"res\",\"res\",\"res\",\"res\"], \"up\": [\"res\",\"res\",\"res\",\"res\"]"
#define RES5 \
    "\"down\": [\"res\",\"res\",\"res\",\"res\",\"res\"], \"up\": [\"res\",\"res\",\"res\",\"res\",\"res\"]"
#define RES6                                                                \
    "\"down\": [\"res\",\"res\",\"res\",\"res\",\"res\",\"res\"], \"up\": " \
    "[\"res\",\"res\",\"res\",\"res\",\"res\",\"res\"]"
#define LUCID_NET(n)                                                                                \
    "\"arch\": \"lucid\", \"height\": " #n ", \"width\": " #n                                       \
    ", \"channels\": 3, \"outputs\": 3, \"classes\": 0, \"init\": 64, "                             \
    "\"widths\": [64,128,256,512], \"full\": [0,0,0,1], \"heads\": 4, \"dim\": 32, \"memory\": 4, " \
    "\"time\": {\"dim\": 64, \"hidden\": 256, \"order\": \"sin,cos\"}"

const struct known_net known_nets[] = {
    { "cifar10", 35746307, 6.222, /* Ho et al., CIFAR-10 */
      SIZE(32) HO_LIKE LEVELS(128, "128,256,256,256", "0,1,0,0", 1, "0,1,0,0", 0) CONV3, HO },
    { "celebahq", 113673219, 248.514, /* Ho et al., 256 x 256 */
      SIZE(256) HO_LIKE LEVELS(128, "128,128,256,256,512,512", "0,0,0,0,1,0", 1, "0,0,0,0,1,0", 0) CONV5,
      HO_SMALL },
    { "celeba64", 78700803, 24.051, /* ermongroup */
      SIZE(64) HO_LIKE LEVELS(128, "128,256,256,256,512", "0,0,1,0,0", 1, "0,0,1,0,0", 0) CONV4, HO },
    { "improved-cifar10", 52546438, 8.387, /* Nichol and Dhariwal */
      SIZE(32) OPENAI(0, 3, 128, 512, true) LEVELS(128, "128,256,256,256", "0,4,4,0", 4, "0,4,4,0", 0) CONV3,
      IMPROVED },
    { "openai64", 121063942, 39.736,
      SIZE(64) OPENAI(0, 3, 128, 512, true) LEVELS(128, "128,256,384,512", "0,0,4,4", 4, "0,0,4,4", 0) CONV3,
      IMPROVED },
    { "openai64-classes", 273049350, 89.086,
      SIZE(64) OPENAI(1000, 3, 192, 768, true) LEVELS(192, "192,384,576,768", "0,0,4,4", 4, "0,0,4,4", 0)
          CONV3,
      IMPROVED },
    { "improved-bedroom", 113676678, 248.740,
      SIZE(256) OPENAI(0, 2, 128, 512, false)
          LEVELS(128, "128,128,256,256,512,512", "0,0,0,0,1,0", 1, "0,0,0,0,1,0", 0) CONV5,
      GUIDED },
    { "guided64", 295904454, 109.678, /* Dhariwal and Nichol */
      SIZE(64) OPENAI(1000, 3, 192, 768, true) LEVELS(192, "192,384,576,768", "0,6,9,12", 12, "0,6,9,12", 64)
          RES3,
      GUIDED },
    { "guided128", 421529606, 306.928,
      SIZE(128) OPENAI(1000, 2, 256, 1024, true)
          LEVELS(256, "256,256,512,768,1024", "0,0,4,4,4", 4, "0,0,4,4,4", 0) RES4,
      GUIDED },
    { "guided256-classes", 553838086, 1119.833,
      SIZE(256) OPENAI(1000, 2, 256, 1024, true)
          LEVELS(256, "256,256,512,512,1024,1024", "0,0,0,8,16,16", 16, "0,0,0,8,16,16", 64) RES5,
      GUIDED },
    { "guided512", 558997638, 1982.335,
      SIZE(512) OPENAI(1000, 2, 256, 1024, true)
          LEVELS(128, "128,256,256,512,512,1024,1024", "0,0,0,0,8,16,16", 16, "0,0,0,0,8,16,16", 64) RES6,
      GUIDED },
    { "lucid64", 35711491, 29.219, LUCID_NET(128), LUCID }, /* lucidrains, dim 64 */
    { "lucid64-32", 35711491, 1.825, LUCID_NET(32), LUCID },
    { NULL, 0, 0, NULL, NULL }
};

const struct known_net *known_net_find(const char *name)
{
    for (const struct known_net *k = known_nets; k->name; k++)
        if (!strcmp(k->name, name))
            return k;
    return NULL;
}

void known_net_json(char *text, size_t size, const char *net, const char *diffusion)
{
    snprintf(text, size,
             "{\"version\": 1, \"net\": {%s}, \"diffusion\": {%s}, \"source\": {\"family\": \"none\", "
             "\"file\": \"\", "
             "\"sha256\": \"\", \"weights\": \"\", \"program\": \"\"}}",
             net, diffusion);
}
