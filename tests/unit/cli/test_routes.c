/* SPDX-License-Identifier: Apache-2.0
 *
 * What the routes of `wring serve` do when the library refuses: the library here is a fake that
 * does as it is told and notes what it was asked.
 */
#include "cli/routes.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "wring/ref.h"

const unsigned char wring_page_index[1] = {0};
const size_t wring_page_index_len = 0;

static struct {
    wring_result subscribe;
    max_align_t state[8];
    unsigned published;
    char topic[WRING_TOPIC_MAX];
    size_t topic_len;
    uint16_t close_code;
} fake;

void *wring_session_user(const wring_session *session) {
    (void)session;
    return fake.state;
}

uint32_t wring_session_worker(const wring_session *session) {
    (void)session;
    return 0;
}

void wring_session_close(wring_session *session, uint16_t code, wring_bytes reason) {
    (void)session;
    (void)reason;
    fake.close_code = code;
}

wring_result wring_session_send(wring_session *session, const wring_frame *frame) {
    (void)session;
    (void)frame;
    return WRING_OK;
}

wring_result wring_session_subscribe(wring_session *session, wring_bytes topic) {
    (void)session;
    (void)topic;
    return fake.subscribe;
}

wring_result wring_server_publish(wring_server *server, wring_bytes topic,
                                  const wring_frame *frame) {
    (void)server;
    (void)topic;
    (void)frame;
    return WRING_OK;
}

wring_result wring_session_publish(wring_session *session, wring_bytes topic,
                                   const wring_frame *frame) {
    (void)session;
    (void)frame;
    fake.published++;
    memcpy(fake.topic, topic.data, topic.len);
    fake.topic_len = topic.len;
    return WRING_OK;
}

static void *const session = &fake; /* never looked into */

static const wring_handler *topic_begin(wring_result subscribe, const char *path) {
    static serve_app app;
    wring_route routes[SERVE_ROUTES];
    serve_routes(&app, routes);
    const wring_handler *handler = routes[SERVE_ROUTES - 1].handler;
    cr_assert_str_eq(handler->name, "topic");
    memset(&fake, 0, sizeof fake);
    fake.subscribe = subscribe;
    const wring_request request = {.struct_size = sizeof request, .path = wring_str(path)};
    cr_assert_eq(handler->init(session, &request, NULL), WRING_CONTINUE);
    return handler;
}

static void topic_say(const wring_handler *handler) {
    const wring_message message = {.opcode = WRING_TEXT, .payload = wring_str("hello")};
    cr_assert_eq(handler->handle_in(session, &message), WRING_CONTINUE);
}

static void topic_end(const wring_handler *handler) {
    const wring_end end = {.result = WRING_OK};
    handler->terminate(session, &end); /* a leak or a second free is ASan's to find */
}

Test(routes, a_topic_is_published_to_by_its_name) {
    const wring_handler *handler = topic_begin(WRING_OK, "/topic/a%20b");
    topic_say(handler);
    cr_assert_eq(fake.published, 1);
    cr_assert_eq(fake.topic_len, 3);
    cr_assert_arr_eq(fake.topic, "a b", 3);
    topic_end(handler);
}

Test(routes, a_topic_that_could_not_be_joined_is_not_published_to) {
    static const wring_result results[] = {WRING_ERR_NO_MEMORY, WRING_ERR_TOO_MANY_TOPICS,
                                           WRING_ERR_INVALID_STATE};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        const wring_handler *handler = topic_begin(results[i], "/topic/news");
        cr_assert_eq(fake.close_code, WRING_CLOSE_INTERNAL_ERROR);
        topic_say(handler); /* it was under way when the close began */
        cr_assert_eq(fake.published, 0);
        topic_end(handler);
    }
}

Test(routes, a_topic_without_a_name_is_refused) {
    const wring_handler *handler = topic_begin(WRING_OK, "/topic/%0");
    cr_assert_eq(fake.close_code, WRING_CLOSE_POLICY_VIOLATION);
    topic_say(handler);
    cr_assert_eq(fake.published, 0);
    topic_end(handler);
}
