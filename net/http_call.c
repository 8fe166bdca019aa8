/* A request as options of a curl easy handle, and the reply as what curl knows at its end.
 *
 * Where we end a transfer ourselves, curl only knows that a callback of ours failed; so the callback leaves
 * the reason in call->err first, and that one is reported. An error body that is cut is no failure: call->cut
 * says so, and the reply is told with what came. */
#include "net/http_call.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/curl_library.h"
#include <errno.h>
#include <string.h>

enum {
    MAX_HEADER_BYTES = 256 * 1024,
    MAX_ERROR_BODY = 64 * 1024,
    DEFAULT_MAX_BODY = 1024 * 1024,
    /* curl reads up to a hundred buffers before it lets go of a connection that always has more: measured,
     * 414 KB a turn with this size, 1.65 MB with its default, for the same CPU time. */
    READ_BUFFER = 4096,
};

/* An option's value goes through `...`, which takes any type. curl's own header would check it in macros that
 * call by name; called through a table, these two see to it that a number is a long. */
static void set_number(CURL *easy, CURLoption option, long value) {
    libcurl->easy_setopt(easy, option, value);
}

static void set_text(CURL *easy, CURLoption option, const char *value) {
    libcurl->easy_setopt(easy, option, value);
}

static int reply_status(const struct http_call *call) {
    long status = 0;
    libcurl->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* Always collected, on_body or not: it is for a message to people, or a Status object. */
static bool take_error_body(struct http_call *call, const char *data, size_t len) {
    size_t room = MAX_ERROR_BODY - call->body.len;
    call->cut = len > room;
    buf_append(&call->body, data, call->cut ? room : len);
    return !call->cut;
}

static bool take_body(struct http_call *call, const char *data, size_t len) {
    call->taken += len;
    if (call->taken > call->max_body) {
        err_set(&call->err, -E2BIG, "the answer is larger than %zu bytes", call->max_body);
        return false;
    }
    if (!call->on_body)
        return buf_append(&call->body, data, len) == 0;
    int r = call->on_body(call->arg, data, len, &call->err);
    if (r < 0 && call->err.code == 0)
        err_set(&call->err, r, "the answer was not accepted");
    return r >= 0;
}

/* on_body may cancel its own call, so the state is asked before it and behind it: who has cancelled is not
 * called any more. The status is known by now, the head being whole before the body begins. */
static size_t on_write(char *data, size_t size, size_t n, void *arg) {
    struct http_call *call = arg;
    size_t len = size * n;
    if (call->state == HTTP_CALL_CANCELLED)
        return CURL_WRITEFUNC_ERROR;
    int status = reply_status(call);
    bool more = status >= 200 && status < 300 ? take_body(call, data, len) : take_error_body(call, data, len);
    return more && call->state != HTTP_CALL_CANCELLED ? len : CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg) {
    struct http_call *call = arg;
    (void)data;
    call->header_bytes += size * n;
    if (call->header_bytes <= MAX_HEADER_BYTES)
        return size * n;
    err_set(&call->err, -E2BIG, "the answer's headers are larger than %d bytes", MAX_HEADER_BYTES);
    return 0;
}

/* Not copied: that is why a request's tls must live until it is done. The text comes before the file. */
static void blob_or_file(CURL *easy, CURLoption blob_option, const char *pem, CURLoption file_option,
                         const char *file) {
    if (pem) {
        struct curl_blob blob = {
            .data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_NOCOPY};
        libcurl->easy_setopt(easy, blob_option, &blob);
    } else if (file) {
        set_text(easy, file_option, file);
    }
}

static void set_tls(CURL *easy, const struct http_tls *tls) {
    set_number(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    if (!tls)
        return;
    blob_or_file(easy, CURLOPT_CAINFO_BLOB, tls->ca_pem, CURLOPT_CAINFO, tls->ca_file);
    blob_or_file(easy, CURLOPT_SSLCERT_BLOB, tls->cert_pem, CURLOPT_SSLCERT, tls->cert_file);
    blob_or_file(easy, CURLOPT_SSLKEY_BLOB, tls->key_pem, CURLOPT_SSLKEY, tls->key_file);
    if (tls->ca_pem || tls->ca_file)
        set_text(easy, CURLOPT_CAPATH, NULL); /* this CA and no other */
#if LIBCURL_VERSION_NUM >= 0x075700
    if (tls->ca_file)
        set_number(easy, CURLOPT_CA_CACHE_TIMEOUT, 0); /* files are read anew */
#endif
    set_number(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0 : 1);
    set_number(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0 : 2);
}

static void add_header(struct http_call *call, const char *line) {
    struct curl_slist *list = libcurl->slist_append(call->headers, line);
    if (list)
        call->headers = list;
}

static bool has_header(const struct http_request *request, const char *name) {
    size_t len = strlen(name);
    for (const char *const *h = request->headers; h && *h; h++)
        if (strncasecmp(*h, name, len) == 0 && (*h)[len] == ':')
            return true;
    return false;
}

static int set_headers(struct http_call *call, const struct http_request *request) {
    for (const char *const *h = request->headers; h && *h; h++) {
        if (strpbrk(*h, "\r\n"))
            return err_set(&call->err, -EINVAL, "a header has a line end in it");
        add_header(call, *h);
    }
    /* No "Expect: 100-continue": curl would ask whether a large body is welcome, and wait up to a second. */
    add_header(call, "Expect:");
    libcurl->easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    return 0;
}

/* The size before the body, which else would be copied up to its first NUL; the method last, as it only
 * changes the word that is sent. */
static void set_method(CURL *easy, const struct http_request *request) {
    const char *method = request->method ? request->method : "GET";
    if (request->body || str_eq(method, "POST")) {
        libcurl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        set_text(easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
    } else if (str_eq(method, "HEAD")) {
        set_number(easy, CURLOPT_NOBODY, 1);
    }
    set_text(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* Puts the name to be verified into the URL and has curl connect to the URL's own host: the name is then used
 * for SNI and verification, and nothing else changes, as the Host header is set back. */
static CURLUcode use_server_name(struct http_call *call, const struct http_request *request, CURLU *url) {
    char *host = NULL, *port = NULL, *explicit_port = NULL;
    libcurl->url_get(url, CURLUPART_HOST, &host, 0);
    libcurl->url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    libcurl->url_get(url, CURLUPART_PORT, &explicit_port, 0);
    cleanup_free char *to = xasprintf("::%s:%s", host, port);
    call->connect_to = libcurl->slist_append(NULL, to);
    libcurl->easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to);
    if (!has_header(request, "Host")) {
        cleanup_free char *line =
            xasprintf("Host: %s%s%s", host, explicit_port ? ":" : "", str_or_empty(explicit_port));
        add_header(call, line);
    }
    libcurl->free(host);
    libcurl->free(port);
    libcurl->free(explicit_port);
    return libcurl->url_set(url, CURLUPART_HOST, request->tls->server_name, 0);
}

static bool is_https(CURLU *url) {
    char *scheme = NULL;
    libcurl->url_get(url, CURLUPART_SCHEME, &scheme, 0);
    bool https = str_eq(scheme, "https");
    libcurl->free(scheme);
    return https;
}

/* For messages: what the URL has besides may be long, or secret. */
static char *host_and_port(CURLU *url) {
    char *host = NULL, *port = NULL;
    libcurl->url_get(url, CURLUPART_HOST, &host, 0);
    libcurl->url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    char *out = xasprintf("%s:%s", str_or_empty(host), str_or_empty(port));
    libcurl->free(host);
    libcurl->free(port);
    return out;
}

static int set_url(struct http_call *call, const struct http_request *request, CURLU *url) {
    CURLUcode r = libcurl->url_set(url, CURLUPART_URL, request->url, 0);
    if (r != CURLUE_OK)
        return err_set(&call->err, -EINVAL, "not a URL: %s", libcurl->url_strerror(r));
    free(call->host);
    call->host = host_and_port(url);
    bool https = is_https(url);
    if (https && request->tls && request->tls->server_name)
        r = use_server_name(call, request, url);
    if (r != CURLUE_OK)
        return err_set(&call->err, -EINVAL, "server name %s: %s", request->tls->server_name,
                       libcurl->url_strerror(r));
    char *text = NULL;
    libcurl->url_get(url, CURLUPART_URL, &text, 0);
    set_text(call->easy, CURLOPT_URL, text);
    libcurl->free(text);
    /* Only where ALPN may give HTTP/2 is it worth waiting for a connection that is just being made. */
    bool http2 = https && !request->http1;
    set_number(call->easy, CURLOPT_HTTP_VERSION, http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
    set_number(call->easy, CURLOPT_PIPEWAIT, http2 ? 1 : 0);
    return 0;
}

/* At least one: to curl 0 is no limit at all. */
static long milliseconds(usec_t t, usec_t fallback) {
    usec_t ms = (t > 0 ? t : fallback) / USEC_PER_MSEC;
    return ms < 1 ? 1 : (long)ms;
}

static void set_common(struct http_call *call, const struct http_request *request) {
    CURL *easy = call->easy;
    libcurl->easy_setopt(easy, CURLOPT_PRIVATE, call);
    libcurl->easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_text);
    set_number(easy, CURLOPT_NOSIGNAL, 1);
    set_number(easy, CURLOPT_BUFFERSIZE, READ_BUFFER);
    set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set_number(easy, CURLOPT_FOLLOWLOCATION, 0); /* credentials go nowhere else */
    set_text(easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that this curl can undo */
    set_number(easy, CURLOPT_TCP_KEEPALIVE, 1);
    libcurl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    libcurl->easy_setopt(easy, CURLOPT_WRITEDATA, call);
    libcurl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    libcurl->easy_setopt(easy, CURLOPT_HEADERDATA, call);
    set_number(easy, CURLOPT_TIMEOUT_MS, milliseconds(request->timeout, 30 * USEC_PER_SEC));
    set_number(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request->connect_timeout, 10 * USEC_PER_SEC));
    /* Empty and not unset: for what is unset curl looks into the environment (http_proxy, no_proxy). */
    set_text(easy, CURLOPT_PROXY, str_or_empty(request->proxy));
    set_text(easy, CURLOPT_NOPROXY, "");
    if (request->userpwd) {
        set_number(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        set_text(easy, CURLOPT_USERPWD, request->userpwd);
    }
}

struct http_call *http_call_new(const struct http_request *request, usec_t now) {
    struct http_call *call = XNEW(struct http_call);
    *call = (struct http_call){
        .max_body = request->max_body ? request->max_body : DEFAULT_MAX_BODY,
        .on_body = request->on_body,
        .on_done = request->on_done,
        .arg = request->arg,
        .started = now,
        .host = xstrdup(request->url),
        .easy = libcurl->easy_init(),
    };
    /* It takes either kind of body, each of which is bounded for itself as it comes. */
    buf_init(&call->body, call->max_body > MAX_ERROR_BODY ? call->max_body : MAX_ERROR_BODY);
    CURLU *url = libcurl->url();
    if (!call->easy || !url) {
        err_set(&call->err, -ENOMEM, "no memory for a request");
    } else {
        set_common(call, request);
        set_tls(call->easy, request->tls);
        set_method(call->easy, request);
        if (set_url(call, request, url) == 0)
            set_headers(call, request);
    }
    libcurl->url_cleanup(url);
    return call;
}

void http_call_free(struct http_call *call) {
    libcurl->easy_cleanup(call->easy);
    libcurl->slist_free_all(call->headers);
    libcurl->slist_free_all(call->connect_to);
    buf_done(&call->body);
    free(call->host);
    free(call);
}

/* What connect(2) said, where curl has kept it. */
static int connect_errno(const struct http_call *call) {
    long os = 0;
    libcurl->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os);
    return os > 0 ? (int)-os : -ECONNREFUSED;
}

static const char *peer_ip(const struct http_call *call) {
    char *ip = NULL;
    libcurl->easy_getinfo(call->easy, CURLINFO_PRIMARY_IP, &ip);
    return str_or_empty(ip);
}

static const struct {
    CURLcode curl;
    int code;
} codes[] = {
    {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
    {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
    {CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH},
    {CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED},
    {CURLE_SSL_CERTPROBLEM, -EINVAL},
    {CURLE_SSL_CACERT_BADFILE, -EINVAL},
    {CURLE_URL_MALFORMAT, -EINVAL},
    {CURLE_GOT_NOTHING, -ECONNRESET},
    {CURLE_RECV_ERROR, -ECONNRESET},
    {CURLE_SEND_ERROR, -ECONNRESET},
    {CURLE_PARTIAL_FILE, -ECONNRESET},
    {CURLE_OUT_OF_MEMORY, -ENOMEM},
};

/* Anything else the peer did is -EPROTO: bad TLS, bad HTTP, bad compression. */
static int code_of(const struct http_call *call, CURLcode result) {
    if (result == CURLE_COULDNT_CONNECT)
        return connect_errno(call);
    if (result == CURLE_UNSUPPORTED_PROTOCOL) /* of the URL, or HTTP/0.9 from a peer */
        return *peer_ip(call) ? -EPROTO : -EINVAL;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].curl == result)
            return codes[i].code;
    return -EPROTO;
}

static void fill_failure(struct http_call *call, CURLcode result, struct http_reply *reply) {
    if (call->err.code != 0) {
        reply->err = call->err;
        err_wrap(&reply->err, "%s", call->host);
        return;
    }
    const char *why = call->curl_text[0] ? call->curl_text : libcurl->easy_strerror(result);
    err_set(&reply->err, code_of(call, result), "%s: %s", call->host, why);
}

static void fill_reply(struct http_call *call, struct http_reply *reply) {
    char *type = NULL;
    curl_off_t retry_after = 0;
    libcurl->easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
    libcurl->easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
    reply->status = reply_status(call);
    reply->content_type = str_or_empty(type);
    /* curl reads both forms, and makes of a date that is past a number below 0. A day at most, as
     * net/retry_after.h has it for the others. */
    if (retry_after > 0)
        reply->retry_after = (retry_after > 86400 ? 86400 : retry_after) * USEC_PER_SEC;
    reply->body = call->body.data;
    reply->body_len = call->body.len;
}

void http_call_report(struct http_call *call, CURLcode result, usec_t now) {
    struct http_reply reply = {.body = "", .content_type = "", .peer_ip = "", .elapsed = now - call->started};
    if (call->easy)
        reply.peer_ip = peer_ip(call);
    if (call->err.code == 0 && (result == CURLE_OK || call->cut))
        fill_reply(call, &reply);
    else
        fill_failure(call, result, &reply);
    call->state = HTTP_CALL_REPORTING;
    call->on_done(call->arg, &reply);
}
