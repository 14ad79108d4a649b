/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes of messages. See sizes.h.
 */
#include "bench/load/sizes.h"

#include <math.h>
#include <stdlib.h>

#include "cli/units.h"

#define CHOICES_MAX 64
#define SEED        UINT64_C(0x9E3779B97F4A7C15)

static void summarize(load_sizes *sizes) {
    double sum = 0;
    sizes->min = UINT32_MAX;
    sizes->max = 0;
    for (size_t i = 0; i < LOAD_DECK; i++) {
        const uint32_t size = sizes->deck[i];
        sizes->min = size < sizes->min ? size : sizes->min;
        sizes->max = size > sizes->max ? size : sizes->max;
        sum += size;
    }
    sizes->mean = sum / LOAD_DECK;
    sizes->fixed = sizes->min == sizes->max;
}

void load_sizes_fixed(load_sizes *sizes, uint32_t size) {
    for (size_t i = 0; i < LOAD_DECK; i++) {
        sizes->deck[i] = size;
    }
    summarize(sizes);
}

/* In [0, 1). */
static double uniform(uint64_t *random) {
    return (double)(load_random(random) >> 11) * 0x1p-53;
}

static uint32_t clamp(double value) {
    return value < 0 ? 0 : value > LOAD_SIZE_MAX ? LOAD_SIZE_MAX : (uint32_t)lround(value);
}

static bool size_parse(const char *text, size_t len, uint64_t *out) {
    char part[32];
    if (len == 0 || len >= sizeof part) {
        return false;
    }
    memcpy(part, text, len);
    part[len] = 0;
    return units_parse_bytes(part, out) && *out <= LOAD_SIZE_MAX;
}

static bool range_parse(const char *text, const char *dash, load_sizes *out) {
    uint64_t from;
    uint64_t to;
    if (!size_parse(text, (size_t)(dash - text), &from) ||
        !size_parse(dash + 1, strlen(dash + 1), &to) || to < from) {
        return false;
    }
    uint64_t random = SEED;
    for (size_t i = 0; i < LOAD_DECK; i++) {
        out->deck[i] = (uint32_t)(from + load_random(&random) % (to - from + 1));
    }
    return true;
}

static bool exponential_parse(const char *text, load_sizes *out) {
    uint64_t mean;
    if (!size_parse(text, strlen(text), &mean)) {
        return false;
    }
    uint64_t random = SEED;
    for (size_t i = 0; i < LOAD_DECK; i++) {
        out->deck[i] = clamp(-log(1 - uniform(&random)) * (double)mean);
    }
    return true;
}

static bool normal_parse(const char *text, load_sizes *out) {
    const char *colon = strchr(text, ':');
    uint64_t mean;
    uint64_t deviation;
    if (colon == NULL || !size_parse(text, (size_t)(colon - text), &mean) ||
        !size_parse(colon + 1, strlen(colon + 1), &deviation)) {
        return false;
    }
    uint64_t random = SEED;
    for (size_t i = 0; i < LOAD_DECK; i++) { /* Box and Muller */
        const double radius = sqrt(-2 * log(1 - uniform(&random)));
        const double angle = 2 * M_PI * uniform(&random);
        out->deck[i] = clamp((double)mean + (double)deviation * radius * cos(angle));
    }
    return true;
}

struct choice {
    uint64_t size;
    double weight;
};

static bool choice_parse(const char *text, size_t len, struct choice *out) {
    const char *colon = memchr(text, ':', len);
    out->weight = 1;
    if (colon == NULL) {
        return size_parse(text, len, &out->size);
    }
    char part[32];
    const size_t rest = len - (size_t)(colon + 1 - text);
    if (rest == 0 || rest >= sizeof part) {
        return false;
    }
    memcpy(part, colon + 1, rest);
    part[rest] = 0;
    return size_parse(text, (size_t)(colon - text), &out->size) &&
           units_parse_count(part, &out->weight) && out->weight > 0;
}

/* Each choice gets its exact share of the deck, then the deck is shuffled. */
static void deck_deal(load_sizes *out, const struct choice *choices, size_t count, double total) {
    size_t at = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += choices[i].weight;
        const size_t end = (size_t)lround(sum / total * LOAD_DECK);
        while (at < end) {
            out->deck[at++] = (uint32_t)choices[i].size;
        }
    }
    uint64_t random = SEED;
    for (size_t i = LOAD_DECK - 1; i > 0; i--) {
        const size_t other = load_random(&random) % (i + 1);
        const uint32_t kept = out->deck[i];
        out->deck[i] = out->deck[other];
        out->deck[other] = kept;
    }
}

static bool list_parse(const char *text, load_sizes *out) {
    struct choice choices[CHOICES_MAX];
    size_t count = 0;
    double total = 0;
    for (;;) {
        const size_t len = strcspn(text, ",");
        if (count == CHOICES_MAX || !choice_parse(text, len, &choices[count])) {
            return false;
        }
        total += choices[count++].weight;
        if (text[len] == 0) {
            break;
        }
        text += len + 1;
    }
    deck_deal(out, choices, count, total);
    return true;
}

bool load_sizes_parse(const char *text, load_sizes *out) {
    bool ok;
    const char *dash = strchr(text, '-');
    if (strncmp(text, "exp:", 4) == 0) {
        ok = exponential_parse(text + 4, out);
    } else if (strncmp(text, "normal:", 7) == 0) {
        ok = normal_parse(text + 7, out);
    } else if (dash != NULL) {
        ok = range_parse(text, dash, out);
    } else {
        ok = list_parse(text, out);
    }
    if (ok) {
        summarize(out);
    }
    return ok;
}
