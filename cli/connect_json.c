/* SPDX-License-Identifier: Apache-2.0
 *
 * See connect_json.h. cJSON reads; strings are written here, because a text message may hold NUL.
 */
#include "cli/connect_json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

/* The two-character escape of `c`, or 0. */
static char escape_of(uint8_t c) {
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static bool is_plain(uint8_t c) {
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7F && c != 0xC2;
}

void connect_json_string(FILE *to, wring_bytes text) {
    fputc('"', to);
    for (size_t i = 0; i < text.len; i++) {
        size_t run = i;
        while (run < text.len && is_plain(text.data[run])) {
            run++;
        }
        fwrite(text.data + i, 1, run - i, to);
        i = run;
        if (i == text.len) {
            break;
        }
        const uint8_t c = text.data[i];
        const char escape = escape_of(c);
        if (escape != 0) {
            fputc('\\', to);
            fputc(escape, to);
        } else if (c != 0xC2) {
            fprintf(to, "\\u%04x", c);
        } else if (i + 1 < text.len && text.data[i + 1] < 0xA0) { /* C1 */
            fprintf(to, "\\u%04x", text.data[++i]);
        } else {
            fputc(c, to);
        }
    }
    fputc('"', to);
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void connect_json_base64(FILE *to, wring_bytes bytes) {
    fputc('"', to);
    for (size_t i = 0; i < bytes.len; i += 3) {
        const uint8_t *p = bytes.data + i;
        const size_t left = bytes.len - i;
        const uint32_t group =
            (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        const char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                              left > 1 ? digits[group >> 6 & 63] : '=',
                              left > 2 ? digits[group & 63] : '='};
        fwrite(four, 1, 4, to);
    }
    fputc('"', to);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The value of a base64 digit; -1: it is none. */
static int digit_value(char c) {
    const char *found = c == 0 ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

/* In place. Padding is required, as everybody writes it. */
static bool base64_decode(char *text, size_t *len) {
    const size_t chars = strlen(text);
    size_t out = 0;
    if (chars % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < chars; i += 4) {
        const bool last = i + 4 == chars;
        const size_t pads = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            const int value = k >= 4 - pads ? 0 : digit_value(text[i + k]);
            if (value < 0) {
                return false;
            }
            group = group << 6 | (uint32_t)value;
        }
        for (size_t k = 0; k < 3 - pads; k++) {
            text[out++] = (char)(group >> (16 - 8 * k) & 0xFF);
        }
    }
    *len = out;
    return true;
}

/* The string of a field; `fallback` when there is no such field, NULL when it is no string. */
static const char *field(const cJSON *object, const char *name, const char *fallback) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return item == NULL ? fallback : cJSON_GetStringValue(item);
}

static bool payload_set(connect_action *action, const char *data, bool base64, const char **why) {
    if (data == NULL) {
        *why = "\"data\" is not a string";
        return false;
    }
    char *copy = strdup(data);
    if (copy == NULL) {
        *why = "out of memory";
        return false;
    }
    action->payload = (uint8_t *)copy;
    action->len = strlen(data);
    if (base64 && !base64_decode(copy, &action->len)) {
        *why = "\"data\" is not base64 (RFC 4648 4, padded)";
        return false;
    }
    if (action->opcode != WRING_TEXT && action->opcode != WRING_BINARY &&
        action->len > WRING_CONTROL_PAYLOAD_MAX) {
        *why = "a ping or pong holds at most 125 bytes";
        return false;
    }
    return true;
}

static bool message_parse(const cJSON *object, connect_action *action, const char **why) {
    const char *type = field(object, "type", "text");
    const bool binary = type != NULL && strcmp(type, "binary") == 0;
    if (type == NULL || (!binary && strcmp(type, "text") != 0)) {
        *why = "\"type\" is not \"text\" or \"binary\"";
        return false;
    }
    action->kind = CONNECT_ACTION_SEND;
    action->opcode = binary ? WRING_BINARY : WRING_TEXT;
    return payload_set(action, field(object, "data", NULL), binary, why);
}

static bool close_parse(const cJSON *object, connect_action *action, const char **why) {
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(object, "code");
    const double number = code == NULL ? WRING_CLOSE_NORMAL : cJSON_GetNumberValue(code);
    action->kind = CONNECT_ACTION_CLOSE;
    /* 1005 and 1006 are for what --json tells only: neither is ever sent. RFC 6455 7.4.1 */
    if (!(number >= 1000 && number <= 4999) || number != (double)(uint16_t)number ||
        !wring_close_valid_on_wire_iana((uint32_t)number)) {
        *why = "\"code\" is not 1000 to 1003, 1007 to 1014 or 3000 to 4999";
        return false;
    }
    action->close_code = (uint16_t)number;
    if (!payload_set(action, field(object, "reason", ""), false, why)) {
        *why = "\"reason\" is not a string";
        return false;
    }
    if (action->len > WRING_CLOSE_REASON_MAX) {
        *why = "\"reason\" is longer than 123 bytes";
        return false;
    }
    return true;
}

static bool object_parse(const cJSON *object, connect_action *action, const char **why) {
    static const char *const told_only[] = {"open", "error", "reconnect"};
    const char *event = field(object, "event", "message");
    if (event != NULL && strcmp(event, "message") == 0) {
        return message_parse(object, action, why);
    }
    if (event != NULL && strcmp(event, "close") == 0) {
        return close_parse(object, action, why);
    }
    if (event != NULL && (strcmp(event, "ping") == 0 || strcmp(event, "pong") == 0)) {
        action->kind = CONNECT_ACTION_SEND;
        action->opcode = event[1] == 'i' ? WRING_PING : WRING_PONG;
        return payload_set(action, field(object, "data", ""), true, why);
    }
    for (size_t i = 0; event != NULL && i < sizeof told_only / sizeof told_only[0]; i++) {
        if (strcmp(event, told_only[i]) == 0) {
            return true;
        }
    }
    *why = "\"event\" is not \"message\", \"ping\", \"pong\" or \"close\"";
    return false;
}

/* cJSON ends its strings at NUL: a text that holds one would be sent cut. */
static bool holds_nul(wring_bytes line) {
    if (line.len > 0 && memchr(line.data, 0, line.len) != NULL) {
        return true;
    }
    for (size_t i = 0; i + 5 < line.len; i++) {
        if (line.data[i] == '\\') {
            if (memcmp(line.data + i, "\\u0000", 6) == 0) {
                return true;
            }
            i++; /* what it escapes */
        }
    }
    return false;
}

bool connect_json_parse(wring_bytes line, connect_action *action, const char **why) {
    *action = (connect_action){.kind = CONNECT_ACTION_NONE};
    if (line.len == 0) {
        return true;
    }
    if (holds_nul(line)) {
        *why = "it holds the character NUL; send such data as \"binary\"";
        return false;
    }
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts((const char *)line.data, line.len, &end, false);
    while (object != NULL && end < (const char *)line.data + line.len && strchr(" \t\r", *end)) {
        end++;
    }
    bool ok = false;
    if (object == NULL || !cJSON_IsObject(object) || end != (const char *)line.data + line.len) {
        *why = "it is not one JSON object, like {\"data\":\"hello\"}";
    } else {
        ok = object_parse(object, action, why);
    }
    cJSON_Delete(object);
    return ok;
}
