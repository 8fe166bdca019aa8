/* MetricSource as data: what a document is read as, and what a bad one is told. */
#include "api/types/promsource.h"
#include "api/types/tests/cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void set_text(json_t *o, const char *key, const char *text) {
    if (text)
        json_object_set_new(o, key, json_string(text));
}

static json_t *pairs_json(const struct promsource_pair *pairs, uint32_t count) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("[s,s]", pairs[i].name, pairs[i].value));
    return list;
}

static json_t *secrets_json(const struct promsource_spec *s) {
    const char *names[PROMSOURCE_SECRETS_MAX];
    uint32_t count = promsource_secrets(s, names);
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *spec_json(const struct promsource_spec *s) {
    json_t *o = json_pack("{s:s, s:b, s:i, s:f, s:f, s:b, s:o, s:o, s:o}", "url", s->url, "insecure",
                          s->insecure, "auth", (int)s->auth, "timeout", (double)s->timeout / USEC_PER_SEC,
                          "interval", (double)s->interval / USEC_PER_SEC, "useGet", s->use_get, "secrets",
                          secrets_json(s), "headers", pairs_json(s->headers, s->header_count), "parameters",
                          pairs_json(s->parameters, s->parameter_count));

    set_text(o, "ca", s->ca.name);
    set_text(o, "caKey", s->ca.key);
    set_text(o, "cert", s->cert_secret);
    set_text(o, "serverName", s->server_name);
    set_text(o, "credential", s->credential.name);
    set_text(o, "credentialKey", s->credential.key);
    set_text(o, "username", s->username);
    set_text(o, "header", s->header);
    return o;
}

static void run_case(const struct test_case *c) {
    struct promsource_object *source;
    struct str_pool pool;
    struct err err = {0};
    json_t *got;

    str_pool_init(&pool);
    if (promsource_from_json(c->in, &pool, &source, &err) < 0) {
        got = json_pack("{s:s}", "refused", err.text);
    } else {
        got = json_pack("{s:s, s:s, s:o}", "key", source->meta.key, "invalid", source->invalid.text, "spec",
                        source->invalid.code ? json_null() : spec_json(&source->spec));
        if (source->status_json)
            json_object_set(got, "status", source->status_json);
        object_unref(&source->meta);
    }
    assert_int_equal(pool.strings.len, 0);
    str_pool_done(&pool);
    assert_json_has(c->want, got);
    json_decref(got);
}

int main(void) {
    return cases_run_dir("promsource", TEST_DATA_DIR "/promsource", run_case);
}
