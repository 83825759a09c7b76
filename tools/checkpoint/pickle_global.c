/* Decides which globals a pickle may name (checkpoint-families.md 7.3).  A global is "module.name",
   a class or a function of Python; Python's own reader would import it.  Here no global is ever
   imported or called:

   - globals in `needed` make tensors;
   - globals in `tolerated` occur in training files too; a value that they make becomes opaque;
   - globals in `hostile` serve an attack, and are refused with these words;
   - any other name from a library in `known` is refused, because it may be a hostile one in disguise;
   - classes of other programs are skipped, and named to the user. */
#include <ctype.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/pickle.h"

static const struct {
    const char *module, *name;
    enum pickle_global global;
    enum dd_dtype dtype;
} needed[] = {
    { "collections", "OrderedDict", PICKLE_ORDERED_DICT, 0 },
    { "torch._utils", "_rebuild_tensor", PICKLE_TENSOR_V1, 0 },
    { "torch._utils", "_rebuild_tensor_v2", PICKLE_TENSOR_V2, 0 },
    { "torch._utils", "_rebuild_tensor_v3", PICKLE_TENSOR_V3, 0 },
    { "torch._utils", "_rebuild_parameter", PICKLE_PARAMETER, 0 },
    { "torch._utils", "_rebuild_parameter_with_state", PICKLE_PARAMETER, 0 },
    { "torch._tensor", "_rebuild_from_type_v2", PICKLE_TENSOR_TYPED, 0 },
    { "torch", "Size", PICKLE_SIZE, 0 },
    { "torch", "FloatStorage", PICKLE_STORAGE, DD_F32 },
    { "torch", "HalfStorage", PICKLE_STORAGE, DD_F16 },
    { "torch", "BFloat16Storage", PICKLE_STORAGE, DD_BF16 },
    { "torch", "DoubleStorage", PICKLE_STORAGE, DD_F64 },
    { "torch", "LongStorage", PICKLE_STORAGE, DD_I64 },
    { "torch", "IntStorage", PICKLE_STORAGE, DD_I32 },
    { "torch", "ShortStorage", PICKLE_STORAGE, DD_I16 },
    { "torch", "CharStorage", PICKLE_STORAGE, DD_I8 },
    { "torch", "ByteStorage", PICKLE_STORAGE, DD_U8 },
    { "torch", "BoolStorage", PICKLE_STORAGE, DD_BOOL },
    { "torch.storage", "UntypedStorage", PICKLE_UNTYPED, DD_U8 },
    { "torch", "float32", PICKLE_DTYPE, DD_F32 },
    { "torch", "float16", PICKLE_DTYPE, DD_F16 },
    { "torch", "bfloat16", PICKLE_DTYPE, DD_BF16 },
    { "torch", "float64", PICKLE_DTYPE, DD_F64 },
    { "torch", "int64", PICKLE_DTYPE, DD_I64 },
    { "torch", "int32", PICKLE_DTYPE, DD_I32 },
    { "torch", "int16", PICKLE_DTYPE, DD_I16 },
    { "torch", "int8", PICKLE_DTYPE, DD_I8 },
    { "torch", "uint8", PICKLE_DTYPE, DD_U8 },
    { "torch", "bool", PICKLE_DTYPE, DD_BOOL },
    { "torch", "uint16", PICKLE_DTYPE, DD_U16 },
    { "torch", "uint32", PICKLE_DTYPE, DD_U32 },
    { "torch", "uint64", PICKLE_DTYPE, DD_U64 },
};

/* In the following lists a name that ends in '.' stands for all names that begin with it. */
static const char *const tolerated[] = {
    /* containers and numbers of Python */
    "collections.Counter",
    "collections.defaultdict",
    "builtins.set",
    "builtins.frozenset",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.slice",
    "builtins.range",
    "builtins.object",
    "builtins.list",
    "builtins.dict",
    "builtins.tuple",
    "builtins.int",
    "builtins.float",
    "builtins.bool",
    "builtins.str",
    "builtins.getattr",
    "_codecs.encode",

    /* torch and numpy */
    "torch.device",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",

    /* settings of training programs */
    "argparse.Namespace",
    "pathlib.",
    "pytorch_lightning.",
    "lightning.pytorch.",
    "omegaconf.",
};

static const char *const hostile[] = {
    /* the system and its processes */
    "os.",
    "posix.",
    "nt.",
    "sys.",
    "subprocess.",
    "commands.",
    "pty.",
    "shutil.",
    "ctypes.",
    "_thread.",
    "atexit.",

    /* code from text, and other modules */
    "builtins.eval",
    "builtins.exec",
    "builtins.execfile",
    "builtins.compile",
    "builtins.__import__",
    "builtins.apply",
    "builtins.breakpoint",
    "builtins.input",
    "importlib.",
    "imp.",
    "runpy.",
    "code.",
    "codeop.",
    "pkgutil.",
    "zipimport.",
    "py_compile.",
    "compileall.",
    "types.CodeType",
    "types.FunctionType",

    /* programs of the standard library that run code */
    "timeit.",
    "pdb.",
    "bdb.",
    "cProfile.",
    "profile.run",
    "profile.runctx",
    "doctest.",
    "pydoc.",
    "idlelib.",
    "lib2to3.",
    "linecache.",

    /* any attribute of any object */
    "builtins.globals",
    "builtins.setattr",
    "builtins.delattr",
    "operator.attrgetter",
    "operator.methodcaller",
    "_operator.attrgetter",
    "_operator.methodcaller",

    /* files */
    "builtins.open",
    "io.open",
    "_io.open",
    "io.FileIO",
    "_io.FileIO",

    /* the network */
    "socket.",
    "socketserver.",
    "webbrowser.",
    "http.",
    "httplib.",
    "httplib2.",
    "urllib.",
    "urllib2.",
    "requests.",
    "aiohttp.",
    "asyncio.",
    "smtplib.",
    "ftplib.",
    "telnetlib.",
    "xmlrpc.",

    /* pickles and their like */
    "pickle.",
    "_pickle.",
    "cPickle.",
    "dill.",
    "cloudpickle.",
    "joblib.",
    "marshal.",
    "shelve.",

    /* installers */
    "pip.",
    "setuptools.",
    "distutils.",
    "ensurepip.",
    "venv.",
};

/* Libraries whose globals pass only if they are needed or tolerated. */
static const char *const known[] = { "builtins.", "numpy.", "torch." };

static int listed(const char *const *list, size_t n, const char *full)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(list[i]);
        if (list[i][length - 1] == '.' ? !strncmp(full, list[i], length) : !strcmp(full, list[i]))
            return 1;
    }
    return 0;
}

/* Returns whether text is a name of Python: letters, digits and underscores, with no digit
   first.  dots: names joined by single dots are accepted too. */
static int is_name(const char *text, int dots)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' &&
            !(dots && *c == '.' && c > text && c[1] && c[1] != '.'))
            return 0;
    return *text && !isdigit((unsigned char)*text);
}

/* Returns whether a global is a class of another program.  torch's own layers and optimizers
   count as such. */
static int is_foreign(const char *module, const char *name, const char *full)
{
    if (!is_name(module, 1) || !is_name(name, 0))
        return 0;
    return !listed(known, sizeof known / sizeof *known, full) || !strncmp(full, "torch.nn.", 9) ||
           !strncmp(full, "torch.optim.", 12);
}

int pickle_global(struct pickle_node *n, struct dd_arena *arena, struct pickle_span module,
                  struct pickle_span name, ddpm_error *err)
{
    char m[96], s[96];
    pickle_show(m, sizeof m, module.text, module.length);
    pickle_show(s, sizeof s, name.text, name.length);

    /* Python 2 called builtins __builtin__. */
    const char *family = !strcmp(m, "__builtin__") ? "builtins" : m;
    char *full = dd_arena_text(arena, "%s.%s", family, s);
    if (!full)
        return dd_error_memory(err, "the texts of a pickle");
    n->kind = PICKLE_GLOBAL;
    n->text = full;
    n->count = (uint32_t)strlen(full);

    if (listed(hostile, sizeof hostile / sizeof *hostile, full))
        return dd_error(err, DDPM_EDATA,
                        "the pickle asks for %s, which only an attack needs: refused, nothing was executed",
                        full);

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!strcmp(family, needed[i].module) && !strcmp(s, needed[i].name)) {
            n->global = (unsigned char)needed[i].global;
            n->dtype = (unsigned char)needed[i].dtype;
            return DDPM_OK;
        }

    /* Protocol 4 lets a name climb through attributes, as pathlib's "os.system" does.  So a
       tolerated name has no dots. */
    n->global = PICKLE_OTHER;
    if (!strchr(s, '.') && listed(tolerated, sizeof tolerated / sizeof *tolerated, full))
        return DDPM_OK;

    n->global = PICKLE_FOREIGN;
    if (is_foreign(family, s, full))
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA,
                    "the pickle asks for %s, which no table of weights needs: refused, nothing was executed "
                    "(save the model's state_dict() alone)",
                    full);
}
