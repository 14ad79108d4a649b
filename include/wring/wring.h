/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything. Programs that link libwring-proto only include machine.h, or embed.h,
 * upgrade.h and deflate.h.
 */
#ifndef WRING_WRING_H
#define WRING_WRING_H

#include "wring/backend.h"
#include "wring/bytes.h"
#include "wring/client.h"
#include "wring/close.h"
#include "wring/config.h"
#include "wring/deflate.h"
#include "wring/embed.h"
#include "wring/exchange.h"
#include "wring/frame.h"
#include "wring/handler.h"
#include "wring/http.h"
#include "wring/http2.h"
#include "wring/log.h"
#include "wring/loop.h"
#include "wring/machine.h"
#include "wring/policy.h"
#include "wring/pool.h"
#include "wring/ref.h"
#include "wring/result.h"
#include "wring/server.h"
#include "wring/session.h"
#include "wring/tls.h"
#include "wring/topic.h"
#include "wring/upgrade.h"
#include "wring/url.h"
#include "wring/version.h"

#endif
