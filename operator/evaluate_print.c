/* Results for people, and as YAML. Text is made of the decision, with the same function as `explain` uses, so
 * that the two look alike; YAML of the result's JSON, for which libyaml has to be told every bracket. */
#include "autoscaler/record.h"
#include "base/buf.h"
#include "base/str.h"
#include "operator/evaluate.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

/* A line for each metric and stage: no policy that an apiserver stores comes near. */
enum { PRINTED_MAX = 1024 * 1024 };

static void print_conditions(const json_t *result, FILE *out) {
    const json_t *conditions = json_object_get(result, "conditions"), *item;
    const json_t *events = json_object_get(result, "events");
    size_t i;

    fputs("conditions:\n", out);
    json_array_foreach(conditions, i, item)
        fprintf(out, "  %-15s %-6s %s: %s\n", json_text(item, "type"), json_text(item, "status"),
                json_text(item, "reason"), json_text(item, "message"));
    fputs(json_array_size(events) ? "events:\n" : "events: none\n", out);
    json_array_foreach(events, i, item) fprintf(out, "  %-15s %s: %s\n", json_text(item, "type"),
                                                json_text(item, "reason"), json_text(item, "message"));
}

/* Single steps have no record: what came of them is all there is to show. */
static void print_step(const struct evaluate_case *c, const json_t *result, FILE *out) {
    cleanup_free char *text = json_dumps(result, JSON_COMPACT | EVALUATE_DIGITS);

    fprintf(out, "%s (%s): %s\n", c->name, c->level, str_or_empty(text));
}

static void print_decision(const struct evaluate_case *c, const json_t *result, FILE *out) {
    cleanup_buf struct buf text;

    buf_init(&text, PRINTED_MAX);
    /* Without how long ago it was: it was made just now, at whatever time --now says. */
    record_print(record_of(&c->in, &c->decision, c->arena), c->name, 0, &text);
    fputs(text.data, out);
    print_conditions(result, out);
}

void evaluate_print(const struct evaluate_case *c, const json_t *result, FILE *out) {
    if (str_eq(c->level, "reconcile"))
        print_decision(c, result, out);
    else
        print_step(c, result, out);
}

/* ---- YAML ---- */

/* libyaml takes a document as a series of events; made tells whether the event could be made. */
static int emit(yaml_emitter_t *emitter, int made, yaml_event_t *event) {
    return made && yaml_emitter_emit(emitter, event) ? 0 : -EIO;
}

/* Text that would be read as something else is quoted. */
static int emit_scalar(yaml_emitter_t *emitter, const json_t *value) {
    cleanup_free char *written =
        json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | EVALUATE_DIGITS);
    const char *text = written ? written : str_or_empty(json_string_value(value));
    /* libyaml would write the text "5" plain, which reads back as a number. */
    yaml_scalar_style_t style = written ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    yaml_event_t event;

    return emit(emitter,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                             1, 1, style),
                &event);
}

/* Lists and maps hold values, which may be lists and maps. */
static int emit_value(yaml_emitter_t *emitter, json_t *value);

static int emit_list(yaml_emitter_t *emitter, json_t *list) {
    yaml_event_t event;
    int ret =
        emit(emitter, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE),
             &event);

    for (size_t i = 0; ret == 0 && i < json_array_size(list); i++)
        ret = emit_value(emitter, json_array_get(list, i));
    return ret < 0 ? ret : emit(emitter, yaml_sequence_end_event_initialize(&event), &event);
}

/* Plain where libyaml allows it: a key that looks like a number is a text again in JSON, which has no other
 * keys. */
static int emit_key(yaml_emitter_t *emitter, const char *key) {
    yaml_event_t event;

    return emit(emitter,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)key, (int)strlen(key),
                                             1, 1, YAML_ANY_SCALAR_STYLE),
                &event);
}

static int emit_map(yaml_emitter_t *emitter, json_t *map) {
    yaml_event_t event;
    const char *key;
    json_t *value;
    int ret =
        emit(emitter, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE),
             &event);

    json_object_foreach(map, key, value) {
        if (ret == 0)
            ret = emit_key(emitter, key);
        if (ret == 0)
            ret = emit_value(emitter, value);
    }
    return ret < 0 ? ret : emit(emitter, yaml_mapping_end_event_initialize(&event), &event);
}

static int emit_value(yaml_emitter_t *emitter, json_t *value) {
    if (json_is_array(value))
        return emit_list(emitter, value);
    return json_is_object(value) ? emit_map(emitter, value) : emit_scalar(emitter, value);
}

/* The end of the stream is what makes the emitter write out what it still holds. */
static int emit_document(yaml_emitter_t *emitter, json_t *value) {
    yaml_event_t event;
    int ret = emit(emitter, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event);

    if (ret == 0)
        ret = emit(emitter, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event);
    if (ret == 0)
        ret = emit_value(emitter, value);
    if (ret == 0)
        ret = emit(emitter, yaml_document_end_event_initialize(&event, 1), &event);
    return ret < 0 ? ret : emit(emitter, yaml_stream_end_event_initialize(&event), &event);
}

int evaluate_print_yaml(json_t *value, FILE *out) {
    yaml_emitter_t emitter;

    if (!yaml_emitter_initialize(&emitter))
        return -ENOMEM;
    yaml_emitter_set_output_file(&emitter, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1); /* no message is broken in two */
    int ret = emit_document(&emitter, value);
    yaml_emitter_delete(&emitter);
    return ret;
}
