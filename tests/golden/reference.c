/* Reads the reference data for the golden tests of src/diffusion, see reference.h. */
#include "golden/reference.h"
#include "base/rng.h"
#include "check.h"

cJSON *reference_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long size = 0;
    cJSON *root = NULL;
    if (f && !fseek(f, 0, SEEK_END) && (size = ftell(f)) > 0 && !fseek(f, 0, SEEK_SET) &&
        (text = malloc((size_t)size)))
        root = fread(text, 1, (size_t)size, f) == (size_t)size ? cJSON_ParseWithLength(text, (size_t)size)
                                                               : NULL;
    if (f)
        fclose(f);
    free(text);
    if (!root)
        check_fail(__FILE__, __LINE__, "%s: cannot be read as JSON", path);
    return root;
}

void reference_each(const char *name, void (*test)(const cJSON *root))
{
    cJSON *root = reference_read(check_path(check_source(), "tests/golden/data/diffusion/%s.json", name));
    if (root)
        test(root);
    cJSON_Delete(root);
    if (!check_shared()) {
        check_skip(CHECK_NO_REFERENCE ": only the runs of tests/golden/data/diffusion/%s.json were checked",
                   name);
        return;
    }
    root = reference_read(check_path(check_shared(), "reference/diffusion/%s.json", name));
    if (root)
        test(root);
    cJSON_Delete(root);
}

const cJSON *reference_get(const cJSON *object, const char *path)
{
    char key[64];
    for (const char *p = path; object && *p; p += *p == '.') {
        size_t n = strcspn(p, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, p);
        object = cJSON_GetObjectItemCaseSensitive(object, key);
        p += n;
    }
    if (!object)
        check_fail(__FILE__, __LINE__, "the reference data has no \"%s\"", path);
    return object;
}

double reference_number(const cJSON *object, const char *path)
{
    const cJSON *v = reference_get(object, path);
    return v && cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

const char *reference_text(const cJSON *object, const char *path)
{
    const cJSON *v = reference_get(object, path);
    return v && cJSON_IsString(v) ? v->valuestring : "";
}

double *reference_numbers(const cJSON *object, const char *path, int *n)
{
    const cJSON *array = reference_get(object, path), *v;
    int count = 0;
    double *list = malloc(((size_t)cJSON_GetArraySize(array) + 1) * sizeof *list);
    if (!list)
        abort();
    cJSON_ArrayForEach(v, array)
        list[count++] = cJSON_IsNumber(v) ? v->valuedouble : INFINITY;
    if (n)
        *n = count;
    return list;
}

double reference_distance(const double *a, const double *b, int n)
{
    double largest = 1, difference = 0;
    for (int i = 0; i < n; i++) {
        largest = fmax(largest, fabs(b[i]));
        difference = isfinite(a[i]) ? fmax(difference, fabs(a[i] - b[i])) : INFINITY;
    }
    return difference / largest;
}

double reference_tolerance(const cJSON *run)
{
    const cJSON *check = reference_get(run, "check"),
                *second = cJSON_GetObjectItemCaseSensitive(check, "second_float64_dist");
    return fmax(1e-12,
                10 * fmax(reference_number(check, "longdouble_dist"), second ? second->valuedouble : 0));
}

int mixture_read(struct mixture *m)
{
    cJSON *root = reference_read(check_path(check_source(), "tests/golden/data/diffusion/mixture.json"));
    double *weights = reference_numbers(root, "weights", NULL), beta[1000];
    for (int k = 0; k < MIXTURE_K; k++) {
        double *mean = reference_numbers(cJSON_GetArrayItem(reference_get(root, "means"), k), "", NULL);
        double *variance =
            reference_numbers(cJSON_GetArrayItem(reference_get(root, "variances"), k), "", NULL);
        m->weight[k] = weights[k];
        memcpy(m->mean[k], mean, sizeof m->mean[k]);
        memcpy(m->variance[k], variance, sizeof m->variance[k]);
        free(mean);
        free(variance);
    }
    m->learned = 0;
    free(weights);
    cJSON_Delete(root);
    return ddpm_betas(beta, m->alpha_bar, 1000, "openai-linear", NULL);
}

/* The mixture q_t(x) = sum_k w_k N(sqrt(ab) m_k, s_k) with s_k = ab v_k + 1 - ab has eps = sqrt(1 - ab)
   sum_k r_k (x - sqrt(ab) m_k) / s_k, where r_k is the share of component k at x. */
void mixture_eps_at(const struct mixture *m, double *eps, const double *x, double ab)
{
    double log_density[MIXTURE_K], top = -INFINITY, sum = 0;

    for (int k = 0; k < MIXTURE_K; k++) {
        double exponent = 0;
        for (int e = 0; e < MIXTURE_D; e++) {
            double s = ab * m->variance[k][e] + 1 - ab, away = x[e] - sqrt(ab) * m->mean[k][e];
            exponent += away * away / s + log(s);
        }
        log_density[k] = log(m->weight[k]) - exponent / 2;
        top = fmax(top, log_density[k]);
    }

    /* Densities are taken relative to the largest, so that not all of them underflow. */
    for (int k = 0; k < MIXTURE_K; k++)
        sum += exp(log_density[k] - top);

    for (int e = 0; e < MIXTURE_D; e++) {
        eps[e] = 0;
        for (int k = 0; k < MIXTURE_K; k++)
            eps[e] += sqrt(1 - ab) * exp(log_density[k] - top) / sum * (x[e] - sqrt(ab) * m->mean[k][e]) /
                      (ab * m->variance[k][e] + 1 - ab);
    }
}

int mixture_eps(void *mixture, double *out, const double *x, double t, const int32_t *classes, int n,
                ddpm_error *err)
{
    const struct mixture *m = mixture;
    (void)classes, (void)err;
    for (int b = 0; b < n; b++, x += MIXTURE_D, out += MIXTURE_D) {
        mixture_eps_at(m, out, x, m->alpha_bar[(int)t]);
        if (!m->learned)
            continue;
        out += MIXTURE_D;
        for (int e = 0; e < MIXTURE_D; e++)
            out[e] = 0.3 * sin(x[e]);
    }
    return DDPM_OK;
}

void reference_noise(double *z, int step, int first, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++) {
        uint64_t x = seed + (((uint64_t)step << 32) + (uint64_t)(first + i) + 1) * 0x9E3779B97F4A7C15u;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
        x = (x ^ x >> 27) * 0x94D049BB133111EBu;
        x ^= x >> 31;
        z[i] = dd_rng_quantile(((double)(x >> 12) + 0.5) * 0x1p-52);
    }
}

void reference_run_noise(void *tables, double *z, size_t d, uint32_t index, double t, int draw)
{
    const ddpm_tables *c = tables;
    int step = 0;
    (void)draw;
    for (int i = 0; i < c->K && isfinite(t); i++)
        if (c->t[i] == t)
            step = c->K - i;
    reference_noise(z, step, (int)index * MIXTURE_D, (int)d, 1);
}
