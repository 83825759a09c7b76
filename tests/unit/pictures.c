/* picture_write makes a PNG by the rules of the standard (chunks and their CRC-32) that keeps pixels and
   texts, and damage to it is seen. An array has the bytes that numpy's description of its format asks
   for. */
#include <stdint.h>
#include <zlib.h>
#include "tests/check.h"
#include "tools/sample/index_list.h"
#include "tools/image/array_file.h"
#include "tools/image/dataset_array.h"
#include "tools/image/picture.h"
#include "tools/sample/image_archive.h"

enum { ROOM = 1 << 16 };

static size_t u32(const unsigned char *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* Writes a picture with another value in every place as a file into data. Returns its size. */
static size_t make(unsigned char data[ROOM], struct picture *p, int channels, int bytes, const char *text)
{
    ddpm_error err;
    FILE *f = tmpfile();
    size_t size = 0;
    if (!f || picture_create(p, 7, 5, channels, bytes, &err))
        return 0;
    for (int i = 0; i < 7 * 5 * channels * bytes; i++)
        p->pixel[i] = (unsigned char)(37 * i + 11);
    if (!picture_write(f, p, text, &err)) {
        rewind(f);
        size = fread(data, 1, ROOM, f);
    }
    fclose(f);
    return size;
}

TEST(picture, chunks_have_their_checksums)
{
    static unsigned char data[ROOM];
    struct picture p;
    size_t size = make(data, &p, 3, 1, "{\"a\":1,\"b\":\"\",\"program\":\"ddpm 7\"}"), at = 8;
    char order[64] = "";
    while (at + 12 <= size && at + 12 + u32(data + at) <= size) {
        size_t length = u32(data + at);
        strncat(order, (const char *)data + at + 4, 4);
        CHECK(u32(data + at + 8 + length) == crc32(0, data + at + 4, (uInt)(length + 4)));
        at += 12 + length;
    }
    CHECK(size > 0 && at == size);
    CHECK_TEXT(order, "IHDRtEXttEXttEXtIDATIEND");
    CHECK(u32(data + 33) == 38 && !memcmp(data + 41, "ddpm\0{\"a\":1,", 12));
    CHECK(u32(data + 83) == 15 && !memcmp(data + 91, "Software\0ddpm 7", 15));
    CHECK(u32(data + 110) == 15 && !memcmp(data + 118, "Description\0a 1", 15));
    picture_free(&p);
}

TEST(picture, reads_what_it_wrote)
{
    static unsigned char data[ROOM];
    for (int k = 0; k < 8; k++) {
        struct picture p, q;
        char *text;
        ddpm_error err;
        int channels = 1 + k % 4, bytes = 1 + k / 4;
        size_t size = make(data, &p, channels, bytes, "settings");
        REQUIRE(size > 0 && picture_read_memory(&q, &text, data, size, "memory", &err) == DDPM_OK);
        CHECK_TEXT(text, "settings");
        CHECK(q.width == 7 && q.height == 5 && q.channels == channels && q.bytes == bytes);
        CHECK(!memcmp(p.pixel, q.pixel, (size_t)(35 * channels * bytes)));
        free(text);
        picture_free(&p);
        picture_free(&q);
    }
}

/* Makes the checksum of the first chunk right again. */
static void set_crc(unsigned char *data)
{
    uLong crc = crc32(0, data + 12, 17);
    for (int i = 0; i < 4; i++)
        data[29 + i] = (unsigned char)(crc >> (24 - 8 * i));
}

TEST(picture, damage_is_seen)
{
    static unsigned char data[ROOM];
    struct picture p, q;
    char *text;
    ddpm_error err;
    size_t size = make(data, &p, 1, 1, "settings");

    for (size_t cut = 0; cut + 12 < size; cut++) {
        unsigned char *copy = malloc(cut + 1);
        REQUIRE(copy);
        memcpy(copy, data, cut);
        CHECK(picture_read_memory(&q, &text, copy, cut, "memory", &err) == DDPM_EDATA);
        free(copy);
    }

    /* A changed bit of a chunk, then a width that the file is too short for. */
    data[48] ^= 1;
    CHECK(picture_read_memory(&q, &text, data, size, "memory", &err) == DDPM_EDATA &&
          strstr(err.text, "checksum"));
    data[48] ^= 1, data[17] = 0x7F;
    set_crc(data);
    CHECK(picture_read_memory(&q, &text, data, size, "memory", &err) == DDPM_EDATA &&
          strstr(err.text, "claims"));

    /* The size of a row with so many columns overflows. */
    data[16] = data[20] = 0x7F;
    data[25] = 2;
    set_crc(data);
    CHECK(picture_read_memory(&q, &text, data, size, "memory", &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "claims more"));

    picture_free(&p);
}

/* A level is clamp(rint(127.5 (x + 1))), rounded half to even, so 127.5 becomes 128; with 16 bits 32767.5
   takes the place of 127.5. */
TEST(picture, levels)
{
    struct picture p;
    ddpm_error err;
    const double x[8] = { -1, 1, 0, -1.5, 7, -0.999, 0.5, NAN };
    const int level[2][8] = { { 0, 255, 128, 0, 255, 0, 191, 0 },
                              { 0, 65535, 32768, 0, 65535, 33, 49151, 0 } };
    for (int bytes = 1; bytes <= 2; bytes++) {
        REQUIRE(picture_create(&p, 4, 4, 1, bytes, &err) == DDPM_OK);
        picture_tile(&p, 3, 2, x, 2, 2);
        picture_tile(&p, 0, 2, x + 4, 2, 2);
        for (size_t i = 0; i < 4; i++) {
            CHECK(picture_level(&p, (2 + i / 2) * 4 + 2 + i % 2) == level[bytes - 1][i]);
            CHECK(picture_level(&p, i / 2 * 4 + i % 2) == level[bytes - 1][4 + i]);
        }
        picture_free(&p);
    }
    CHECK(picture_create(&p, 4, 4, 5, 1, &err) == DDPM_EUSAGE);
    CHECK(picture_create(&p, 1 << 20, 1 << 20, 3, 1, &err) == DDPM_EUSAGE);
}

/* Format 1.0 has a magic number, a version, the length of the rest of the head (little-endian), and the
   head, padded with blanks to a multiple of 64 and ended by a new line. */
TEST(picture, array)
{
    unsigned char data[256];
    const double x[2] = { 1, -2.5 };
    const size_t dim[2] = { 1, 2 };
    ddpm_error err;
    FILE *f = tmpfile();
    REQUIRE(f && !array_head(f, "<f4", dim, 2, &err) && !array_values(f, x, 2, &err));
    rewind(f);
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    CHECK(size == 128 + 8 && !memcmp(data, "\x93NUMPY\1\0\x76\0", 10) && data[127] == '\n');
    CHECK(!memcmp(data + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }  ", 61));
    CHECK(!memcmp(data + 128, "\0\0\x80\x3f\0\0\x20\xc0", 8));
}

TEST(picture, index_list)
{
    static const char *const wrong[] = { "",           ",",          "1,",
                                         "1-",         "-1",         "3-1",
                                         "1--2",       "2147483648", "99999999999999999999",
                                         "0-10000000", "1 ",         "5,4-6" };
    const uint32_t expected[] = { 0, 5, 7, 8, 9, 2147483647 };
    uint32_t *index = NULL;
    int n;
    ddpm_error err;

    REQUIRE(index_list(&index, &n, "0,5,7-9,2147483647", 0, &err) == DDPM_OK && n == 6);
    CHECK(!memcmp(index, expected, sizeof expected));
    free(index);

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        index = NULL;
        CHECK(index_list(&index, &n, wrong[i], 0, &err) == DDPM_EUSAGE);
        free(index);
    }
}

/* An archive has what went in, for the reader of data sets, and the same bytes each time.  A device that is
   full is an error. */
TEST(picture, archive)
{
    static const double image[2][25] = { { -1, 1 }, { 0, 0.5 } };
    const ddpm_about a = { .height = 5, .width = 5, .channels = 1 };
    const char *path = check_path(check_folder(), "two.npz");
    struct image_archive p;
    struct dataset_array read;
    struct dd_file map;
    ddpm_error err;

    FILE *f = fopen(path, "wb"), *full = fopen("/dev/full", "wb");
    REQUIRE(f && !image_archive_open(&p, 3, &a, true, &err));
    image_archive_add(&p, image[0], 0x01020304);
    image_archive_add(&p, image[1], 7);
    CHECK(!image_archive_write(&p, f, &err) && !fclose(f));
    if (full) {
        setvbuf(full, NULL, _IONBF, 0);
        CHECK(image_archive_write(&p, full, &err) == DDPM_EIO &&
              strstr(err.text, "cannot write the archive"));
        fclose(full);
    }
    image_archive_free(&p);

    /* Bytes 10 to 13 of a member's head are its time and its date: 1 January 1980 at 0:00. */
    REQUIRE(!dd_file_map(&map, path, &err) && map.size > 14);
    CHECK(!memcmp(map.data, "PK\3\4", 4) && !memcmp(map.data + 10, "\0\0\x21\0", 4));
    dd_file_unmap(&map);

    REQUIRE(!dataset_array_open(&read, path, 0, &err));
    CHECK(read.count == 2 && read.height == 5 && read.width == 5 && read.channels == 1);
    CHECK(!memcmp(read.data, "\0\377\200\200", 4) && !memcmp(read.data + 25, "\200\277\200", 3));
    CHECK(read.classes && read.classes[0] == 0x01020304 && read.classes[1] == 7);
    dataset_array_close(&read);
}
