/* The list of nodes: counts over it are those known of published networks. */
#include "net/model.h"
#include "net/operation.h"
#include "tests/check.h"
#include "tests/known_nets.h"

static int create(struct dd_program *p, const char *net, ddpm_error *err)
{
    char text[4096];
    struct dd_config c;
    cJSON *root;
    snprintf(text, sizeof text, "{%s}", net);
    int code = dd_json_parse(&root, text, strlen(text), "test", err);
    if (!code)
        code = dd_config_net(&c, root, err);
    cJSON_Delete(root);
    return code ? code : dd_program_create(p, &c, DD_NO_DERIVATIVES, err);
}

TEST(program, counts_of_published_networks)
{
    for (const struct known_net *k = known_nets; k->name; k++) {
        struct dd_program p;
        ddpm_error err = { 0, "" };
        double flops = 0;
        if (create(&p, k->net, &err)) {
            check_fail(__FILE__, __LINE__, "%s: %s", k->name, err.text);
            continue;
        }
        for (int i = 0; i < p.nodes; i++)
            flops += dd_operation_flops(&p, &p.node[i]);
        if (p.parameters != k->parameters || fabs(flops / 2e9 - k->gmac) > 0.0006)
            check_fail(__FILE__, __LINE__, "%s: %lld parameters, %.3f GMAC, expected %lld and %.3f", k->name,
                       (long long)p.parameters, flops / 2e9, k->parameters, k->gmac);
        dd_program_free(&p);
    }
}
