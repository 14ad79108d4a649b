/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate (RFC 7692): what may be negotiated and how much it may cost.
 *
 * A server and a client take a wring_deflate_config and do the rest. An embedder negotiates with
 * the functions below and gives the outcome to its sessions:
 *
 *     wring_deflate_config_adopt(NULL, &config, &error)            once
 *     wring_deflate_create(&config, &contexts, &error)             once a thread
 *     if (wring_deflate_negotiate(request.headers, &config, &params)) {
 *         wring_deflate_response(&params, text);                   for the 101
 *         machine_config.deflate = contexts;                       or wring_embed_options
 *         machine_config.deflate_params = &params;
 *     }
 *
 * A side that negotiated no context takeover costs an idle connection nothing: its messages pass
 * through compressors and inflaters that all connections of a thread share, emptied after each.
 */
#ifndef WRING_DEFLATE_H
#define WRING_DEFLATE_H

#include "wring/http.h"

WRING_BEGIN_DECLS

/** The compressor's strategy; the numbers are zlib's. */
typedef enum wring_deflate_strategy {
    WRING_DEFLATE_DEFAULT = 0,      /**< for most data */
    WRING_DEFLATE_FILTERED = 1,     /**< for small values with a random distribution */
    WRING_DEFLATE_HUFFMAN_ONLY = 2, /**< no search for repetitions */
    WRING_DEFLATE_RLE = 3,          /**< only runs of one byte */
    WRING_DEFLATE_FIXED = 4         /**< no dynamic codes */
} wring_deflate_strategy;

/** For `message_bytes_min`: no message is too short (an empty one has nothing to compress). */
#define WRING_DEFLATE_ALL 1

/** 0 takes the default. */
typedef struct wring_deflate_config {
    uint32_t struct_size;            /**< sizeof(wring_deflate_config) */
    bool server_context_takeover;    /**< the server's compressor keeps its window over messages, if
                                          the client allows it; default no */
    bool client_context_takeover;    /**< the client's, if the server allows it; default no */
    uint8_t server_max_window_bits;  /**< largest LZ77 window of the server, 8 to 15; default 15,
                                        with takeover 12, since each connection then has its own */
    uint8_t client_max_window_bits;  /**< ... of the client; the same */
    uint8_t level;                   /**< 1 (fastest) to 9 (smallest); default 5 */
    uint8_t mem_level;               /**< zlib's memLevel, 1 to 9; default 5 */
    wring_deflate_strategy strategy; /**< zlib's strategy */
    uint32_t message_bytes_min; /**< shorter messages go plain; default 256. WRING_DEFLATE_ALL: none
                             does for its length; WRING_OFF: all do, and what the peer
                             compresses is inflated all the same */
    uint32_t takeover_idle_ms;  /**< contexts of a connection not used for so long are released;
                                     default 30,000, WRING_OFF: never */
    uint64_t
        inflated_bytes_max; /**< of one message; default 64 MiB; message_bytes_max counts as well */
    uint64_t takeover_budget_bytes; /**< bytes of all contexts of the process; beyond it connections
                                   negotiate without takeover; default 256 MiB */
    uint64_t inflate_turn_bytes;    /**< inflated for one connection in a turn of its worker, or a
                                         quarter of that in compressed bytes, then the others have
                                         theirs; default 128 KiB, WRING_UNLIMITED. Not for
                                         an embedder's sessions */
    uint64_t compress_turn_bytes;   /**< compressed of one long message in a turn: it goes out in
                                         fragments, and what is sent after it waits; default 64 KiB,
                                         WRING_UNLIMITED. Not for an embedder's sessions */
} wring_deflate_config;

/** What two ends agreed on. */
typedef struct wring_deflate_params {
    uint8_t server_max_window_bits;  /**< 8 to 15 */
    uint8_t client_max_window_bits;  /**< 8 to 15 */
    bool server_no_context_takeover; /**< the server's compressor begins each message anew */
    bool client_no_context_takeover; /**< the client's compressor begins each message anew */
    bool server_window_asked; /**< the client offered server_max_window_bits: it is answered */
} wring_deflate_params;

/** Longest text the functions below write, its NUL included. */
#define WRING_DEFLATE_TEXT_MAX 160

/** Fills in the defaults and checks.  @param in  NULL takes every default
 *  Errors: WRING_ERR_INVALID_CONFIG; `error` names the field. */
WRING_API WRING_MUST_CHECK wring_result wring_deflate_config_adopt(const wring_deflate_config *in,
                                                                   wring_deflate_config *out,
                                                                   wring_error *error);

/* ---- negotiation: pure functions, any thread ------------------------------------------------- */

/** Server: the first offer in the request that can be accepted, with this configuration's wishes.
 *  Offers with a malformed, unknown, repeated or out-of-range parameter are passed over.
 *  Returns false when there is none: the session goes without.   RFC: 7692 5, 7.1 */
WRING_API bool wring_deflate_negotiate(wring_headers headers, const wring_deflate_config *config,
                                       wring_deflate_params *out);

/** Server: the value of Sec-WebSocket-Extensions in the response, in `out` and
 *  NUL-terminated there. */
WRING_API wring_bytes wring_deflate_response(const wring_deflate_params *params,
                                             char out[WRING_DEFLATE_TEXT_MAX]);

/** Client: the offer, the value of Sec-WebSocket-Extensions in the request, in `out` and
 *  NUL-terminated there.   */
WRING_API wring_bytes wring_deflate_offer(const wring_deflate_config *config,
                                          char out[WRING_DEFLATE_TEXT_MAX]);

/** Client: what the server made of the offer of the same configuration.
 *  @param accepted  false: the response has no permessage-deflate, the session goes without
 *  @param others    the request offered other extensions as well
 *  Errors: WRING_ERR_UNEXPECTED_EXTENSION; WRING_ERR_BAD_EXTENSION (malformed, or a parameter that
 *  is unknown, repeated or out of range); WRING_ERR_EXTENSION_MISMATCH (it contradicts the offer).
 *  `error` names the parameter. The connection has to be failed.   RFC: 7692 5.1, 7.1 */
WRING_API WRING_MUST_CHECK wring_result
wring_deflate_response_parse(wring_headers headers, const wring_deflate_config *config, bool others,
                             wring_deflate_params *out, bool *accepted, wring_error *error);

/* ---- contexts -------------------------------------------------------------------------------- */

/** The compressors and inflaters of one thread's sessions. */
typedef struct wring_deflate wring_deflate;

/** What passed through them. */
typedef struct wring_deflate_stats {
    uint32_t struct_size;       /**< sizeof(wring_deflate_stats), set by the caller */
    uint64_t tx_messages;       /**< compressed */
    uint64_t tx_bytes_before;   /**< their payloads */
    uint64_t tx_bytes_after;    /**< ... on the wire */
    uint64_t tx_plain_messages; /**< that could have been: too short, not worth it, not smaller */
    uint64_t rx_messages;       /**< inflated */
    uint64_t rx_bytes_before;   /**< compressed */
    uint64_t rx_bytes_after;    /**< inflated */
    uint64_t takeover_refused;  /**< connections that went without takeover for the budget's sake */
    uint64_t context_bytes;     /**< of the whole process: held by connections with takeover */
    uint64_t rx_interrupted;    /**< turns that ended with a message not yet inflated whole */
    uint64_t tx_interrupted;    /**< ... not yet compressed whole */
} wring_deflate_stats;

/** Makes the contexts of one thread.
 *  Own:    give; to be destroyed after the last session that uses them
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY. */
WRING_API WRING_MUST_CHECK wring_result wring_deflate_create(const wring_deflate_config *config,
                                                             wring_deflate **out,
                                                             wring_error *error);

/** Frees them. No session may use them any more. NULL is legal. */
WRING_API void wring_deflate_destroy(wring_deflate *deflate);

/** What passed through them.  @param out  its struct_size set
 *  Errors: WRING_ERR_INVALID_ARGUMENT without struct_size. */
WRING_API wring_result wring_deflate_get_stats(const wring_deflate *deflate,
                                               wring_deflate_stats *out);

WRING_END_DECLS

#endif
