/* The reader of lists of series: a table of answers, each fed whole, byte by byte and cut in two at every
 * place. */
#include "adapter/promseries.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/tests/cm.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct test_case {
    const char *body;
    const char *want; /* series, one a line; or "!", code and message */
} cases[] = {
    {"{'status':'success','data':[]}", ""},
    {"{'status':'success','data':null}", ""},
    {"{'data':[{'__name__':'up','job':'x','pod':'p'}],'status':'success'}", "up{job=x,pod=p,}\n"},
    {"{'status':'success','data':[{'pod':'p','a':'1','__name__':'up','B':'2'},{'__name__':'n'}]}",
     "up{B=2,a=1,pod=p,}\nn{}\n"},
    {"{'status':'success','data':[{'a':''},{}]}", "{}\n{}\n"},
    {"{'status':'success','data':[{'__name__':'\\u00fcp\\n','k':'\\\"\\\\'}],'warnings':['w'],'infos':[[]]}",
     "\xc3\xbcp\n{k=\"\\,}\n"},
    {"{'status':'error','errorType':'bad_data','error':'parse error'}", "!EINVAL bad_data: parse error"},
    {"{'status':'error','errorType':'','error':'x','data':null}", "!EINVAL x"},
    {"{'status':'success'}", "!EBADMSG the answer is not Prometheus': it is no list of series"},
    {"{'data':[]}", "!EBADMSG the answer is not Prometheus': it has no status that is known"},
    {"{'status':'success','data':[],'data':[]}",
     "!EBADMSG the answer is not Prometheus': data is there twice"},
    {"{'status':'success','data':{}}",
     "!EBADMSG the answer is not Prometheus': an object stands where there should be none"},
    {"{'status':'success','data':'x'}",
     "!EBADMSG the answer is not Prometheus': a field of its top level has the wrong type"},
    {"{'status':'success','data':['up']}",
     "!EBADMSG the answer is not Prometheus': a series is not an object"},
    {"{'status':'success','data':[{'a':1}]}",
     "!EBADMSG the answer is not Prometheus': a label's value is not a string"},
    {"{'status':'success','data':[{'a':{}}]}",
     "!EBADMSG the answer is not Prometheus': an object stands where there should be none"},
    {"{'status':'success','data':[{'b':'1','a':'2','b':'3'}]}",
     "!EBADMSG the answer is not Prometheus': a series has a label twice"},
    {"{'status':'success','data':[{'a':'1','a':'2'}]}",
     "!EBADMSG the answer is not Prometheus': a series has a label twice"},
    {"[]", "!EBADMSG the answer is not Prometheus': a list stands where there should be none"},
    {"1 ", "!EBADMSG the answer is not Prometheus': it is not an object"},
    {"<html>", "!EBADMSG the answer is not JSON"},
    {"{'status':'success','data':[", "!EBADMSG the answer is not JSON, or cut short"},
    {"", "!EBADMSG the answer is empty"},
};

static int put_line(void *arg, const struct series *series, struct err *err) {
    (void)err;
    buf_printf(arg, "%s{", series->name);
    for (uint32_t i = 0; i < series->label_count; i++)
        buf_printf(arg, "%s=%s,", series->labels[i].name, series->labels[i].value);
    return buf_puts(arg, "}\n");
}

/* Reads body, the first piece of first bytes, the others of step. */
static void read_all(const char *body, size_t len, size_t first, size_t step, struct buf *out) {
    struct promseries *p = promseries_new(10000, put_line, out);
    struct err err = {0};
    size_t n = first;

    buf_reset(out);
    buf_puts(out, "");
    for (size_t at = 0; at < len; at += n, n = step) {
        n = n > len - at ? len - at : n;
        if (promseries_feed(p, body + at, n, NULL) < 0)
            break;
    }
    int ret = promseries_finish(p, &err);
    assert_int_equal(ret, err.code);
    if (ret < 0) {
        buf_reset(out);
        buf_printf(out, "!%s %s", strerrorname_np(-ret), err.text);
    }
    promseries_free(p);
}

static void test_cases(void **state) {
    cleanup_buf struct buf out;

    (void)state;
    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_free char *body = xstrdup(cases[i].body);
        size_t len = strlen(body);
        for (char *c = body; *c; c++)
            if (*c == '\'')
                *c = '"';
        read_all(body, len, 1, 1, &out);
        assert_string_equal(out.data, cases[i].want);
        for (size_t first = 0; first <= len; first++) {
            read_all(body, len, first, len, &out);
            assert_string_equal(out.data, cases[i].want);
        }
    }
}

/* ---- limits ---- */

static void check(const struct buf *body, const char *want) {
    cleanup_buf struct buf out;

    buf_init(&out, 4 * 1024 * 1024);
    read_all(body->data, body->len, body->len, 1, &out);
    if (*want == '!')
        assert_string_equal(out.data, want);
    else
        assert_true(out.data[0] != '!');
}

static void put_labels(struct buf *body, int count, int value_len) {
    buf_puts(body, "{\"status\":\"success\",\"data\":[{");
    for (int i = 0; i < count; i++)
        buf_printf(body, "%s\"l%03d\":\"%0*d\"", i ? "," : "", i, value_len, 0);
    buf_puts(body, "}]}");
}

static void test_limits(void **state) {
    static const struct {
        int labels, value_len;
        const char *want;
    } limits[] = {
        {256, 1, ""},
        {257, 1, "!E2BIG a series of the answer has more than 256 labels"},
        {600, 20, "!E2BIG a series of the answer has more than 256 labels"},
        {100, 200, "!E2BIG the answer is larger than 10000 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        cleanup_buf struct buf body;
        buf_init(&body, 100000);
        put_labels(&body, limits[i].labels, limits[i].value_len);
        check(&body, limits[i].want);
    }
}

/* The parser looks at a text from its beginning with each piece of it, so none may be long. */
static void test_endless_text(void **state) {
    static const char head[] = "{\"status\":\"success\",\"x\":\"";
    static char piece[16 * 1024];
    struct promseries *p = promseries_new(SIZE_MAX, put_line, NULL);
    struct err err = {0};
    size_t fed = 0;

    (void)state;
    memset(piece, 'a', sizeof(piece));
    assert_int_equal(promseries_feed(p, head, strlen(head), &err), 0);
    while (fed < 4 * 1024 * 1024 && promseries_feed(p, piece, sizeof(piece), &err) == 0)
        fed += sizeof(piece);
    assert_in_range(fed, 384 * 1024, 400 * 1024);
    assert_int_equal(promseries_finish(p, &err), -E2BIG);
    assert_string_equal(err.text, "a text of the answer is longer than 384 KiB");
    promseries_free(p);
}

static void test_long_series(void **state) {
    cleanup_buf struct buf body;
    struct promseries *p;
    struct err err = {0};

    (void)state;
    buf_init(&body, 4 * 1024 * 1024);
    put_labels(&body, 200, 6000);
    p = promseries_new(4 * 1024 * 1024, put_line, &body);
    assert_int_equal(promseries_feed(p, body.data, body.len, &err), -E2BIG);
    assert_string_equal(err.text, "a series of the answer is longer than 1 MiB");
    promseries_free(p);
    promseries_free(NULL);
}

/* ---- the caller's no ---- */

static int refuse(void *arg, const struct series *series, struct err *err) {
    (void)series;
    return ++*(int *)arg == 2 ? err_set(err, -ENOSPC, "enough") : 0;
}

static void test_refusal_ends(void **state) {
    static const char body[] = "{\"status\":\"success\",\"data\":[{},{},{},{}]}";
    struct err err = {0};
    int count = 0;

    (void)state;
    struct promseries *p = promseries_new(1000, refuse, &count);
    assert_int_equal(promseries_feed(p, body, strlen(body), &err), -ENOSPC);
    assert_int_equal(promseries_feed(p, body, strlen(body), &err), -ENOSPC);
    assert_int_equal(count, 2);
    err = (struct err){0};
    assert_int_equal(promseries_finish(p, &err), -ENOSPC);
    assert_string_equal(err.text, "enough");
    promseries_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_long_series),  cmocka_unit_test(test_endless_text),
        cmocka_unit_test(test_refusal_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
