/* SPDX-License-Identifier: Apache-2.0
 *
 * What the routes of `wring serve` do when the library refuses: the library here is a fake that
 * does as it is told and notes what it was asked.
 */
#include "cli/routes.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "wring/exchange.h"
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
    uint16_t status; /* of the last answer */
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
    (void)frame;
    fake.published++;
    memcpy(fake.topic, topic.data, topic.len);
    fake.topic_len = topic.len;
    return WRING_OK;
}

uint32_t wring_server_topic_workers(const wring_server *server, wring_bytes topic) {
    (void)server;
    (void)topic;
    return 1;
}

wring_result wring_exchange_answer(wring_exchange *exchange, const wring_answer *answer) {
    (void)exchange;
    fake.status = answer->status == 0 ? 200 : answer->status;
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

static const char *const every[] = {"*"};

/* The route of topics; clients may publish to all of them. */
static wring_route topic_route(serve_app *app) {
    memset(&fake, 0, sizeof fake);
    *app = (serve_app){.publish = {.topics = {every, 1}}};
    return serve_topic_route(app);
}

static const wring_handler *topic_join(serve_app *app, const char *path) {
    const wring_route route = serve_topic_route(app);
    cr_assert_str_eq(route.handler->name, "topic");
    const wring_request request = {.struct_size = sizeof request, .path = wring_str(path)};
    cr_assert_eq(route.handler->init(session, &request, app), WRING_CONTINUE);
    return route.handler;
}

static const wring_handler *topic_begin(wring_result subscribe, const char *path) {
    static serve_app app;
    topic_route(&app);
    fake.subscribe = subscribe;
    return topic_join(&app, path);
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
    const wring_handler *handler = topic_begin(WRING_OK, "/topic/a b"); /* decoded already */
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
    const wring_handler *handler = topic_begin(WRING_OK, "/topic/");
    cr_assert_eq(fake.close_code, WRING_CLOSE_POLICY_VIOLATION);
    topic_say(handler);
    cr_assert_eq(fake.published, 0);
    topic_end(handler);
}

Test(routes, a_client_that_may_not_publish_is_told_so) {
    static const char *const some[] = {"news", "rooms/*"};
    static const struct {
        const char *path;
        bool is_open;
    } rows[] = {{"/topic/news", true},       {"/topic/news2", false}, {"/topic/new", false},
                {"/topic/rooms/1", true},    {"/topic/rooms/", true}, {"/topic/rooms", false},
                {"/topic/other/news", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        serve_app app;
        topic_route(&app);
        app.publish.topics = (serve_texts){some, 2};
        const wring_handler *handler = topic_join(&app, rows[i].path);
        topic_say(handler);
        cr_expect_eq(fake.published, rows[i].is_open ? 1 : 0, "%s", rows[i].path);
        cr_expect_eq(fake.close_code, rows[i].is_open ? 0 : WRING_CLOSE_POLICY_VIOLATION, "%s",
                     rows[i].path);
        topic_end(handler);
    }
}

static uint16_t post(serve_app *app, const char *path, const char *origin, const char *bearer) {
    const wring_route route = serve_topic_route(app);
    const wring_header header = {wring_str("Authorization"), wring_str(bearer)};
    const wring_request request = {.struct_size = sizeof request,
                                   .path = wring_str(path),
                                   .host = wring_str("example.com:8080"),
                                   .origin = wring_str(origin),
                                   .headers = {&header, 1},
                                   .body = wring_str("hello")};
    fake.published = 0;
    route.http->request(NULL, &request, app);
    cr_expect_eq(fake.published, fake.status == 202 ? 1 : 0);
    return fake.status;
}

Test(routes, a_post_publishes_where_clients_may) {
    static const char *const some[] = {"news"};
    static const char *const partner[] = {"https://partner.example"};
    serve_app app;
    topic_route(&app);
    cr_expect_eq(post(&app, "/topic/a b", "", ""), 202);
    cr_expect_arr_eq(fake.topic, "a b", 3);
    cr_expect_eq(post(&app, "/topic/", "", ""), 404);
    app.publish.topics = (serve_texts){some, 1};
    cr_expect_eq(post(&app, "/topic/other", "", ""), 403);
    cr_expect_eq(post(&app, "/topic/news", "http://Example.com:8080", ""), 202);
    cr_expect_eq(post(&app, "/topic/news", "https://partner.example", ""), 403);
    cr_expect_eq(post(&app, "/topic/news", "null", ""), 403);
    app.origins = (serve_texts){partner, 1};
    cr_expect_eq(post(&app, "/topic/news", "https://partner.example", ""), 202);
    app.publish.token = "secret";
    cr_expect_eq(post(&app, "/topic/news", "", ""), 401);
    cr_expect_eq(post(&app, "/topic/news", "", "Bearer secre"), 401);
    cr_expect_eq(post(&app, "/topic/news", "", "Bearer secret"), 202);
}

Test(routes, only_the_chosen_routes_are_served) {
    wring_route routes[SERVE_ROUTES];
    serve_app app = {.routes = 1u << SERVE_TOPIC | 1u << SERVE_HEALTH};
    cr_assert_eq(serve_routes(&app, routes), 2);
    cr_expect_str_eq(routes[0].path, "/topic/*");
    cr_expect_str_eq(routes[1].path, "/healthz");
}
