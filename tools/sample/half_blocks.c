/* A character cell is twice as high as wide, so U+2580, the upper half block, shows two square pixels: the
   upper one in the foreground colour, the lower one in the background colour (ISO 6429, SGR 38 and 48).
   Colours have 24 bits if COLORTERM says so.  Otherwise they come from xterm's palette: the colour cube
   16..231 with the levels 0 95 135 175 215 255, and the grays 232..255 with the levels 8 + 10 k.  A picture
   wider than the terminal is shrunk: each pixel becomes the mean over a box. */
#include "sample/half_blocks.h"
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "cli/progress.h"

enum mode { LETTERS, PALETTE, FULL };

struct color {
    int red, green, blue;
};

/* Returns how f can show a picture; a file gets letters. */
static enum mode mode_of(FILE *f)
{
    const char *no_color = getenv("NO_COLOR");
    enum dd_system_terminal terminal = dd_system_terminal(f);
    if (terminal < DD_SYSTEM_PALETTE || (no_color && *no_color))
        return LETTERS;
    return terminal == DD_SYSTEM_COLORS ? FULL : PALETTE;
}

/* Returns pixel (x, y) of the shrunk picture [height, width], which is the mean over its box in p; black
   below the last row. */
static struct color mean_of(const struct picture *p, int x, int y, int width, int height)
{
    if (y >= height)
        return (struct color){ 0, 0, 0 };

    int left = (int)((int64_t)x * p->width / width), right = (int)((int64_t)(x + 1) * p->width / width);
    int top = (int)((int64_t)y * p->height / height), bottom = (int)((int64_t)(y + 1) * p->height / height);
    int64_t mean[3], count = (int64_t)(right - left) * (bottom - top);

    for (int c = 0; c < 3; c++) {
        int channel = p->channels < 3 ? 0 : c;
        int64_t sum = 0;
        for (int j = top; j < bottom; j++)
            for (int i = left; i < right; i++)
                sum += picture_level(p, ((size_t)j * (size_t)p->width + (size_t)i) * (size_t)p->channels +
                                            (size_t)channel);

        /* Levels of 16 bits are 257 times those of 8.  The mean is rounded. */
        int64_t parts = p->bytes == 2 ? 257 * count : count;
        mean[c] = (sum + parts / 2) / parts;
    }
    return (struct color){ (int)mean[0], (int)mean[1], (int)mean[2] };
}

/* Returns the number of the cube's level that is nearest to v, 0 to 5. */
static int cube_level(int v)
{
    if (v < 48) /* 48 and 115 lie in the middle between 0 and 95, and 95 and 135 */
        return 0;
    return v < 115 ? 1 : (v - 35) / 40;
}

/* Returns the palette's nearest gray: one of the grays 232..255, or the cube's black (16) or white (231). */
static int gray_index(int v)
{
    if (v < 4)
        return 16;
    if (v > 246)
        return 231;
    return v > 242 ? 255 : 232 + (v - 3) / 10;
}

static int palette_index(struct color c)
{
    if (c.red == c.green && c.green == c.blue)
        return gray_index(c.red);
    return 16 + 36 * cube_level(c.red) + 6 * cube_level(c.green) + cube_level(c.blue);
}

static void put_color(FILE *f, enum mode mode, int ground, struct color c)
{
    if (mode == FULL)
        fprintf(f, "\033[%d;2;%d;%d;%dm", ground ? 48 : 38, c.red, c.green, c.blue);
    else
        fprintf(f, "\033[%d;5;%dm", ground ? 48 : 38, palette_index(c));
}

/* Returns a letter for two pixels by their brightness (luma of ITU-R BT.601). */
static char letter(struct color upper, struct color lower)
{
    static const char ramp[] = " .:-=+*#%@";
    int bright =
        299 * (upper.red + lower.red) + 587 * (upper.green + lower.green) + 114 * (upper.blue + lower.blue);
    return ramp[bright * 10 / (2 * 255 * 1000 + 1)];
}

void half_blocks_draw(FILE *f, const struct picture *p)
{
    enum mode mode = mode_of(f);
    int most = progress_columns(f), width = p->width < most ? p->width : most;
    int height = (int)((int64_t)p->height * width / p->width);
    height = height ? height : 1;

    for (int y = 0; y < height; y += 2) {
        for (int x = 0; x < width; x++) {
            struct color upper = mean_of(p, x, y, width, height), lower = mean_of(p, x, y + 1, width, height);
            if (mode == LETTERS) {
                fputc(letter(upper, lower), f);
                continue;
            }
            put_color(f, mode, 0, upper);
            put_color(f, mode, 1, lower);
            fputs("\342\226\200", f); /* U+2580 in UTF-8 */
        }
        fputs(mode == LETTERS ? "\n" : "\033[0m\n", f);
    }
}
