/* Names of tensors, such as "ema.down_blocks.0.conv.weight": segments between dots, and words in them. */
#ifndef DDPM_TENSOR_NAMES_H
#define DDPM_TENSOR_NAMES_H
#include <stddef.h>

/* Returns the length of a name's first segment. */
size_t name_segment(const char *name);
int name_begins(const char *name, const char *with);

/* Returns whether text [length] contains word, in any case, as a whole word: "modelEma_1" contains "ema",
   and "schema" does not. */
int name_has_word(const char *text, size_t length, const char *word);
/* Returns whether a key, a path or a prefix [length] speaks of an average of weights: "ema",
   "model_avg", "averaged_model", "EMAModel".  Adam's "exp_avg" does not. */
int name_says_average(const char *text, size_t length);
#endif
