/* Fuzzes what model files and training say about a network and its diffusion, {"net": {..}, "diffusion":
   {..}}. Either it is refused with a sentence, or it is a network whose list of nodes can be made or is
   refused as too large. */
#include <stdlib.h>
#include "base/json.h"
#include "net/config.h"
#include "net/program.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static int read_all(const cJSON *root, ddpm_error *err)
{
    struct dd_config c;
    struct dd_diffusion d;
    struct dd_program p;

    int code = dd_config_net(&c, cJSON_GetObjectItemCaseSensitive(root, "net"), err);
    refused(code, err);
    if (code)
        return code;

    code = dd_config_diffusion(&d, cJSON_GetObjectItemCaseSensitive(root, "diffusion"), &c, err);
    refused(code, err);

    /* The list for running, and those with both kinds of gradients. */
    for (enum dd_derivatives of = DD_NO_DERIVATIVES; of <= DD_BY_INPUTS; of++) {
        if (dd_program_create(&p, &c, of, err))
            continue;
        require(p.nodes > 0 && p.params > 0);
        dd_program_free(&p);
    }

    return code;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    cJSON *root;
    ddpm_error err = { 0 };
    if (!dd_json_parse(&root, (const char *)data, size, "input", &err) &&
        cJSON_GetObjectItemCaseSensitive(root, "net") && cJSON_GetObjectItemCaseSensitive(root, "diffusion"))
        read_all(root, &err);
    cJSON_Delete(root);
    return 0;
}
