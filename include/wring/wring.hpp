/* SPDX-License-Identifier: Apache-2.0
 *
 * wring for C++17 and later: everything. Headers only, over the C API of wring/wring.h.
 *
 *     struct echo {
 *         wring::verdict on_message(wring::session session, const wring::message &message) {
 *             return message.is_data() ? session.send(message.echo()).or_stop()
 *                                      : wring::verdict::proceed;
 *         }
 *     };
 *     wring::server_config config(8080);
 *     config.serve<echo>();
 *     wring::server server(std::move(config));
 *     server.start();
 *
 * Ownership   server, client, pool, machine, embed and deflate_contexts own what they are named
 *             after, and move. session, exchange, their refs, request, message, frame, server_view
 *             and
 *             client_view are pointers, numbers and views: copy them, and keep only refs beyond a
 *             callback.
 * Errors      error.hpp: results on the data path, exceptions from constructors, and a static
 *             create() that returns an outcome, with or without exceptions.
 * Exceptions  log.hpp: one that leaves a callback closes that session, or fails that exchange,
 *             and no other.
 * Threads     each header says which thread may call what.
 * C           raw() and `raw` give the record or pointer of the C API, for all that is not here.
 *
 * docs/cpp.md has the tour. Programs that link libwring-proto only include wring/cpp/machine.hpp or
 * wring/cpp/embed.hpp.
 */
#ifndef WRING_WRING_HPP
#define WRING_WRING_HPP

#include "wring/cpp/answer.hpp"
#include "wring/cpp/bytes.hpp"
#include "wring/cpp/client.hpp"
#include "wring/cpp/cookie.hpp"
#include "wring/cpp/deflate.hpp"
#include "wring/cpp/embed.hpp"
#include "wring/cpp/error.hpp"
#include "wring/cpp/exchange.hpp"
#include "wring/cpp/frame.hpp"
#include "wring/cpp/function.hpp"
#include "wring/cpp/handler.hpp"
#include "wring/cpp/http_handler.hpp"
#include "wring/cpp/log.hpp"
#include "wring/cpp/machine.hpp"
#include "wring/cpp/policy.hpp"
#include "wring/cpp/pool.hpp"
#include "wring/cpp/ref.hpp"
#include "wring/cpp/request.hpp"
#include "wring/cpp/server.hpp"
#include "wring/cpp/session.hpp"
#include "wring/cpp/time.hpp"
#include "wring/wring.h"

#endif
