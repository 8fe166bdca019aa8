/* Which certificate the metrics APIs serve with. The administrator's files are read again when they change.
 * Without them one of our own serves from the start, so that health answers whatever the apiserver does;
 * where there is a Secret, what it holds takes its place as soon as it could be read.
 *
 * Ours are `now` and, for some seconds, `next`. With a Secret certsecret.c renews them, whichever replica
 * comes first, and tells us of each (shared); else, in memory or a folder, we do it ourselves (renew_alone).
 * Either way the change goes through change_to: the APIServices are told the new authority beside the old
 * one, then we serve what it has signed. The other order would be seconds in which the apiserver trusts
 * nobody. */
#include "operator/servingcert.h"

#include "api/client/file.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "operator/certsecret.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 1024 * 1024 };

static const usec_t look_interval = 10 * USEC_PER_SEC;
/* Between telling the APIServices of another authority and serving with it: the apiserver sees them within
 * milliseconds, another replica writes them within the second. */
static const usec_t switch_after = 10 * USEC_PER_SEC;

struct servingcert {
    struct loop *loop;
    struct httpsserver *server;
    char *cert_dir, *service_ns, *service;
    struct file_followed cert_file, key_file; /* with their own paths */
    bool files_changed;                       /* and are not in force yet */
    struct owncert now, next;                 /* ours: in force; waiting for its turn */
    bool shared;                              /* now is the Secret's */
    struct certsecret *secret;
    struct apiservices *apiservices; /* borrowed; NULL: none */
    struct loop_timer *look, *turn;  /* at files and lives; at next */
    usec_t not_after;
    struct err err; /* of files and of what we make */
};

/* --- ours --- */

static void copy(struct owncert *to, const struct owncert *from) {
    struct owncert made = {
        .serving = {.cert_pem = xstrdup(from->serving.cert_pem), .key_pem = xstrdup(from->serving.key_pem)},
        .ca_pem = xstrdup(from->ca_pem),
    };
    owncert_done(to);
    *to = made;
}

/* Takes the contents of cert. */
static void put_in_force(struct servingcert *c, struct owncert *cert) {
    int r = httpsserver_set_certificate(c->server, cert->serving.cert_pem, cert->serving.key_pem, &c->err);
    if (r < 0) { /* it was checked before, so this is OpenSSL's trouble; what was there stays */
        owncert_done(cert);
        return;
    }
    owncert_done(&c->now);
    c->now = *cert;
    *cert = (struct owncert){0};
    c->not_after = owncert_not_after(&c->now);
}

/* The timer of an older next may still ring after it has been taken: then there is none. */
static void take_turn(void *arg) {
    struct servingcert *c = arg;
    if (c->next.ca_pem)
        put_in_force(c, &c->next);
}

/* Another certificate of ours. The one in force stays until those who call us have heard of the new
 * authority, if they go on trusting the old one meanwhile. */
static void change_to(struct servingcert *c, const struct owncert *cert) {
    bool wait = owncert_trusted(&c->now, cert) && c->not_after > clock_wall() + switch_after;
    if (c->apiservices)
        apiservices_set_ca(c->apiservices, cert->ca_pem);
    copy(&c->next, cert);
    if (wait)
        loop_timer_set(c->turn, switch_after);
    else
        take_turn(c);
}

/* May tell again what is in force, or waits for its turn. */
static void on_secret(void *arg, const struct owncert *cert) {
    struct servingcert *c = arg;
    if (c->shared && owncert_equal(cert, c->next.ca_pem ? &c->next : &c->now))
        return;
    change_to(c, cert);
    c->shared = true;
}

/* --- ours, in a folder --- */

static char *path_in(const struct servingcert *c, const char *name) {
    return xasprintf("%s/%s", c->cert_dir, name);
}

static char *read_in(const struct servingcert *c, const char *name) {
    cleanup_free char *path = path_in(c, name);
    char *text = NULL;
    return file_read(path, FILE_MAX, &text, NULL, NULL, NULL) < 0 ? NULL : text;
}

static int write_in(const struct servingcert *c, const char *name, const char *text, struct err *err) {
    cleanup_free char *path = path_in(c, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    /* The mode above is that of a new file only. Half a file is no harm: load() finds it out at the next
     * start. */
    if (fd < 0 || fchmod(fd, 0600) < 0 || write(fd, text, len) != (ssize_t)len)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

/* As mkdir -p makes it, and only for us: a key is going to lie in it. */
static int make_folder(const char *path, struct err *err) {
    cleanup_free char *part = xstrdup(path);
    size_t len = strlen(part);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return err_set(err, -errno, "cannot make the folder %s: %s", part, strerror(errno));
        part[i] = path[i];
    }
    return 0;
}

/* Where it cannot be kept it serves all the same; the next start makes another one. */
static void save(struct servingcert *c, const struct owncert *cert) {
    if (!c->cert_dir)
        return;
    int r = make_folder(c->cert_dir, &c->err);
    if (r == 0)
        r = write_in(c, "tls.crt", cert->serving.cert_pem, &c->err);
    if (r == 0)
        r = write_in(c, "tls.key", cert->serving.key_pem, &c->err);
    if (r == 0)
        write_in(c, "ca.crt", cert->ca_pem, &c->err);
}

/* What an earlier run has left, if it is good. */
static bool load(struct servingcert *c, struct owncert *ret_cert) {
    if (!c->cert_dir)
        return false;
    struct owncert cert = {.serving = {.cert_pem = read_in(c, "tls.crt"), .key_pem = read_in(c, "tls.key")},
                           .ca_pem = read_in(c, "ca.crt")};
    if (owncert_check(&cert, c->service_ns, c->service, clock_wall(), NULL) < 0) {
        owncert_done(&cert);
        return false;
    }
    *ret_cert = cert;
    return true;
}

/* The authority before is trusted on, for those who have not heard of the new one. */
static int make(struct servingcert *c, struct owncert *ret_cert) {
    return owncert_make(c->service_ns, c->service, c->now.ca_pem, clock_wall(), ret_cert, &c->err);
}

/* Nobody else renews it. */
static void renew_alone(struct servingcert *c) {
    cleanup_owncert struct owncert cert = {0};
    if (c->shared || c->next.ca_pem || owncert_due(&c->now) > clock_wall())
        return;
    err_clear(&c->err);
    if (make(c, &cert) < 0)
        return;
    save(c, &cert);
    change_to(c, &cert);
}

/* The first of ours. With a Secret its authority is told to nobody: another replica's may be the one that
 * stays. */
static int begin_alone(struct servingcert *c, bool tell, struct err *err) {
    cleanup_owncert struct owncert cert = {0};
    if (!load(c, &cert)) {
        if (make(c, &cert) < 0)
            return err_set(err, c->err.code, "%s", err_text(&c->err));
        save(c, &cert);
    }
    if (tell && c->apiservices)
        apiservices_set_ca(c->apiservices, cert.ca_pem);
    put_in_force(c, &cert);
    return 0;
}

/* --- the administrator's --- */

/* They are not exchanged at one moment, so what does not fit is tried again. */
static int use_files(struct servingcert *c, bool force, struct err *err) {
    struct certificate_facts facts;
    int r = file_follow(&c->cert_file, force, &c->files_changed, err);
    if (r == 0)
        r = file_follow(&c->key_file, force, &c->files_changed, err);
    if (r < 0 || !c->files_changed)
        return r;
    r = httpsserver_set_certificate(c->server, c->cert_file.text, c->key_file.text, err);
    if (r < 0)
        return err_wrap(err, "%s, %s", c->cert_file.path, c->key_file.path);
    c->files_changed = false;
    err_clear(&c->err);
    if (certificate_read(c->cert_file.text, NULL, &facts, NULL) == 0)
        c->not_after = facts.not_after;
    log_info(c->cert_file.path, "is the serving certificate");
    return 0;
}

static void on_look(void *arg) {
    struct servingcert *c = arg;
    if (c->cert_file.path)
        use_files(c, false, &c->err);
    else
        renew_alone(c);
    loop_timer_set(c->look, look_interval);
}

/* --- together --- */

static char *dup_or_null(const char *text) {
    return text ? xstrdup(text) : NULL;
}

static int begin(struct servingcert *c, struct kube *kube, const struct servingcert_options *options,
                 struct err *err) {
    if (c->cert_file.path) {
        if (c->apiservices) /* who signed the files is not ours to say */
            apiservices_set_ca(c->apiservices, NULL);
        struct err why = {0};
        return use_files(c, true, &why) < 0 ? err_set(err, -EINVAL, "%s", err_text(&why)) : 0;
    }
    int r = begin_alone(c, !options->secret, err);
    if (r == 0 && options->secret) {
        struct certsecret_options secret = {.ns = options->secret_ns,
                                            .name = options->secret,
                                            .service_ns = options->service_ns,
                                            .service = options->service};
        c->secret = certsecret_new(c->loop, kube, &secret, on_secret, c);
    }
    return r;
}

int servingcert_new(struct loop *loop, struct kube *kube, struct httpsserver *server,
                    const struct servingcert_options *options, struct servingcert **ret_cert,
                    struct err *err) {
    if (!options->cert_file != !options->key_file)
        return err_set(err, -EINVAL, "a certificate file needs a key file, and the other way round");
    struct servingcert *c = XNEW(struct servingcert);
    *c = (struct servingcert){.loop = loop,
                              .server = server,
                              .apiservices = options->apiservices,
                              .cert_dir = options->secret ? NULL : dup_or_null(options->cert_dir),
                              .service_ns = options->service ? xstrdup(options->service_ns) : NULL,
                              .service = dup_or_null(options->service),
                              .cert_file = {.path = dup_or_null(options->cert_file)},
                              .key_file = {.path = dup_or_null(options->key_file)}};
    c->look = loop_timer_new(loop, on_look, c);
    c->turn = loop_timer_new(loop, take_turn, c);
    int r = begin(c, kube, options, err);
    if (r < 0) {
        servingcert_free(c);
        return r;
    }
    loop_timer_set(c->look, look_interval);
    *ret_cert = c;
    return 0;
}

static void free_file(struct file_followed *file) {
    free((void *)(uintptr_t)file->path);
    file_followed_done(file);
}

void servingcert_free(struct servingcert *c) {
    if (!c)
        return;
    certsecret_free(c->secret);
    loop_timer_free(c->look);
    loop_timer_free(c->turn);
    owncert_done(&c->now);
    owncert_done(&c->next);
    free_file(&c->cert_file);
    free_file(&c->key_file);
    free(c->cert_dir);
    free(c->service_ns);
    free(c->service);
    free(c);
}

bool servingcert_ready(const struct servingcert *c) {
    return c->not_after > 0;
}

const struct err *servingcert_error(const struct servingcert *c) {
    if (c->err.code == 0 && c->secret && certsecret_error(c->secret)->code)
        return certsecret_error(c->secret);
    return &c->err;
}

usec_t servingcert_not_after(const struct servingcert *c) {
    return c->not_after;
}
