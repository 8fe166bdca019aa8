/* The pure parts of access, from files (data/access): who it is by headers or by a TokenReview, what is asked
 * of the apiserver for it, how a refusal reads, and what a ConfigMap says. And the cache of answers. */
#include "adapter/access_cache.h"
#include "adapter/access_config.h"
#include "adapter/access_review.h"
#include "api/types/tests/cases.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include <errno.h>
#include <stdio.h>

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static struct access_identity *from_headers(const json_t *headers) {
    struct identity_draft draft;
    const char *key;
    const json_t *value;
    size_t i;

    identity_draft_init(&draft);
    json_array_foreach(json_object_get(headers, "user"), i, value)
        identity_draft_user(&draft, json_string_value(value));
    json_array_foreach(json_object_get(headers, "uid"), i, value)
        identity_draft_uid(&draft, json_string_value(value));
    json_array_foreach(json_object_get(headers, "group"), i, value)
        identity_draft_group(&draft, json_string_value(value));
    json_array_foreach(json_object_get(headers, "extra"), i, value) {
        const json_t *member;
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
            identity_draft_extra_header(&draft, key, json_string_value(member));
    }
    return identity_draft_finish(&draft);
}

static json_t *texts(const char *const *list) {
    json_t *array = json_array();

    for (; *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

static json_t *identity_json(const struct identity *who) {
    json_t *extra = json_object();

    for (const struct identity_extra *e = who->extra; e->key; e++)
        json_object_set_new(extra, e->key, texts(e->values));
    return json_pack("{s:s, s:s, s:o, s:o}", "user", who->user, "uid", who->uid, "groups", texts(who->groups),
                     "extra", extra);
}

static struct access_action action_of(const json_t *a) {
    return (struct access_action){.verb = text_of(a, "verb"),
                                  .group = text_of(a, "group"),
                                  .version = text_of(a, "version"),
                                  .resource = text_of(a, "resource"),
                                  .subresource = text_of(a, "subresource"),
                                  .name = text_of(a, "name"),
                                  .ns = text_of(a, "namespace"),
                                  .path = text_of(a, "path")};
}

static void put_error(json_t *got, const struct err *err) {
    if (err->code)
        json_object_set_new(got, "error", json_string(err->text));
}

/* What a SubjectAccessReview would ask, and how its refusal reads. */
static void add_question(const json_t *in, const struct identity *who, json_t *got) {
    const struct access_action action = action_of(json_object_get(in, "action"));
    struct err err = {0};

    json_object_set_new(got, "question", access_subject_question(who, &action));
    access_denial(who, &action, text_of(in, "reason"), &err);
    json_object_set_new(got, "denial", json_string(err.text));
}

static void add_identity(const json_t *in, json_t *got) {
    const json_t *review = json_object_get(in, "tokenReview");
    cleanup_access_identity struct access_identity *identity = NULL;
    struct err err = {0};

    if (review)
        access_token_answer(review, &identity, &err);
    else
        identity = from_headers(json_object_get(in, "headers"));
    put_error(got, &err);
    if (!identity) {
        json_object_set_new(got, "nobody", json_boolean(err.code == 0));
        return;
    }
    json_object_set_new(got, "identity", identity_json(&identity->is));
    if (json_object_get(in, "action"))
        add_question(in, &identity->is, got);
}

static void add_config(const json_t *in, json_t *got) {
    struct access_config c;
    struct err err = {0};

    if (access_config_read(json_object_get(in, "configMap"), &c, &err) < 0) {
        put_error(got, &err);
        return;
    }
    json_object_set_new(got, "clientCA", json_string(str_or_empty(c.client_ca)));
    json_object_set_new(got, "frontProxyCA", json_string(str_or_empty(c.front_proxy_ca)));
    json_object_set_new(got, "allowed", texts(c.names.allowed));
    json_object_set_new(got, "user", texts(c.names.user));
    json_object_set_new(got, "uid", texts(c.names.uid));
    json_object_set_new(got, "group", texts(c.names.group));
    json_object_set_new(got, "extra", texts(c.names.extra_prefix));
    access_config_done(&c);
}

static void run_case(const struct test_case *c) {
    json_t *got = json_object();

    if (json_object_get(c->in, "configMap"))
        add_config(c->in, got);
    else
        add_identity(c->in, got);
    assert_json_has(c->want, got);
    json_decref(got);
}

/* ---- what is no document ---- */

static void test_tokens(void **state) {
    static const struct {
        const char *header, *want;
    } cases[] = {
        {"Bearer abc", "abc"}, {"  bearer abc def", "abc"},
        {"BEARER a\tb", "a"},  {"Bearer  abc", NULL},
        {"Bearer ", NULL},     {"Bearer", NULL},
        {"Basic abc", NULL},   {"", NULL},
        {NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = 0;
        const char *token = access_bearer_token(cases[i].header, &len);
        bool same = token && cases[i].want
                        ? len == strlen(cases[i].want) && strncmp(token, cases[i].want, len) == 0
                        : !token && !cases[i].want;
        if (!same)
            fail_msg("\"%s\"", str_or_empty(cases[i].header));
    }
}

static void test_open_paths(void **state) {
    static const char *const paths[] = {"/healthz", "metrics", "/x/*", "/", NULL}, *const none[] = {NULL};
    static const char *const open[] = {"/healthz", "/metrics", "/x/", "/x/y/z", "/"};
    static const char *const closed[] = {"/healthz/", "/health", "/metrics/x", "/x", "/y"};

    (void)state;
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        if (!access_path_open(paths, open[i]) || access_path_open(paths, closed[i]))
            fail_msg("%s or %s", open[i], closed[i]);
        assert_false(access_path_open(none, open[i]));
    }
    assert_true(access_path_open((const char *const[]){"*", NULL}, "/any"));
}

/* No text can pass for two, and none for another one's part. */
static void test_keys_differ(void **state) {
    static const char *const headers[] = {
        "{\"user\":[\"a\"]}",
        "{\"user\":[\"a\"],\"uid\":[\"b\"]}",
        "{\"user\":[\"a\"],\"group\":[\"b\"]}",
        "{\"user\":[\"a\"],\"group\":[\"b\",\"c\"]}",
        "{\"user\":[\"a\"],\"group\":[\"c\",\"b\"]}",
        "{\"user\":[\"a\"],\"group\":[\"b1:c\"]}",
        "{\"user\":[\"a\"],\"extra\":[{\"b\":\"c\"}]}",
        "{\"user\":[\"a\"],\"extra\":[{\"b\":\"c\"},{\"b\":\"d\"}]}",
        "{\"user\":[\"a\"],\"extra\":[{\"b\":\"c\"},{\"d\":\"\"}]}",
        "{\"user\":[\"a\"],\"group\":[\"=1:b\",\"c\"]}",
        "{\"user\":[\"a0:\"]}",
    };
    enum { N = sizeof(headers) / sizeof(headers[0]) };
    struct access_identity *all[N];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        json_t *json = json_loads(headers[i], 0, NULL);
        all[i] = from_headers(json);
        json_decref(json);
        for (size_t at = 0; at < i; at++)
            if (str_eq(all[at]->key, all[i]->key))
                fail_msg("%s is as %s", headers[i], headers[at]);
    }
    for (size_t i = 0; i < N; i++)
        access_identity_unref(all[i]);
}

/* A text with a NUL in it, cut short, would be another name. */
static void test_names_with_nul(void **state) {
    static const char *const users[] = {
        "{\"username\":\"admin\\u0000x\"}",
        "{\"username\":\"u\",\"uid\":\"1\\u0000\"}",
        "{\"username\":\"u\",\"groups\":[\"system:masters\\u0000x\"]}",
        "{\"username\":\"u\",\"extra\":{\"k\":[\"\\u0000\"]}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        struct access_identity *identity = NULL;
        json_t *user = json_loads(users[i], JSON_ALLOW_NUL, NULL);
        json_t *review = json_pack("{s:{s:b, s:o}}", "status", "authenticated", 1, "user", user);
        assert_int_equal(access_token_answer(review, &identity, NULL), -EBADMSG);
        assert_null(identity);
        json_decref(review);
    }
}

/* What is no UTF-8 is no question. */
static void test_no_utf8(void **state) {
    static const char *const none[] = {NULL}, *const bad[] = {"\xff", NULL};
    static const struct identity_extra no_extra = {0}, extra[] = {{"k", bad}, {0}},
                                       key[] = {{"\xff", none}, {0}};
    const struct identity cases[] = {{"\xff", "", none, &no_extra},
                                     {"u", "\xff", none, &no_extra},
                                     {"u", "", bad, &no_extra},
                                     {"u", "", none, extra},
                                     {"u", "", none, key}};
    const struct access_action good = {.verb = "get", .path = "/x"}, wrong = {.verb = "get", .name = "\xff"},
                               wrong_path = {.verb = "get", .path = "\xff"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_null(access_subject_question(&cases[i], &good));
    const struct identity who = {"u", "", none, &no_extra};
    assert_null(access_subject_question(&who, &wrong));
    assert_null(access_subject_question(&who, &wrong_path));
    assert_null(access_token_question("\xff", 1));
}

static void put(struct access_cache *cache, const char *key, usec_t until) {
    access_cache_put(cache, key, &(struct access_cached){.yes = true, .reason = "because"}, until);
}

static void test_cache(void **state) {
    struct access_cache cache;

    (void)state;
    access_cache_init(&cache, 3, 1 << 20);
    put(&cache, "a", 10);
    put(&cache, "b", 20);
    assert_null(access_cache_get(&cache, "c", 0));
    assert_string_equal(access_cache_get(&cache, "a", 9)->reason, "because");
    assert_null(access_cache_get(&cache, "a", 10));
    assert_int_equal(cache.entries.len, 1);
    put(&cache, "b", 40); /* replaced */
    assert_non_null(access_cache_get(&cache, "b", 30));
    put(&cache, "c", 40);
    put(&cache, "d", 40);
    assert_non_null(access_cache_get(&cache, "b", 30));
    put(&cache, "e", 40); /* "c" was not asked for the longest */
    assert_null(access_cache_get(&cache, "c", 30));
    assert_non_null(access_cache_get(&cache, "b", 30));
    assert_int_equal(cache.entries.len, 3);
    access_cache_done(&cache);
    assert_int_equal(cache.bytes, 0);
}

static void test_cache_is_bounded_in_bytes(void **state) {
    struct access_cache cache;
    char key[2048];

    (void)state;
    access_cache_init(&cache, 1000000, 100000);
    memset(key, 'x', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    put(&cache, key, 10); /* more than a hundredth */
    assert_int_equal(cache.entries.len, 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "a key of its own, %d", i);
        put(&cache, key, 10);
        assert_true(cache.bytes <= 100000);
    }
    assert_true(cache.entries.len > 100);
    assert_non_null(access_cache_get(&cache, key, 0));
    access_cache_done(&cache);
}

/* An identity of some groups, each of 100 bytes. */
static struct access_identity *member_of(int groups) {
    struct identity_draft draft;
    char group[101];

    identity_draft_init(&draft);
    identity_draft_user(&draft, "anna");
    for (int i = 0; i < groups; i++) {
        snprintf(group, sizeof(group), "%0100d", i);
        identity_draft_group(&draft, group);
    }
    return identity_draft_finish(&draft);
}

/* Whose a token is takes far more room than its key. */
static void test_cache_counts_identities(void **state) {
    cleanup_access_identity struct access_identity *few = member_of(2), *many = member_of(100);
    struct access_cached answer = {.yes = true, .identity = few};
    struct access_cache cache;
    char key[32];

    (void)state;
    access_cache_init(&cache, 1000000, 200000);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "token %d", i);
        access_cache_put(&cache, key, &answer, 10);
    }
    assert_true(cache.entries.len > 100 && cache.entries.len * few->arena.used <= 200000);
    answer.identity = many; /* more than a hundredth */
    access_cache_put(&cache, key, &answer, 10);
    assert_null(access_cache_get(&cache, key, 0));
    access_cache_done(&cache);
    assert_int_equal(cache.bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_open_paths),
        cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_names_with_nul),
        cmocka_unit_test(test_no_utf8),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_is_bounded_in_bytes),
        cmocka_unit_test(test_cache_counts_identities),
    };

    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cases_run_dir("access", TEST_DATA_DIR "/access", run_case);
}
