/* SPDX-License-Identifier: Apache-2.0
 *
 * Options whose value is a number with a unit. See numbers.h.
 */
#include "cli/numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/units.h"
#include "wring/session.h"

static const struct {
    const char *placeholder; /* in --help */
    const char *like;
    uint64_t ns; /* of a plain 1; 0: no time */
} units[] = {
    [CLI_COUNT] = {"N", "a whole number like 250, 20k or 1m", 0},
    [CLI_BYTES] = {"BYTES", "a size in bytes like 65536, 64k or 1MiB", 0},
    [CLI_US] = {"TIME", "a time like 250us, 1ms or, in microseconds, 250", UNITS_NS_PER_US},
    [CLI_MS] = {"TIME", "a time like 500ms, 30s or, in milliseconds, 500", UNITS_NS_PER_MS},
};

void cli_numbers_fill(struct poptOption *table, const cli_number *list, size_t count,
                      unsigned range) {
    for (size_t i = 0; i < count; i++) {
        table[i] = (struct poptOption){
            list[i].name,
            list[i].letter,
            POPT_ARG_STRING | ((list[i].words & CLI_HIDDEN) != 0 ? POPT_ARGFLAG_DOC_HIDDEN : 0u),
            NULL,
            (int)(CLI_NUMBERS + range * CLI_NUMBERS_MAX + i),
            list[i].help,
            units[list[i].unit].placeholder};
    }
}

static bool value_parse(cli_unit unit, const char *text, uint64_t *out) {
    double value;
    uint64_t ns;
    switch (unit) {
    case CLI_COUNT:
        if (!units_parse_count(text, &value) || value != floor(value) || value > 1e18) {
            return false;
        }
        *out = (uint64_t)value;
        return true;
    case CLI_BYTES:
        return units_parse_bytes(text, out);
    case CLI_US:
    case CLI_MS:
        if (!units_parse_duration(text, units[unit].ns, &ns) || ns % units[unit].ns != 0) {
            return false; /* a fraction would be cut off, at worst to 0, which is the default */
        }
        *out = ns / units[unit].ns;
        return true;
    }
    return false;
}

static bool word_parse(const cli_number *number, const char *text, uint64_t *out) {
    if ((number->words & CLI_OFF) != 0 &&
        (strcmp(text, "off") == 0 || strcmp(text, "unlimited") == 0)) {
        *out = number->to_wide != NULL ? WRING_UNLIMITED : WRING_OFF;
        return true;
    }
    if ((number->words & CLI_ALL) != 0 && strcmp(text, "all") == 0) {
        *out = 1;
        return true;
    }
    return false;
}

static const char *words_text(const cli_number *number) {
    static const char *const texts[] = {"", ", or 'off'", ", or 'all'", ", or 'all' or 'off'"};
    return texts[number->words & (CLI_OFF | CLI_ALL)];
}

static bool value_take(const cli_number *number, const char *text, uint64_t *value) {
    const uint64_t widest = number->to_wide != NULL ? INT64_MAX : WRING_OFF - 1;
    const uint64_t max = number->max != 0 ? number->max : widest;
    if (word_parse(number, text, value)) {
        return true;
    }
    if (!value_parse(number->unit, text, value)) {
        cli_complain("--%s '%s' is not %s%s", number->name, text, units[number->unit].like,
                     words_text(number));
        return false;
    }
    if (*value == 0 && (number->words & CLI_ZERO) != 0) {
        return true;
    }
    if (*value < number->min || *value > max) {
        static const char *const of[] = {[CLI_COUNT] = "",
                                         [CLI_BYTES] = " bytes",
                                         [CLI_US] = " microseconds",
                                         [CLI_MS] = " milliseconds"};
        cli_complain("--%s '%s' is not from %" PRIu64 " to %" PRIu64 "%s%s", number->name, text,
                     number->min, max, of[number->unit], words_text(number));
        return false;
    }
    return true;
}

bool cli_number_take(const cli_number *number, const char *text) {
    uint64_t value;
    if (!value_take(number, text, &value)) {
        return false;
    }
    if (number->to_wide != NULL) {
        *number->to_wide = value;
    } else {
        *number->to = (uint32_t)value;
    }
    return true;
}

void cli_print_u32(const char *name, uint32_t value) {
    cli_print_u64(name, value == WRING_OFF ? WRING_UNLIMITED : value);
}

void cli_print_u64(const char *name, uint64_t value) {
    if (value == WRING_UNLIMITED) {
        printf("%s = off\n", name);
    } else {
        printf("%s = %" PRIu64 "\n", name, value);
    }
}
