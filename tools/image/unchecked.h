/* Memory for code that does not look whether it got any (stb's PNG writer): where it runs out, the code is left and all that it took released. */
#ifndef DDPM_UNCHECKED_H
#define DDPM_UNCHECKED_H
#include <stddef.h>

/* Runs it; 0, or -1 when memory ran out inside.  In each thread one at a time. */
int unchecked_run(void (*run)(void *user), void *user);
/* As realloc and free, inside of such a run only; never NULL. */
void *unchecked_realloc(void *p, size_t size);
void unchecked_free(void *p);
#endif
