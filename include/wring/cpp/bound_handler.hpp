/* SPDX-License-Identifier: Apache-2.0
 *
 * A handler of a configuration: what servers, clients and embedded sessions have in common. Not for
 * applications.
 */
#ifndef WRING_CPP_BOUND_HANDLER_HPP
#define WRING_CPP_BOUND_HANDLER_HPP

#include <memory>

#include "wring/cpp/handler.hpp"

WRING_CPP_BEGIN

namespace detail {

/** A handler, its binding, and the application's opts if they are ours. */
class bound_handler {
  public:
    template <class State> void bind(site *log) {
        handler_ = handler<State>::make();
        binding_ = std::make_unique<binding>(binding{log, nullptr});
    }
    /** An lvalue is borrowed, a temporary is taken. */
    template <class State, class Opts> void bind(site *log, Opts &&opts) {
        using Held = std::remove_reference_t<Opts>;
        handler_ = handler<State, Held>::make();
        binding_ = std::make_unique<binding>(binding{log, nullptr});
        if constexpr (std::is_lvalue_reference_v<Opts>) {
            binding_->opts = const_cast<std::remove_const_t<Held> *>(std::addressof(opts));
        } else {
            auto taken = std::make_shared<Held>(std::forward<Opts>(opts));
            binding_->opts = taken.get();
            owned = std::move(taken);
        }
    }
    [[nodiscard]] const wring_handler *record() const noexcept {
        return binding_ == nullptr ? nullptr : &handler_;
    }
    [[nodiscard]] void *opts() const noexcept { return binding_.get(); }

  private:
    wring_handler handler_{};
    std::unique_ptr<binding> binding_; /* sessions have its address */
    std::shared_ptr<void> owned;
};

} // namespace detail

WRING_CPP_END

#endif
