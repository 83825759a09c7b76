/* The pickle machine on pickles written by hand: the effect of each opcode (checkpoint-families.md 7.3;
   CPython's pickletools gives the same values), and the refusal of everything else by name and byte. */
#include "tests/check.h"
#include "tests/torch_writer.h"
#include "tools/checkpoint/pickle.h"

static struct dd_arena arena;
static ddpm_error error;

/* Returns the root of a pickle, or NULL when it is refused. */
static struct pickle_node *read_bytes(const void *data, size_t size)
{
    static struct pickle p;
    size_t used;
    dd_arena_free(&arena);
    error = (ddpm_error){ 0 };
    int code = pickle_read(&p, &arena, data, size, &used, &error);
    CHECK(!code == !error.code);
    CHECK(code || used == size);
    return code ? NULL : p.root;
}

#define READ(bytes) read_bytes(bytes, sizeof bytes - 1)

static int is_int(const struct pickle_node *n, int64_t v)
{
    return n && n->kind == PICKLE_INT && n->integer == v;
}

TEST(pickle, numbers)
{
    CHECK(is_int(READ("\x80\2K\xff."), 255));
    CHECK(is_int(READ("\x80\2M\1\2."), 513));
    CHECK(is_int(READ("\x80\2J\xff\xff\xff\xff."), -1));
    CHECK(is_int(READ("\x80\2\x8a\0."), 0));
    CHECK(is_int(READ("\x80\2\x8a\2\0\xff."), -256));
    CHECK(is_int(READ("\x80\2\x8a\5\0\0\0\0\1."), 4294967296));
    CHECK(is_int(READ("\x80\2\x8b\1\0\0\0\x7f."), 127));
    CHECK(is_int(READ("\x80\2I-42\n."), -42));

    struct pickle_node *n = READ("\x80\2\x8a\12lllllllllm.");
    CHECK(n && n->kind == PICKLE_LONG && n->count == 10);

    n = READ("\x80\2I01\n.");
    CHECK(n && n->kind == PICKLE_BOOL && n->integer == 1);
    n = READ("\x80\2\x89.");
    CHECK(n && n->kind == PICKLE_BOOL && n->integer == 0);

    n = READ("\x80\2G\x3f\xf8\0\0\0\0\0\0."); /* BINFLOAT is big-endian, unlike all other opcodes */
    CHECK(n && n->kind == PICKLE_FLOAT && n->number == 1.5);

    n = READ("N.");
    CHECK(n && n->kind == PICKLE_NONE);
}

TEST(pickle, texts)
{
    struct pickle_node *n = READ("\x80\2X\2\0\0\0ab.");
    CHECK(n && pickle_is(n, "ab"));
    CHECK((n = READ("\x80\2U\2ab.")) && pickle_is(n, "ab"));
    CHECK((n = READ("\x80\2T\2\0\0\0ab.")) && pickle_is(n, "ab"));
    CHECK((n = READ("\x80\4\x95\5\0\0\0\0\0\0\0\x8c\2ab.")) && pickle_is(n, "ab"));
    CHECK((n = READ("\x80\4\x8d\2\0\0\0\0\0\0\0ab.")) && pickle_is(n, "ab"));
    CHECK((n = READ("\x80\3C\2ab.")) && n->kind == PICKLE_BYTES && n->count == 2);
    CHECK((n = READ("\x80\3B\2\0\0\0ab.")) && n->kind == PICKLE_BYTES && n->count == 2);
}

TEST(pickle, containers)
{
    struct pickle_node *n = READ("\x80\2K\1K\2\x86.");
    CHECK(n && n->kind == PICKLE_TUPLE && n->count == 2 && is_int(n->item[0], 1) && is_int(n->item[1], 2));
    CHECK((n = READ("\x80\2(K\1K\2K\3K\4t.")) && n->count == 4 && is_int(n->item[3], 4));
    CHECK((n = READ("\x80\2).")) && n->kind == PICKLE_TUPLE && n->count == 0);
    CHECK((n = READ("\x80\2](K\1K\2eK\3a.")) && n->kind == PICKLE_LIST && n->count == 3 &&
          is_int(n->item[2], 3));
    n = READ("\x80\2}(U\1aK\1U\1bK\2uU\1cK\3s.");
    CHECK(n && n->kind == PICKLE_DICT && n->count == 6);
    CHECK(n && is_int(pickle_get(n, "b"), 2) && is_int(pickle_get(n, "c"), 3) && !pickle_get(n, "d"));

    /* The last value of a key counts, as in Python. */
    CHECK((n = READ("\x80\2}(U\1aK\1U\1aK\2u.")) && is_int(pickle_get(n, "a"), 2));

    /* The opcodes POP_MARK, POP and DUP. */
    n = READ("\x80\2(K\1K\2K\3\x31K\4K\5\x30\x32\x86.");
    CHECK(n && n->count == 2 && is_int(n->item[0], 4) && n->item[0] == n->item[1]);
}

TEST(pickle, memo)
{
    struct pickle_node *n = READ("\x80\2K\7q\0h\0r\1\0\0\0j\1\0\0\0\x87.");
    CHECK(n && n->count == 3 && n->item[0] == n->item[1] && n->item[1] == n->item[2]);
    CHECK((n = READ("\x80\4(K\7\x94K\x08\x94h\0h\1t.")) && is_int(n->item[2], 7) && is_int(n->item[3], 8));
    n = READ("\x80\2}q\0U\1ah\0s."); /* a dict that holds itself */
    CHECK(n && pickle_get(n, "a") == n);
    CHECK(!READ("\x80\2K\7q\0h\1.") && strstr(error.text, "memo index 1 was never set"));
    CHECK(!READ("\x80\2K\7r\xff\xff\xff\xff.") && strstr(error.text, "4294967295"));
}

TEST(pickle, calls)
{
    struct pickle_node *n = READ("\x80\2"
                                 "ccollections\nOrderedDict\n)R(U\1aK\1u}b.");
    CHECK(n && n->kind == PICKLE_DICT && is_int(pickle_get(n, "a"), 1)); /* BUILD leaves it as it is */

    /* Python 2 makes an OrderedDict from a list of pairs. */
    n = READ("\x80\2"
             "ccollections\nOrderedDict\n]](U\1aK\1ea\x85R.");
    CHECK(n && n->kind == PICKLE_DICT && is_int(pickle_get(n, "a"), 1));

    n = READ("\x80\2"
             "ctorch\nSize\nK\1K\2\x86\x85R.");
    CHECK(n && n->kind == PICKLE_TUPLE && n->count == 2);

    n = READ("\x80\2"
             "c__builtin__\nset\n](K\1K\2e\x85R.");
    CHECK(n && n->kind == PICKLE_OPAQUE);

    n = READ("\x80\4\x8c\7pathlib\x8c\11PosixPath\x93)}\x92.");
    CHECK(n && n->kind == PICKLE_OPAQUE);

    n = READ("\x80\4\x8f(K\1K\2\x90.");
    CHECK(n && n->kind == PICKLE_OPAQUE);

    n = READ("\x80\4(K\1K\2\x91.");
    CHECK(n && n->kind == PICKLE_OPAQUE);

    n = READ("\x80\2U\1aQ.");
    CHECK(n && n->kind == PICKLE_PERSISTENT && pickle_is(n->item[0], "a"));

    CHECK(!READ("\x80\2K\1)R.") && strstr(error.text, "no global"));
}

TEST(pickle, refuses_globals_by_name)
{
    static const char *const hostile[][2] = {
        { "os", "system" },
        { "posix", "system" },
        { "nt", "system" },
        { "sys", "exit" },
        { "subprocess", "Popen" },
        { "builtins", "eval" },
        { "builtins", "exec" },
        { "builtins", "open" },
        { "builtins", "__import__" },
        { "builtins", "print" },
        { "__builtin__", "eval" },
        { "os.path", "join" },
        { "pathlib", "os.system" },
        { "webbrowser", "open" },
        { "torch", "load" },
        { "torch", "ComplexFloatStorage" },
        { "torch._utils", "_rebuild_qtensor" },
        { "collections", "OrderedDict.__init__" },
        { "", "" },
        { "numpy", "load" },
        { "torch.hub", "load" },
        { "a b", "c" },
        { "timeit", "timeit" },
        { "1a", "b" },
        { "a", "b.c" },
    };

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct writer w = { .size = 0 };
        char full[64];
        put_ops(&w, "\x80\2");
        put_global(&w, hostile[i][0], hostile[i][1]);
        put_ops(&w, ".");
        snprintf(full, sizeof full, "%s.%s",
                 strcmp(hostile[i][0], "__builtin__") ? hostile[i][0] : "builtins", hostile[i][1]);

        CHECK(!read_bytes(w.data, w.size));
        CHECK(error.code == DDPM_EDATA && strstr(error.text, full));
        CHECK(strstr(error.text, "byte 2") && strstr(error.text, "nothing was executed"));
    }
}

TEST(pickle, refuses_other_opcodes)
{
    static const char known[] = "(.012BCGIJKMNQRTUX]abcehjqrstu})"
                                "\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8f\x90\x91\x92\x93\x94\x95";
    for (int op = 1; op < 256; op++) {
        char bytes[] = { 'N', (char)op, '.' }, code[8];
        if (op == '.')
            continue;
        struct pickle_node *n = read_bytes(bytes, sizeof bytes);
        snprintf(code, sizeof code, "0x%02x", (unsigned)op);
        if (!strchr(known, op))
            CHECK(!n && strstr(error.text, code));
        else if (!n)
            CHECK(!strstr(error.text, "opcode"));
    }
}

TEST(pickle, refuses_damage)
{
    static const struct {
        const char *bytes, *says;
    } bad[] = {
        { "\x80\2", "cut short" },
        { "\x80\6N.", "protocol 6" },
        { "\x80\2.", "stack is empty" },
        { "\x80\2NN.", "left behind" },
        { "\x80\2(N.", "left behind" },
        { "\x80\2(.", "stack is empty" },
        { "\x80\2t.", "no mark" },
        { "\x80\2N(\x85.", "stack is empty" },
        { "\x80\2NNa.", "no list" },
        { "\x80\2NNNs.", "no dict" },
        { "\x80\2}(Nu.", "without a value" },
        { "\x80\2X\xff\xff\xff\xff"
          "ab.",
          "4294967295" },
        { "\x80\2"
          "cos",
          "no end" },
        { "\x80\2Ix\n.", "no integer" },
        { "\x80\2I\n.", "no integer" },
        { "\x80\2I99999999999999999999\n.", "no integer" },
        { "\x80\2\x8b\xff\xff\xff\xff.", "cut short" },
        { "\x80\4NN\x93.", "no text" },
        { "\x80\2"
          "ccollections\nOrderedDict\nNR.",
          "no tuple" },
        { "\x80\2"
          "ccollections\nOrderedDict\nN\x85R.",
          "no list of pairs" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!read_bytes(bad[i].bytes, strlen(bad[i].bytes)));
        if (error.code != DDPM_EDATA || !strstr(error.text, bad[i].says))
            check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", error.text, bad[i].says);
    }
    dd_arena_free(&arena);
}
