/* SPDX-License-Identifier: Apache-2.0
 *
 * See sized.h.
 */
#include "core/sized.h"

/* No struct of the API will ever be this much longer: a size beyond is one that was never set. */
#define GROWTH_MAX 4096

static uint32_t size_of(const void *sized) {
    uint32_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

static bool is_zero(const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

wring_result wring__sized_adopt(void *out, uint32_t size, const void *in, size_t least,
                                const char *type, wring_error *error) {
    const uint32_t theirs = size_of(in);
    if (theirs < least || theirs > size + GROWTH_MAX) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "%s: struct_size is not set: use sizeof(%s)", type, type);
    }
    if (theirs > size && !is_zero((const uint8_t *)in + size, theirs - size)) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "%s: this program was built for a newer wring and sets something "
                               "that this library does not know (%u bytes, %u known): install the "
                               "newer library",
                               type, theirs, size);
    }
    memset(out, 0, size);
    memcpy(out, in, wring__min_size(theirs, size));
    memcpy(out, &size, sizeof size);
    return WRING_OK;
}

wring_result wring__sized_list_adopt(void *out, uint32_t size, const void *in, size_t count,
                                     size_t least, const char *type, wring_error *error) {
    if (in == NULL && count > 0) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "%s: a list of %zu is NULL",
                               type, count);
    }
    const uint32_t stride = count == 0 ? 0 : size_of(in);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = (const uint8_t *)in + i * stride;
        if (size_of(from) != stride) {
            return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                                   "%s: element %zu of a list has another struct_size than the "
                                   "first: use sizeof(%s) in each",
                                   type, i, type);
        }
        const wring_result result =
            wring__sized_adopt((uint8_t *)out + i * size, size, from, least, type, error);
        if (result != WRING_OK) {
            return result;
        }
    }
    return WRING_OK;
}

wring_result wring__list_check(const void *list, size_t count, const char *field,
                               const char *count_field, wring_error *error) {
    if (list == NULL && count > 0) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "%s is %zu, and %s is NULL: set both, or none", count_field, count,
                               field);
    }
    return WRING_OK;
}

wring_result wring__sized_give(void *out, const void *full, uint32_t size) {
    const uint32_t theirs = size_of(out);
    if (theirs < sizeof theirs || theirs > size + GROWTH_MAX) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    memset(out, 0, theirs);
    memcpy(out, full, wring__min_size(theirs, size));
    memcpy(out, &theirs, sizeof theirs);
    return WRING_OK;
}

wring_result wring__sized_give_told(void *out, const void *full, uint32_t size, const char *type,
                                    wring_error *error) {
    const wring_result result = wring__sized_give(out, full, size);
    return result == WRING_OK
               ? WRING_OK
               : wring_error_set(error, result, 0,
                                 "%s: struct_size of the record to be filled in is not set: use "
                                 "sizeof(%s)",
                                 type, type);
}
