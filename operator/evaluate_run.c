/* All files of one evaluation: which objects make up which world, and one case after the other.
 *
 * A recorded case is a world of its own. Plain objects make one world for each file that has a policy (or
 * HPA) in it: its own objects and those of all files without one, so that nodes or pods kept in files of
 * their own need not be repeated, and two policies' files do not mix. A world lives as long as its cases are
 * decided; what a case needs beyond it is in the case's own arena, and goes before the next one begins. */
#include "base/mem.h"
#include "base/str.h"
#include "operator/evaluate.h"

#include "autoscaler/status.h"
#include <errno.h>
#include <string.h>

struct run {
    struct evaluation *e;
    struct document_file *files;
    size_t count;
    struct arena arena; /* of places */
    struct err first;   /* complaint about the world being made: then nothing is decided in it */
};

/* One line each, as a compiler's: they go where no result goes, so that both can be read by programs. */
static void complain(void *arg, const struct err *err) {
    struct run *run = arg;

    fprintf(run->e->complaints, "%s\n", err_text(err));
    if (!run->first.code)
        run->first = *err;
}

/* Kubernetes has no object with one of these at its top. */
static bool is_recorded(const json_t *document) {
    return json_is_array(json_object_get(document, "objects")) ||
           json_is_string(json_object_get(document, "level"));
}

static bool is_subject(const json_t *object) {
    const char *kind = json_text(object, "kind");

    return str_eq(kind, "AutoscalingPolicy") || str_eq(kind, "HorizontalPodAutoscaler");
}

/* ---- one case ---- */

/* In the result, what could not be answered keeps its place. */
static void add_invalid(struct evaluation *e, const char *name, const struct err *err) {
    e->failed++;
    json_array_append_new(
        e->results, json_pack("{s:o, s:o}", "name", text_json(name), "invalid", text_json(err_text(err))));
}

/* A case without expect is said aloud: a check that passes it over in silence would show nothing. */
static void check(struct evaluation *e, const struct evaluate_case *c, const json_t *result) {
    if (!json_is_object(json_object_get(c->recorded, "expect"))) {
        e->without_expect++;
        fprintf(e->out, "%s: %s: there is nothing to compare with: it has no expect\n", c->place->file->name,
                c->name);
        return;
    }
    e->compared++;
    e->different += evaluate_check(c, result, e->out) > 0;
}

/* A blank line between two. */
static void print(struct evaluation *e, const struct evaluate_case *c, const json_t *result) {
    if (e->printed++ > 0)
        fputs("\n", e->out);
    evaluate_print(c, result, e->out);
}

/* A whole decision, or the step that the case is about. */
static int answer(struct evaluation *e, struct evaluate_case *c, json_t **ret_result, struct err *err) {
    int ret = case_read(c, &e->options, err);

    if (ret < 0 || !str_eq(c->level, "reconcile"))
        return ret < 0 ? ret : case_step(c, ret_result, err);
    if (!c->subject)
        return place_error(c->place, "objects", err,
                           "an AutoscalingPolicy or a HorizontalPodAutoscaler is expected");
    case_decide(c);
    *ret_result = case_result(c);
    return 0;
}

/* Everything that a case needs lives in one arena; only its result stays. It is printed or compared at once,
 * so that of a long run one sees how far it is. */
static void run_case(struct run *run, struct evaluate_case *c) {
    struct evaluation *e = run->e;
    cleanup_arena struct arena arena;
    json_t *result = NULL;
    struct err err = {0};

    arena_init(&arena, 16384);
    c->arena = &arena;
    e->cases++;
    if (answer(e, c, &result, &err) < 0) {
        complain(run, &err);
        add_invalid(e, c->name, &err);
    } else {
        if (e->check)
            check(e, c, result);
        else if (e->text)
            print(e, c, result);
        json_array_append_new(e->results, result);
    }
    case_done(c);
}

/* ---- recorded cases ---- */

/* Recorded cases have one, single steps perhaps none; of several the first is meant. */
static const struct input_object *subject_of(const struct world *world) {
    if (world->of[INPUT_HPA].count)
        return &world->of[INPUT_HPA].items[0];
    return world->of[INPUT_POLICY].count ? &world->of[INPUT_POLICY].items[0] : NULL;
}

static int add_objects(struct world *world, const json_t *list, const struct place *place, struct err *err) {
    const json_t *object;
    size_t i;

    json_array_foreach(list, i, object) {
        int ret = world_add(world, object, place_in(place, "objects", i, &world->arena), err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* Each recorded case is a world of its own: made, asked, and taken down again. */
static void run_recorded(struct run *run, const json_t *recorded, const struct place *place) {
    const char *name = json_text(recorded, "name"), *level = json_text(recorded, "level");
    struct world world;
    struct evaluate_case c = {.name = name ? name : "case",
                              .level = level ? level : "reconcile",
                              .recorded = recorded,
                              .place = place,
                              .world = &world};
    struct err err = {0};

    world_init(&world);
    err_clear(&run->first);
    if (add_objects(&world, json_object_get(recorded, "objects"), place, &err) < 0)
        complain(run, &err);
    else
        world_decode(&world, complain, run);
    c.subject = subject_of(&world);
    if (!run->first.code) {
        run_case(run, &c);
    } else {
        run->e->cases++;
        add_invalid(run->e, c.name, &run->first);
    }
    world_done(&world);
}

/* ---- plain objects ---- */

/* Looks at every document of a file, also within lists of cases, in order. Each visit makes its places anew,
 * in the run's arena: what is in a world keeps pointers to them. A negative result ends the visit of the
 * file. */
typedef int visit_fn(void *arg, const json_t *document, const struct place *place);

static int visit_list(struct run *run, const json_t *list, const struct place *up, const char *key,
                      visit_fn *visit, void *arg) {
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        int ret = visit(arg, item, place_in(up, key, i, &run->arena));
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* Three forms: a document, a list of them, and recorded cases under "vectors". A YAML document with nothing
 * in it (a "---" too many) is no mistake. */
static int visit_file(struct run *run, struct document_file *file, visit_fn *visit, void *arg) {
    const json_t *document;
    size_t i;

    json_array_foreach(file->documents, i, document) {
        struct place *place = ARENA_NEW(&run->arena, struct place);
        *place = (struct place){.key = "", .file = file, .document = i};
        int ret = 0;
        if (json_is_array(document))
            ret = visit_list(run, document, place, "", visit, arg);
        else if (json_is_array(json_object_get(document, "vectors")))
            ret = visit_list(run, json_object_get(document, "vectors"), place, "vectors", visit, arg);
        else if (!json_is_null(document))
            ret = visit(arg, document, place);
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* Also within lists, as deep as world_add goes into them; of a typed list the elements do not say their kind.
 */
static bool has_subject(const json_t *document, unsigned depth) {
    const json_t *items = json_object_get(document, "items"), *item;
    const char *kind = json_text(document, "kind");
    size_t i;

    if (is_subject(document))
        return true;
    if (str_eq(kind, "AutoscalingPolicyList") || str_eq(kind, "HorizontalPodAutoscalerList"))
        return json_array_size(items) > 0;
    if (depth == LISTS_IN_LISTS_MAX)
        return false;
    json_array_foreach(items, i, item) {
        if (has_subject(item, depth + 1))
            return true;
    }
    return false;
}

/* What a file holds; several may be true. */
struct contents {
    struct run *run;
    bool subject, recorded, malformed;
};

/* Whatever is no object is complained of here, once: the later visits pass it over. */
static int note_contents(void *arg, const json_t *document, const struct place *place) {
    struct contents *c = arg;
    struct err err;

    if (!json_is_object(document)) {
        c->malformed = true;
        c->run->e->failed++;
        place_error(place, "", &err, "a Kubernetes object or a recorded case is expected");
        complain(c->run, &err);
    } else if (is_recorded(document)) {
        c->recorded = true;
    } else {
        c->subject |= has_subject(document, 0);
    }
    return 0;
}

struct filling {
    struct world *world;
    struct err *err;
};

static int add_plain(void *arg, const json_t *document, const struct place *place) {
    const struct filling *f = arg;

    if (!json_is_object(document) || is_recorded(document))
        return 0;
    return world_add(f->world, document, place, f->err);
}

static const char *subject_name(const struct input_object *subject, struct arena *arena) {
    const json_t *metadata = json_object_get(subject->json, "metadata");
    const char *ns = json_text(metadata, "namespace"), *name = str_or_empty(json_text(metadata, "name"));

    return ns ? arena_printf(arena, "%s/%s", ns, name) : name;
}

static void run_subjects(struct run *run, const struct world *world, enum input_kind kind) {
    for (uint32_t i = 0; i < world->of[kind].count; i++) {
        const struct input_object *subject = &world->of[kind].items[i];
        struct evaluate_case c = {.name = subject_name(subject, &run->arena),
                                  .level = "reconcile",
                                  .place = subject->place,
                                  .world = world,
                                  .subject = subject};
        run_case(run, &c);
    }
}

/* The policies of one file, among its objects and those of the files without a policy. */
static void run_plain(struct run *run, struct document_file *file, const struct contents *contents) {
    struct world world;
    struct err err = {0};
    struct filling filling = {.world = &world, .err = &err};

    /* Its own objects come first: of two of one name the first is found. */
    world_init(&world);
    err_clear(&run->first);
    int ret = visit_file(run, file, add_plain, &filling);
    for (size_t i = 0; ret == 0 && i < run->count; i++)
        if (!contents[i].subject)
            ret = visit_file(run, &run->files[i], add_plain, &filling);
    if (ret < 0)
        complain(run, &err);
    else
        world_decode(&world, complain, run);
    if (!run->first.code) {
        run_subjects(run, &world, INPUT_POLICY);
        run_subjects(run, &world, INPUT_HPA);
    } else {
        run->e->cases++;
        add_invalid(run->e, file->name, &run->first);
    }
    world_done(&world);
}

static int run_if_recorded(void *arg, const json_t *document, const struct place *place) {
    if (is_recorded(document))
        run_recorded(arg, document, place);
    return 0;
}

/* Objects and nobody who decides about them. */
static void complain_no_subject(struct run *run, struct document_file *file) {
    struct err err;

    err_set(&err, -EINVAL,
            "%s: no AutoscalingPolicy or HorizontalPodAutoscaler is there, and no recorded case", file->name);
    complain(run, &err);
    run->e->failed++;
}

void evaluate_files(struct evaluation *e, struct document_file *files, size_t count) {
    struct run run = {.e = e, .files = files, .count = count};
    cleanup_free struct contents *contents = xcalloc(count + 1, sizeof(*contents));
    bool any = false;

    /* Which files stand alone must be known before the first is decided. */
    arena_init(&run.arena, 0);
    for (size_t i = 0; i < count; i++) {
        contents[i].run = &run;
        visit_file(&run, &files[i], note_contents, &contents[i]);
        any |= contents[i].subject;
    }
    /* In the order of the files, so that results stand as they were asked for. */
    for (size_t i = 0; i < count; i++) {
        visit_file(&run, &files[i], run_if_recorded, &run);
        if (contents[i].subject)
            run_plain(&run, &files[i], contents);
        else if (!contents[i].recorded && !contents[i].malformed && !any)
            complain_no_subject(&run, &files[i]);
    }
    arena_done(&run.arena);
}
