/* SPDX-License-Identifier: Apache-2.0
 *
 * What the handshake and masking need of cryptography. crypto.c is the only file of proto/ that
 * knows OpenSSL.
 */
#ifndef WRING_PROTO_CRYPTO_H
#define WRING_PROTO_CRYPTO_H

#include "core/base.h"

/** Base64 of 16 and of 20 bytes, with the terminating NUL. */
#define WRING__KEY_TEXT    25
#define WRING__ACCEPT_TEXT 29

/** base64(SHA-1(key + the GUID)).   RFC: 6455 4.2.2 */
WRING_MUST_CHECK wring_result wring__accept_key(wring_bytes key, char out[WRING__ACCEPT_TEXT]);

/** 16 random bytes in base64.   RFC: 6455 4.1   Errors: WRING_ERR_NO_RANDOM */
WRING_MUST_CHECK wring_result wring__client_key(char out[WRING__KEY_TEXT]);

/** True for base64 that decodes to exactly 16 bytes; the spare bits of its last digit are ignored.
 *  RFC: 6455 4.2.1, 4648 4 */
bool wring__client_key_is_valid(wring_bytes key);

/** A fresh masking key from a pool of CSPRNG bytes: refilled in bulk, per thread, and wiped in a
 *  forked child.   RFC: 6455 5.3, 10.3   Errors: WRING_ERR_NO_RANDOM   Cost: a load, mostly. */
WRING_MUST_CHECK wring_result wring__random_key(uint32_t *key);

#endif
