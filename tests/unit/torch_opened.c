/* Opens files of torch.save that a test has written (torch_opened.h). */
#include "tests/unit/torch_opened.h"

struct checkpoint opened;
ddpm_error open_error;

const float *counting(void)
{
    static float v[STORED];
    for (int i = 0; i < STORED; i++)
        v[i] = (float)i;
    return v;
}

int open_zip(const struct writer *w, const struct member *more)
{
    size_t size;
    struct member member[4] = { { "archive/data.pkl", w->data, w->size, 0 },
                                { "archive/data/0", counting(), STORED * sizeof(float), 0 } };
    int members = 2;
    for (; more && more->name; more++)
        member[members++] = *more;

    static unsigned char *kept;
    free(kept);
    kept = write_zip(&size, member, members);
    checkpoint_close(&opened);
    open_error = (ddpm_error){ 0 };
    return checkpoint_open_memory(&opened, kept, size, "T", NULL, &open_error);
}

int open_one(const struct tensor *t)
{
    static struct writer w;
    w.size = 0;
    put_state(&w, &(const char *){ "t" }, t, 1, 0);
    return open_zip(&w, NULL);
}

int open_written(const struct writer *w)
{
    checkpoint_close(&opened);
    open_error = (ddpm_error){ 0 };
    return checkpoint_open_memory(&opened, w->data, w->size, "T", NULL, &open_error);
}

int values_are(const float *expected, size_t n)
{
    float v[STORED];
    if (opened.tensors != 1 || checkpoint_floats(&opened, &opened.tensor[0], v, &open_error) != DDPM_OK)
        return 0;
    return !memcmp(v, expected, n * sizeof *v);
}

void error_says(const char *file, int line, size_t i, const char *words)
{
    if (!strstr(open_error.text, words))
        check_fail(file, line, "%zu: \"%s\" does not say \"%s\"", i, open_error.text, words);
}
