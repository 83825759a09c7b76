/* Text for the compiler that depends on a part of the build: DD_IF_BUILT(HAVE_DNNL, line) is the line if
   configure found oneDNN, and nothing otherwise.  Unlike #if it can stand in the expansion of a list of
   rows. */
#ifndef DD_BUILT_H
#define DD_BUILT_H
#include "config.h"

#define DD_BUILT_0(...)
#define DD_BUILT_1(...) __VA_ARGS__
#define DD_BUILT_PASTE(have, ...) DD_BUILT_##have(__VA_ARGS__)
#define DD_IF_BUILT(have, ...) DD_BUILT_PASTE(have, __VA_ARGS__)
#endif
