/* The classes that --class asks for, by numbers or names. */
#ifndef DDPM_CLASS_LIST_H
#define DDPM_CLASS_LIST_H
#include "ddpm.h"
#include "sample/recipe.h"

/* Sets the class of r from a text such as "3", "shoe", "shoe,3", "all" or "none", for the model a; NULL:
   UNSAID.  *list is the memory of several classes, which the caller frees; else NULL.  DDPM_EUSAGE: there is
   no such class. */
int class_list_read(struct recipe *r, int **list, const char *text, const ddpm_about *a, ddpm_error *err);
#endif
