/* SPDX-License-Identifier: Apache-2.0
 *
 * See link_h2.h.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/link_h2.h"

static void side_drop(struct h2_side *side) {
    h2_stream_free(side->neighbour);
    h2_destroy(side->h);
    wring_client_destroy(side->neighbour_client);
    side->neighbour = NULL;
    side->h = NULL;
    side->neighbour_client = NULL;
}

static struct h2_stream *neighbour_open(struct h2_side *side) {
    return side->role->tester_is_client ? h2_ask(side->h, "", false) : h2_grant(side->h, "", false);
}

/* One connection for all cases, unless it was lost. The neighbour never compresses. */
static bool side_connect(struct h2_side *side) {
    const struct deflate_set *deflate = link_deflate;
    if (side->h != NULL && !h2_is_over(side->h)) {
        return true;
    }
    side_drop(side);
    link_deflate = NULL;
    side->h = side->role->connect(side);
    link_deflate = deflate;
    side->neighbour = side->h == NULL ? NULL : neighbour_open(side);
    return side->neighbour != NULL &&
           h2_neighbour_echo(side->neighbour, side->role->tester_is_client);
}

void *h2_link_open(const struct link_ops *ops, uint64_t seed) {
    struct h2_side *side = ops->side;
    if (!side_connect(side)) {
        return NULL;
    }
    struct h2_link *l = calloc(1, sizeof *l);
    l->side = side;
    l->stream = side->role->stream(l, seed == 0);
    if (l->stream == NULL) {
        h2_link_close(l);
        return NULL;
    }
    return l;
}

void h2_link_close(void *link) {
    struct h2_link *l = link;
    wring_client_destroy(l->client);
    h2_stream_free(l->stream);
    free(l);
}

struct moved h2_link_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out, size_t cap) {
    return h2_stream_move(((struct h2_link *)link)->stream, bytes, len, out, cap);
}

void h2_link_shut(void *link, bool at_once) {
    h2_stream_shut(((struct h2_link *)link)->stream, at_once);
}

static const char *neighbour_check(const struct h2_side *side) {
    const struct h2_role *role = side->role;
    return !h2_neighbour_echo(side->neighbour, role->tester_is_client)
               ? "the neighbour does not echo"
           : h2_is_over(side->h)           ? "GOAWAY"
           : role->neighbour_check != NULL ? role->neighbour_check(side)
                                           : NULL;
}

const char *h2_link_reset(void *link, uint32_t code) {
    const struct h2_link *l = link;
    h2_stream_reset(l->stream, code);
    return neighbour_check(l->side);
}

const char *h2_link_end(void *link) {
    const struct h2_link *l = link;
    const char *wrong = h2_stream_end(l->stream);
    return wrong != NULL ? wrong : neighbour_check(l->side);
}

const char *h2_link_finish(const struct link_ops *ops) {
    struct h2_side *side = ops->side;
    const char *wrong = side->h == NULL || h2_is_over(side->h)
                            ? "the connection is lost"
                            : h2_neighbour_close(side->neighbour, side->role->tester_is_client);
    if (wrong == NULL && side->role->finish != NULL) {
        wrong = side->role->finish(side);
    }
    side_drop(side);
    SSL_CTX_free(side->context);
    if (side->port != 0) {
        close(side->listener);
    }
    return wrong;
}
