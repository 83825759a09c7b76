/* Changes layout and resolution.  The only arithmetic is the mean or sum of four. */

static void K(upsample)(float *y, size_t ys, const float *x, size_t xs, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, x += xs) {
            float *p = y + (2 * i * 2 * w + 2 * j) * ys, *q = p + 2 * w * ys;
            EACH_VECTOR(c, channels, {
                vf v = vf_take(x + c, lanes);
                vf_put(p + c, v, lanes);
                vf_put(p + ys + c, v, lanes);
                vf_put(q + c, v, lanes);
                vf_put(q + ys + c, v, lanes);
            });
        }
}

static void K(upsample_backward)(float *dx, size_t dxs, int add, const float *dy, size_t dys, size_t h,
                                 size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, dx += dxs) {
            const float *p = dy + (2 * i * 2 * w + 2 * j) * dys, *q = p + 2 * w * dys;
            EACH_VECTOR(c, channels, {
                vf above = vf_add(vf_take(p + c, lanes), vf_take(p + dys + c, lanes));
                vf below = vf_add(vf_take(q + c, lanes), vf_take(q + dys + c, lanes));
                vf d = vf_add(above, below);
                vf_put(dx + c, add ? vf_add(vf_take(dx + c, lanes), d) : d, lanes);
            });
        }
}

static void K(avgpool)(float *y, size_t ys, const float *x, size_t xs, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y += ys) {
            const float *p = x + (2 * i * w + 2 * j) * xs, *q = p + w * xs;
            EACH_VECTOR(c, channels, {
                vf above = vf_add(vf_take(p + c, lanes), vf_take(p + xs + c, lanes));
                vf below = vf_add(vf_take(q + c, lanes), vf_take(q + xs + c, lanes));
                vf_put(y + c, vf_mul(vf_add(above, below), vf_set(0.25f)), lanes);
            });
        }
}

/* Clears a pixel in an odd last row or column.  No block of 2x2 holds it, so its gradient is 0. */
static void clear_pixel(float *x, size_t n)
{
    EACH_VECTOR(c, n, { vf_put(x + c, vf_set(0), lanes); });
}

/* Returns whether a block of 2x2 holds pixel (i, j). */
INLINE int in_block(size_t i, size_t j, size_t h, size_t w)
{
    return i < (h & ~(size_t)1) && j < (w & ~(size_t)1);
}

static void K(avgpool_backward)(float *dx, size_t dxs, int add, const float *dy, size_t dys, size_t h,
                                size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, dx += dxs) {
            const float *from = dy + (i / 2 * (w / 2) + j / 2) * dys;
            if (in_block(i, j, h, w))
                EACH_VECTOR(c, channels, {
                    vf d = vf_mul(vf_take(from + c, lanes), vf_set(0.25f));
                    vf_put(dx + c, add ? vf_add(vf_take(dx + c, lanes), d) : d, lanes);
                });
            else if (!add)
                clear_pixel(dx, channels);
        }
}

/* Fills y [n, 4] from four rows of n. */
static void unshuffle_pixel(float *y, const float *p0, const float *p1, const float *p2, const float *p3,
                            size_t n)
{
    size_t c = 0;
    for (; c + VL <= n; c += VL, y += 4 * VL) {
        vf a = vf_load(p0 + c), b = vf_load(p1 + c), d = vf_load(p2 + c), e = vf_load(p3 + c);
        /* Zips rows p0 with p2 and p1 with p3, and the results again: p0 p1 p2 p3 of each channel. */
        vf even = vf_zip_low(a, d), odd = vf_zip_low(b, e);
        vf_store(y, vf_zip_low(even, odd));
        vf_store(y + VL, vf_zip_high(even, odd));

        even = vf_zip_high(a, d);
        odd = vf_zip_high(b, e);
        vf_store(y + 2 * VL, vf_zip_low(even, odd));
        vf_store(y + 3 * VL, vf_zip_high(even, odd));
    }

    for (; c < n; c++, y += 4) {
        y[0] = p0[c];
        y[1] = p1[c];
        y[2] = p2[c];
        y[3] = p3[c];
    }
}

static void K(unshuffle)(float *y, size_t ys, const float *x, size_t xs, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y += ys) {
            const float *p = x + (2 * i * w + 2 * j) * xs, *q = p + w * xs;
            unshuffle_pixel(y, p, p + xs, q, q + xs, channels);
        }
}

INLINE void put_or_add(float *p, vf a, int add)
{
    vf_store(p, add ? vf_add(vf_load(p), a) : a);
}

/* Does the inverse.  Two rounds of zips made y; log2 VL more rounds rotate the bits of an element's address
   back. */
static void unshuffle_pixel_backward(float *p0, float *p1, float *p2, float *p3, int add, const float *y,
                                     size_t n)
{
    size_t c = 0;
    for (; c + VL <= n; c += VL, y += 4 * VL) {
        vf a = vf_load(y), b = vf_load(y + VL), d = vf_load(y + 2 * VL), e = vf_load(y + 3 * VL);
        UNROLL
        for (int round = 1; round < VL; round *= 2) {
            vf low = vf_zip_low(a, d), high = vf_zip_high(a, d);
            d = vf_zip_low(b, e);
            e = vf_zip_high(b, e);
            a = low;
            b = high;
        }

        put_or_add(p0 + c, a, add);
        put_or_add(p1 + c, b, add);
        put_or_add(p2 + c, d, add);
        put_or_add(p3 + c, e, add);
    }

    for (; c < n; c++, y += 4) {
        p0[c] = add ? p0[c] + y[0] : y[0];
        p1[c] = add ? p1[c] + y[1] : y[1];
        p2[c] = add ? p2[c] + y[2] : y[2];
        p3[c] = add ? p3[c] + y[3] : y[3];
    }
}

static void K(unshuffle_backward)(float *dx, size_t dxs, int add, const float *dy, size_t dys, size_t h,
                                  size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++) {
            float *p = dx + (i * w + j) * dxs, *q = p + w * dxs;
            if (!in_block(i, j, h, w) && !add)
                clear_pixel(p, channels);
            else if (in_block(i, j, h, w) && i % 2 == 0 && j % 2 == 0)
                unshuffle_pixel_backward(p, p + dxs, q, q + dxs, add, dy + (i / 2 * (w / 2) + j / 2) * dys,
                                         channels);
        }
}

/* Transposes the rows x columns numbers that exist of a square of VL by VL.  One round of zips rotates the
   bits of an element's address (row, column) by one place; log2 VL rounds exchange row and column. */
INLINE void transpose_square(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    vf a[VL], b[VL];

    UNROLL
    for (size_t i = 0; i < VL; i++)
        a[i] = i < rows ? vf_take(x + i * xs, columns) : vf_set(0);

    UNROLL
    for (size_t round = 1; round < VL; round *= 2) {
        UNROLL
        for (size_t i = 0; i < VL / 2; i++) {
            b[2 * i] = vf_zip_low(a[i], a[i + VL / 2]);
            b[2 * i + 1] = vf_zip_high(a[i], a[i + VL / 2]);
        }
        UNROLL
        for (size_t i = 0; i < VL; i++)
            a[i] = b[i];
    }

    UNROLL
    for (size_t j = 0; j < VL; j++)
        if (j < columns)
            vf_put(y + j * ys, a[j], rows);
}

/* The same as a function of its own, because the rare squares at an edge need not be compiled into each
   caller. */
static void transpose_edge(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    transpose_square(y, ys, x, xs, rows, columns);
}

INLINE void transpose_strip(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    for (size_t j = 0; j < columns; j += VL)
        for (size_t i = 0; i < rows; i += VL)
            /* Whole squares are the most frequent, so they are compiled without tests for an edge. */
            if (i + VL <= rows && j + VL <= columns)
                transpose_square(y + j * ys + i, ys, x + i * xs + j, xs, VL, VL);
            else
                transpose_edge(y + j * ys + i, ys, x + i * xs + j, xs, rows - i < VL ? rows - i : VL,
                               columns - j < VL ? columns - j : VL);
}

/* Goes in strips of 16 rows, a cache line of y.  If ys is a large power of two, lines that are written in
   part would not survive in the cache until the next strip. */
static void K(transpose)(float *y, size_t ys, const float *x, size_t xs, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i += 16)
        transpose_strip(y + i, ys, x + i * xs, xs, rows - i < 16 ? rows - i : 16, columns);
}
