// The kernel's doubly linked circular list: a node is part of the object, a head is a node.
#pragma once

#include <atomic>

namespace aioscope::kioctx {

// `next` is atomic so that "is anything there" may be asked without the list's lock; everything
// else is guarded by it.
struct ListNode {
  std::atomic<ListNode*> next{nullptr};
  ListNode* prev = nullptr;

  ListNode* get_next() const { return next.load(std::memory_order_relaxed); }
  void set_next(ListNode* node) { next.store(node, std::memory_order_relaxed); }

  // Makes an empty list, or a node that is on none.
  void init() {
    set_next(this);
    prev = this;
  }
  bool empty() const { return get_next() == this; }

  void insert_after(ListNode* position) {
    ListNode* after = position->get_next();
    set_next(after);
    prev = position;
    after->prev = this;
    position->set_next(this);
  }
  void insert_before(ListNode* position) { insert_after(position->prev); }

  // Leaves the node as init() does, so that it may be removed again.
  void remove() {
    prev->set_next(get_next());
    get_next()->prev = prev;
    init();
  }

  // Moves all nodes of the list `from` to the end of this one.
  void append_all(ListNode& from) {
    if (from.empty()) return;
    ListNode* last = prev;
    last->set_next(from.get_next());
    from.get_next()->prev = last;
    from.prev->set_next(this);
    prev = from.prev;
    from.init();
  }

  // Moves all nodes of the list `from` to this empty one.
  void take_all(ListNode& from) {
    init();
    if (from.empty()) return;
    set_next(from.get_next());
    prev = from.prev;
    get_next()->prev = this;
    prev->set_next(this);
    from.init();
  }
};

struct ListHead : ListNode {
  ListHead() { init(); }
};

}  // namespace aioscope::kioctx
