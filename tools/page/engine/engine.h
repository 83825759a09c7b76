/* The functions of the WebAssembly module that ddpm.mjs calls.

   A model is read from bytes, or it is the embedded one.  A run makes the images of one recipe together, a
   step at a time, by the program's own generator.  Its settings are options of ddpm sample, or the text that
   a PNG of ddpm carries.

   A function that can fail returns 0 or the code of the error (NULL where it returns a pointer), and
   page_error has its line until the next call.  What is printed goes to standard output and what is remarked
   to standard error; ddpm.mjs collects both. */
#ifndef DDPM_PAGE_ENGINE_H
#define DDPM_PAGE_ENGINE_H
#include <stddef.h>

#if defined(__wasm__)
#define PAGE_EXPORT(name) __attribute__((export_name(#name)))
#else
#define PAGE_EXPORT(name)
#endif

PAGE_EXPORT(page_error) const char *page_error(void);
PAGE_EXPORT(page_error_code) int page_error_code(void);
PAGE_EXPORT(page_version) const char *page_version(void);
PAGE_EXPORT(page_allocate) void *page_allocate(size_t size);
PAGE_EXPORT(page_free) void page_free(void *p);

/* Opens the model in data [size], from page_allocate, which belongs to the model from now on and is freed
   after an error; NULL: the embedded model.  All its tensors are read and checked. */
PAGE_EXPORT(page_model_open) struct page_model *page_model_open(void *data, size_t size);
/* Closes a model whose runs are closed. */
PAGE_EXPORT(page_model_close) void page_model_close(struct page_model *m);
/* Prints what ddpm info says of the model, as lines or as JSON. */
PAGE_EXPORT(page_model_report) int page_model_report(const struct page_model *m, int json);

/* Begins the images that options of ddpm sample describe: `count` words, each ended by NUL, from
   page_allocate, which belong to the run from now on. */
PAGE_EXPORT(page_run_open) struct page_run *page_run_open(struct page_model *m, char *words, int count);
/* Begins the images of a PNG's text again. */
PAGE_EXPORT(page_run_again) struct page_run *page_run_again(struct page_model *m, const char *text);
PAGE_EXPORT(page_run_close) void page_run_close(struct page_run *r);

/* The numbers of a run: its steps, those that are taken, the t of the last one, how often the network was
   called, how many images are lost; width, height and columns of the picture. */
enum {
    PAGE_STEPS,
    PAGE_TAKEN,
    PAGE_T,
    PAGE_CALLS,
    PAGE_LOST,
    PAGE_WIDTH,
    PAGE_HEIGHT,
    PAGE_COLUMNS,
    PAGE_NUMBERS
};

/* Returns the numbers [PAGE_NUMBERS], which live as long as the run. */
PAGE_EXPORT(page_run_numbers) const double *page_run_numbers(const struct page_run *r);
/* Takes a step, if one is left.  Images that are lost to NaN are counted; the others go on. */
PAGE_EXPORT(page_run_step) int page_run_step(struct page_run *r);
/* Returns the picture of the images as they are now, [height, width, 4] of red, green, blue and alpha, which
   belongs to the run. */
PAGE_EXPORT(page_run_picture) const unsigned char *page_run_picture(struct page_run *r);
/* Prints the PNG that ddpm sample would write, of the images as they are now. */
PAGE_EXPORT(page_run_png) int page_run_png(struct page_run *r);
/* Prints the settings that this PNG carries. */
PAGE_EXPORT(page_run_settings) int page_run_settings(struct page_run *r);
#endif
