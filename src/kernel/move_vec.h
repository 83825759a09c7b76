/* Changes of layout and resolution: no arithmetic but the mean of four. */

static void K(upsample)(float *y, size_t ys, const float *x, size_t xs, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, x += xs) {
            float *p = y + (2 * i * 2 * w + 2 * j) * ys, *q = p + 2 * w * ys;
            EACH_VECTOR(c, channels,
                vf v = vf_take(x + c, lanes);
                vf_put(p + c, v, lanes);
                vf_put(p + ys + c, v, lanes);
                vf_put(q + c, v, lanes);
                vf_put(q + ys + c, v, lanes);
            );
        }
}

static void K(avgpool)(float *y, size_t ys, const float *x, size_t xs, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y += ys) {
            const float *p = x + (2 * i * w + 2 * j) * xs, *q = p + w * xs;
            EACH_VECTOR(c, channels,
                vf above = vf_add(vf_take(p + c, lanes), vf_take(p + xs + c, lanes));
                vf below = vf_add(vf_take(q + c, lanes), vf_take(q + xs + c, lanes));
                vf_put(y + c, vf_mul(vf_add(above, below), vf_set(0.25f)), lanes);
            );
        }
}

/* y [n, 4] from four rows of n. */
static void unshuffle_pixel(float *y, const float *p0, const float *p1, const float *p2, const float *p3, size_t n)
{
    size_t c = 0;
    for (; c + VL <= n; c += VL, y += 4 * VL) {
        vf a = vf_load(p0 + c), b = vf_load(p1 + c), d = vf_load(p2 + c), e = vf_load(p3 + c);
        vf even = vf_zip_low(a, d), odd = vf_zip_low(b, e);
        vf_store(y, vf_zip_low(even, odd));
        vf_store(y + VL, vf_zip_high(even, odd));
        even = vf_zip_high(a, d), odd = vf_zip_high(b, e);
        vf_store(y + 2 * VL, vf_zip_low(even, odd));
        vf_store(y + 3 * VL, vf_zip_high(even, odd));
    }
    for (; c < n; c++, y += 4)
        y[0] = p0[c], y[1] = p1[c], y[2] = p2[c], y[3] = p3[c];
}

static void K(unshuffle)(float *y, size_t ys, const float *x, size_t xs, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y += ys) {
            const float *p = x + (2 * i * w + 2 * j) * xs, *q = p + w * xs;
            unshuffle_pixel(y, p, p + xs, q, q + xs, channels);
        }
}

/* A square of VL by VL, of which rows x columns are there.  One round of zips rotates the bits of an element's address (row,
   column) by one place; log2 VL rounds exchange row and column. */
INLINE void transpose_square(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    vf a[VL], b[VL];
    UNROLL for (size_t i = 0; i < VL; i++)
        a[i] = i < rows ? vf_take(x + i * xs, columns) : vf_set(0);
    UNROLL for (size_t round = 1; round < VL; round *= 2) {
        UNROLL for (size_t i = 0; i < VL / 2; i++) {
            b[2 * i] = vf_zip_low(a[i], a[i + VL / 2]);
            b[2 * i + 1] = vf_zip_high(a[i], a[i + VL / 2]);
        }
        UNROLL for (size_t i = 0; i < VL; i++)
            a[i] = b[i];
    }
    UNROLL for (size_t j = 0; j < VL; j++)
        if (j < columns)
            vf_put(y + j * ys, a[j], rows);
}

static void transpose_edge(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    transpose_square(y, ys, x, xs, rows, columns);
}

INLINE void transpose_strip(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    for (size_t j = 0; j < columns; j += VL)
        for (size_t i = 0; i < rows; i += VL)
            if (i + VL <= rows && j + VL <= columns)
                transpose_square(y + j * ys + i, ys, x + i * xs + j, xs, VL, VL);
            else
                transpose_edge(y + j * ys + i, ys, x + i * xs + j, xs,
                               rows - i < VL ? rows - i : VL, columns - j < VL ? columns - j : VL);
}

/* In strips of 16 rows, a cache line of y: where ys is a large power of two, lines written in part do not survive until the next
   strip. */
static void K(transpose)(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i += 16)
        transpose_strip(y + i, ys, x + i * xs, xs, rows - i < 16 ? rows - i : 16, columns);
}
