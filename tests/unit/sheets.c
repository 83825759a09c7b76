/* Where the pixels of pictures and captions stand on a contact sheet, and which levels they have. */
#include "tests/check.h"
#include "tools/image/sheet.h"

/* Two tiles of 3 x 3 pixels at scale 2 below one another, each with a caption of one row.  The first holds a
   gray picture of 1 x 1 of 16 bits, the second one of 3 x 1 in colours with transparency. */
TEST(sheet, places)
{
    uint16_t wide = 65535;
    unsigned char colour[12] = { 1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 255 }, line[18];
    const struct image_file gray = { 1, 1, 1, 2, (unsigned char *)&wide };
    const struct image_file rgba = { 3, 1, 4, 1, colour };
    const struct picture caption = { .width = 6, .height = 1, .channels = 3, .bytes = 1, .pixel = line };
    struct sheet s = { .columns = 1, .scale = 2, .width = 3, .height = 3, .caption = 1 };
    memset(line, 77, sizeof line);

    REQUIRE(!sheet_create(&s, 2, 3, NULL));
    CHECK(s.picture.width == 6 && s.picture.height == 14 && s.picture.channels == 3);
    sheet_put(&s, 0, &gray);
    sheet_put(&s, 1, &rgba);
    sheet_caption(&s, 1, &caption);

    for (int y = 0; y < 14; y++)
        for (int x = 0; x < 6; x++)
            for (int c = 0; c < 3; c++) {
                int expected = 0;
                if (y >= 2 && y < 4 && x >= 2 && x < 4)
                    expected = 255;
                if (y >= 9 && y < 11)
                    expected = 3 * (x / 2) + c + 1;
                if (y == 13)
                    expected = 77;
                CHECK(s.picture.pixel[3 * (6 * y + x) + c] == expected);
            }
    sheet_free(&s);
}

TEST(sheet, too_large)
{
    struct sheet s = { .columns = 1000, .scale = 512, .width = 4096, .height = 4096 };
    ddpm_error err;
    CHECK(sheet_create(&s, 1000000, 3, &err) == DDPM_EUSAGE && strstr(err.text, "smaller --scale"));
    sheet_free(&s);
}
