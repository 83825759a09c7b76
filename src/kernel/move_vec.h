/* Changes layout and resolution.  The only arithmetic is the mean or sum of four. */

static void K(upsample)(struct dd_out y, struct dd_in x, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, x.at += x.stride) {
            float *p = y.at + (2 * i * 2 * w + 2 * j) * y.stride, *q = p + 2 * w * y.stride;
            EACH_VECTOR(c, channels, {
                vf v = vf_take(x.at + c, lanes);
                vf_put(p + c, v, lanes);
                vf_put(p + y.stride + c, v, lanes);
                vf_put(q + c, v, lanes);
                vf_put(q + y.stride + c, v, lanes);
            });
        }
}

static void K(upsample_backward)(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, dx.at += dx.stride) {
            const float *p = dy.at + (2 * i * 2 * w + 2 * j) * dy.stride, *q = p + 2 * w * dy.stride;
            EACH_VECTOR(c, channels, {
                vf above = vf_add(vf_take(p + c, lanes), vf_take(p + dy.stride + c, lanes));
                vf below = vf_add(vf_take(q + c, lanes), vf_take(q + dy.stride + c, lanes));
                vf d = vf_add(above, below);
                vf_put(dx.at + c, dx.add ? vf_add(vf_take(dx.at + c, lanes), d) : d, lanes);
            });
        }
}

static void K(avgpool)(struct dd_out y, struct dd_in x, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y.at += y.stride) {
            const float *p = x.at + (2 * i * w + 2 * j) * x.stride, *q = p + w * x.stride;
            EACH_VECTOR(c, channels, {
                vf above = vf_add(vf_take(p + c, lanes), vf_take(p + x.stride + c, lanes));
                vf below = vf_add(vf_take(q + c, lanes), vf_take(q + x.stride + c, lanes));
                vf_put(y.at + c, vf_mul(vf_add(above, below), vf_set(0.25f)), lanes);
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

static void K(avgpool_backward)(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++, dx.at += dx.stride) {
            const float *from = dy.at + (i / 2 * (w / 2) + j / 2) * dy.stride;
            if (in_block(i, j, h, w))
                EACH_VECTOR(c, channels, {
                    vf d = vf_mul(vf_take(from + c, lanes), vf_set(0.25f));
                    vf_put(dx.at + c, dx.add ? vf_add(vf_take(dx.at + c, lanes), d) : d, lanes);
                });
            else if (!dx.add)
                clear_pixel(dx.at, channels);
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

static void K(unshuffle)(struct dd_out y, struct dd_in x, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h / 2; i++)
        for (size_t j = 0; j < w / 2; j++, y.at += y.stride) {
            const float *p = x.at + (2 * i * w + 2 * j) * x.stride, *q = p + w * x.stride;
            unshuffle_pixel(y.at, p, p + x.stride, q, q + x.stride, channels);
        }
}

INLINE void put_or_add(float *p, vf a, int add)
{
    vf_store(p, add ? vf_add(vf_load(p), a) : a);
}

/* Does the inverse for the rows p [4].  Two rounds of zips made y; log2 VL more rounds rotate the bits of an
   element's address back. */
static void unshuffle_pixel_backward(float *const *p, int add, const float *y, size_t n)
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

        put_or_add(p[0] + c, a, add);
        put_or_add(p[1] + c, b, add);
        put_or_add(p[2] + c, d, add);
        put_or_add(p[3] + c, e, add);
    }

    for (; c < n; c++, y += 4) {
        p[0][c] = add ? p[0][c] + y[0] : y[0];
        p[1][c] = add ? p[1][c] + y[1] : y[1];
        p[2][c] = add ? p[2][c] + y[2] : y[2];
        p[3][c] = add ? p[3][c] + y[3] : y[3];
    }
}

static void K(unshuffle_backward)(struct dd_grad_out dx, struct dd_in dy, size_t h, size_t w, size_t channels)
{
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++) {
            float *p = dx.at + (i * w + j) * dx.stride, *q = p + w * dx.stride;
            float *const block[4] = { p, p + dx.stride, q, q + dx.stride };
            if (!in_block(i, j, h, w) && !dx.add)
                clear_pixel(p, channels);
            else if (in_block(i, j, h, w) && i % 2 == 0 && j % 2 == 0)
                unshuffle_pixel_backward(block, dx.add, dy.at + (i / 2 * (w / 2) + j / 2) * dy.stride,
                                         channels);
        }
}

/* Transposes the rows x columns numbers that exist of a square of VL by VL.  One round of zips rotates the
   bits of an element's address (row, column) by one place; log2 VL rounds exchange row and column. */
INLINE void transpose_square(struct dd_out y, struct dd_in x, size_t rows, size_t columns)
{
    vf a[VL], b[VL];

    UNROLL
    for (size_t i = 0; i < VL; i++)
        a[i] = i < rows ? vf_take(x.at + i * x.stride, columns) : vf_set(0);

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
            vf_put(y.at + j * y.stride, a[j], rows);
}

/* The same as a function of its own, because the rare squares at an edge need not be compiled into each
   caller. */
static void transpose_edge(struct dd_out y, struct dd_in x, size_t rows, size_t columns)
{
    transpose_square(y, x, rows, columns);
}

INLINE void transpose_strip(struct dd_out y, struct dd_in x, size_t rows, size_t columns)
{
    for (size_t j = 0; j < columns; j += VL)
        for (size_t i = 0; i < rows; i += VL) {
            const struct dd_out to = dd_out(y.at + j * y.stride + i, y.stride);
            const struct dd_in from = dd_in(x.at + i * x.stride + j, x.stride);
            /* Whole squares are the most frequent, so they are compiled without tests for an edge. */
            if (i + VL <= rows && j + VL <= columns)
                transpose_square(to, from, VL, VL);
            else
                transpose_edge(to, from, rows - i < VL ? rows - i : VL, columns - j < VL ? columns - j : VL);
        }
}

/* Goes in strips of 16 rows, a cache line of y.  If y.stride is a large power of two, lines that are written
   in part would not survive in the cache until the next strip. */
static void K(transpose)(struct dd_out y, struct dd_in x, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i += 16)
        transpose_strip(dd_out(y.at + i, y.stride), dd_in(x.at + i * x.stride, x.stride),
                        rows - i < 16 ? rows - i : 16, columns);
}
