/* SPDX-License-Identifier: Apache-2.0
 *
 * The upgrade of a link that is a stream of a trunk: an extended CONNECT (RFC 8441 4) and its
 * answer. See link.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/link.h"
#include "wring/upgrade.h"

/* ---- the request ----------------------------------------------------------------------------- */

/* What a request is made in. */
struct draft {
    wring_upgrade_offer offer;
    char *extensions;    /* owned */
    wring_header *extra; /* owned: the application's, as HTTP/2 wants them, then the request's */
    uint8_t *text;       /* owned: their names in lower case, then the subprotocols joined */
    size_t text_cap;
    size_t text_len;
};

static size_t text_need(const wring_upgrade_offer *offer) {
    size_t need = 0;
    for (size_t i = 0; i < offer->extra.count; i++) {
        need += offer->extra.list[i].name.len;
    }
    for (size_t i = 0; i < offer->subprotocol_count; i++) {
        need += strlen(offer->subprotocols[i]) + 2;
    }
    return need + 1;
}

static wring_bytes name_lower(struct draft *draft, wring_bytes name) {
    uint8_t *out = draft->text + draft->text_len;
    for (size_t i = 0; i < name.len; i++) {
        const bool upper = name.data[i] >= 'A' && name.data[i] <= 'Z';
        out[i] = (uint8_t)(name.data[i] | (upper ? 0x20 : 0));
    }
    draft->text_len += name.len;
    return wring_bytes_of(out, name.len);
}

/* RFC 9113 8.2.1: names are in lower case; 8.3.1: Host is :authority. */
static void extra_carry(struct draft *draft) {
    const wring_headers given = draft->offer.extra;
    size_t count = 0;
    for (size_t i = 0; i < given.count; i++) {
        const wring_bytes name = name_lower(draft, given.list[i].name);
        if (!wring_bytes_equal(name, wring_str("host"))) {
            draft->extra[count++] = (wring_header){name, given.list[i].value};
        }
    }
    draft->offer.extra = (wring_headers){draft->extra, count};
}

static wring_result draft_make(struct draft *draft, wring__link *link) {
    const wring__client_settings *settings = &link->client->settings;
    draft->offer = wring__client_offer(settings);
    draft->offer.peer_allows_connect = true;
    draft->offer.scheme = settings->url.secure ? "https" : "http";
    if (settings->config.deflate != NULL) {
        const wring_result result =
            wring__client_deflate_offer(link->client, &link->deflate_offered, &draft->extensions);
        draft->offer.extensions = draft->extensions;
        if (result != WRING_OK) {
            return result;
        }
    }
    draft->text_cap = text_need(&draft->offer);
    draft->text = malloc(draft->text_cap);
    draft->extra =
        calloc(2 * draft->offer.extra.count + WRING_H2_REQUEST_HEADERS_MAX, sizeof *draft->extra);
    if (draft->text == NULL || draft->extra == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    extra_carry(draft);
    return WRING_OK;
}

static void draft_free(struct draft *draft) {
    free(draft->extensions);
    free(draft->extra);
    free(draft->text);
}

/* ---- what is shown --------------------------------------------------------------------------- */

static void text_write(FILE *stream, wring_bytes text) {
    if (text.len > 0) {
        (void)fwrite(text.data, 1, text.len, stream);
    }
}

static void field_write(FILE *stream, const wring_header *field) {
    text_write(stream, field->name);
    text_write(stream, wring_str(": "));
    text_write(stream, field->value);
    text_write(stream, wring_str("\r\n"));
}

/* One field a line, as heads of HTTP/1.1 look.  @param status  of an answer; 0: a request
 *  Own: give; NULL when memory is out. */
static char *head_text(int status, wring_headers fields, size_t *len) {
    char *text = NULL;
    FILE *stream = open_memstream(&text, len);
    if (stream == NULL) {
        return NULL;
    }
    if (status != 0) {
        fprintf(stream, ":status: %d\r\n", status);
    }
    for (size_t i = 0; i < fields.count; i++) {
        field_write(stream, &fields.list[i]);
    }
    text_write(stream, wring_str("\r\n"));
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void request_show(wring__link *link, wring_headers fields) {
    size_t len = 0;
    char *text = wring__link_config(link)->on_handshake == NULL ? NULL : head_text(0, fields, &len);
    if (text != NULL) {
        wring__link_show_request(link, wring_bytes_of(text, len));
        free(text);
    }
}

static void answer_note(wring__link *link, int status, wring_headers fields) {
    size_t len = 0;
    char *text = link->answered == NULL ? NULL : head_text(status, fields, &len);
    if (text != NULL) {
        wring__link_note_answer(link, wring_bytes_of(text, len));
        free(text);
    }
}

wring_result wring__link_connect(wring__link *link, wring__stream *below) {
    struct draft draft = {.extensions = NULL};
    wring_headers fields;
    wring_result result = draft_make(&draft, link);
    if (result == WRING_OK) {
        const wring_mut_bytes joined = {draft.text + draft.text_len,
                                        draft.text_cap - draft.text_len};
        result = wring_h2_request_headers(&draft.offer, joined,
                                          draft.extra + draft.offer.extra.count, &fields);
    }
    if (result == WRING_OK) {
        request_show(link, fields);
        result = wring__h2_connect(below, &link->stream.end, fields);
    }
    draft_free(&draft);
    return result;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void accepted(wring__link *link, wring_headers fields, wring_bytes subprotocol) {
    wring_error error;
    if (wring__link_config(link)->deflate != NULL &&
        wring__client_deflate_answer(link->client, fields, link->deflate_offered,
                                     &link->stream.session.machine, &error) != WRING_OK) {
        wring__link_fail(link, &error);
        return;
    }
    wring__link_session_begin(link, fields, subprotocol, (wring_mut_bytes){NULL, 0});
}

/* A Sec-WebSocket-Accept has no place here, and is not looked at. RFC 8441 5 */
void wring__link_answered(wring__endpoint *end, int status, wring_headers fields) {
    wring__link *link = WRING_CONTAINER_OF(end, wring__link, stream.end);
    if (link->stage != STAGE_UPGRADE) {
        return;
    }
    const wring_upgrade_offer offer = wring__link_offer(link);
    wring_bytes subprotocol = {NULL, 0};
    link->client->http_status = status;
    answer_note(link, status, fields);
    const wring_result result = wring_h2_response_validate(&offer, status, fields, &subprotocol);
    if (result == WRING_OK) {
        accepted(link, fields, subprotocol);
    } else if (result == WRING_ERR_UNEXPECTED_STATUS) {
        wring__link_refused(link, wring__refusal_create_carried(status, fields));
    } else {
        wring__link_fail_with(link, result, NULL);
    }
}
