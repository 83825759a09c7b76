/* The peak signal-to-noise ratio is PSNR = 20 log10(255 / RMSE).  The structural similarity SSIM (Wang,
   Bovik, Sheikh and Simoncelli 2004, equation 13) has a Gaussian window w of 11 x 11 pixels, standard
   deviation 1.5 and sum 1.  At every place where the window lies within the image it is

     (2 mu_a mu_b + C1) (2 s_ab + C2) / ((mu_a^2 + mu_b^2 + C1) (s_a^2 + s_b^2 + C2))

   with C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2, mu = sum w x and s_ab = sum w x_a x_b - mu_a mu_b.  The
   result is the mean over places, channels and images.

   The knee is that of Satopaa, Albrecht, Irwin and Raghavan 2011, with time on a logarithmic scale and both
   axes from 0 to 1. */
#include "trial/bench_quality.h"
#include <math.h>
#include <stdlib.h>
#include "base/error.h"

enum { WINDOW = 11 };

double quality_rmse(const unsigned char *a, const unsigned char *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum / (double)n);
}

double quality_psnr(double rmse)
{
    return 20 * log10(255 / rmse);
}

static void make_window(double w[WINDOW])
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++)
        sum += w[i] = exp(-pow(i - WINDOW / 2, 2) / (2 * 1.5 * 1.5));
    for (int i = 0; i < WINDOW; i++)
        w[i] /= sum;
}

/* The sums over the window at one place: of a, b, a^2, b^2 and ab. */
enum { SUMS = 5 };

static void add_pixel(double sum[SUMS], double w, double a, double b)
{
    sum[0] += w * a;
    sum[1] += w * b;
    sum[2] += w * a * a;
    sum[3] += w * b * b;
    sum[4] += w * a * b;
}

/* Returns the formula above for the sums of one place. */
static double similarity(const double s[SUMS])
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    double va = fmax(0, s[2] - s[0] * s[0]), vb = fmax(0, s[3] - s[1] * s[1]), vab = s[4] - s[0] * s[1];
    double same = (2 * s[0] * s[1] + c1) * (2 * vab + c2);
    double all = (s[0] * s[0] + s[1] * s[1] + c1) * (va + vb + c2);
    return fmin(1, fmax(-1, same / all));
}

/* Returns the mean over the places in one channel.  The window is a product of two functions, so
   it is applied first along the rows, into row [h, w - 10, SUMS], and then down the columns. */
static double ssim_channel(const unsigned char *a, const unsigned char *b, const struct quality_shape *shape,
                           const double window[WINDOW], double (*row)[SUMS])
{
    int h = shape->h, w = shape->w, c = shape->c;
    int width = w - WINDOW + 1, height = h - WINDOW + 1;
    double total = 0;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < width; x++) {
            double *sum = row[y * width + x];
            for (int k = 0; k < SUMS; k++)
                sum[k] = 0;
            for (int i = 0; i < WINDOW; i++)
                add_pixel(sum, window[i], a[(y * w + x + i) * c], b[(y * w + x + i) * c]);
        }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double sum[SUMS] = { 0 };
            for (int i = 0; i < WINDOW; i++)
                for (int k = 0; k < SUMS; k++)
                    sum[k] += window[i] * row[(y + i) * width + x][k];
            total += similarity(sum);
        }
    return total / height / width;
}

int quality_ssim(double *ssim, const unsigned char *a, const unsigned char *b,
                 const struct quality_shape *shape, ddpm_error *err)
{
    double window[WINDOW], sum = 0, (*row)[SUMS];
    int h = shape->h, w = shape->w, c = shape->c;
    size_t d = (size_t)h * (size_t)w * (size_t)c;

    *ssim = NAN;
    if (h < WINDOW || w < WINDOW)
        return DDPM_OK;
    if (!(row = calloc((size_t)h * (size_t)w, sizeof *row)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for the similarity of images of %d x %d", h, w);
    make_window(window);
    for (size_t i = 0; i < shape->n; i++)
        for (int k = 0; k < c; k++)
            sum += ssim_channel(a + i * d + k, b + i * d + k, shape, window, row);
    free(row);
    *ssim = sum / (double)shape->n / c;
    return DDPM_OK;
}

/* Value i is the k-th smallest (from 0) if at most k values are below it and more than k are not
   above it.  The values are too few for the time of sorting to matter. */
double quality_median(const double *v, int n)
{
    int there = 0;
    double low = NAN, high = NAN;

    for (int i = 0; i < n; i++)
        there += !isnan(v[i]);
    for (int i = 0; i < n; i++) {
        int below = 0, up_to = 0;
        for (int k = 0; k < n; k++) {
            below += v[k] < v[i];
            up_to += v[k] <= v[i];
        }
        if (below <= (there - 1) / 2 && up_to > (there - 1) / 2)
            low = v[i];
        if (below <= there / 2 && up_to > there / 2)
            high = v[i];
    }
    return (low + high) / 2;
}

double quality_spread(const double *v, int n)
{
    double least = INFINITY, most = -INFINITY;
    int there = 0;

    for (int i = 0; i < n; i++)
        if (!isnan(v[i])) {
            least = fmin(least, v[i]);
            most = fmax(most, v[i]);
            there++;
        }
    return there > 1 ? (most - least) / quality_median(v, n) : NAN;
}

static bool known(const struct quality_points *p, int i)
{
    return !isnan(p->seconds[i]) && !isnan(p->distance[i]);
}

/* Returns whether point i is surely nearer than point k. */
static bool nearer(const struct quality_points *p, int i, int k)
{
    return p->distance[i] - p->distance[k] + p->over[i * p->n + k] < 0;
}

int quality_front(bool *front, const struct quality_points *p)
{
    int there = 0;

    for (int i = 0; i < p->n; i++) {
        front[i] = known(p, i);
        for (int k = 0; k < p->n && front[i]; k++)
            if (k != i && known(p, k) && p->seconds[k] <= p->seconds[i] && !nearer(p, i, k))
                front[i] = false;
        there += front[i];
    }
    for (int i = 0; i < p->n && there < 2; i++)
        front[i] = false;
    return there < 2 ? 0 : there;
}

/* Returns how many images would make point i surely nearer than all points that take no longer;
   0: no point is as fast as i. */
static double needed_by(const struct quality_points *p, int images, int i)
{
    double most = 0;

    for (int k = 0; k < p->n; k++) {
        double gap = p->distance[k] - p->distance[i];

        /* An interval's width falls as 1 / sqrt(images), so the needed images grow as (width /
           gap)^2. */
        if (k != i && known(p, k) && p->seconds[k] <= p->seconds[i])
            most = fmax(most, gap > 0 ? images * pow(p->over[i * p->n + k] / gap, 2) : INFINITY);
    }
    return ceil(most);
}

double quality_needed(const struct quality_points *p, int images, int *first)
{
    double least = INFINITY;

    *first = -1;
    for (int i = 0; i < p->n; i++) {
        double needed = known(p, i) ? needed_by(p, images, i) : 0;
        if (needed > 0 && needed < least) {
            *first = i;
            least = needed;
        }
    }
    return least;
}

int quality_knee(const bool *front, const double *seconds, const double *distance, int n)
{
    int first = -1, last = -1, knee = -1;
    double most = 0;

    for (int i = 0; i < n; i++) {
        if (!front[i])
            continue;
        first = first < 0 || seconds[i] < seconds[first] ? i : first;
        last = last < 0 || seconds[i] > seconds[last] ? i : last;
    }
    for (int i = 0; i < n; i++) {
        if (!front[i] || i == first || i == last)
            continue;

        /* The line from (0, 1) to (1, 0) is 1 - along; the knee is the point farthest below it. */
        double along = log(seconds[i] / seconds[first]) / log(seconds[last] / seconds[first]);
        double up = (distance[i] - distance[last]) / (distance[first] - distance[last]),
               below = 1 - along - up;
        if (knee < 0 || below > most) {
            knee = i;
            most = below;
        }
    }
    return knee;
}

int quality_nearest(const struct quality_points *p, double limit)
{
    int nearest = -1;

    for (int i = 0; i < p->n; i++)
        if (p->seconds[i] <= limit && !isnan(p->distance[i]) &&
            (nearest < 0 || p->distance[i] < p->distance[nearest]))
            nearest = i;
    return nearest;
}

/* Returns whether point a is preferred to point b, see quality_best. */
static bool better(const struct quality_points *p, const int *K, int a, int b)
{
    if (K[a] != K[b])
        return K[a] > K[b];
    if (p->distance[a] != p->distance[b])
        return p->distance[a] < p->distance[b];
    return p->seconds[a] < p->seconds[b];
}

int quality_best(const struct quality_points *p, const int *K, double limit)
{
    int nearest = quality_nearest(p, limit), best = nearest;

    for (int i = 0; i < p->n && nearest >= 0; i++)
        if (p->seconds[i] <= limit && !isnan(p->distance[i]) && !nearer(p, nearest, i) &&
            better(p, K, i, best))
            best = i;
    return best;
}
