/* The quantile of Student's distribution against scipy; data/student.json is made by make_student.py.

   The tolerance: up to 1000 degrees of freedom the sum has at most 500 positive terms, so rounding is at
   most some 1e-13 of it. Beyond that the expansion is right to 1e-14. */
#include <math.h>
#include "check.h"
#include "golden/reference.h"
#include "tools/measure/student.h"

TEST(golden, student_quantiles)
{
    cJSON *file = reference_read(check_path(check_source(), "tests/golden/data/student.json"));
    const cJSON *list = reference_get(file, "quantile"), *one;
    size_t n = 0;
    cJSON_ArrayForEach(one, list)
        CHECK_NEAR(student_quantile(++n), one->valuedouble, 1e-12 * one->valuedouble);
    CHECK(n == 1000);
    cJSON_ArrayForEach(one, reference_get(file, "large")) {
        size_t freedom = (size_t)cJSON_GetArrayItem(one, 0)->valuedouble;
        CHECK_NEAR(student_quantile(freedom), cJSON_GetArrayItem(one, 1)->valuedouble, 1e-12);
    }
    CHECK_NEAR(student_quantile((size_t)1 << 60), normal_quantile(), 1e-15);
    cJSON_Delete(file);
}
