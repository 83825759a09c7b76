/* Lists the words of diffusers' configurations and ours (diffusers_words.h). */
#include "family/diffusers_words.h"
#include <stdio.h>
#include <string.h>
#include "family/conversion.h"

const struct word diffusers_acts[] = {
    { "silu", "silu" }, { "swish", "silu" }, { "gelu", "gelu" },
    { "relu", "relu" }, { "mish", "mish" },  { 0 },
};
const struct word diffusers_predictions[] = {
    { "epsilon", "eps" },
    { "sample", "x0" },
    { "v_prediction", "v" },
    { 0 },
};
const struct word diffusers_variances[] = {
    { "fixed_small", "beta-tilde" },
    { "fixed_small_log", "beta-tilde" },
    { "fixed_large", "beta" },
    { "learned_range", "learned-range" },
    { 0 },
};
const struct word diffusers_time_shifts[] = { { "default", "false" }, { "scale_shift", "true" }, { 0 } };
const struct word diffusers_samplers[] = { { "conv", "conv" }, { "resnet", "res" }, { 0 } };
const struct word diffusers_schedules[] = {
    [DIFFUSERS_LINEAR] = { "linear", "f32:linear" },
    [DIFFUSERS_SCALED_LINEAR] = { "scaled_linear", "f32:scaled_linear" },
    [DIFFUSERS_COSINE] = { "squaredcos_cap_v2", "f32:squaredcos_cap_v2" },
    [DIFFUSERS_SIGMOID] = { "sigmoid", "f32:sigmoid" },
    [DIFFUSERS_SCHEDULES] = { 0 },
};

const char *const diffusers_blocks[2][DIFFUSERS_BLOCKS] = {
    { "DownBlock2D", "ResnetDownsampleBlock2D", "AttnDownBlock2D" },
    { "UpBlock2D", "ResnetUpsampleBlock2D", "AttnUpBlock2D" },
};

const char *diffusers_word(const struct word *list, const char *ours)
{
    for (; list->theirs; list++)
        if (!strcmp(list->ours, ours))
            return list->theirs;
    return NULL;
}

void diffusers_schedule(char name[128], int schedule, double start, double end, int zero_snr)
{
    const char *ours = diffusers_schedules[schedule].ours, *tail = zero_snr ? "+zero-snr" : "";
    char first[32], last[32];
    if (schedule == DIFFUSERS_COSINE)
        snprintf(name, 128, "%s%s", ours, tail);
    else
        snprintf(name, 128, "%s:%s,%s%s", ours, conversion_number(first, start), conversion_number(last, end),
                 tail);
}
