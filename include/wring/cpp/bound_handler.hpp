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

/** The opts of a handler. */
class kept_opts {
  public:
    /** An lvalue is borrowed, a temporary is taken.  @return its address, which stays */
    template <class Opts> void *keep(Opts &&opts) {
        using Held = std::remove_reference_t<Opts>;
        if constexpr (std::is_lvalue_reference_v<Opts>) {
            return const_cast<std::remove_const_t<Held> *>(std::addressof(opts));
        } else {
            auto taken = std::make_shared<Held>(std::forward<Opts>(opts));
            owned = taken;
            return taken.get();
        }
    }
    void *keep() noexcept { return nullptr; }

  private:
    std::shared_ptr<void> owned;
};

/** A handler, the binding, and the application's opts if they are ours. */
class bound_handler {
  public:
    template <class State> void bind(site *log) {
        handler_ = handler<State>::make();
        bound(log).opts = nullptr;
    }
    template <class State, class Opts> void bind(site *log, Opts &&opts) {
        handler_ = handler<State, std::remove_reference_t<Opts>>::make();
        bound(log).opts = opts_.keep(std::forward<Opts>(opts));
    }
    /** What handlers find as their opts; made when it is needed. */
    binding &bound(site *log) {
        if (binding_ == nullptr) {
            binding_ = std::make_unique<binding>();
        }
        binding_->log = log;
        return *binding_;
    }
    [[nodiscard]] const wring_handler *record() const noexcept {
        return handler_.struct_size == 0 ? nullptr : &handler_;
    }
    /** nullptr: there is no handler of the C++ layer. */
    [[nodiscard]] void *opts() const noexcept { return binding_.get(); }

  private:
    wring_handler handler_{};
    std::unique_ptr<binding> binding_; /* sessions have its address */
    kept_opts opts_;
};

} // namespace detail

WRING_CPP_END

#endif
