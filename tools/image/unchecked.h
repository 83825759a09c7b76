/* Memory for code that does not check whether it got any, such as stb's PNG writer.  When memory
   runs out, the code is left by a long jump, and everything that it took is released. */
#ifndef DDPM_UNCHECKED_H
#define DDPM_UNCHECKED_H
#include <stddef.h>

/* Calls run(user).  Returns 0, or -1 when memory ran out inside.  Runs of one thread do not nest. */
int unchecked_run(void (*run)(void *user), void *user);
/* Work like realloc and free, only inside such a run.  unchecked_realloc never returns NULL. */
void *unchecked_realloc(void *p, size_t size);
void unchecked_free(void *p);
#endif
