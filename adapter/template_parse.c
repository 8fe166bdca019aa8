/* Templates: texts, actions and blocks, by the rules of Go's text/template/parse (parse.go).
 *
 * A list is what stands between the beginning of a block and its else or end; list() reads one and says which
 * of the two (or the end of the text) ended it, and its caller says whether that was right there. The tree is
 * never freed by itself: it lies in the template's arena, also when parsing fails halfway. */
#include "adapter/template_internal.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

enum list_end { END_OF_TEXT, END_ELSE, END_END };

static int list(struct parser *p, struct node **ret_first, enum list_end *ret_end);

static struct node *new_node(struct parser *p, enum node_kind kind, const struct token *at) {
    struct node *n = ARENA_NEW(&p->t->arena, struct node);

    n->kind = kind;
    n->at = at->at;
    n->text = at->text;
    return n;
}

/* Keywords are no kind of token: "end" is one only where an action begins. */
static bool is_word(const struct token *token, const char *word) {
    return token->kind == TOKEN_WORD && str_eq(token->text, word);
}

static int expect_close(struct parser *p, const char *where) {
    if (p->at->kind != TOKEN_CLOSE)
        return template_parse_refuse(p, p->at, "unexpected %s in %s", template_token_name(p, p->at), where);
    p->at++;
    return 0;
}

/* ---- blocks ---- */

static int block(struct parser *p, enum node_kind kind, struct node **ret_node);

/* "else if" and "else with" stand for a block of their own within the else, and share its end. */
static int else_part(struct parser *p, enum node_kind kind, struct node *n, enum list_end *ret_end) {
    if ((kind == NODE_IF && is_word(p->at, "if")) || (kind == NODE_WITH && is_word(p->at, "with"))) {
        *ret_end = END_END;
        return block(p, kind, &n->otherwise);
    }
    int ret = expect_close(p, "else");
    return ret < 0 ? ret : list(p, &n->otherwise, ret_end);
}

static const char *name_of(enum node_kind kind) {
    return kind == NODE_IF ? "if" : kind == NODE_WITH ? "with" : "range";
}

static int body_and_else(struct parser *p, struct node *n) {
    uint32_t variables = p->variable_count; /* with those of the pipeline, which else sees, too */
    enum list_end end;

    /* Only the body is a loop: its else knows break and continue no more. */
    p->ranges += n->kind == NODE_RANGE;
    int ret = list(p, &n->body, &end);
    p->ranges -= n->kind == NODE_RANGE;
    p->variable_count = variables;
    if (ret == 0 && end == END_ELSE)
        ret = else_part(p, n->kind, n, &end);
    if (ret == 0 && end != END_END)
        ret = template_refuse(p->t->text, n->at, p->err, "%s without its <<end>>%s", name_of(n->kind),
                              end == END_ELSE ? " (a second else)" : "");
    return ret;
}

/* At the keyword. Variables that are set within end with the block. */
static int block(struct parser *p, enum node_kind kind, struct node **ret_node) {
    struct node *n = *ret_node = new_node(p, kind, p->at);
    uint32_t variables = p->variable_count;

    /* Parsing and running both recurse by blocks, so this bounds the stack; a chain of "else if" counts too.
     */
    if (p->depth == TEMPLATE_DEPTH_MAX)
        return template_parse_refuse(p, p->at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
    p->depth++;
    p->at++;
    int ret = template_parse_pipeline(p, name_of(kind), TOKEN_CLOSE, &n->pipeline);
    if (ret == 0)
        ret = body_and_else(p, n);
    p->variable_count = variables;
    p->depth--;
    return ret;
}

/* break and continue. */
static int jump(struct parser *p, enum node_kind kind, struct node **ret_node) {
    const struct token *at = p->at;

    *ret_node = new_node(p, kind, at);
    if (!p->ranges)
        return template_parse_refuse(p, at, "%s outside of range", at->text);
    p->at++;
    return expect_close(p, at->text);
}

/* ---- lists ---- */

/* Go's actions that need a second template. */
static bool is_foreign(const struct token *token) {
    return is_word(token, "template") || is_word(token, "define") || is_word(token, "block");
}

/* Behind the opening of an action that is neither else nor end. */
static int action(struct parser *p, struct node **ret_node) {
    if (is_word(p->at, "if"))
        return block(p, NODE_IF, ret_node);
    if (is_word(p->at, "with"))
        return block(p, NODE_WITH, ret_node);
    if (is_word(p->at, "range"))
        return block(p, NODE_RANGE, ret_node);
    if (is_word(p->at, "break"))
        return jump(p, NODE_BREAK, ret_node);
    if (is_word(p->at, "continue"))
        return jump(p, NODE_CONTINUE, ret_node);
    if (is_foreign(p->at))
        return template_parse_refuse(p, p->at, "%s is not supported: a query is one template", p->at->text);
    struct node *n = *ret_node = new_node(p, NODE_ACTION, p->at);
    return template_parse_pipeline(p, "command", TOKEN_CLOSE, &n->pipeline);
}

/* Whether the list ends here; else's condition is left to the caller. */
static bool at_end(struct parser *p, enum list_end *ret_end, int *ret) {
    *ret = 0;
    *ret_end = END_OF_TEXT;
    if (p->at->kind == TOKEN_END)
        return true;
    if (p->at->kind != TOKEN_OPEN)
        return false;
    /* There is a token behind an opening: the lexer lets no action stand open. */
    if (is_word(p->at + 1, "else")) {
        *ret_end = END_ELSE;
        p->at += 2;
        return true;
    }
    if (!is_word(p->at + 1, "end"))
        return false;
    *ret_end = END_END;
    p->at += 2;
    *ret = expect_close(p, "end");
    return true;
}

static int list(struct parser *p, struct node **ret_first, enum list_end *ret_end) {
    struct node **last = ret_first;
    int ret;

    while (!at_end(p, ret_end, &ret)) {
        if (p->at->kind == TOKEN_TEXT) {
            *last = new_node(p, NODE_TEXT, p->at++);
        } else {
            p->at++;
            ret = action(p, last);
            if (ret < 0)
                return ret;
        }
        last = &(*last)->next;
    }
    return ret;
}

int template_parse(struct template *t, const struct tokens *tokens, struct err *err) {
    struct parser p = {.t = t, .at = tokens->items, .err = err, .variable_count = 1, .variables = {"$"}};
    enum list_end end;

    int ret = list(&p, &t->first, &end);
    if (ret == 0 && end != END_OF_TEXT) /* an end has taken its >> along */
        return template_parse_refuse(&p, p.at - (end == END_END ? 2 : 1),
                                     "<<%s>> without an if, with or range before it",
                                     end == END_ELSE ? "else" : "end");
    return ret;
}
