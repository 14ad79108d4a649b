/* SPDX-License-Identifier: Apache-2.0
 *
 * Timer wheel. See wheel.h.
 *
 * Invariant: a timer stands on the level of the highest group of six bits in which its tick differs
 * from the wheel's. So all slots of a level lie ahead, and the lowest level in use holds the
 * earliest timer.
 */
#include "core/wheel.h"

#define BITS_PER_LEVEL 6

static uint64_t tick_up(wring_time_ns at) {
    return at / WRING_NS_PER_MS + (at % WRING_NS_PER_MS != 0);
}

void wring__wheel_init(wring__wheel *wheel, wring_time_ns now) {
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = now / WRING_NS_PER_MS;
    wheel->due_tail = &wheel->due;
}

static void link_before(wring_timer **link, wring_timer *timer) {
    timer->next = *link;
    timer->link = link;
    if (timer->next != NULL) {
        timer->next->link = &timer->next;
    }
    *link = timer;
}

static void due_push(wring__wheel *wheel, wring_timer *timer) {
    link_before(wheel->due_tail, timer);
    wheel->due_tail = &timer->next;
}

static void place(wring__wheel *wheel, wring_timer *timer) {
    uint64_t tick = tick_up(timer->deadline);
    if (tick <= wheel->tick) {
        due_push(wheel, timer);
        return;
    }
    unsigned level = (63u - (unsigned)__builtin_clzll(tick ^ wheel->tick)) / BITS_PER_LEVEL;
    if (level >= WRING__WHEEL_LEVELS) { /* some 8,900 years */
        level = WRING__WHEEL_LEVELS - 1;
        tick = wheel->tick | ((UINT64_C(1) << (BITS_PER_LEVEL * WRING__WHEEL_LEVELS)) - 1);
    }
    unsigned slot = (unsigned)(tick >> (BITS_PER_LEVEL * level)) % WRING__WHEEL_SLOTS;
    link_before(&wheel->slots[level][slot], timer);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

static void unlink_timer(wring__wheel *wheel, wring_timer *timer) {
    *timer->link = timer->next;
    if (timer->next != NULL) {
        timer->next->link = timer->link;
    } else if (wheel->due_tail == &timer->next) {
        wheel->due_tail = timer->link;
    }
    timer->link = NULL;
    timer->next = NULL;
}

/* Which slot a link is the head of, so that its bit can be cleared when it empties. */
static void slot_emptied(wring__wheel *wheel, wring_timer **link) {
    wring_timer **first = &wheel->slots[0][0];
    wring_timer **end = first + WRING__WHEEL_LEVELS * WRING__WHEEL_SLOTS;
    if (link >= first && link < end && *link == NULL) {
        size_t index = (size_t)(link - first);
        wheel->occupied[index / WRING__WHEEL_SLOTS] &=
            ~(UINT64_C(1) << (index % WRING__WHEEL_SLOTS));
    }
}

void wring__wheel_cancel(wring__wheel *wheel, wring_timer *timer) {
    if (timer->link == NULL) {
        return;
    }
    wring_timer **link = timer->link;
    unlink_timer(wheel, timer);
    slot_emptied(wheel, link);
}

void wring__wheel_set(wring__wheel *wheel, wring_timer *timer, wring_time_ns deadline) {
    wring__wheel_cancel(wheel, timer);
    timer->deadline = deadline;
    place(wheel, timer);
}

/* The lowest occupied level and the tick at which its first slot begins. */
static bool first_slot(const wring__wheel *wheel, unsigned *level, unsigned *slot, uint64_t *tick) {
    for (unsigned l = 0; l < WRING__WHEEL_LEVELS; l++) {
        if (wheel->occupied[l] != 0) {
            unsigned above = BITS_PER_LEVEL * (l + 1);
            *level = l;
            *slot = (unsigned)__builtin_ctzll(wheel->occupied[l]);
            *tick = (wheel->tick >> above << above) | (uint64_t)*slot << (BITS_PER_LEVEL * l);
            return true;
        }
    }
    return false;
}

wring_time_ns wring__wheel_next(const wring__wheel *wheel) {
    unsigned level;
    unsigned slot;
    uint64_t tick;
    if (wheel->due != NULL) {
        return 0;
    }
    return first_slot(wheel, &level, &slot, &tick) ? tick * WRING_NS_PER_MS : WRING_TIME_NEVER;
}

static void cascade(wring__wheel *wheel, unsigned level, unsigned slot) {
    wring_timer *list = wheel->slots[level][slot];
    wheel->slots[level][slot] = NULL;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    while (list != NULL) {
        wring_timer *timer = list;
        list = timer->next;
        place(wheel, timer);
    }
}

wring_timer *wring__wheel_expire(wring__wheel *wheel, wring_time_ns now) {
    uint64_t now_tick = now / WRING_NS_PER_MS;
    unsigned level;
    unsigned slot;
    uint64_t tick;
    while (wheel->due == NULL) {
        if (!first_slot(wheel, &level, &slot, &tick) || tick > now_tick) {
            wheel->tick = now_tick > wheel->tick ? now_tick : wheel->tick;
            return NULL;
        }
        wheel->tick = tick;
        cascade(wheel, level, slot);
    }
    wring_timer *timer = wheel->due;
    unlink_timer(wheel, timer);
    return timer;
}
