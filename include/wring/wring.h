/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything. Programs that link libwring-proto only include session.h, handler.h and http.h.
 */
#ifndef WRING_WRING_H
#define WRING_WRING_H

#include "wring/backend.h"
#include "wring/bytes.h"
#include "wring/client.h"
#include "wring/close.h"
#include "wring/connect.h"
#include "wring/deflate.h"
#include "wring/frame.h"
#include "wring/handler.h"
#include "wring/http.h"
#include "wring/loop.h"
#include "wring/push.h"
#include "wring/result.h"
#include "wring/server.h"
#include "wring/session.h"
#include "wring/tls.h"
#include "wring/transport.h"
#include "wring/url.h"

#define WRING_VERSION "0.1.0"

#endif
