/* SPDX-License-Identifier: Apache-2.0
 *
 * Options whose value is a number with a unit: one list says name, unit, bounds and where the value
 * goes; popt's entries, the parsing and the complaints are made of it. cli_parser_next takes them.
 */
#ifndef WRING_CLI_NUMBERS_H
#define WRING_CLI_NUMBERS_H

#include <popt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a plain number is of. Units may be written behind it: see units.h. */
typedef enum cli_unit { CLI_COUNT, CLI_BYTES, CLI_US, CLI_MS } cli_unit;

/** Values that have a word. */
enum {
    CLI_OFF = 1,    /* "off", "unlimited": WRING_OFF, or WRING_UNLIMITED where it is 64 bits wide */
    CLI_ALL = 2,    /* "all": 1 */
    CLI_HIDDEN = 4, /* an older name: not in --help */
    CLI_ZERO = 8    /* 0 is the default, whatever the least value is */
};

typedef struct cli_number {
    const char *name; /* without "--" */
    char letter;      /* the short option, or 0 */
    cli_unit unit;
    uint32_t *to; /* where the value goes ... */
    uint64_t *to_wide;
    uint64_t min;
    uint64_t max; /* 0: what the type holds, less "off" */
    unsigned words;
    const char *help;
} cli_number;

/** Entries are told apart by codes from here on: one range a list. */
#define CLI_NUMBERS      0x1000
#define CLI_NUMBERS_MAX  64 /* of a list */
#define CLI_NUMBER_LISTS 3

/** Writes popt's entries for `count` options.  @param range  0, or 1 for a second list */
void cli_numbers_fill(struct poptOption *table, const cli_number *list, size_t count,
                      unsigned range);

/** Stores the value of `text`. False when it is wrong, and it is told. */
bool cli_number_take(const cli_number *number, const char *text);

/** "NAME = VALUE" with "off" for WRING_OFF and WRING_UNLIMITED: for --print-config. */
void cli_print_u32(const char *name, uint32_t value);
void cli_print_u64(const char *name, uint64_t value);

#endif
