/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of methods. See methods.h.
 */
#include "server/methods.h"

#include "proto/http1.h"

static const struct name {
    const char *text;
    size_t len;
} names[] = {
#define WRING__METHOD_ROW(name) {#name, sizeof #name - 1},
    WRING__METHOD_TABLE(WRING__METHOD_ROW)
#undef WRING__METHOD_ROW
};

enum wring__method_bit wring__method_bit(wring_bytes method) {
    for (size_t i = 0; i < WRING_ARRAY_LEN(names); i++) {
        if (wring_bytes_equal(method, wring_bytes_of(names[i].text, names[i].len))) {
            return (enum wring__method_bit)(1u << i);
        }
    }
    const bool is_refused = wring_bytes_equal(method, wring_str("CONNECT")) ||
                            wring_bytes_equal(method, wring_str("TRACE"));
    return is_refused ? WRING__METHOD_NONE : WRING__METHOD_OTHER;
}

/* Takes the element at `*at` of a comma list, without the spaces around it. False: the end. */
static bool element_take(const char *text, size_t *at, wring_bytes *element) {
    const size_t len = strlen(text);
    if (*at > len) {
        return false;
    }
    size_t begin = *at;
    size_t end = begin + strcspn(text + begin, ",");
    *at = end + 1;
    while (begin < end && text[begin] == ' ') {
        begin++;
    }
    while (end > begin && text[end - 1] == ' ') {
        end--;
    }
    *element = wring_bytes_of(text + begin, end - begin);
    return true;
}

static bool has_lower_case(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 'a' && text.data[i] <= 'z') {
            return true;
        }
    }
    return false;
}

const char *wring__methods_init(wring__methods *methods, const char *text) {
    wring_bytes element;
    *methods = (wring__methods){.text = text, .are_all = strcmp(text, "*") == 0};
    if (methods->are_all) {
        methods->bits = (WRING__METHOD_OTHER << 1) - 1;
        return NULL;
    }
    for (size_t at = 0; element_take(text, &at, &element);) {
        if (!wring__http1_is_token(element) || memchr(element.data, '*', element.len) != NULL ||
            memchr(element.data, '|', element.len) != NULL) {
            return "methods is not a list such as \"GET, POST\", nor \"*\"";
        }
        if (element.len > WRING__HTTP1_METHOD_MAX) {
            return "methods has a name of more than 32 bytes, which no request can have";
        }
        if (has_lower_case(element)) {
            return "methods has a name in lower case: write GET, not get";
        }
        const enum wring__method_bit bit = wring__method_bit(element);
        if (bit == WRING__METHOD_NONE) {
            return "methods has CONNECT or TRACE, which no handler can serve";
        }
        methods->bits |= bit;
    }
    if ((methods->bits & WRING__METHOD_GET) != 0) {
        methods->bits |= WRING__METHOD_HEAD;
    }
    return NULL;
}

static bool list_has(const char *text, wring_bytes name) {
    wring_bytes element;
    for (size_t at = 0; element_take(text, &at, &element);) {
        if (wring_bytes_equal(element, name)) {
            return true;
        }
    }
    return false;
}

bool wring__methods_have_other(const wring__methods *methods, wring_bytes method) {
    return methods->are_all || list_has(methods->text, method);
}

static bool name_add(wring_bytes name, char *out, size_t cap) {
    size_t len = strlen(out);
    if (len + 2 + name.len >= cap) {
        return false;
    }
    if (len > 0) {
        memcpy(out + len, ", ", 2);
        len += 2;
    }
    memcpy(out + len, name.data, name.len);
    out[len + name.len] = 0;
    return true;
}

void wring__methods_write(unsigned bits, char *out, size_t cap) {
    out[0] = 0;
    for (size_t i = 0; i < WRING_ARRAY_LEN(names); i++) {
        if ((bits & (1u << i)) != 0) {
            const bool fits = name_add(wring_bytes_of(names[i].text, names[i].len), out, cap);
            WRING_ASSERT(fits); /* all of them together are short */
        }
    }
}

bool wring__methods_write_others(const wring__methods *methods, char *out, size_t cap) {
    wring_bytes element;
    if (methods->are_all || (methods->bits & WRING__METHOD_OTHER) == 0) {
        return true;
    }
    for (size_t at = 0; element_take(methods->text, &at, &element);) {
        if (wring__method_bit(element) == WRING__METHOD_OTHER && !list_has(out, element) &&
            !name_add(element, out, cap)) {
            return false;
        }
    }
    return true;
}

wring_bytes wring__methods_common(const wring__methods *earlier, const wring__methods *later) {
    wring_bytes element;
    for (size_t at = 0; !later->are_all && element_take(later->text, &at, &element);) {
        if (wring__methods_have(earlier, wring__method_bit(element), element)) {
            return element;
        }
    }
    return wring_bytes_of(NULL, 0);
}

bool wring__methods_cover(const wring__methods *earlier, const wring__methods *later) {
    wring_bytes element;
    if (earlier->are_all || later->are_all) {
        return earlier->are_all;
    }
    for (size_t at = 0; element_take(later->text, &at, &element);) {
        if (!wring__methods_have(earlier, wring__method_bit(element), element)) {
            return false;
        }
    }
    return true;
}
