/* SPDX-License-Identifier: Apache-2.0
 *
 * What the messages in a client's inbox count for.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/client.h"

/* Or a server fills it without end: each holds memory, and none has a byte. */
Test(inbox, empty_messages_count_as_well) {
    wring_client *client = calloc(1, sizeof *client);
    const wring__binding binding = {&wring__inbox_handler, client};
    wring_session session = {.binding = &binding};
    client->inbox_tail = &client->inbox;
    client->settings.config.inbox_bytes = 1000;
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->changed, NULL);
    const wring_message empty = {.opcode = WRING_BINARY};
    unsigned count = 0;
    while (client->inbox_bytes < 900 && count < 1000) {
        cr_assert_eq(wring__inbox_handler.handle_in(&session, &empty), WRING_CONTINUE);
        count++;
    }
    cr_assert_lt(count, 1000);
    wring_message message;
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(wring_client_receive(client, 0, &message), WRING_OK);
        cr_assert_eq(message.payload.len, 0);
    }
    cr_assert_eq(client->inbox_bytes, 0);
    wring__inbox_deinit(client);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client);
}
