/* Reads golden numbers of training; see training_data.h. */
#include "golden/training_data.h"

int training_data_open(struct training_data *g, const char *name)
{
    *g = (struct training_data){ .name = name };
    return dd_file_map(&g->file, check_path(check_source(), "tests/golden/data/%s.safetensors", name),
                       NULL) ||
           dd_safetensors_read(&g->s, g->file.data, g->file.size, name, NULL);
}

void training_data_close(struct training_data *g)
{
    dd_safetensors_free(&g->s);
    dd_file_unmap(&g->file);
}

const struct dd_entry *training_data_find(const struct training_data *g, const char *format, const char *name,
                                          const char *key)
{
    char text[80];
    snprintf(text, sizeof text, format, name, key);
    const struct dd_entry *e = dd_safetensors_find(&g->s, text);
    if (!e)
        check_fail(__FILE__, __LINE__, "%s.safetensors has no %s", g->name, text);
    return e;
}

double counter(uint64_t seed, int i)
{
    double z;
    reference_noise(&z, 0, i, 1, seed);
    return z;
}

double image_value(uint64_t seed, int i)
{
    return fmin(fmax(0.5 * counter(seed, i), -1), 1);
}

void training_weights(ddpm_model *m)
{
    const ddpm_tensor *list;
    uint64_t seed = 1000;
    size_t n = ddpm_model_tensors(m, &list);
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(list[i].name);
        int64_t count = 1, fan = 1;
        if (list[i].dtype != DDPM_F32 || !strcmp(list[i].name, "time.freq"))
            continue;
        for (int r = 0; r < list[i].rank; r++) {
            count *= list[i].dim[r];
            fan *= r ? list[i].dim[r] : 1;
        }

        int gain = list[i].rank == 1 && !strcmp(list[i].name + length - 6, "weight");
        for (int64_t k = 0; k < count; k++)
            ((float *)list[i].data)[k] =
                (float)(gain + counter(seed, (int)k) / sqrt(list[i].rank > 1 ? (double)fan : 16));
        seed++;
    }
}
