/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocking style: messages wait in the client until a thread takes them; a client whose inbox
 * is full reads its server no further.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "client/client.h"
#include "core/sized.h"
#include "io/registry.h"
#include "core/ref.h"
#include "wring/ref.h"

/* A message that waits. */
struct wring__letter {
    struct wring__letter *next;
    size_t len;
    uint8_t opcode;
    uint8_t data[];
};

/* ---- the worker's side ----------------------------------------------------------------------- */

/* What it counts for: an empty message holds memory too. */
static size_t letter_bytes(const struct wring__letter *letter) {
    return sizeof *letter + letter->len;
}

/* True: the inbox is full with it. The lock is held. */
static bool letter_put(wring_client *client, struct wring__letter *letter) {
    if (client->given_up) { /* nobody will take it: only the close frame is awaited */
        free(letter);
        return false;
    }
    *client->inbox_tail = letter;
    client->inbox_tail = &letter->next;
    client->inbox_bytes += letter_bytes(letter);
    const bool full = client->inbox_bytes > client->settings.config.inbox_bytes;
    client->inbox_full = client->inbox_full || full;
    return full;
}

static wring_verdict inbox_in(wring_session *session, const wring_message *message) {
    wring_client *client = wring_session_opts(session);
    if (message->opcode != WRING_TEXT && message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    struct wring__letter *letter = malloc(sizeof *letter + message->payload.len);
    if (letter == NULL) {
        wring_session_close(session, WRING_CLOSE_INTERNAL_ERROR, wring_str("out of memory"));
        return WRING_CONTINUE;
    }
    letter->next = NULL;
    letter->len = message->payload.len;
    letter->opcode = (uint8_t)message->opcode;
    if (letter->len > 0) {
        memcpy(letter->data, message->payload.data, letter->len);
    }
    pthread_mutex_lock(&client->lock);
    const bool full = letter_put(client, letter);
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    if (full) {
        wring__end_rx_stop(wring__worker_end(client->worker, wring__ref_slot(client->ref),
                                             wring__ref_generation(client->ref)),
                           WRING__RX_STOP_INBOX);
    }
    return WRING_CONTINUE;
}

const wring_handler wring__inbox_handler = {
    .struct_size = sizeof wring__inbox_handler,
    .name = "inbox",
    .handle_in = inbox_in,
};

void wring__inbox_deinit(wring_client *client) {
    while (client->inbox != NULL) {
        struct wring__letter *letter = client->inbox;
        client->inbox = letter->next;
        free(letter);
    }
    free(client->lent);
}

/* ---- the caller's side ----------------------------------------------------------------------- */

/* Thirty years. */
#define NEVER_S 1000000000

static struct timespec deadline_after(uint32_t timeout_ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms == WRING_OFF ? NEVER_S : timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

/* False when the time is over. The lock is held. */
static bool wait_until(wring_client *client, const struct timespec *deadline) {
    return pthread_cond_timedwait(&client->changed, &client->lock, deadline) != ETIMEDOUT;
}

wring_result wring_client_wait(wring_client *client, uint32_t timeout_ms, wring_error *error) {
    const struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&client->lock);
    bool in_time = true;
    while (client->status != WRING_CLIENT_OPEN && client->status != WRING_CLIENT_CLOSED &&
           in_time) {
        in_time = wait_until(client, &deadline);
    }
    wring_result result = WRING_OK;
    if (client->status == WRING_CLIENT_CLOSED) {
        result = client->error.code == WRING_OK ? WRING_ERR_CLOSED : client->error.code;
        if (error != NULL) {
            *error = client->error;
            error->code = result;
        }
    } else if (client->status != WRING_CLIENT_OPEN) {
        result = wring_error_set(error, WRING_ERR_TIMEOUT, 0, "not open after %u ms%s%s",
                                 timeout_ms, client->error.code == WRING_OK ? "" : ": ",
                                 client->error.code == WRING_OK ? "" : client->error.text);
    }
    pthread_mutex_unlock(&client->lock);
    return result;
}

static bool is_on_its_worker(wring_client *client) {
    pthread_mutex_lock(&client->lock);
    const bool is = client->worker != NULL && pthread_equal(client->thread, pthread_self());
    pthread_mutex_unlock(&client->lock);
    return is;
}

static void room_tell(wring_client *client) {
    if (is_on_its_worker(client)) { /* where waiting for room in the mailbox would never end */
        if (client->link != NULL) {
            wring__link_unhold(client->link);
        }
        return;
    }
    if (atomic_exchange(&client->unhold_posted, true)) {
        return;
    }
    const wring__mail mail = {.kind = WRING__MAIL_CALL,
                              .ref = wring__ref_pack(client->loop, 0, 0),
                              .data = &client->unhold};
    (void)wring__client_hold(client);
    wring_result result;
    while ((result = wring__registry_post(&mail)) == WRING_ERR_QUEUE_FULL) {
        sched_yield(); /* the worker, which we are not, empties it with its next turn */
    }
    if (result != WRING_OK) {
        atomic_store(&client->unhold_posted, false);
        wring__client_release(client);
    }
}

void wring__inbox_give_up(wring_client *client) {
    pthread_mutex_lock(&client->lock);
    client->given_up = true;
    const bool was_full = client->inbox_full;
    client->inbox_full = false;
    pthread_mutex_unlock(&client->lock);
    if (was_full) {
        room_tell(client);
    }
}

wring_result wring_client_receive(wring_client *client, uint32_t timeout_ms,
                                  wring_message *message) {
    if (client->settings.config.handler != NULL) {
        return WRING_ERR_INVALID_STATE; /* it has the messages */
    }
    const struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&client->lock);
    free(client->lent);
    client->lent = NULL;
    bool in_time = true;
    while (client->inbox == NULL && client->status != WRING_CLIENT_CLOSED && in_time) {
        in_time = wait_until(client, &deadline);
    }
    struct wring__letter *letter = client->inbox;
    wring_result result = WRING_OK;
    if (letter == NULL) {
        result = client->status == WRING_CLIENT_CLOSED ? WRING_ERR_CLOSED : WRING_ERR_TIMEOUT;
    } else {
        client->inbox = letter->next;
        client->inbox_tail = client->inbox == NULL ? &client->inbox : client->inbox_tail;
        client->inbox_bytes -= letter_bytes(letter);
        client->lent = letter;
        *message = (wring_message){.opcode = (wring_opcode)letter->opcode,
                                   .payload = wring_bytes_of(letter->data, letter->len)};
    }
    const bool room =
        client->inbox_full && client->inbox_bytes <= client->settings.config.inbox_bytes / 2;
    client->inbox_full = client->inbox_full && !room;
    pthread_mutex_unlock(&client->lock);
    if (room) {
        room_tell(client);
    }
    return result;
}

wring_result wring_client_ask(wring_client *client, const wring_frame *frame, uint32_t timeout_ms,
                              wring_message *answer) {
    wring_result result = wring_client_send(client, frame, 1);
    return result == WRING_OK ? wring_client_receive(client, timeout_ms, answer) : result;
}

wring_result wring_client_wait_closed(wring_client *client, uint32_t timeout_ms, wring_end *end) {
    const struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&client->lock);
    bool in_time = true;
    while (client->status != WRING_CLIENT_CLOSED && in_time) {
        in_time = wait_until(client, &deadline);
    }
    wring_result result = client->status == WRING_CLIENT_CLOSED ? WRING_OK : WRING_ERR_TIMEOUT;
    if (result == WRING_OK && end != NULL) {
        result = wring__sized_give(end, &client->end, sizeof client->end);
    }
    pthread_mutex_unlock(&client->lock);
    return result;
}
