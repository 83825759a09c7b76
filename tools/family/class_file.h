/* A file with the names of a model's classes, one a line, class 0 first (--set class_names=FILE). */
#ifndef DDPM_CLASS_FILE_H
#define DDPM_CLASS_FILE_H
#include <cjson/cJSON.h>
#include "base/error.h"

/* Reads the names of this many classes into *names, an array of strings that the caller deletes.  Bytes that
   are not UTF-8 and control characters become question marks.  DDPM_EDATA: there are more or fewer names, or
   one is empty. */
int class_file_read(cJSON **names, const char *path, int classes, ddpm_error *err);
#endif
