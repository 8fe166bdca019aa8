/* Reviews: written and read. What is written has texts of strangers in it, and jansson gives NULL for one
 * that is not UTF-8: that is carried to the end, where the whole question is given up. What is read decides
 * who may do what: a document that is not quite what it should be is an error, never a guess. */
#include "adapter/access_review.h"

#include "adapter/goquote.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* More than is ever shown: err_set cuts the sentence to its own length. */
enum { DENIAL_MAX = 16 * 1024 };

/* ---- what is sent ---- */

/* Sets a member where there is something to set, as Go leaves out what is empty; false: it cannot be JSON. */
static bool set_text(json_t *object, const char *key, const char *value) {
    return !value || !value[0] || json_object_set_new(object, key, json_string(value)) == 0;
}

static json_t *texts(const char *const *list) {
    json_t *array = json_array();

    for (; *list; list++)
        if (json_array_append_new(array, json_string(*list)) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *review(const char *api_version, const char *kind, json_t *spec) {
    return spec ? json_pack("{s:s, s:s, s:o}", "apiVersion", api_version, "kind", kind, "spec", spec) : NULL;
}

json_t *access_token_question(const char *token, size_t len) {
    return review("authentication.k8s.io/v1", "TokenReview", json_pack("{s:s%}", "token", token, len));
}

static bool set_extra(json_t *spec, const struct identity_extra *extra) {
    json_t *object = json_object();
    bool good = true;

    for (; extra->key && good; extra++)
        good = json_object_set_new(object, extra->key, texts(extra->values)) == 0;
    if (good && json_object_size(object) > 0)
        good = json_object_set(spec, "extra", object) == 0;
    json_decref(object);
    return good;
}

/* Either a path or a resource; a review with both is refused. */
static json_t *attributes_of(const struct access_action *a, bool *good) {
    json_t *object = json_object();

    if (a->path) {
        *good = set_text(object, "path", a->path) && set_text(object, "verb", a->verb);
        return object;
    }
    *good = set_text(object, "namespace", a->ns) && set_text(object, "verb", a->verb) &&
            set_text(object, "group", a->group) && set_text(object, "version", a->version) &&
            set_text(object, "resource", a->resource) && set_text(object, "subresource", a->subresource) &&
            set_text(object, "name", a->name);
    return object;
}

json_t *access_subject_question(const struct identity *identity, const struct access_action *action) {
    bool good = true;
    json_t *spec = json_object();

    json_object_set_new(spec, action->path ? "nonResourceAttributes" : "resourceAttributes",
                        attributes_of(action, &good));
    good = good && set_text(spec, "user", identity->user) && set_text(spec, "uid", identity->uid) &&
           json_object_set_new(spec, "groups", texts(identity->groups)) == 0 &&
           set_extra(spec, identity->extra);
    if (good)
        return review("authorization.k8s.io/v1", "SubjectAccessReview", spec);
    json_decref(spec);
    return NULL;
}

/* ---- what comes back ---- */

/* A text without a NUL in it: half a name is another name. */
static const char *whole_text(const json_t *value) {
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static int read_list(const json_t *array, const char *key, struct identity_draft *draft) {
    if (array && !json_is_null(array) && !json_is_array(array))
        return -EBADMSG;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = whole_text(json_array_get(array, i));
        if (!text)
            return -EBADMSG;
        if (key)
            identity_draft_extra(draft, key, text);
        else
            identity_draft_group(draft, text);
    }
    return 0;
}

/* The user's name is the one thing that must be there: without it everything else would be nobody's. */
static int read_user(const json_t *user, struct identity_draft *draft) {
    const json_t *uid = json_object_get(user, "uid");
    json_t *extra = json_object_get(user, "extra");
    const char *name = whole_text(json_object_get(user, "username")), *key;
    json_t *values;

    if (!name || !name[0] || (uid && !whole_text(uid)) || (extra && !json_is_object(extra)))
        return -EBADMSG;
    identity_draft_user(draft, name);
    identity_draft_uid(draft, uid ? json_string_value(uid) : "");
    if (read_list(json_object_get(user, "groups"), NULL, draft) < 0)
        return -EBADMSG;
    json_object_foreach(extra, key, values) {
        if (read_list(values, key, draft) < 0)
            return -EBADMSG;
    }
    return 0;
}

int access_token_answer(const json_t *answer, struct access_identity **ret_identity, struct err *err) {
    const json_t *status = json_object_get(answer, "status");
    const char *error = json_string_value(json_object_get(status, "error"));
    struct identity_draft draft;

    if (!json_is_object(status))
        return err_set(err, -EBADMSG, "the TokenReview has no status");
    if (!json_is_true(json_object_get(status, "authenticated"))) {
        /* status.error says here what was wrong with the token: that is the apiserver's verdict, no failure
         * of ours */
        *ret_identity = NULL;
        return 0;
    }
    if (error && error[0])
        return err_set(err, -EACCES, "%.300s", error);
    identity_draft_init(&draft);
    if (read_user(json_object_get(status, "user"), &draft) < 0) {
        identity_draft_done(&draft);
        return err_set(err, -EBADMSG, "the TokenReview's user cannot be read");
    }
    *ret_identity = identity_draft_finish(&draft);
    return 0;
}

int access_subject_answer(const json_t *answer, bool *ret_allowed, const char **ret_reason, struct err *err) {
    const json_t *status = json_object_get(answer, "status");
    const json_t *allowed = json_object_get(status, "allowed");
    bool denied = json_is_true(json_object_get(status, "denied"));

    if (!json_is_boolean(allowed))
        return err_set(err, -EBADMSG, "the SubjectAccessReview has no status");
    /* An apiserver never says both; whoever does is not to be trusted with a yes. */
    if (denied && json_is_true(allowed))
        return err_set(err, -EBADMSG, "the SubjectAccessReview both allows and denies");
    *ret_allowed = json_is_true(allowed);
    *ret_reason = str_or_empty(json_string_value(json_object_get(status, "reason")));
    return 0;
}

/* ---- keys and refusals ---- */

/* All that the review asks is in the key, for its answer is given to all whose keys are equal. */
void access_question_key(const struct access_identity *identity, const struct access_action *a,
                         struct buf *out) {
    access_key_put(out, identity->key);
    access_key_put(out, a->verb);
    if (a->path) {
        buf_puts(out, "/");
        access_key_put(out, a->path);
        return;
    }
    const char *const parts[] = {a->group, a->version, a->resource, a->subresource, a->name, a->ns};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        access_key_put(out, parts[i]);
}

static void put_quoted(struct buf *out, const char *before, const char *text) {
    buf_puts(out, before);
    go_quote(str_or_empty(text), out);
}

/* Subresources are of the resource: "pods/queue". */
static void put_resource(struct buf *out, const struct access_action *a) {
    cleanup_buf struct buf resource;

    buf_init(&resource, DENIAL_MAX);
    buf_puts(&resource, str_or_empty(a->resource));
    if (a->subresource && a->subresource[0])
        buf_printf(&resource, "/%s", a->subresource);
    put_quoted(out, " resource ", resource.data);
}

/* forbiddenMessage of k8s.io/apiserver's responsewriters. */
static void put_sentence(struct buf *out, const struct identity *identity, const struct access_action *a) {
    put_quoted(out, "User ", identity->user);
    buf_printf(out, " cannot %s", str_or_empty(a->verb));
    if (a->path) {
        put_quoted(out, " path ", a->path);
        return;
    }
    put_resource(out, a);
    put_quoted(out, " in API group ", a->group);
    if (a->ns && a->ns[0])
        put_quoted(out, " in the namespace ", a->ns);
    else
        buf_puts(out, " at the cluster scope");
}

int access_denial(const struct identity *identity, const struct access_action *a, const char *reason,
                  struct err *err) {
    cleanup_buf struct buf text;

    buf_init(&text, DENIAL_MAX);
    if (!a->path && a->resource && a->resource[0]) {
        buf_puts(&text, a->resource);
        if (a->group && a->group[0])
            buf_printf(&text, ".%s", a->group);
        if (a->name && a->name[0])
            put_quoted(&text, " ", a->name);
        buf_puts(&text, " is ");
    }
    buf_puts(&text, "forbidden: ");
    put_sentence(&text, identity, a);
    if (reason && reason[0])
        buf_printf(&text, ": %s", reason);
    return err_set(err, -EACCES, "%s", text.data);
}
