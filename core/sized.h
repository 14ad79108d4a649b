/* SPDX-License-Identifier: Apache-2.0
 *
 * Structs of the API that begin with their size, as the program that fills or receives them knows
 * it: such a struct only ever grows at its end, so that programs and libraries of different ages go
 * together.
 */
#ifndef WRING_CORE_SIZED_H
#define WRING_CORE_SIZED_H

#include "core/base.h"

/** Takes what the caller filled into one of ours: what it does not know stays zero, the default.
 *  @param least  bytes that every program has known
 *  @param type   for the sentence: "wring_server_config"
 *  Errors: WRING_ERR_INVALID_CONFIG: no struct_size, or the program is newer and sets something
 * that this library does not know. */
WRING_MUST_CHECK wring_result wring__sized_adopt(void *out, uint32_t size, const void *in,
                                                 size_t least, const char *type,
                                                 wring_error *error);

/** The same for a list, whose stride is the struct_size of its first element.
 *  @param out  room for `count` of ours
 *  Errors: as above; also elements of different sizes. */
WRING_MUST_CHECK wring_result wring__sized_list_adopt(void *out, uint32_t size, const void *in,
                                                      size_t count, size_t least, const char *type,
                                                      wring_error *error);

/** A count has its list. A list with the count 0 is an empty one.
 *  @param field, count_field  for the sentence, which names no record: "origins", "origin_count"
 *  Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__list_check(const void *list, size_t count, const char *field,
                                                const char *count_field, wring_error *error);

/** Gives the caller as much of one of ours as it knows; what only it knows becomes zero.
 *  Errors: WRING_ERR_INVALID_ARGUMENT without its struct_size. */
wring_result wring__sized_give(void *out, const void *full, uint32_t size);

/** The same, with a sentence.  @param type  for it: "wring_server_config" */
wring_result wring__sized_give_told(void *out, const void *full, uint32_t size, const char *type,
                                    wring_error *error);

#endif
