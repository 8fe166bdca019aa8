/* OpenAPI documents, v2 and v3, written from one table of kinds and paths. The two differ in where schemas
 * live, and in how a path says what it answers and takes. */
#include "adapter/apidocs_internal.h"

#include "base/jsontext.h"
#include "base/str.h"
#include <inttypes.h>
#include <string.h>

/* What is being written. */
struct openapi {
    struct buf *out;
    const struct apidocs_version *version;
    bool v3;
};

/* ---- schemas ---- */

/* The names are those of k8s.io/metrics, so that clients know the kinds whoever serves them. */
static void write_ref(const struct openapi *o, const char *kind) {
    buf_printf(o->out, "\"$ref\":\"%s/io.k8s.metrics.pkg.apis.%s.%s\"",
               o->v3 ? "#/components/schemas" : "#/definitions", o->version->package, kind);
}

static void write_about(const struct openapi *o, const char *about) {
    buf_puts(o->out, "\"description\":");
    jsontext_write(o->out, about);
}

static void write_fields(const struct openapi *o, const struct apidocs_field *fields);

/* Beside a reference nothing else counts, so in v3 it stands in a list of one. */
static void write_typed_ref(const struct openapi *o, const char *kind) {
    buf_puts(o->out, o->v3 ? "\"allOf\":[{" : "");
    write_ref(o, kind);
    buf_puts(o->out, o->v3 ? "}]" : "");
}

/* The elements of a list: a kind, objects without a name of their own, or strings. */
static void write_items(const struct openapi *o, const struct apidocs_field *f) {
    buf_puts(o->out, "\"type\":\"array\",\"items\":{");
    if (f->ref)
        write_typed_ref(o, f->ref);
    else if (f->fields)
        write_fields(o, f->fields);
    else
        buf_puts(o->out, "\"type\":\"string\"");
    buf_puts(o->out, "}");
}

static void write_object(const struct openapi *o, const struct apidocs_field *f) {
    if (f->ref)
        write_typed_ref(o, f->ref);
    else if (f->fields)
        write_fields(o, f->fields);
    else
        buf_puts(o->out, "\"type\":\"object\"");
}

static void write_type(const struct openapi *o, const struct apidocs_field *f) {
    switch (f->type) {
    case APIDOCS_STRING:
        buf_puts(o->out, "\"type\":\"string\"");
        break;
    case APIDOCS_TIME:
        buf_puts(o->out, "\"type\":\"string\",\"format\":\"date-time\"");
        break;
    case APIDOCS_MAP:
        buf_puts(o->out, "\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}");
        break;
    case APIDOCS_LIST:
        write_items(o, f);
        break;
    case APIDOCS_OBJECT:
        write_object(o, f);
        break;
    }
}

/* The required ones come after all: OpenAPI has them in a list beside the properties. */
static void write_fields(const struct openapi *o, const struct apidocs_field *fields) {
    const char *before = ",\"required\":[";

    buf_puts(o->out, "\"type\":\"object\",\"properties\":{");
    for (const struct apidocs_field *f = fields; f->name; f++) {
        buf_printf(o->out, "%s\"%s\":{", f == fields ? "" : ",", f->name);
        write_about(o, f->about);
        buf_puts(o->out, ",");
        write_type(o, f);
        buf_puts(o->out, "}");
    }
    buf_puts(o->out, "}");
    for (const struct apidocs_field *f = fields; f->name; f++) {
        if (!f->required)
            continue;
        buf_printf(o->out, "%s\"%s\"", before, f->name);
        before = ",";
    }
    buf_puts(o->out, str_eq(before, ",") ? "]" : "");
}

/* ,"x-kubernetes-group-version-kind":…, by which kubectl finds the schema of a resource. Of a schema it is a
 * list, as one may be of several kinds; of a path it is one. */
static void write_kind(const struct openapi *o, const char *kind, bool list) {
    buf_printf(
        o->out,
        ",\"x-kubernetes-group-version-kind\":%s{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}%s",
        list ? "[" : "", o->version->group, o->version->version, kind, list ? "]" : "");
}

static void write_schemas(const struct openapi *o) {
    for (const struct apidocs_schema *s = o->version->schemas; s->kind; s++) {
        buf_printf(o->out, "%s\"io.k8s.metrics.pkg.apis.%s.%s\":{", s == o->version->schemas ? "" : ",",
                   o->version->package, s->kind);
        write_about(o, s->about);
        buf_puts(o->out, ",");
        write_fields(o, s->fields);
        if (!s->part)
            write_kind(o, s->kind, /* list= */ true);
        buf_puts(o->out, "}");
    }
}

/* ---- paths ---- */

/* The names in braces. */
static void write_parameters(const struct openapi *o, const char *path) {
    const char *before = ",\"parameters\":[";

    for (const char *open = strchr(path, '{'); open; open = strchr(open + 1, '{')) {
        buf_printf(o->out, "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,%s}", before,
                   (int)strcspn(open + 1, "}"), open + 1,
                   o->v3 ? "\"schema\":{\"type\":\"string\"}" : "\"type\":\"string\"");
        before = ",";
    }
    buf_puts(o->out, str_eq(before, ",") ? "]" : "");
}

/* v2 says of each path what v3 says of each form of its answer. */
static void write_responses(const struct openapi *o, const struct apidocs_path *p) {
    buf_printf(o->out, "%s\"responses\":{\"200\":{\"description\":\"OK\",%s\"schema\":{",
               o->v3 ? "" : "\"produces\":[\"application/json\"],\"schemes\":[\"https\"],",
               o->v3 ? "\"content\":{\"application/json\":{" : "");
    write_ref(o, p->answer);
    buf_puts(o->out, o->v3 ? "}}}}}" : "}}}");
}

static void write_path(const struct openapi *o, const struct apidocs_path *p) {
    buf_printf(o->out, "\"/apis/%s/%s%s\":{\"get\":{", o->version->group, o->version->version, p->path);
    write_about(o, p->about);
    buf_printf(o->out, ",\"operationId\":\"%s\",", p->id);
    write_responses(o, p);
    if (p->action) {
        buf_printf(o->out, ",\"x-kubernetes-action\":\"%s\"", p->action);
        write_kind(o, p->object_kind, /* list= */ false);
    }
    buf_puts(o->out, "}");
    write_parameters(o, p->path);
    buf_puts(o->out, "}");
}

static void write_paths(const struct openapi *o) {
    for (const struct apidocs_path *p = o->version->paths; p->path; p++) {
        buf_puts(o->out, p == o->version->paths ? "" : ",");
        write_path(o, p);
    }
}

/* ---- documents ---- */

static void write_head(const struct apidocs *docs, const char *format, struct buf *out) {
    buf_printf(out, "{%s,\"info\":{\"title\":\"trimtab\",\"version\":", format);
    jsontext_write(out, docs->version);
    buf_puts(out, "},\"paths\":{");
}

/* Calls part for every version that is served, with commas between. The first one of the table is always
 * served: what is left out (metrics.k8s.io) stands at its end. */
static void each_version(const struct apidocs *docs, struct buf *out, void (*part)(const struct openapi *)) {
    for (const struct apidocs_version *v = apidocs_served(docs, apidocs_versions); v;
         v = apidocs_served(docs, v + 1)) {
        buf_puts(out, v == apidocs_versions ? "" : ",");
        part(&(struct openapi){.out = out, .version = v});
    }
}

void apidocs_write_openapi_v2(const struct apidocs *docs, struct buf *out) {
    write_head(docs, "\"swagger\":\"2.0\"", out);
    each_version(docs, out, write_paths);
    buf_puts(out, "},\"definitions\":{");
    each_version(docs, out, write_schemas);
    buf_puts(out, "}}\n");
}

void apidocs_write_openapi_v3(const struct apidocs *docs, const struct apidocs_version *version,
                              struct buf *out) {
    const struct openapi o = {.out = out, .version = version, .v3 = true};

    write_head(docs, "\"openapi\":\"3.0.0\"", out);
    write_paths(&o);
    buf_puts(out, "},\"components\":{\"schemas\":{");
    write_schemas(&o);
    buf_puts(out, "}}}\n");
}

/* FNV-1a, 64 bits: it tells one text from another, and nobody gains by forging it. */
static uint64_t hash_of(const struct buf *text) {
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < text->len; i++)
        hash = (hash ^ (unsigned char)text->data[i]) * 0x100000001b3;
    return hash;
}

void apidocs_write_openapi_index(const struct apidocs *docs, struct buf *out) {
    cleanup_buf struct buf text;
    const char *before = "{\"paths\":{";

    /* Each is written for its hash alone, every time: clients that keep documents ask for this index rarely.
     */
    buf_init(&text, 1 << 20);
    for (const struct apidocs_version *v = apidocs_served(docs, apidocs_versions); v;
         v = apidocs_served(docs, v + 1)) {
        buf_reset(&text);
        apidocs_write_openapi_v3(docs, v, &text);
        buf_printf(out,
                   "%s\"apis/%s/%s\":{\"serverRelativeURL\":\"/openapi/v3/apis/%s/%s?hash=%016" PRIX64 "\"}",
                   before, v->group, v->version, v->group, v->version, hash_of(&text));
        before = ",";
    }
    buf_puts(out, "}}\n");
}
