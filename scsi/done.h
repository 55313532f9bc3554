// Done: what an asynchronous operation calls when it has ended. Move-only, called exactly once or
// never (when its owner goes away first). It may be called from inside the call that it was passed
// to.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "scsi/check.h"

namespace scsi {

template <class... Args>
class Done {
 public:
  Done() = default;
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, Done> && std::is_invocable_v<std::decay_t<F>&, Args...>)
      Done(F&& function) {  // NOLINT: a lambda is meant to convert
    using Function = std::decay_t<F>;
    if constexpr (sizeof(Function) <= kInline && alignof(Function) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Function>) {
      ::new (static_cast<void*>(space_)) Function(std::forward<F>(function));
      operations_ = &kInlineOperations<Function>;
    } else {
      ::new (static_cast<void*>(space_)) Function*(new Function(std::forward<F>(function)));
      operations_ = &kHeapOperations<Function>;
    }
  }
  Done(Done&& other) noexcept { move_from(other); }
  Done& operator=(Done&& other) noexcept {
    if (this != &other) {
      reset();
      move_from(other);
    }
    return *this;
  }
  ~Done() { reset(); }

  explicit operator bool() const { return operations_ != nullptr; }

  // Calls, and leaves this empty: calling twice is an error.
  void operator()(Args... args) {
    VTL_CHECK(operations_ != nullptr);
    Done self = std::move(*this);  // the function may destroy whatever holds this
    self.operations_->call(self.space_, std::forward<Args>(args)...);
  }

 private:
  static constexpr std::size_t kInline = 64;
  struct Operations {
    void (*call)(void*, Args&&...);
    void (*move)(void* from, void* to);
    void (*destroy)(void*);
  };
  template <class F>
  static constexpr Operations kInlineOperations = {
      [](void* p, Args&&... a) { (*static_cast<F*>(p))(std::forward<Args>(a)...); },
      [](void* from, void* to) {
        ::new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* p) { static_cast<F*>(p)->~F(); }};
  template <class F>
  static constexpr Operations kHeapOperations = {
      [](void* p, Args&&... a) { (**static_cast<F**>(p))(std::forward<Args>(a)...); },
      [](void* from, void* to) { ::new (to) F*(*static_cast<F**>(from)); },
      [](void* p) { delete *static_cast<F**>(p); }};

  void move_from(Done& other) {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->move(other.space_, space_);
  }
  void reset() {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(space_);
  }

  alignas(std::max_align_t) std::byte space_[kInline];
  const Operations* operations_ = nullptr;
};

using Callback = Done<>;

}  // namespace scsi
