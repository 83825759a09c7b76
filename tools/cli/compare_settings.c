/* Compares the settings of a run with those that it was begun with. */
#include "cli/compare_settings.h"
#include <stdio.h>
#include "base/error.h"

/* Fills in the error that a setting differs. */
static int differ(const cJSON *found, const cJSON *wanted, const char *key, const char *file,
                  const char *advice, ddpm_error *err)
{
    char *was = found ? cJSON_PrintUnformatted(found) : NULL, *is = cJSON_PrintUnformatted(wanted);
    int code = dd_error(err, DDPM_EUSAGE, "%s was begun with %s %.80s, not %.80s: %s", file, key,
                        was ? was : "unknown", is ? is : "", advice);
    cJSON_free(was);
    cJSON_free(is);
    return code;
}

int compare_settings(const cJSON *found, const cJSON *wanted, const char *path, const char *file,
                     const char *advice, ddpm_error *err)
{
    const cJSON *w;
    int code = DDPM_OK;

    /* Only the members of wanted are compared.  Further members of found are progress, not settings. */
    for (w = wanted->child; w && !code; w = w->next) {
        const cJSON *f = cJSON_GetObjectItemCaseSensitive(found, w->string);
        char key[96];
        snprintf(key, sizeof key, "%s%s%s", path, *path ? "." : "", w->string);
        if (cJSON_IsObject(w) && cJSON_IsObject(f))
            code = compare_settings(f, w, key, file, advice, err);
        else if (!cJSON_Compare(f, w, 1))
            code = differ(f, w, key, file, advice, err);
    }
    return code;
}
