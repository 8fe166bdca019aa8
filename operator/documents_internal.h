/* What documents.c and its YAML half share. */
#ifndef OPERATOR_DOCUMENTS_INTERNAL_H
#define OPERATOR_DOCUMENTS_INTERNAL_H

#include "operator/documents.h"

/* Appends the documents of a YAML stream to file->documents. */
int documents_parse_yaml(struct document_file *file, struct err *err);
/* NULL is allowed. */
void documents_lines_free(struct documents_lines *lines);

#endif
