/* The command `trimtab explain`: asks the operator for a policy's last decisions, directly or through the
 * apiserver's proxy, and where it cannot be asked shows what the policy's status says.
 *
 * Who asks needs the right to list services and to GET through their proxy; with less, the policy itself can
 * most often still be read. Where an operator itself says no ("there is no policy ...") that is the answer,
 * for it knows; any other refusal only says that this way was no way. The answer is printed as it comes, or
 * as YAML: it has been made where the decisions are, so an older command shows a newer operator's words. */
#include "operator/explain.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include "operator/asker.h"
#include "operator/commands.h"
#include "operator/evaluate.h"
#include "operator/flags.h"

#include <errno.h>
#include <string.h>

struct arguments {
    const char *policy, *ns, *since, *output, *url, *kubeconfig, *context;
};

/* The label that the chart puts on its service, in whichever namespace it was installed. */
static const char services_path[] = "/api/v1/services?labelSelector=app.kubernetes.io%2Fname%3Dtrimtab";

/* ---- the arguments ---- */

/* Looked at here too, so that a mistake is told before anything is asked. */
static bool set_since(const struct flag *flag, void *at, const char *value) {
    usec_t since;

    if (clock_parse(value, &since) < 0 && (clock_parse_duration(value, &since) < 0 || since <= 0))
        return false;
    return flag_text(flag, at, value);
}

/* A name with a slash would ask for another path. */
static bool set_name(const struct flag *flag, void *at, const char *value) {
    return *value && !strchr(value, '/') && flag_text(flag, at, value);
}

static bool set_policy(void *arguments, const char *text) {
    struct arguments *a = arguments;

    return !a->policy && set_name(NULL, &a->policy, text);
}

#define AT(field) offsetof(struct arguments, field)

static const struct flag flags[] = {
    {"--namespace", "-n", set_name, AT(ns), "NAMESPACE",
     "of the policy; default: that of the kubeconfig's context", "the name of one namespace"},
    {"--since", NULL, set_since, AT(since), "DURATION|TIME",
     "all decisions that are kept since then (10m, or an RFC 3339 time); default: the last change and what "
     "holds now",
     "a duration such as 10m or a time such as 2026-01-01T00:00:00Z"},
    {"--output", "-o", flag_choice, AT(output), "text|json|yaml", "how to print the decisions; default text",
     "text, json or yaml"},
    {"--operator", NULL, flag_text, AT(url), "URL",
     "ask the operator there, e.g. http://127.0.0.1:8080; default: through the apiserver", NULL},
    {"--kubeconfig", NULL, flag_text, AT(kubeconfig), "FILE",
     "how to reach the cluster; default: as kubectl does", NULL},
    {"--context", NULL, flag_text, AT(context), "NAME", "context of the kubeconfig; default: its current one",
     NULL},
};

static const struct flag_command command = {
    .name = "explain",
    .usage = "POLICY [flags]",
    .about = "Shows why a policy scaled its target, or did not: the last decisions step by step.",
    .flags = flags,
    .count = sizeof(flags) / sizeof(flags[0]),
    .operand = set_policy,
    .no_operand = "the name of one policy is expected, and not ",
};

/* ---- asking ---- */

/* "/decisions/default/web?output=text&since=10m"; owned by the caller. */
static char *decisions_path_of(const struct arguments *a) {
    cleanup_free char *ns = url_escape(a->ns), *name = url_escape(a->policy),
                      *since = a->since ? url_escape(a->since) : NULL;

    return xasprintf("/decisions/%s/%s?output=%s%s%s", ns, name, str_eq(a->output, "text") ? "text" : "json",
                     since ? "&since=" : "", str_or_empty(since));
}

/* Standard output stays empty of complaints: it may be read by a program. */
static int complain(const struct err *err) {
    fprintf(stderr, "trimtab: explain: %s\n", err_text(err));
    return EXIT_REFUSED;
}

/* A full disk is told. */
static int end_output(bool written) {
    struct err err = {0};

    if (written && fflush(stdout) == 0)
        return EXIT_OK;
    err_set(&err, -errno, "the output cannot be written: %s", strerror(errno));
    return complain(&err);
}

static int print_text(const struct buf *text) {
    return end_output(fwrite(text->data, 1, text->len, stdout) == text->len);
}

static int print_value(const struct arguments *a, json_t *value) {
    if (str_eq(a->output, "yaml"))
        return end_output(evaluate_print_yaml(value, stdout) == 0);
    return end_output(json_dumpf(value, stdout, JSON_INDENT(2) | EVALUATE_DIGITS) == 0 &&
                      fputc('\n', stdout) != EOF);
}

/* What the operator has made is printed as it came; only YAML is made of it here. */
static int print_answer(const struct arguments *a, const struct buf *body) {
    if (!str_eq(a->output, "yaml"))
        return print_text(body);
    json_t *value = json_loads(body->data, 0, NULL);
    struct err err = {0};
    if (!value) {
        err_set(&err, -EPROTO, "the answer is not JSON");
        return complain(&err);
    }
    int code = print_value(a, value);
    json_decref(value);
    return code;
}

/* By --operator: what cannot be asked there cannot be asked at all. The address is named, for what answers
 * may be anything. */
static int ask_directly(const struct arguments *a, struct asker *asker) {
    cleanup_free char *path = decisions_path_of(a);
    struct url_base base = {0};
    struct answer answer;
    struct err err = {0};

    if (url_base_read(a->url, &base, &err) < 0)
        return flags_wrong(&command, "--operator: %s", err.text);
    cleanup_free char *url = xasprintf("%s%s", base.url, path);
    asker_url(asker, url, &answer);
    if (answer.err.code)
        err_wrap(&answer.err, "--operator %s", base.url);
    url_base_done(&base);
    int code = answer.err.code ? complain(&answer.err) : print_answer(a, &answer.body);
    answer_done(&answer);
    return code;
}

/* The JSON of an answer, new reference; NULL with the answer's err set. */
static json_t *answer_json(struct answer *answer) {
    json_t *value = answer->err.code ? NULL : json_loads(answer->body.data, 0, NULL);

    if (!answer->err.code && !value)
        err_set(&answer->err, -EPROTO,
                "the answer is not JSON: is the server of the kubeconfig an apiserver?");
    return value;
}

/* By the port's name: its number is the chart's to choose. */
static void ask_service(const json_t *service, const char *path, struct asker *asker,
                        struct answer *ret_answer) {
    const json_t *meta = json_object_get(service, "metadata");
    cleanup_free char *full = xasprintf("/api/v1/namespaces/%s/services/http:%s:http/proxy%s",
                                        str_or_empty(json_string_value(json_object_get(meta, "namespace"))),
                                        str_or_empty(json_string_value(json_object_get(meta, "name"))), path);

    asker_cluster(asker, full, ret_answer);
}

/* The operator's answer through one of its services. There are several where it was installed more than once,
 * each for its own namespaces: one that does not know the policy does not end the search. Where none has it
 * an operator's refusal counts more than what only says that another could not be asked. */
static void ask_services(const struct arguments *a, struct asker *asker, struct answer *ret_answer) {
    cleanup_free char *path = decisions_path_of(a);
    json_t *services, *service;
    size_t i;

    asker_cluster(asker, services_path, ret_answer);
    services = answer_json(ret_answer);
    if (!services)
        return;
    err_set(&ret_answer->err, -ENOENT, "no service has the label app.kubernetes.io/name=trimtab");
    json_array_foreach(json_object_get(services, "items"), i, service) {
        struct answer answer;
        ask_service(service, path, asker, &answer);
        if (answer.err.code && !answer.from_operator && ret_answer->from_operator) {
            answer_done(&answer);
            continue;
        }
        answer_done(ret_answer);
        *ret_answer = answer;
        if (!answer.err.code)
            break;
    }
    json_decref(services);
}

/* ---- the policy's status ---- */

/* In JSON it is marked as the status: it has not the record's fields. */
static int print_status(const struct arguments *a, const json_t *policy) {
    if (!str_eq(a->output, "text")) {
        /* O*: no status, no key. */
        json_t *o = json_pack("{s:s, s:s, s:s, s:O*}", "namespace", a->ns, "name", a->policy, "source",
                              "status", "status", json_object_get(policy, "status"));
        int code = print_value(a, o);
        json_decref(o);
        return code;
    }
    cleanup_free char *title = xasprintf("%s/%s", a->ns, a->policy);
    cleanup_buf struct buf out;
    buf_init(&out, 1 << 20);
    explain_status(policy, title, clock_wall(), &out);
    return print_text(&out);
}

/* Standard error says that this is less than was asked for; standard output can still be read by a program.
 */
static int show_status(const struct arguments *a, struct asker *asker, const struct err *why) {
    cleanup_free char *ns = url_escape(a->ns), *name = url_escape(a->policy);
    cleanup_free char *path =
        xasprintf("/apis/autoscaling.trimtab.dev/v1/namespaces/%s/autoscalingpolicies/%s", ns, name);
    struct answer answer;
    int code = EXIT_REFUSED;

    asker_cluster(asker, path, &answer);
    json_t *policy = answer_json(&answer);
    if (policy) {
        fprintf(stderr,
                "trimtab: explain: the operator cannot be asked: %s\n"
                "This is what the policy's status says; --operator URL asks an operator elsewhere.\n",
                err_text(why));
        code = print_status(a, policy);
    } else {
        complain(&answer.err);
    }
    json_decref(policy);
    answer_done(&answer);
    return code;
}

/* Where the operator itself says no, nobody knows better; else the status is asked. */
static int ask_cluster(struct arguments *a, struct asker *asker) {
    struct answer answer;
    int code;

    ask_services(a, asker, &answer);
    if (!answer.err.code)
        code = print_answer(a, &answer.body);
    else if (answer.from_operator)
        code = complain(&answer.err);
    else
        code = show_status(a, asker, &answer.err);
    answer_done(&answer);
    return code;
}

static int explain(struct arguments *a, struct asker *asker) {
    struct err err = {0};
    /* With --operator a kubeconfig only tells the namespace, and need not be there. */
    bool cluster = !a->url || !a->ns;

    if (cluster && asker_use_cluster(asker, a->kubeconfig, a->context, &err) < 0 && !a->url)
        return complain(&err);
    if (!a->ns)
        a->ns = asker_namespace(asker);
    return a->url ? ask_directly(a, asker) : ask_cluster(a, asker);
}

int command_explain(int argc, char **argv) {
    struct arguments a = {.output = "text"};
    struct asker *asker;
    struct err err = {0};

    int code = flags_read(&command, &a, argc, argv);
    if (code >= 0)
        return code;
    if (!a.policy)
        return flags_wrong(&command, "the name of a policy is expected");
    if (asker_new(&asker, &err) < 0)
        return complain(&err);
    code = explain(&a, asker);
    asker_free(asker);
    return code;
}
