/* Turns a YAML document into a JSON tree.  libyaml parses it.  A plain scalar is read as Python would read
   it, a quoted scalar is a text, and tags are ignored.  An alias repeats the value of its anchor, so a
   small file could hold a huge number of values: their number is bounded. */
#include <string.h>
#include <yaml.h>
#include "family/settings.h"

enum { VALUES = 10000, DEPTH = 32 };

struct yaml {
    yaml_document_t document;
    const char *where;
    int values;
    ddpm_error *err;
};

static int refuse(struct yaml *y, const char *why)
{
    return dd_error(y->err, DDPM_EDATA, "%s: YAML: %s", y->where, why);
}

static int add_node(struct yaml *y, cJSON *to, const char *key, int node, int depth);

/* Returns the value of a scalar.  YAML has more words for null, true and false than JSON and Python. */
static cJSON *scalar(const yaml_node_t *n)
{
    static const char *const words[][2] = {
        { "~", "null" },  { "", "null" },    { "yes", "true" }, { "Yes", "true" },
        { "on", "true" }, { "no", "false" }, { "No", "false" }, { "off", "false" },
    };
    const char *text = (const char *)n->data.scalar.value;

    if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return cJSON_CreateString(text);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(text, words[i][0]))
            return settings_value(words[i][1]);
    return settings_value(text);
}

/* Returns the value of a node, without the values below it. */
static cJSON *value_of(const yaml_node_t *n)
{
    if (n->type == YAML_SCALAR_NODE)
        return scalar(n);
    return n->type == YAML_SEQUENCE_NODE ? cJSON_CreateArray() : cJSON_CreateObject();
}

static int fill_list(struct yaml *y, cJSON *to, const yaml_node_t *n, int depth)
{
    int code = DDPM_OK;
    const yaml_node_item_t *top = n->data.sequence.items.top;
    for (const yaml_node_item_t *i = n->data.sequence.items.start; i < top && !code; i++)
        code = add_node(y, to, NULL, *i, depth);
    return code;
}

static int fill_object(struct yaml *y, cJSON *to, const yaml_node_t *n, int depth)
{
    int code = DDPM_OK;
    const yaml_node_pair_t *top = n->data.mapping.pairs.top;
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < top && !code; p++) {
        const yaml_node_t *key = yaml_document_get_node(&y->document, p->key);
        if (!key || key->type != YAML_SCALAR_NODE ||
            strlen((const char *)key->data.scalar.value) != key->data.scalar.length)
            return refuse(y, "a key that is no text");

        code = add_node(y, to, (const char *)key->data.scalar.value, p->value, depth);
    }
    return code;
}

/* Adds a node, with the nodes below it, to an array (key NULL) or to an object. */
static int add_node(struct yaml *y, cJSON *to, const char *key, int node, int depth)
{
    const yaml_node_t *n = yaml_document_get_node(&y->document, node);
    if (!n || depth > DEPTH || ++y->values > VALUES)
        return refuse(y, "more values, or deeper ones, than a configuration has");

    cJSON *value = value_of(n);
    if (!value || !(key ? cJSON_AddItemToObject(to, key, value) : cJSON_AddItemToArray(to, value))) {
        cJSON_Delete(value);
        return dd_error_memory(y->err, "the YAML values");
    }

    if (n->type == YAML_SEQUENCE_NODE)
        return fill_list(y, value, n, depth + 1);
    return n->type == YAML_MAPPING_NODE ? fill_object(y, value, n, depth + 1) : DDPM_OK;
}

/* Returns true when another document follows.  Then nothing tells which one is meant. */
static bool is_followed(yaml_parser_t *parser)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next))
        return true;
    bool is = yaml_document_get_root_node(&next) != NULL;
    yaml_document_delete(&next);
    return is;
}

int settings_yaml(cJSON **root, const char *text, size_t size, const char *where, ddpm_error *err)
{
    struct yaml y = { .where = where, .err = err };
    yaml_parser_t parser;
    *root = NULL;
    if (!yaml_parser_initialize(&parser))
        return dd_error_memory(err, "the YAML values");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);

    int loaded = yaml_parser_load(&parser, &y.document), code;
    const yaml_node_t *top = loaded ? yaml_document_get_root_node(&y.document) : NULL;
    if (!loaded) {
        code = dd_error(err, DDPM_EDATA, "%s: neither JSON, nor flags, nor YAML: line %zu: %s", where,
                        parser.problem_mark.line + 1, parser.problem ? parser.problem : "it cannot be read");
    } else if (!top || top->type != YAML_MAPPING_NODE) {
        code = dd_error(err, DDPM_EDATA,
                        "%s: expected a JSON object, YAML of names and values, or --NAME VALUE flags", where);
    } else if (is_followed(&parser)) {
        code = refuse(&y, "more than one document: leave only the one that is meant");
    } else {
        *root = cJSON_CreateObject();
        code = *root ? fill_object(&y, *root, top, 0) : dd_error_memory(err, "the YAML values");
    }

    if (loaded)
        yaml_document_delete(&y.document);
    yaml_parser_delete(&parser);
    return code;
}
