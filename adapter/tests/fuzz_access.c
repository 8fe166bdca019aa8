/* What strangers send on the way to being known, and what the apiserver and a remote adapter answer: header
 * values, targets, reviews, the ConfigMap, lists. The first byte chooses. */
#include "adapter/access_config.h"
#include "adapter/access_review.h"
#include "adapter/remote_forward.h"
#include "adapter/remote_list.h"
#include "base/mem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void ask(const struct identity *who, const char *text) {
    const struct access_action action = {.verb = "get", .resource = text, .name = text};
    cleanup_arena struct arena arena;
    struct forward_lines lines = {.arena = &arena};
    struct err err = {0};

    arena_init(&arena, 0);
    json_decref(access_subject_question(who, &action));
    access_denial(who, &action, text, &err);
    forward_identity(&lines, who, NULL);
}

static void from_headers(const char *text) {
    struct identity_draft draft;
    size_t len;

    access_bearer_token(text, &len);
    forward_check_target(text, NULL);
    identity_draft_init(&draft);
    identity_draft_user(&draft, text);
    identity_draft_group(&draft, text);
    identity_draft_extra_header(&draft, text, "1");
    identity_draft_extra_header(&draft, text + strlen(text) / 2, text);
    struct access_identity *identity = identity_draft_finish(&draft);
    if (identity)
        ask(&identity->is, text);
    access_identity_unref(identity);
}

static void from_answers(const json_t *document) {
    struct access_identity *identity = NULL;
    struct access_config config;
    struct remote_list list;
    const char *reason;
    bool allowed;

    if (access_token_answer(document, &identity, NULL) == 0 && identity)
        ask(&identity->is, "x");
    access_identity_unref(identity);
    access_subject_answer(document, &allowed, &reason, NULL);
    if (access_config_read(document, &config, NULL) == 0)
        access_config_done(&config);
    for (int external = 0; external < 2; external++)
        if (remote_list_read(document, external, &list, NULL) == 0)
            remote_list_done(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (data[0] == 'h') {
        char *text = xstrndup((const char *)data + 1, size - 1);
        from_headers(text);
        free(text);
    } else {
        json_t *document = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
        from_answers(document);
        json_decref(document);
    }
    return 0;
}
