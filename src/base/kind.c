/* Tells what a file is by its first bytes.  The list has the kinds that are often given in the place of a
   model. */
#include "base/kind.h"
#include <ctype.h>
#include <stdint.h>
#include <string.h>

static const char unpack[] = "unpack it first", again[] = "fetch the file itself again";
static const char others[] = "only torch and safetensors files are read";

#define BYTES(at, bytes) at, bytes, sizeof bytes - 1

static const struct {
    size_t at;
    const char *bytes;
    size_t size;
    struct dd_kind kind;
} magics[] = {
    { BYTES(0, "version https://git-lfs"),
      { .is = "a git-lfs pointer, not the file itself", .hint = "fetch it with git lfs pull" } },
    { BYTES(0, "\x89PNG"), { .is = "a PNG picture" } },
    { BYTES(0, "\xff\xd8\xff"), { .is = "a JPEG picture" } },
    { BYTES(0, "GIF8"), { .is = "a GIF picture" } },
    { BYTES(8, "WEBP"), { .is = "a WebP picture" } },
    { BYTES(0, "II*\0"), { .is = "a TIFF picture" } },
    { BYTES(0, "MM\0*"), { .is = "a TIFF picture" } },
    { BYTES(0, "%PDF-"), { .is = "a PDF document" } },
    { BYTES(0, "\x1f\x8b"), { .is = "compressed with gzip", .hint = unpack } },
    { BYTES(0, "BZh"), { .is = "compressed with bzip2", .hint = unpack } },
    { BYTES(0, "\3757zXZ"), { .is = "compressed with xz", .hint = unpack } },
    { BYTES(0, "\x28\xb5\x2f\xfd"), { .is = "compressed with zstd", .hint = unpack } },
    { BYTES(0, "7z\xbc\xaf"), { .is = "a 7z archive", .hint = unpack } },
    { BYTES(0, "Rar!"), { .is = "a RAR archive", .hint = unpack } },
    { BYTES(257, "ustar"), { .is = "a tar archive (or a checkpoint of torch before 0.2)", .hint = unpack } },
    { BYTES(0, "\x89HDF"), { .is = "an HDF5 file", .hint = others } },
    { BYTES(0, "\x93NUMPY"), { .is = "a NumPy .npy array" } },
    { BYTES(0, "GGUF"), { .is = "a GGUF file", .hint = others } },
    { BYTES(4, "TFL3"), { .is = "a TensorFlow Lite model", .hint = others } },
    { BYTES(0, "PAR1"), { .is = "a Parquet table" } },
    { BYTES(0, "SQLite format 3"), { .is = "an SQLite database" } },
    { BYTES(0, "\177ELF"), { .is = "a program" } },
    { BYTES(0, "PYTORCH1"),
      { .is = "a preview of torch's zip format", .hint = "save it again with torch 1.6 or later" } },
    { BYTES(0, "PK\5\6"), { .is = "an empty zip archive", .hint = again } },
    { BYTES(0, "\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"),
      { .is = "a PyTorch file", .torch = true } },
    { BYTES(0, "\x80\2"), { .is = "a pickle but no file of torch.save" } },
    { BYTES(0, "\x80\3"), { .is = "a pickle but no file of torch.save" } },
    { BYTES(0, "\x80\4"), { .is = "a pickle but no file of torch.save" } },
    { BYTES(0, "\x80\5"), { .is = "a pickle but no file of torch.save" } },
};

static bool has(const unsigned char *data, size_t size, size_t at, const char *bytes, size_t n)
{
    return size >= at + n && !memcmp(data + at, bytes, n);
}

static bool holds(const unsigned char *data, size_t size, const char *text)
{
    const unsigned char *end = data + size, *at = data;
    size_t n = strlen(text);
    while (at && (size_t)(end - at) >= n && memcmp(at, text, n))
        at = memchr(at + 1, *text, (size_t)(end - at - 1));
    return at && (size_t)(end - at) >= n;
}

/* Returns whether the text occurs in the first or the last 64 kB.  A zip archive lists its members at its
   end. */
static bool mentions(const unsigned char *data, size_t size, const char *text)
{
    size_t part = size < 1 << 16 ? size : 1 << 16;
    return holds(data, part, text) || holds(data + size - part, part, text);
}

/* Returns whether data begin with a length that a header may have, and a brace behind it.  A file that is
   cut off counts, too. */
static bool is_safetensors(const unsigned char *data, size_t size)
{
    uint64_t header = 0;
    for (int i = 8; i-- && size > 8;)
        header = header << 8 | data[i];
    return size > 8 && header <= 100000000 && data[8] == '{';
}

/* Returns whether data look like text: the only control characters are those of lines, and bytes above 127
   are UTF-8. */
static bool is_text(const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size && i < 4096; i++)
        if (data[i] == 127 || data[i] >= 0xf8 || (data[i] < ' ' && (data[i] < '\t' || data[i] > '\r')))
            return false;
    return true;
}

/* Returns whether data begin with a tag, which is given in lower case, in either case. */
static bool begins_tag(const unsigned char *data, size_t size, const char *tag)
{
    for (; *tag; tag++, data++, size--)
        if (!size || tolower(*data) != *tag)
            return false;
    return true;
}

/* Tells texts apart by their beginning. */
static struct dd_kind text_kind(const unsigned char *data, size_t size)
{
    static const char folder[] = "ddpm convert takes the folder that it lies in";
    /* A byte order mark and white space may come first. */
    size_t at = has(data, size, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < size && isspace(data[at]))
        at++;

    if (begins_tag(data + at, size - at, "<!doctype html") || begins_tag(data + at, size - at, "<html"))
        return (struct dd_kind){ .is = "a web page", .hint = "the download went wrong, fetch it again" };
    if (begins_tag(data + at, size - at, "<?xml"))
        return (struct dd_kind){ .is = "an XML file" };

    if (at == size || (data[at] != '{' && data[at] != '['))
        return (struct dd_kind){ .is = "a text file", .text = true };

    if (mentions(data, size, "\"weight_map\""))
        return (struct dd_kind){ .is = "a JSON file, the index of weights in several files",
                                 .hint = folder,
                                 .text = true };
    if (mentions(data, size, "\"_class_name\""))
        return (struct dd_kind){ .is = "a JSON file, a configuration of diffusers",
                                 .hint = folder,
                                 .text = true };
    return (struct dd_kind){ .is = "a JSON file", .text = true };
}

/* Tells zip archives apart by their members.  The name of the first one begins at byte 30, its length at byte
   26. */
static struct dd_kind zip_kind(const unsigned char *data, size_t size)
{
    size_t n = size >= 30 ? data[26] + 256u * data[27] : 0;
    if (mentions(data, size, "data.pkl"))
        return (struct dd_kind){ .is = "a PyTorch file", .torch = true };
    if (n >= 4 && has(data, size, 26 + n, ".npy", 4))
        return (struct dd_kind){ .is = "a NumPy .npz archive" };
    return (struct dd_kind){ .is = "a zip archive", .torch = true };
}

/* Returns whether data begin like an ONNX model: with the version of the format, and the name of the
   program that wrote it. */
static bool is_onnx(const unsigned char *data, size_t size)
{
    if (size < 8 || data[0] != 8 || data[1] < 1 || data[1] > 32 || data[2] != 0x12 || data[3] < 1 ||
        data[3] > size - 4)
        return false;

    for (size_t i = 0; i < data[3]; i++)
        if (!isprint(data[4 + i]))
            return false;
    return true;
}

/* Returns whether the first 64 kB are zeros, as after a download that reserved its space and failed. */
static bool is_zeros(const unsigned char *data, size_t size)
{
    size_t i = 0;
    while (i < size && i < 1 << 16 && !data[i])
        i++;
    return size >= 64 && (i == size || i == 1 << 16);
}

struct dd_kind dd_kind(const unsigned char *data, size_t size)
{
    if (!size)
        return (struct dd_kind){ .is = "empty", .hint = again };
    if (is_safetensors(data, size))
        return (struct dd_kind){ .is = NULL };

    if (has(data, size, 0, "PK\3\4", 4))
        return zip_kind(data, size);
    /* The kinds with bytes at their beginning come first, then those that end or fill a file. */
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (has(data, size, magics[i].at, magics[i].bytes, magics[i].size))
            return magics[i].kind;

    if (is_onnx(data, size))
        return (struct dd_kind){ .is = "an ONNX model", .hint = others };
    if (size >= 48 && has(data, size, size - 8, "\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8))
        return (struct dd_kind){ .is = "the index of a TensorFlow checkpoint", .hint = others };

    if (is_zeros(data, size))
        return (struct dd_kind){ .is = "nothing but zero bytes", .hint = again };
    if (is_text(data, size))
        return text_kind(data, size);

    return (struct dd_kind){ .is = NULL };
}

int dd_kind_error(ddpm_error *err, const char *name, struct dd_kind kind, const char *expected)
{
    const char *hint = kind.hint ? kind.hint : "";
    return dd_error(err, DDPM_EDATA, "%s: is %s, %s%s%s", name, kind.is, expected, kind.hint ? ": " : "",
                    hint);
}
