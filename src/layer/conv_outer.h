/* Sums outer products, from which gradients by weights are computed.  For each plane

     C [rows, columns] += A^T B,   A [terms, rows],   B [terms, columns].

   A and B are read where they lie (struct dd_conv_side), or from copies of `room` terms at a time in panels
   of nr channels, [plane][panel][room][nr].  C is [plane][panel of columns][rows][nr].  The caller fills A
   and B and adds them piece by piece, in a fixed order of terms: an element of C is one sum in that order,
   wherever the pieces are cut.

   Planes lie one cache line further apart than they need to, because otherwise all would compete for the
   same sets of the cache. */
#ifndef DD_CONV_OUTER_H
#define DD_CONV_OUTER_H
#include "kernel/kernels.h"
#include "layer/parallel.h"

struct dd_conv_outer {
    const struct dd_kernels *k;
    size_t planes, rows, columns, room;
    size_t mr, nr, row_panels, column_panels;
    size_t a_plane, b_plane, c_plane; /* floats from one plane to the next */
};

/* The place of A or B: panel p of term t of plane k begins at data + k plane + p panel + t stride.  The
   last panel of A is read only as far as it has channels, the last panel of B as a whole. */
struct dd_conv_side {
    const float *data;
    size_t stride, panel, plane;
};

static inline struct dd_conv_outer dd_conv_outer_of(const struct dd_kernels *k, size_t planes, size_t rows,
                                                    size_t columns, size_t room)
{
    size_t nr = k->gemm_nr, row_panels = dd_blocks(rows, nr), column_panels = dd_blocks(columns, nr),
           line = 16;
    return (struct dd_conv_outer){
        .k = k,
        .planes = planes,
        .rows = rows,
        .columns = columns,
        .room = room,
        .mr = k->gemm_mr,
        .nr = nr,
        .row_panels = row_panels,
        .column_panels = column_panels,
        .a_plane = dd_aligned(row_panels * room * nr) + line,
        .b_plane = dd_aligned(column_panels * room * nr) + line,
        .c_plane = dd_aligned(column_panels * rows * nr) + line,
    };
}

/* Describes a copy of A or B at `data`, with planes `plane` floats apart. */
static inline struct dd_conv_side dd_conv_outer_copy(const struct dd_conv_outer *o, const float *data,
                                                     size_t plane)
{
    return (struct dd_conv_side){ data, o->nr, o->room * o->nr, plane };
}

/* Returns how many items there are for dd_conv_outer_add. */
static inline size_t dd_conv_outer_items(const struct dd_conv_outer *o)
{
    return o->planes * o->column_panels * o->row_panels;
}

/* Computes one item of C from `count` terms; with `load` it adds to C.  An item is a plane, a panel of
   columns, and in it a panel of rows.  Terms are taken a part at a time, such that the part stays in the
   first-level cache. */
static inline void dd_conv_outer_add(const struct dd_conv_outer *o, float *c, const struct dd_conv_side *a,
                                     const struct dd_conv_side *b, size_t item, size_t count, int load)
{
    enum { TERMS = 128 };

    size_t plane = item / (o->column_panels * o->row_panels),
           column = item / o->row_panels % o->column_panels, row = item % o->row_panels;
    size_t n = dd_min(o->nr, o->rows - row * o->nr), step = dd_blocks(n, dd_blocks(n, o->mr));
    const float *x = a->data + plane * a->plane + row * a->panel,
                *y = b->data + plane * b->plane + column * b->panel;
    c += plane * o->c_plane + (column * o->rows + row * o->nr) * o->nr;
    for (size_t t = 0; t < count || (!load && t == 0); t += TERMS)
        for (size_t i = 0; i < n; i += step)
            o->k->outer(c + i * o->nr, dd_in(x + t * a->stride + i, a->stride),
                        dd_in(y + t * b->stride, b->stride), dd_min(TERMS, count - t), dd_min(step, n - i),
                        load || t > 0);
}
#endif
