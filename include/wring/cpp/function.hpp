/* SPDX-License-Identifier: Apache-2.0
 *
 * A function object of any type, also one that can only be moved: lambdas that own a
 * std::unique_ptr, for example. Callbacks and posted functions are kept in it.
 *
 * Cost: one allocation when it is made; a call through a pointer; none at all when it is empty.
 */
#ifndef WRING_CPP_FUNCTION_HPP
#define WRING_CPP_FUNCTION_HPP

#include <type_traits>
#include <utility>

#include "wring/cpp/base.hpp"

WRING_CPP_BEGIN

namespace detail {

/** Calls; a callable that returns nothing stands for one that returns R{}: verdict::proceed. */
template <class R, class F, class... Args> R call_as(F &f, Args &&...args) {
    using Returned = std::invoke_result_t<F &, Args...>;
    if constexpr (std::is_void_v<Returned> && !std::is_void_v<R>) {
        f(std::forward<Args>(args)...);
        return R{};
    } else {
        static_assert(std::is_void_v<R> || std::is_convertible_v<Returned, R>,
                      "the callable returns something else than what is asked for here");
        return static_cast<R>(f(std::forward<Args>(args)...));
    }
}

} // namespace detail

template <class Signature> class function;

/** Moves, and does not copy. Calling an empty one is undefined. A call changes nothing of the
 *  object itself, so that several threads may call one if what it holds allows that. */
template <class R, class... Args> class function<R(Args...)> {
  public:
    function() noexcept = default;
    function(std::nullptr_t) noexcept {}
    template <class F, std::enable_if_t<!std::is_same_v<std::decay_t<F>, function> &&
                                            std::is_invocable_v<std::decay_t<F> &, Args...>,
                                        int> = 0>
    function(F &&callable)
        : object(new std::decay_t<F>(std::forward<F>(callable))), call(&call_held<std::decay_t<F>>),
          destroy(&destroy_held<std::decay_t<F>>) {}

    function(function &&other) noexcept
        : object(std::exchange(other.object, nullptr)), call(std::exchange(other.call, nullptr)),
          destroy(std::exchange(other.destroy, nullptr)) {}
    function &operator=(function &&other) noexcept {
        function(std::move(other)).swap(*this);
        return *this;
    }
    function(const function &) = delete;
    function &operator=(const function &) = delete;
    ~function() {
        if (object != nullptr) {
            destroy(object);
        }
    }

    explicit operator bool() const noexcept { return object != nullptr; }
    R operator()(Args... args) const {
        assert(object != nullptr);
        return call(object, std::forward<Args>(args)...);
    }

  private:
    void swap(function &other) noexcept {
        std::swap(object, other.object);
        std::swap(call, other.call);
        std::swap(destroy, other.destroy);
    }
    template <class F> static R call_held(void *held, Args... args) {
        return detail::call_as<R>(*static_cast<F *>(held), std::forward<Args>(args)...);
    }
    template <class F> static void destroy_held(void *held) { delete static_cast<F *>(held); }

    void *object = nullptr;
    R (*call)(void *, Args...) = nullptr;
    void (*destroy)(void *) = nullptr;
};

WRING_CPP_END

#endif
