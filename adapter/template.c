/* Templates from the outside; see template.h. */
#include "adapter/template.h"

#include "adapter/template_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

int template_new(const char *text, struct template **ret_template, struct err *err) {
    struct tokens tokens = {0};

    if (strlen(text) > TEMPLATE_TEXT_MAX)
        return err_set(err, -EINVAL, "longer than %d bytes", TEMPLATE_TEXT_MAX);
    struct template *t = XNEW(struct template);
    arena_init(&t->arena, 0);
    t->text = arena_strdup(&t->arena, text);
    int ret = template_lex(t->text, &t->arena, &tokens, err);
    if (ret == 0)
        ret = template_parse(t, &tokens, err);
    free(tokens.items);
    if (ret == 0)
        *ret_template = t;
    else
        template_free(t);
    return ret;
}

void template_free(struct template *t) {
    if (!t)
        return;
    arena_done(&t->arena);
    free(t);
}

bool template_names(const struct template *t, const char *field) {
    for (const struct field_name *n = t->names; n; n = n->next)
        if (*field == '.' && str_eq(n->text, field + 1))
            return true;
    return false;
}
