/* Puts the default model into the program.  The assembler copies the bytes of its file between two labels
   in the read-only data. */
#include "cli/command_model.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define LABEL(name) TEXT(__USER_LABEL_PREFIX__) #name
#if defined(__APPLE__)
#define READ_ONLY ".const_data\n"
#define WRITABLE ".data\n"
#elif defined(__wasm__)
/* The assembler wants to know that these are data, and their sizes. */
#define READ_ONLY ".section .rodata.embedded,\"\",@\n"
#define WRITABLE                                                 \
    ".type embedded_model,@object\n.type embedded_end,@object\n" \
    ".size embedded_model,embedded_end-embedded_model\n.size embedded_end,1\n"
#elif defined(_WIN32)
#define READ_ONLY ".section .rdata,\"dr\"\n"
#define WRITABLE ".text\n"
#else
#define READ_ONLY ".pushsection .rodata\n"
#define WRITABLE ".popsection\n"
#endif

__asm__(READ_ONLY
        ".p2align 6\n"
        ".globl " LABEL(embedded_model) "\n"
                                        ".globl " LABEL(embedded_end) "\n" LABEL(
                                            embedded_model) ":\n"
                                                            ".incbin \"" DEFAULT_MODEL
                                                            "\"\n" LABEL(embedded_end) ":\n"
                                                                                       ".byte 0\n" WRITABLE);

extern const unsigned char embedded_end[];

size_t embedded_size(void)
{
    return (size_t)(embedded_end - embedded_model);
}
