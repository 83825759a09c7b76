/* manifest.jsonl of a folder of images: a line with the recipe, then a line per image, written and synchronised before the image gets its
   name.  So a listed image that is not there was never finished, and one that is there and not listed is not ours. */
#ifndef DDPM_LEDGER_H
#define DDPM_LEDGER_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

struct ledger_line { uint32_t index; bool ok; char *file, sha256[65]; size_t place; };     /* sha256 "" of a lost image */
struct ledger {
    char *path, *header;                         /* header NULL: there is no manifest yet */
    struct ledger_line *line; size_t lines;      /* by index; of several lines about one image the last */
    size_t size, torn;                           /* bytes of whole lines; bytes behind them, which a crash cut off */
    int fd;                                      /* open for more lines, or -1 */
};
/* A last line that is not whole is left out; DDPM_EDATA for anything else that is wrong. */
int  ledger_read(struct ledger *l, const char *folder, ddpm_error *err);
const struct ledger_line *ledger_find(const struct ledger *l, uint32_t index);     /* NULL: not listed */
/* Makes what was read ready for more lines: mended, or begun with header where there was none or it is to be replaced. */
int  ledger_open(struct ledger *l, const char *header, bool replace, ddpm_error *err);
/* A line, on the disk when this returns.  name: the file's, below the folder.  sha256 NULL: lost at step, with this seed. */
struct ledger_image { uint32_t index; const char *name, *sha256; uint64_t seed; int step; double seconds; };
int  ledger_add(struct ledger *l, const struct ledger_image *image, ddpm_error *err);
/* The SHA-256 of a file, as a line holds it. */
int  ledger_hash(char hex[65], const char *path, ddpm_error *err);
void ledger_forget(struct ledger *l);            /* as if there were no manifest */
void ledger_free(struct ledger *l);
#endif
