/* Questions: what is known is answered at once; else the apiserver is asked, first whose a token is, then
 * whether they may. All who want to know the same wait for one review.
 *
 * A check that has to wait is in the list of exactly one review: of its token at first, then of its rights. A
 * review is in under_way, by its key, until its answer is in (settle); from then on it belongs to the
 * function that tells those who wait, and is freed when all have been told. Whoever is told may ask again,
 * and may cancel any other check: so they are taken from the list one by one (pop), never in a walk. A review
 * that the last one gives up is cancelled, for the apiserver has other things to do. */
#include "adapter/access.h"

#include "adapter/access_internal.h"
#include "adapter/access_review.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

enum {
    KNOWN_MAX = 8192,
    /* Of each kind. A hundredth of it, which is the most that one answer may take, is a user of about a
     * thousand groups. */
    KNOWN_BYTES = 16 << 20,
    UNDER_WAY_MAX = 256, /* of each kind: who asks more often waits for nothing but gets an error */
    REPLY_MAX = 256 << 10,
    /* A key that is cut off would be that of another question, so this is more than any takes: who asks is
     * known from headers of 16 KiB or from a reply of REPLY_MAX, and a target has 8 KiB. */
    KEY_MAX = 1 << 20,
};
/* As ClientTimeout of an aggregated apiserver's options has it. */
#define REVIEW_TIMEOUT (10 * USEC_PER_SEC)

/* One question to the apiserver under way, and who waits for its answer. */
struct review {
    struct access *access;
    enum access_review_kind kind;
    char *key;
    struct kube_call *call;
    struct access_check *waiting;
    bool answered; /* those who wait are being told: nobody else joins, and it frees itself */
};

struct access_check {
    struct access *access;
    struct arena arena; /* of action */
    struct access_action action;
    struct access_identity *identity; /* NULL: still being asked for */
    access_done_fn *done;
    void *arg;
    struct review *review;
    struct access_check *next;
};

/* ---- verdicts ---- */

/* Counts and tells. */
static void tell(struct access *a, enum access_verdict verdict, const struct access_identity *identity,
                 const struct err *err, access_done_fn *done, void *arg) {
    a->stats.denied += verdict == ACCESS_FORBIDDEN;
    a->stats.unauthenticated += verdict == ACCESS_UNAUTHENTICATED;
    a->stats.failures += verdict == ACCESS_FAILED;
    done(arg, verdict, identity ? &identity->is : NULL, err);
}

static void check_free(struct access_check *check) {
    access_identity_unref(check->identity);
    arena_done(&check->arena);
    free(check);
}

/* Ends a check that nothing holds any more; whoever is told has lost the handle by then. */
static void finish(struct access_check *check, enum access_verdict verdict, const struct err *err) {
    tell(check->access, verdict, check->identity, err, check->done, check->arg);
    check_free(check);
}

static void finish_unauthenticated(struct access_check *check) {
    struct err err = {0};

    err_set(&err, -EACCES, "Unauthorized");
    finish(check, ACCESS_UNAUTHENTICATED, &err);
}

/* ---- reviews under way ---- */

/* The answer is in: who asks from now on looks it up, or begins anew. Before anyone is told: who asks the
 * same from inside would else join a list that is being emptied, and wait for an answer that has been given.
 */
static void settle(struct review *review) {
    map_remove(&review->access->under_way[review->kind], review->key);
    review->call = NULL;
    review->answered = true;
}

static void review_free(struct review *review) {
    if (!review->answered)
        map_remove(&review->access->under_way[review->kind], review->key);
    kube_cancel(review->call);
    free(review->key);
    free(review);
}

static struct access_check *pop(struct review *review) {
    struct access_check *check = review->waiting;

    if (check) {
        review->waiting = check->next;
        check->review = NULL;
        check->next = NULL;
    }
    return check;
}

/* A failure is not kept: the next one who asks tries again. */
static void fail_all(struct review *review, const struct err *why) {
    struct err err = *why;
    struct access_check *check;

    err_wrap(&err, review->kind == REVIEW_TOKEN ? "the apiserver could not be asked whose token this is"
                                                : "the apiserver could not be asked for permission");
    while ((check = pop(review)))
        finish(check, ACCESS_FAILED, &err);
    review_free(review);
}

static void on_token_reviewed(void *arg, const struct kube_reply *reply);
static void on_subject_reviewed(void *arg, const struct kube_reply *reply);

/* Asks the apiserver; question is taken. The answer comes on a later turn, when the one who asks is in the
 * list. */
static struct review *review_start(struct access *a, enum access_review_kind kind, const char *key,
                                   json_t *question) {
    static const struct {
        const char *path;
        kube_done_fn *done;
    } kinds[REVIEW_KINDS] = {
        [REVIEW_TOKEN] = {"/apis/authentication.k8s.io/v1/tokenreviews", on_token_reviewed},
        [REVIEW_SUBJECT] = {"/apis/authorization.k8s.io/v1/subjectaccessreviews", on_subject_reviewed},
    };
    struct review *review = XNEW(struct review);

    *review = (struct review){.access = a, .kind = kind, .key = xstrdup(key)};
    map_put(&a->under_way[kind], review->key, review);
    *(kind == REVIEW_TOKEN ? &a->stats.token_reviews : &a->stats.access_reviews) += 1;
    review->call = kube_start(a->kube, &(struct kube_request){.verb = KUBE_CREATE,
                                                              .path = kinds[kind].path,
                                                              .body = question,
                                                              .timeout = REVIEW_TIMEOUT,
                                                              .max_body = REPLY_MAX,
                                                              .on_done = kinds[kind].done,
                                                              .arg = review});
    json_decref(question);
    return review;
}

/* Lets check wait for the answer to question, which is taken; it ends at once where that cannot be asked.
 * Returns whether it waits. */
static bool await(struct access_check *check, enum access_review_kind kind, const char *key,
                  json_t *question) {
    struct access *a = check->access;
    struct review *review = map_get(&a->under_way[kind], key);
    struct err err = {0};

    if (!question)
        err_set(&err, -EINVAL, "the request is not UTF-8");
    else if (!review && a->under_way[kind].len >= UNDER_WAY_MAX)
        err_set(&err, -EBUSY, "too many are being asked about at the moment");
    if (err.code) {
        json_decref(question);
        finish(check, ACCESS_FAILED, &err);
        return false;
    }
    if (review)
        json_decref(question);
    else
        review = review_start(a, kind, key, question);
    check->review = review;
    check->next = review->waiting;
    review->waiting = check;
    return true;
}

/* ---- may they? ---- */

/* Looks the verdict up; false: it is to be asked for, by key. system:masters may do everything, as with the
 * original: the aggregator's probes, which are of that group, never wait for a review. */
static bool is_known(struct access *a, const struct access_identity *identity,
                     const struct access_action *action, struct buf *key, enum access_verdict *ret_verdict,
                     struct err *ret_why) {
    if (identity_in_group(&identity->is, "system:masters")) {
        *ret_verdict = ACCESS_ALLOWED;
        return true;
    }
    access_question_key(identity, action, key);
    const struct access_cached *known =
        access_cache_get(&a->known[REVIEW_SUBJECT], key->data, loop_now(a->loop));
    if (!known)
        return false;
    a->stats.cache_hits++;
    *ret_verdict = known->yes ? ACCESS_ALLOWED : ACCESS_FORBIDDEN;
    if (!known->yes)
        access_denial(&identity->is, action, known->reason, ret_why);
    return true;
}

/* The second step of a check that knows who asks. Returns whether it waits. */
static bool authorize(struct access_check *check) {
    cleanup_buf struct buf key;
    enum access_verdict verdict;
    struct err why = {0};

    buf_init(&key, KEY_MAX);
    if (is_known(check->access, check->identity, &check->action, &key, &verdict, &why)) {
        finish(check, verdict, &why);
        return false;
    }
    return await(check, REVIEW_SUBJECT, key.data,
                 access_subject_question(&check->identity->is, &check->action));
}

static void on_subject_reviewed(void *arg, const struct kube_reply *reply) {
    struct review *review = arg;
    struct access *a = review->access;
    struct access_cached answer = {0};
    struct access_check *check;
    struct err err = reply->err;

    settle(review);
    if (err.code || access_subject_answer(reply->body, &answer.yes, &answer.reason, &err) < 0) {
        fail_all(review, &err);
        return;
    }
    /* Kept before anyone is told, for the same reason as settle; the reason is of the reply, which outlives
     * the loop. */
    usec_t ttl = answer.yes ? a->options.authorized_ttl : a->options.unauthorized_ttl;
    access_cache_put(&a->known[REVIEW_SUBJECT], review->key, &answer, loop_now(a->loop) + ttl);
    while ((check = pop(review))) {
        struct err why = {0};
        if (!answer.yes)
            access_denial(&check->identity->is, &check->action, answer.reason, &why);
        finish(check, answer.yes ? ACCESS_ALLOWED : ACCESS_FORBIDDEN, &why);
    }
    review_free(review);
}

/* ---- whose token is it? ---- */

static void on_token_reviewed(void *arg, const struct kube_reply *reply) {
    struct review *review = arg;
    struct access *a = review->access;
    cleanup_access_identity struct access_identity *identity = NULL;
    struct access_check *check;
    struct err err = reply->err;

    settle(review);
    if (err.code || access_token_answer(reply->body, &identity, &err) < 0) {
        fail_all(review, &err);
        return;
    }
    access_cache_put(&a->known[REVIEW_TOKEN], review->key,
                     &(struct access_cached){.yes = identity != NULL, .identity = identity},
                     loop_now(a->loop) + a->options.token_ttl);
    while ((check = pop(review))) {
        if (!identity) {
            finish_unauthenticated(check);
            continue;
        }
        check->identity = access_identity_ref(identity);
        authorize(check);
    }
    review_free(review);
}

/* ---- asking ---- */

static const char *copy_text(struct arena *arena, const char *text) {
    return text ? arena_strdup(arena, text) : NULL;
}

static struct access_check *check_new(struct access *a, const struct access_action *action,
                                      access_done_fn *done, void *arg) {
    struct access_check *check = XNEW(struct access_check);

    *check = (struct access_check){.access = a, .done = done, .arg = arg};
    arena_init(&check->arena, 512);
    check->action = (struct access_action){.verb = copy_text(&check->arena, action->verb),
                                           .group = copy_text(&check->arena, action->group),
                                           .version = copy_text(&check->arena, action->version),
                                           .resource = copy_text(&check->arena, action->resource),
                                           .subresource = copy_text(&check->arena, action->subresource),
                                           .name = copy_text(&check->arena, action->name),
                                           .ns = copy_text(&check->arena, action->ns),
                                           .path = copy_text(&check->arena, action->path)};
    return check;
}

/* identity is borrowed. */
static struct access_check *ask_as(struct access *a, struct access_identity *identity,
                                   const struct access_action *action, access_done_fn *done, void *arg) {
    cleanup_buf struct buf key;
    enum access_verdict verdict;
    struct err why = {0};

    buf_init(&key, KEY_MAX);
    if (is_known(a, identity, action, &key, &verdict, &why)) {
        tell(a, verdict, identity, &why, done, arg);
        return NULL;
    }
    struct access_check *check = check_new(a, action, done, arg);
    check->identity = access_identity_ref(identity);
    json_t *question = access_subject_question(&identity->is, &check->action);
    return await(check, REVIEW_SUBJECT, key.data, question) ? check : NULL;
}

/* The token itself goes into the question and nowhere else: what is kept of it is a keyed digest, from which
 * nobody who sees our memory can tell the token. That a token is bad is kept, too, so that who sends one
 * again and again costs the apiserver one review in a while. */
static struct access_check *ask_with_token(struct access *a, const char *token, size_t len,
                                           const struct access_action *action, access_done_fn *done,
                                           void *arg) {
    char key[DIGEST_TEXT_MAX];
    struct err err = {0};

    if (digest_text(&a->token_key, token, len, key, &err) < 0) {
        tell(a, ACCESS_FAILED, NULL, &err, done, arg);
        return NULL;
    }
    const struct access_cached *known = access_cache_get(&a->known[REVIEW_TOKEN], key, loop_now(a->loop));
    a->stats.cache_hits += known != NULL;
    if (known && known->yes) {
        cleanup_access_identity struct access_identity *identity = access_identity_ref(known->identity);
        return ask_as(a, identity, action, done, arg);
    }
    struct access_check *check = check_new(a, action, done, arg);
    /* What is not UTF-8 is nobody's token: the apiserver need not be asked. */
    json_t *question = known ? NULL : access_token_question(token, len);
    if (!question) {
        finish_unauthenticated(check);
        return NULL;
    }
    return await(check, REVIEW_TOKEN, key, question) ? check : NULL;
}

struct access_check *access_ask(struct access *a, const struct https_request *request,
                                const struct access_action *action, access_done_fn *done, void *arg) {
    cleanup_access_identity struct access_identity *identity = NULL;
    const char *token = NULL;
    struct err err = {0};
    size_t len = 0;

    if (action->path && access_path_open(a->options.always_allow_paths, action->path)) {
        tell(a, ACCESS_ALLOWED, NULL, &err, done, arg);
        return NULL;
    }
    switch (access_identify(a, request, &identity, &token, &len)) {
    case WHO_KNOWN:
        return ask_as(a, identity, action, done, arg);
    case WHO_TOKEN:
        return ask_with_token(a, token, len, action, done, arg);
    case WHO_NOBODY:
    default:
        err_set(&err, -EACCES, "Unauthorized");
        tell(a, ACCESS_UNAUTHENTICATED, NULL, &err, done, arg);
        return NULL;
    }
}

/* A review that nobody waits for any more is given up, but for one that is being told. */
void access_cancel(struct access_check *check) {
    if (!check)
        return;
    /* It waits, so it is in a list: whoever has been told has no handle any more. */
    struct review *review = check->review;
    struct access_check **at = &review->waiting;
    while (*at != check)
        at = &(*at)->next;
    *at = check->next;
    check_free(check);
    if (!review->waiting && !review->answered)
        review_free(review);
}

void access_reviews_init(struct access *a) {
    for (int i = 0; i < REVIEW_KINDS; i++) {
        access_cache_init(&a->known[i], KNOWN_MAX, KNOWN_BYTES);
        map_init(&a->under_way[i]);
    }
}

void access_reviews_done(struct access *a) {
    for (int i = 0; i < REVIEW_KINDS; i++) {
        for (struct map_iter it = {0};;) {
            struct review *review;
            struct access_check *check;
            if (!map_next(&a->under_way[i], &it, NULL, (void **)&review))
                break;
            while ((check = pop(review)))
                check_free(check);
            review_free(review);
        }
        map_done(&a->under_way[i]);
        access_cache_done(&a->known[i]);
    }
}
