/* Finds the place of a tensor in a torch file (checkpoint-families.md 7.3, 7.4).  The pickle makes a
   tensor by calling _rebuild_tensor_v2(storage, offset, size, stride, ...) of torch._utils, or one of its
   relatives.  Element (i_0, i_1, ...) is storage[offset + sum_k i_k stride_k].  Offset and strides count
   elements. */
#include "base/error.h"
#include "checkpoint/source.h"

int torch_is_count(const struct pickle_node *node)
{
    return node->kind == PICKLE_INT && node->integer >= 0;
}

const struct pickle_node *torch_parameter(const struct pickle_node *node)
{
    /* The bound ends a parameter that contains itself. */
    for (int i = 0; i < 4; i++) {
        if (node->kind != PICKLE_CALL || node->item[0]->global != PICKLE_PARAMETER || !node->item[1]->count)
            break;
        node = node->item[1]->item[0];
    }
    return node;
}

/* Fills in the sizes and strides. */
static int read_shape(struct checkpoint_tensor *t, const struct pickle_node *size,
                      const struct pickle_node *stride, ddpm_error *err)
{
    if (size->kind != PICKLE_TUPLE || stride->kind != PICKLE_TUPLE || size->count != stride->count ||
        size->count > DD_RANK_MAX)
        return dd_error(err, DDPM_EDATA, "its size and strides are not two tuples of at most %d integers",
                        DD_RANK_MAX);

    t->rank = (int)size->count;
    for (int i = 0; i < t->rank; i++) {
        if (!torch_is_count(size->item[i]) || !torch_is_count(stride->item[i]))
            return dd_error(err, DDPM_EDATA, "dimension %d is not a size and a stride of 0 or more", i);
        t->dim[i] = size->item[i]->integer;
        t->stride[i] = stride->item[i]->integer;
    }
    return DDPM_OK;
}

/* Returns the number of elements; UINT64_MAX when it overflows.  Sets *last to the distance in the storage
   between the first element and the farthest one, sum_k (dim_k - 1) stride_k. */
static uint64_t extent(const struct checkpoint_tensor *t, uint64_t *last)
{
    uint64_t count = 1, far = 0, step;
    /* An empty tensor has no farthest element. */
    for (int i = 0; i < t->rank; i++)
        if (!t->dim[i])
            return *last = 0;

    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(count, (uint64_t)t->dim[i], &count) ||
            __builtin_mul_overflow((uint64_t)t->dim[i] - 1, (uint64_t)t->stride[i], &step) ||
            __builtin_add_overflow(far, step, &far))
            return UINT64_MAX;
    *last = far;
    return count;
}

/* A part of a storage: elements first ..  first + count - 1. */
struct part {
    struct torch_storage *of;
    uint64_t first, count;
};

/* Finds the storage that a node refers to: the whole, or the part that the view (key, offset,
   count) of a legacy file selects. */
static int find_storage(struct part *part, struct source *s, const struct pickle_node *node, ddpm_error *err)
{
    if (node->kind != PICKLE_PERSISTENT)
        return dd_error(err, DDPM_EDATA, "its storage is no storage");
    const struct pickle_node *id = node->item[0], *view = id->count > 5 ? id->item[5] : NULL;
    part->of = torch_storage_find(&s->torch, id->item[2]->text, id->item[2]->count);
    if (!part->of)
        return dd_error(err, DDPM_EDATA, "its storage is not in the file");
    part->first = 0;
    part->count = part->of->count;
    if (!view || view->kind == PICKLE_NONE)
        return DDPM_OK;

    if (view->kind != PICKLE_TUPLE || view->count != 3 || !torch_is_count(view->item[1]) ||
        !torch_is_count(view->item[2]) || (uint64_t)view->item[1]->integer > part->count ||
        (uint64_t)view->item[2]->integer > part->count - (uint64_t)view->item[1]->integer)
        return dd_error(err, DDPM_EDATA, "its view of storage %.64s lies outside of it (%llu elements)",
                        part->of->key, (unsigned long long)part->count);
    part->first = (uint64_t)view->item[1]->integer;
    part->count = (uint64_t)view->item[2]->integer;
    return DDPM_OK;
}

/* Points t, whose shape is known, at its elements.  as: the dtype for an untyped storage, which counts
   bytes; NULL otherwise. */
static int locate(struct checkpoint_tensor *t, struct source *s, const struct pickle_node *storage,
                  uint64_t offset, const struct pickle_node *as, ddpm_error *err)
{
    struct part part = { 0 };
    uint64_t last, count = extent(t, &last);
    int code = find_storage(&part, s, storage, err);
    if (code)
        return code;

    t->dtype = as ? (enum dd_dtype)as->dtype : part.of->dtype;
    size_t bytes = dd_dtype_bits(t->dtype) / 8;

    /* Only _rebuild_tensor_v3, which names a dtype, refers to untyped storages. */
    int untyped = storage->item[0]->item[1]->global == PICKLE_UNTYPED;

    if (untyped != (as != NULL))
        return dd_error(err, DDPM_EDATA, "a %s storage where the other kind belongs",
                        untyped ? "untyped" : "typed");
    uint64_t room = untyped ? part.count / bytes : part.count;

    if (count == UINT64_MAX)
        return dd_error(err, DDPM_EDATA, "its size overflows");
    if (offset > room || (count && last >= room - offset))
        return dd_error(
            err, DDPM_EDATA,
            "it reaches beyond its storage %.64s of %llu elements (offset %llu, last element %llu)",
            part.of->key, (unsigned long long)room, (unsigned long long)offset, (unsigned long long)last);
    /* With strides of 0 a few bytes could stand for a tensor of any size. */
    if (count > room)
        return dd_error(err, DDPM_EDATA, "its %llu elements share the %llu of its storage",
                        (unsigned long long)count, (unsigned long long)room);

    if (!part.of->data && (code = torch_zip_storage(s, part.of, err)) != DDPM_OK)
        return code;
    t->big_endian = s->torch.big_endian;
    t->data = part.of->data + (part.first + offset) * bytes;
    return DDPM_OK;
}

int torch_tensor(struct checkpoint_tensor *t, struct source *s, const struct pickle_node *node,
                 ddpm_error *err)
{
    node = torch_parameter(node);
    if (node->kind != PICKLE_CALL)
        return dd_error(err, DDPM_EDATA, "it is a parameter without a tensor");

    const struct pickle_node *kind = node->item[0], *a = node->item[1], *as = NULL;
    size_t least;
    switch (kind->global) {
    case PICKLE_TENSOR_V1: least = 4; break;
    case PICKLE_TENSOR_V2: least = 5; break;
    case PICKLE_TENSOR_V3: least = 7; break;
    default:
        return dd_error(err, DDPM_EDATA, "it is built by %s, which is not read; save it as a plain tensor",
                        kind->text);
    }
    if (a->count < least || !torch_is_count(a->item[1]))
        return dd_error(err, DDPM_EDATA, "%s has other arguments than (storage, offset, size, stride, ...)",
                        kind->text);

    if (kind->global == PICKLE_TENSOR_V3) {
        as = a->item[6];
        if (as->kind != PICKLE_GLOBAL || as->global != PICKLE_DTYPE)
            return dd_error(err, DDPM_EDATA, "%s has no known dtype", kind->text);
    }

    int code = read_shape(t, a->item[2], a->item[3], err);
    return code ? code : locate(t, s, a->item[0], (uint64_t)a->item[1]->integer, as, err);
}
