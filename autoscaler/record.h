/* The decision record: what each stage of a decision was given and made of it, for people (text) and for
 * machines (JSON), and packed into a few hundred bytes to be kept. Pure.
 *
 *   decide -> record_of -> record_json / record_print          (evaluate)
 *                       -> record_pack -> recordlog -> record_unpack -> record_json / record_print (explain)
 */
#ifndef AUTOSCALER_RECORD_H
#define AUTOSCALER_RECORD_H

#include "autoscaler/decide.h"
#include "base/buf.h"

/* A decision with all that a reader needs to understand it, apart from the objects it was made of. */
struct record;

/* Made of a finished decision (after decision_written, where it was written); lives in arena and borrows
 * nothing but what lives in arena or in the policy's spec. */
const struct record *record_of(const struct decide_input *input, const struct decision *decision,
                               struct arena *arena);

/* The record as a JSON document, units in the names of its fields where they are not plain numbers; new
 * reference. */
json_t *record_json(const struct record *record);

/* The record in lines, one a stage, as `explain` shows it; a stage that changed the number it was given ends
 * with "<- changed". name: "default/web". now: for "(2 s ago)"; 0: left
 * out. */
void record_print(const struct record *record, const char *name, usec_t now, struct buf *out);

/* Writes the packed form and returns its length; texts that are too long for it are cut. Unpacking gives a
 * record that prints the same but for those. -EINVAL where the bytes are none of record_pack. */
enum { RECORD_PACKED_MAX = 2048 };
size_t record_pack(const struct record *record, unsigned char out[RECORD_PACKED_MAX]);
int record_unpack(const void *data, size_t len, struct arena *arena, const struct record **ret_record);

#endif
