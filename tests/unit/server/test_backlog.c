/* SPDX-License-Identifier: Apache-2.0
 *
 * The backlog of a slow connection: order, holes, bounds; random operations against a plain list.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "server/backlog.h"

static wring__backlog backlog;

static void begin(void) {
    memset(&backlog, 0, sizeof backlog);
}

static void end(void) {
    wring__backlog_deinit(&backlog);
}

TestSuite(backlog, .init = begin, .fini = end);

/* A message whose payload is its number. */
static wring_result push(unsigned number, uint64_t id) {
    wring__shared *message = wring__shared_create(2, 0, wring_bytes_of(&number, sizeof number));
    cr_assert_not_null(message);
    wring_result result = wring__backlog_push(&backlog, message, id);
    wring__shared_unref(message);
    return result;
}

/* UINT_MAX when nothing waits. */
static unsigned pop(void) {
    unsigned number = UINT32_MAX;
    wring__shared *message = wring__backlog_pop(&backlog);
    if (message != NULL) {
        memcpy(&number, message->payload, sizeof number);
        wring__shared_unref(message);
    }
    return number;
}

Test(backlog, what_waits_comes_out_in_order) {
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_eq(push(i, i), WRING_OK);
    }
    cr_expect_eq(backlog.bytes, 100 * sizeof(unsigned));
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_eq(pop(), i);
    }
    cr_expect_eq(pop(), UINT32_MAX);
    cr_expect_eq(backlog.bytes, 0);
}

Test(backlog, a_replaced_message_leaves_its_place_and_order_stays) {
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(push(i, i % 2), WRING_OK);
    }
    cr_expect(wring__backlog_remove(&backlog, 1)); /* the oldest of that id: 1 */
    cr_expect(!wring__backlog_remove(&backlog, 7));
    const unsigned left[] = {0, 2, 3, 4};
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(pop(), left[i]);
    }
}

Test(backlog, more_than_its_number_is_refused_and_holes_are_room) {
    for (unsigned i = 0; i < WRING__BACKLOG_MAX; i++) {
        cr_assert_eq(push(i, i), WRING_OK);
    }
    cr_expect_eq(push(0, 0), WRING_ERR_QUEUE_FULL);
    cr_expect(wring__backlog_remove(&backlog, 500));
    cr_expect_eq(push(WRING__BACKLOG_MAX, 500), WRING_OK);
    cr_expect_eq(push(0, 0), WRING_ERR_QUEUE_FULL);
    for (unsigned i = 0; i <= WRING__BACKLOG_MAX; i++) {
        if (i != 500) {
            cr_assert_eq(pop(), i);
        }
    }
}

/* One key that is replaced for ever must not make the ring grow. */
Test(backlog, replacing_one_key_for_ever_takes_no_memory) {
    for (unsigned i = 0; i < 100000; i++) {
        (void)wring__backlog_remove(&backlog, 1);
        cr_assert_eq(push(i, 1), WRING_OK);
    }
    cr_expect_eq(backlog.alive, 1);
    cr_expect_leq(backlog.cap, 8);
    cr_expect_eq(pop(), 99999);
}

struct model {
    unsigned numbers[WRING__BACKLOG_MAX];
    uint64_t ids[WRING__BACKLOG_MAX];
    unsigned count;
};

static void model_remove(struct model *m, unsigned at) {
    m->count--;
    memmove(&m->numbers[at], &m->numbers[at + 1], (m->count - at) * sizeof m->numbers[0]);
    memmove(&m->ids[at], &m->ids[at + 1], (m->count - at) * sizeof m->ids[0]);
}

static bool model_remove_id(struct model *m, uint64_t id) {
    for (unsigned i = 0; i < m->count; i++) {
        if (m->ids[i] == id) {
            model_remove(m, i);
            return true;
        }
    }
    return false;
}

Test(backlog, random_operations_agree_with_a_list) {
    static struct model m;
    srandom(1);
    for (unsigned step = 0; step < 200000; step++) {
        const uint64_t id = (uint64_t)(random() % 300);
        const long what = random() % (step / 20000 % 2 == 0 ? 4 : 10); /* grows, then shrinks */
        if (what == 0 && m.count > 0) {
            cr_assert_eq(pop(), m.numbers[0]);
            model_remove(&m, 0);
        } else if (what == 1) {
            cr_assert_eq(wring__backlog_remove(&backlog, id), model_remove_id(&m, id));
        } else if (what < 4 && m.count < WRING__BACKLOG_MAX) {
            cr_assert_eq(push(step, id), WRING_OK);
            m.numbers[m.count] = step;
            m.ids[m.count++] = id;
        } else if (m.count > 0) {
            cr_assert_eq(pop(), m.numbers[0]);
            model_remove(&m, 0);
        }
        cr_assert_eq(backlog.alive, m.count);
        cr_assert_eq(backlog.bytes, m.count * sizeof(unsigned));
    }
}
