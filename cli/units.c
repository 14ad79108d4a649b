/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers with units. See units.h.
 */
#include "cli/units.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* strtod takes more than people mean: signs, hexadecimal, "inf". */
bool units_parse_number(const char **text, double *out) {
    if (!isdigit((unsigned char)**text) && **text != '.') {
        return false;
    }
    if ((*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X')) {
        return false;
    }
    char *end;
    *out = strtod(*text, &end);
    const bool ok = end != *text && isfinite(*out);
    *text = end;
    return ok;
}

static double power(char suffix, double base) {
    switch (tolower((unsigned char)suffix)) {
    case 'k':
        return base;
    case 'm':
        return base * base;
    case 'g':
        return base * base * base;
    default:
        return 0;
    }
}

bool units_parse_count(const char *text, double *out) {
    if (!units_parse_number(&text, out)) {
        return false;
    }
    if (*text != 0) {
        const double factor = power(*text++, 1000);
        if (factor == 0) {
            return false;
        }
        *out *= factor;
    }
    return *text == 0;
}

bool units_parse_bytes(const char *text, uint64_t *out) {
    double value;
    if (!units_parse_number(&text, &value)) {
        return false;
    }
    const double factor = power(*text, 1024);
    if (factor != 0) {
        value *= factor;
        text++;
        text += *text == 'i' || *text == 'I' ? 1 : 0;
    }
    text += *text == 'b' || *text == 'B' ? 1 : 0;
    if (value > 1e15) {
        return false;
    }
    *out = (uint64_t)value;
    return *text == 0;
}

static bool unit(const char **text, double *ns) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        const size_t len = strlen(units[i].name);
        if (strncmp(*text, units[i].name, len) == 0) {
            *ns = units[i].ns;
            *text += len;
            return true;
        }
    }
    return false;
}

bool units_parse_duration(const char *text, uint64_t plain, uint64_t *out) {
    double total = 0;
    do {
        double value;
        double ns = (double)plain;
        if (!units_parse_number(&text, &value)) {
            return false;
        }
        if (*text != 0 && !unit(&text, &ns)) {
            return false;
        }
        total += value * ns;
    } while (*text != 0);
    if (total > 1e18) {
        return false;
    }
    *out = (uint64_t)llround(total);
    return true;
}

bool units_parse_share(const char *text, double *out) {
    if (!units_parse_number(&text, out)) {
        return false;
    }
    if (*text == '%') {
        *out /= 100;
        text++;
    }
    return *text == 0;
}
