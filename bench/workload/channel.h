// How completions travel between two threads of the harness: in batches, one shared write per
// batch.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace aioscope {

// Single-producer single-consumer queue of 64-bit words. push() writes words that the consumer
// cannot see yet; publish() shows all of them with one store.
//
//   producer: words, then tail_ (release)  ->  consumer: tail_ (acquire), then words
//   consumer: words read, then head_ (release)  ->  producer: head_ (acquire), then reuse
class ChannelSpsc {
 public:
  explicit ChannelSpsc(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), words_(mask_ + 1) {}

  // Producer. False: full.
  bool push(std::uint64_t word) {
    if (next_ - seen_head_ > mask_) {
      seen_head_ = head_.load(std::memory_order_acquire);  // pairs with drain()
      if (next_ - seen_head_ > mask_) return false;
    }
    words_[next_++ & mask_] = word;
    return true;
  }
  // Producer. The number of words that wait for the consumer, these included; 0 if none was pushed.
  std::size_t publish() {
    if (next_ == tail_.load(std::memory_order_relaxed)) return 0;
    tail_.store(next_, std::memory_order_release);  // pairs with drain()
    return next_ - head_.load(std::memory_order_relaxed);
  }

  // Consumer. Hands every published word to `take`, in order; the number of words.
  template <typename Take>
  std::size_t drain(Take&& take) {
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);  // pairs with publish()
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail) return 0;
    for (std::uint64_t i = head; i != tail; ++i) take(words_[i & mask_]);
    head_.store(tail, std::memory_order_release);  // pairs with push()
    return tail - head;
  }
  // Consumer: words published and not drained.
  std::size_t waiting() const {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
  }

 private:
  const std::uint64_t mask_;
  std::vector<std::uint64_t> words_;
  // Grouped by writer.
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t next_ = 0;
  std::uint64_t seen_head_ = 0;
  alignas(64) std::atomic<std::uint64_t> head_{0};
};

}  // namespace aioscope
