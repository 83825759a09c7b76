/* OpenMP as an application that calls the library may use it: PRAGMA(omp ...) stands before a region of the
   test's own.  Without OpenMP the caller runs it alone. */
#ifndef OPENMP_H
#define OPENMP_H
#include "config.h"

#if HAVE_OPENMP
#include <omp.h>
#define PRAGMA(x) _Pragma(#x)
#else
#define PRAGMA(x)
#define omp_get_thread_num() 0
#endif
#endif
