/* What a file is, by the bytes that its kind begins with.  The list has what is often given for a model and
   is none. */
#include "base/kind.h"
#include <ctype.h>
#include <stdint.h>
#include <string.h>

static const char unpack[] = "unpack it first", again[] = "fetch the file itself again";
static const char others[] = "only torch and safetensors files are read";

#define MAGIC(at, bytes, is, hint, torch) \
    {                                     \
        at, bytes, sizeof bytes - 1,      \
        {                                 \
            is, hint, torch, false        \
        }                                 \
    }

static const struct {
    size_t at;
    const char *bytes;
    size_t size;
    struct dd_kind kind;
} magics[] = {
    MAGIC(0, "version https://git-lfs", "a git-lfs pointer, not the file itself",
          "fetch it with git lfs pull", false),
    MAGIC(0, "\x89PNG", "a PNG picture", NULL, false),
    MAGIC(0, "\xff\xd8\xff", "a JPEG picture", NULL, false),
    MAGIC(0, "GIF8", "a GIF picture", NULL, false),
    MAGIC(8, "WEBP", "a WebP picture", NULL, false),
    MAGIC(0, "II*\0", "a TIFF picture", NULL, false),
    MAGIC(0, "MM\0*", "a TIFF picture", NULL, false),
    MAGIC(0, "%PDF-", "a PDF document", NULL, false),
    MAGIC(0, "\x1f\x8b", "compressed with gzip", unpack, false),
    MAGIC(0, "BZh", "compressed with bzip2", unpack, false),
    MAGIC(0,
          "\xfd"
          "7zXZ",
          "compressed with xz", unpack, false),
    MAGIC(0, "\x28\xb5\x2f\xfd", "compressed with zstd", unpack, false),
    MAGIC(0, "7z\xbc\xaf", "a 7z archive", unpack, false),
    MAGIC(0, "Rar!", "a RAR archive", unpack, false),
    MAGIC(257, "ustar", "a tar archive (or a checkpoint of torch before 0.2)", unpack, false),
    MAGIC(0, "\x89HDF", "an HDF5 file", others, false),
    MAGIC(0, "\x93NUMPY", "a NumPy .npy array", NULL, false),
    MAGIC(0, "GGUF", "a GGUF file", others, false),
    MAGIC(4, "TFL3", "a TensorFlow Lite model", others, false),
    MAGIC(0, "PAR1", "a Parquet table", NULL, false),
    MAGIC(0, "SQLite format 3", "an SQLite database", NULL, false),
    MAGIC(0,
          "\x7f"
          "ELF",
          "a program", NULL, false),
    MAGIC(0, "PYTORCH1", "a preview of torch's zip format", "save it again with torch 1.6 or later", false),
    MAGIC(0, "PK\5\6", "an empty zip archive", again, false),
    MAGIC(0, "\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", "a PyTorch file", NULL, true),
    MAGIC(0, "\x80\2", "a pickle but no file of torch.save", NULL, false),
    MAGIC(0, "\x80\3", "a pickle but no file of torch.save", NULL, false),
    MAGIC(0, "\x80\4", "a pickle but no file of torch.save", NULL, false),
    MAGIC(0, "\x80\5", "a pickle but no file of torch.save", NULL, false),
};

static bool has(const unsigned char *data, size_t size, size_t at, const char *bytes, size_t n)
{
    return size >= at + n && !memcmp(data + at, bytes, n);
}

/* Is the text somewhere in the first or the last 64 kB?  A zip archive lists its members at its end. */
static bool mentions(const unsigned char *data, size_t size, const char *text)
{
    size_t part = size < 1 << 16 ? size : 1 << 16;
    return memmem(data, part, text, strlen(text)) || memmem(data + size - part, part, text, strlen(text));
}

/* A length that a header may have, also of a file that is cut off, and the first brace behind it. */
static bool is_safetensors(const unsigned char *data, size_t size)
{
    uint64_t header = 0;
    for (int i = 8; i-- && size > 8;)
        header = header << 8 | data[i];
    return size > 8 && header <= 100000000 && data[8] == '{';
}

/* Text has no control characters but those of lines, and of the bytes above 127 those that UTF-8 has. */
static bool is_text(const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size && i < 4096; i++)
        if (data[i] == 127 || data[i] >= 0xf8 || (data[i] < ' ' && (data[i] < '\t' || data[i] > '\r')))
            return false;
    return true;
}

static bool begins_tag(const unsigned char *data, size_t size, const char *tag)
{
    for (; *tag; tag++, data++, size--)
        if (!size || tolower(*data) != *tag)
            return false;
    return true;
}

static struct dd_kind text_kind(const unsigned char *data, size_t size)
{
    static const char folder[] = "ddpm convert takes the folder that it lies in";
    size_t at = has(data, size, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < size && isspace(data[at]))
        at++;
    if (begins_tag(data + at, size - at, "<!doctype html") || begins_tag(data + at, size - at, "<html"))
        return (struct dd_kind){ "a web page", "the download went wrong, fetch it again", false, false };
    if (begins_tag(data + at, size - at, "<?xml"))
        return (struct dd_kind){ "an XML file", NULL, false, false };
    if (at == size || (data[at] != '{' && data[at] != '['))
        return (struct dd_kind){ "a text file", NULL, false, true };
    if (mentions(data, size, "\"weight_map\""))
        return (struct dd_kind){ "a JSON file, the index of weights in several files", folder, false, true };
    if (mentions(data, size, "\"_class_name\""))
        return (struct dd_kind){ "a JSON file, a configuration of diffusers", folder, false, true };
    return (struct dd_kind){ "a JSON file", NULL, false, true };
}

static struct dd_kind zip_kind(const unsigned char *data, size_t size)
{
    size_t n = size >= 30 ? data[26] + 256u * data[27] : 0;
    if (mentions(data, size, "data.pkl"))
        return (struct dd_kind){ "a PyTorch file", NULL, true, false };
    if (n >= 4 && has(data, size, 26 + n, ".npy", 4))
        return (struct dd_kind){ "a NumPy .npz archive", NULL, false, false };
    return (struct dd_kind){ "a zip archive", NULL, true, false };
}

/* The first fields of an ONNX model are the version of the format and the name of the program that
   wrote it. */
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
        return (struct dd_kind){ "empty", again, false, false };
    if (is_safetensors(data, size))
        return (struct dd_kind){ NULL, NULL, false, false };
    if (has(data, size, 0, "PK\3\4", 4))
        return zip_kind(data, size);
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (has(data, size, magics[i].at, magics[i].bytes, magics[i].size))
            return magics[i].kind;
    if (is_onnx(data, size))
        return (struct dd_kind){ "an ONNX model", others, false, false };
    if (size >= 48 && has(data, size, size - 8, "\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8))
        return (struct dd_kind){ "the index of a TensorFlow checkpoint", others, false, false };
    if (is_zeros(data, size))
        return (struct dd_kind){ "nothing but zero bytes", again, false, false };
    if (size >= 8 && is_text(data, size))
        return text_kind(data, size);
    return (struct dd_kind){ NULL, NULL, false, false };
}

int dd_kind_error(ddpm_error *err, const char *name, struct dd_kind kind, const char *expected)
{
    const char *hint = kind.hint ? kind.hint : "";
    return dd_error(err, DDPM_EDATA, "%s: is %s, %s%s%s", name, kind.is, expected, kind.hint ? ": " : "",
                    hint);
}
