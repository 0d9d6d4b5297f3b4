// A context at stage S. What the stages do differently stands next to each other, in `if
// constexpr`.
//
// Functions bear the kernel's names. Defined by what they belong to: aio_setup.h (contexts, their
// references and their end), aio_slots.h (the right to an event), aio_submit.h, aio_retry.h,
// aio_complete.h, aio_cancel.h, aio_read_events.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "drivers/kioctx/aio_kiocb.h"
#include "drivers/kioctx/kioctx.h"
#include "drivers/kioctx/kioctx_fields.h"
#include "drivers/kioctx/rcu.h"

namespace aioscope::kioctx {

// Contexts by index: mainline.
template <class Context>
struct IoctxTable {
  explicit IoctxTable(std::uint32_t size, IoctxTable* smaller = nullptr)
      : nr(size), contexts(new std::atomic<Context*>[size] {}), old(smaller) {}

  const std::uint32_t nr;
  const std::unique_ptr<std::atomic<Context*>[]> contexts;
  const std::unique_ptr<IoctxTable> old;  // the one that this one is in place of
};

// What the kernel keeps per process: its contexts, newest first, or in a table.
template <Stage S>
struct Mm {
  SpinLock ioctx_lock;
  // Both are walked under RCU and changed under ioctx_lock.
  std::atomic<Kioctx<S>*> ioctx_list{nullptr};
  std::atomic<IoctxTable<Kioctx<S>>*> ioctx_table{nullptr};
};
template <Stage S>
inline constinit Mm<S> current_mm{};

// Defined by the micro-benchmarks, which price the parts of a context one by one.
template <Stage S>
struct KioctxParts;

// The value of the tail while a completion has it.
inline constexpr std::uint32_t kTailLocked = UINT32_MAX;

template <Stage S>
class Kioctx : public KioctxFields<S> {
 public:
  using Request = AioKiocb<S>;
  using Fields = KioctxFields<S>;

  // A new context, in the list, and with a reference for the caller; nullptr: the table is full.
  // Throws std::bad_alloc.
  static Kioctx* ioctx_alloc(std::uint32_t nr_events);

  // The context of that identity with a reference, or nullptr.
  static Kioctx* lookup_ioctx(AioContextId id);
  void put_ioctx();

  AioContextId id() const { return this->user_id; }
  ContextInfo info() const;
  static RingSize size_for(std::uint32_t nr_events);

  IoSubmitResult do_io_submit(const FileTable& files, std::span<const Iocb> iocbs);
  std::int64_t read_events(std::uint32_t min_nr, std::span<IoEvent> events, std::int64_t until_ns);
  int io_cancel(std::uint64_t data, IoEvent* result);

  // The list's reference is dropped by the first caller, requests are cancelled or waited for: at
  // once until `refcounting`, then by the last put_ioctx(). Returns 0, or mainline's -EINVAL for
  // all but the first caller. In mainline `all_done` becomes 1, and its futex is woken, when the
  // last request is gone.
  int kill_ioctx(std::atomic<std::uint32_t>& all_done);

  // v3.7: runs what was kicked. `context` is a Kioctx.
  static void aio_kick_handler(void* context);

 private:
  friend struct KioctxParts<S>;

  Kioctx() = default;
  explicit Kioctx(const RingSize& size);  // throws std::bad_alloc
  ~Kioctx();

  // aio_setup.h
  void hlist_add();
  void hlist_del();
  bool ioctx_add_table();
  static Kioctx* lookup_in_list(AioContextId id);
  static Kioctx* lookup_in_table(AioContextId id);
  void kill_by_refcount();
  int kill_by_table(std::atomic<std::uint32_t>& all_done);
  void kill_ctx();
  void free_ioctx();
  static void free_ioctx_rcu(void* context);
  void free_ioctx_reqs();
  void cancel_all();
  void wait_for_all_slots();
  std::int64_t slots_in_flight() const;
  std::uint32_t events_in_ring() const;
  bool is_dead() const;

  // aio_submit.h
  struct KiocbBatch {
    Request* head = nullptr;
    std::uint32_t count;                                                // requests still to come
    [[no_unique_address]] Field<S.percpu_rings, EventBatch, 0> done{};  // not posted yet
  };
  static File* get_file(const FileTable& files, std::uint32_t number) {
    return S.percpu_rings ? files.fget_percpu(number) : files.fget(number);
  }
  static void put_file(File* file) { S.percpu_rings ? fput_percpu(file) : fput(file); }
  int io_submit_one(const FileTable& files, const Iocb& iocb, KiocbBatch& batch);
  Request* aio_get_req(KiocbBatch& batch);
  Request* kiocb_alloc();  // nullptr: there is no memory
  void kiocb_free(Request* req);
  static int aio_setup_iocb(Request& req, const Iocb& iocb);
  int start_request(Request& req, KiocbBatch& batch);
  void aio_abort_req(Request& req);
  // Dropping a reference to a request; the locked form is of the stages before lockless-put and
  // needs ctx_lock.
  void aio_put_req(Request& req);
  void aio_put_req_locked(Request& req);

  // aio_slots.h
  std::uint32_t kiocb_batch_refill(KiocbBatch& batch);
  void kiocb_batch_free(KiocbBatch& batch);
  std::int64_t batch_room() const;
  void unbatch(Request& req);
  void wake_teardown();
  bool get_slot();
  void put_slots(std::uint32_t count);
  void put_slot_of_cancelled();
  void user_refill_reqs_available();
  void refill_reqs_available(std::uint32_t head, std::uint32_t end);

  // aio_retry.h
  int submit_locked(Request& req);
  void aio_run_iocb(Request& req);
  bool run_iocbs();
  void aio_run_all_iocbs();
  void kick(Request& req);

  // aio_complete.h
  void complete(Request& req, std::int64_t result);
  void complete_inline(Request& req, std::int64_t result, KiocbBatch& batch);
  void complete_under_ctx_lock(Request& req, std::int64_t result);
  void complete_batch(std::span<CompletedKiocb> completed);
  void unlist(Request& req);
  bool posts_event(Request& req);
  // What a look for sleepers needs to know of an event that was posted: the CPU's ring that has it,
  // or how many the ring has.
  using Posted = std::conditional_t<S.percpu_rings, const CpuRing*, std::uint32_t>;
  static CpuEvent cpu_event_of(const Request& req, std::int64_t result);
  Posted post_event(const Request& req, std::int64_t result);
  void post_events(EventBatch& done);
  std::uint32_t post_under_completion_lock(const Request& req, std::int64_t result);
  void wake_reapers(Posted posted);
  std::uint32_t lock_tail();
  void unlock_tail(std::uint32_t end);
  std::uint32_t put_event(std::uint32_t at, const Request& req, std::int64_t result);
  static void complete_kiocb(Kiocb* req, std::int64_t result);
  static void complete_kiocb_batch(std::span<CompletedKiocb> completed);

  // aio_cancel.h
  Request* lookup_kiocb(std::uint64_t data);
  int kiocb_cancel(Request& req, IoEvent* result);
  int mark_cancelled(Request& req, KiocbCancel& cancel);
  void set_cancel_fn(Request& req, KiocbCancel cancel);
  static bool clear_cancel_fn(Request& req);

  // aio_read_events.h
  std::uint32_t reap(std::span<IoEvent> events);
  bool aio_read_evt(IoEvent* event);  // false: the ring is empty, `event` is not looked at
  std::uint32_t aio_read_events_ring(std::span<IoEvent> events);
  std::uint32_t read_cpu_rings(std::span<IoEvent> events);
  void prepare_to_read(WaitQueueEntry& entry, std::uint32_t min_nr);
  std::int64_t read_events_by_jiffies(std::uint32_t min_nr, std::span<IoEvent> events,
                                      std::uint32_t have, std::int64_t until_ns);
  std::int64_t read_events_by_hrtimer(std::uint32_t min_nr, std::span<IoEvent> events,
                                      std::int64_t until_ns);

  static Request& request(Kiocb* req) { return *static_cast<Request*>(req); }
  static const KiocbOperations kKiocbOperations;

  RcuHead rcu_head_;
};

}  // namespace aioscope::kioctx
