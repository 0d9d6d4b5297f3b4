// Requests of one io_submit() that are handed to their file together, as the kernel's block plug.
#pragma once

#include "drivers/kioctx/kiocb.h"

namespace aioscope::kioctx {

// While a Plug lives on a thread's stack, plug_or_issue() collects; its end issues.
class Plug {
 public:
  using Issue = void (*)(File*, ListNode& requests);  // empties the list

  Plug() : outer_(current_) { current_ = this; }
  Plug(const Plug&) = delete;
  Plug& operator=(const Plug&) = delete;
  ~Plug() {
    flush();
    current_ = outer_;
  }

  // Issues `req` with others, or at once when this thread has no plug.
  static void plug_or_issue(Kiocb* req, Issue issue);

 private:
  void flush();

  static inline constinit thread_local Plug* current_ = nullptr;
  Plug* const outer_;
  File* file_ = nullptr;
  Issue issue_ = nullptr;
  ListHead requests_;
};

inline void Plug::flush() {
  if (file_ == nullptr) return;
  issue_(file_, requests_);
  file_ = nullptr;
}

inline void Plug::plug_or_issue(Kiocb* req, Issue issue) {
  if (current_ == nullptr) {
    ListHead alone;
    req->ki_file_node.insert_before(&alone);
    issue(req->ki_filp, alone);
    return;
  }
  if (current_->file_ != req->ki_filp) current_->flush();
  current_->file_ = req->ki_filp;
  current_->issue_ = issue;
  req->ki_file_node.insert_before(&current_->requests_);
}

}  // namespace aioscope::kioctx
