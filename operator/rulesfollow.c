/* Following the rules: a file by looking at it, a ConfigMap by watching it. What is refused is tried again
 * from time to time without a change, since what it lacks may be a kind that the cluster has not got yet.
 *
 * name and text are always those of the newest configuration that could be read, in force or not; the ruleset
 * has its own copy of what is in force. So a bad text stays here to be tried again while the last good one
 * goes on being served:
 *
 *   in_force   again is not set; the same text once more is no news
 *   refused    err has the reason, again is set
 *   gone       a ConfigMap alone: no text, nothing to try; the ruleset still serves the last good one
 *   unread     a file alone, beside one of the first two: err has the reason, each look tries to read it */
#include "operator/rulesfollow.h"

#include "api/client/file.h"
#include "api/client/kubeobject.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

enum { RULES_MAX = 4 * 1024 * 1024 };

/* A look is one stat(). It finds what kubelet does to a mounted ConfigMap, which it changes by turning a link
 * to another directory: the path then leads to another inode. inotify would have to follow each link on the
 * way. */
#define LOOK_EVERY (2 * USEC_PER_SEC)
#define TRY_EVERY (30 * USEC_PER_SEC)

struct rulesfollow {
    struct loop *loop;
    struct ruleset *ruleset;
    char *file; /* NULL: a ConfigMap */
    struct file_stamp stamp;
    struct loop_timer *look;
    char *configmap; /* "NS/NAME" */
    struct kubeobject *object;
    struct loop_timer *again; /* tries a refused text anew */
    char *name, *text;        /* of the newest configuration: as in messages, and what it says */
    size_t len;
    bool in_force; /* that one */
    bool unread;   /* the file could not be read */
    struct err err;
    struct rulesfollow_stats stats;
};

/* Keeps why; logs it where it is another reason than before. */
static void note(struct rulesfollow *f, const struct err *why) {
    bool same = f->err.code == why->code && str_eq(f->err.text, why->text);

    f->err = *why;
    if (!same)
        log_error("rules", "%s; %s", err_text(why),
                  f->stats.last_load ? "the last good ones stay in force" : "there are none in force");
}

/* The ruleset takes it whole or not at all. */
static int load(struct rulesfollow *f, struct err *err) {
    int ret = ruleset_load(f->ruleset, f->name, f->text, f->len, err);

    f->in_force = ret == 0;
    if (ret < 0)
        return ret;
    err_clear(&f->err);
    f->stats.loads++;
    f->stats.last_load = clock_wall();
    log_info("rules", "%s is in force", f->name);
    return 0;
}

/* Takes the newest configuration, name and text with it; nothing is done where it is the one in force. That
 * comes often: a watch that begins anew tells what is there, and a file may be touched. A text counts
 * as refused when it comes, not each time that it is tried again. */
static int take(struct rulesfollow *f, char *name, char *text, size_t len, struct err *err) {
    bool same = f->in_force && f->len == len && memcmp(f->text, text, len) == 0 && str_eq(f->name, name);

    free(f->name);
    free(f->text);
    f->name = name;
    f->text = text;
    f->len = len;
    if (same) {
        err_clear(&f->err);
        return 0;
    }
    loop_timer_cancel(f->again);
    int ret = load(f, err);
    if (ret < 0) {
        f->stats.refused++;
        loop_timer_set(f->again, TRY_EVERY);
    }
    return ret;
}

static void on_again(void *arg) {
    struct rulesfollow *f = arg;
    struct err err = {0};

    if (load(f, &err) == 0)
        return;
    note(f, &err);
    loop_timer_set(f->again, TRY_EVERY);
}

/* ---- a file ---- */

static int read_file(struct rulesfollow *f, struct err *err) {
    char *text;
    size_t len;

    int ret = file_read(f->file, RULES_MAX, &text, &len, &f->stamp, err);
    f->unread = ret < 0;
    if (ret < 0)
        return ret;
    return take(f, xstrdup(f->file), text, len, err);
}

static void on_look(void *arg) {
    struct rulesfollow *f = arg;
    struct err err = {0};

    /* A file that could not be read has no new stamp, so it is read at each look until it can be. */
    loop_timer_set(f->look, LOOK_EVERY);
    if ((f->unread || file_changed(f->file, &f->stamp)) && read_file(f, &err) < 0)
        note(f, &err);
}

/* ---- a ConfigMap ---- */

/* The key that holds the configuration: config.yaml, or else the only one. */
static const char *find_key(const struct rulesfollow *f, const json_t *data, struct err *err) {
    static const char usual[] = "config.yaml";
    void *first = json_object_iter((json_t *)(uintptr_t)data);

    if (json_object_get(data, usual))
        return usual;
    if (json_object_size(data) == 1)
        return json_object_iter_key(first);
    err_set(err, -ENOENT, "%s: has no key %s%s", f->configmap, usual,
            first ? " but several others: which one is meant?" : "");
    return NULL;
}

static int read_configmap(struct rulesfollow *f, const json_t *object, struct err *err) {
    const json_t *data = json_object_get(object, "data");
    const char *key = find_key(f, data, err);

    if (!key)
        return -ENOENT;
    const json_t *value = json_object_get(data, key);
    size_t len = json_string_length(value);
    return take(f, xasprintf("%s/%s", f->configmap, key),
                xstrndup(str_or_empty(json_string_value(value)), len), len, err);
}

/* The object or its key is gone: there is nothing to try again. */
static void forget(struct rulesfollow *f) {
    loop_timer_cancel(f->again);
    f->in_force = false;
    free(steal_ptr(&f->text));
    free(steal_ptr(&f->name));
}

static void on_configmap(void *arg, const json_t *object) {
    struct rulesfollow *f = arg;
    struct err err = {0};

    if (!object)
        err_set(&err, -ENOENT, "%s: there is no such ConfigMap", f->configmap);
    else if (read_configmap(f, object, &err) == 0)
        return;
    /* From here and from find_key; what the ruleset refuses is -EINVAL, and is to be tried again. */
    if (err.code == -ENOENT)
        forget(f);
    note(f, &err);
}

static int follow_configmap(struct rulesfollow *f, struct kube *kube, struct err *err) {
    const char *slash = strchr(f->configmap, '/');

    if (!slash || slash == f->configmap || !slash[1] || strchr(slash + 1, '/'))
        return err_set(err, -EINVAL, "\"%.100s\" is not NAMESPACE/NAME of a ConfigMap", f->configmap);
    cleanup_free char *collection =
        xasprintf("/api/v1/namespaces/%.*s/configmaps", (int)(slash - f->configmap), f->configmap);
    f->object = kubeobject_follow(f->loop, kube, collection, slash + 1, on_configmap, f);
    return 0;
}

/* ---- life ---- */

int rulesfollow_new(struct loop *loop, struct kube *kube, struct ruleset *ruleset,
                    const struct rulesfollow_place *place, struct rulesfollow **ret_follow, struct err *err) {
    struct rulesfollow *f = XNEW(struct rulesfollow);
    int ret;

    f->loop = loop;
    f->ruleset = ruleset;
    f->again = loop_timer_new(loop, on_again, f);
    if (place->file) {
        f->file = xstrdup(place->file);
        f->look = loop_timer_new(loop, on_look, f);
        loop_timer_set(f->look, LOOK_EVERY);
        ret = read_file(f, err) < 0 ? -EINVAL : 0;
    } else {
        f->configmap = xstrdup(place->configmap);
        ret = follow_configmap(f, kube, err);
    }
    if (ret < 0) {
        rulesfollow_free(f);
        return ret;
    }
    *ret_follow = f;
    return 0;
}

void rulesfollow_free(struct rulesfollow *f) {
    if (!f)
        return;
    kubeobject_free(f->object);
    loop_timer_free(f->look);
    loop_timer_free(f->again);
    free(f->file);
    free(f->configmap);
    free(f->name);
    free(f->text);
    free(f);
}

/* That the object cannot be followed goes before what was last read of it, which may be old. */
const struct err *rulesfollow_error(const struct rulesfollow *f) {
    return f->object && kubeobject_error(f->object)->code ? kubeobject_error(f->object) : &f->err;
}

void rulesfollow_stats(const struct rulesfollow *f, struct rulesfollow_stats *ret_stats) {
    *ret_stats = f->stats;
}
