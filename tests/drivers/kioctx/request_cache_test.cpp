#include "drivers/kioctx/request_cache.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace aioscope::kioctx {
namespace {

// A type for each test, since the cache is one per type and process.
template <int kTest>
struct Object {
  std::array<std::uint64_t, 24> words;
};

TEST(RequestCache, HandsOutEachOnce) {
  using T = Object<0>;
  std::set<void*> held;
  for (int i = 0; i < 1000; ++i) {
    void* memory = RequestCache<T>::allocate();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % kCacheline, 0u);
    EXPECT_TRUE(held.insert(memory).second);
  }
  for (void* memory : held) RequestCache<T>::free(::new (memory) T);
}

TEST(RequestCache, TakesTheDepotsLockOncePerMagazineAtMost) {
  using T = Object<1>;
  std::vector<T*> objects(6400);
  for (T*& object : objects) object = ::new (RequestCache<T>::allocate()) T;
  counts.reset();
  for (T* object : objects) RequestCache<T>::free(object);
  for (T*& object : objects) object = ::new (RequestCache<T>::allocate()) T;
  EXPECT_LE(lock_count(LockSite::kRequestDepot).acquisitions, 2u * 6400 / 64);
  counts.reset();
  for (int i = 0; i < 10'000; ++i) {
    RequestCache<T>::free(objects[0]);
    objects[0] = ::new (RequestCache<T>::allocate()) T;
  }
  EXPECT_EQ(lock_count(LockSite::kRequestDepot).acquisitions, 0u) << "at a magazine's border";
  for (T* object : objects) RequestCache<T>::free(object);
}

// Allocated here and freed by threads that do nothing else and end, as completion threads do.
// Returns how much memory was in use, in objects.
template <class T>
std::size_t travel(int rounds, int objects_per_round) {
  std::set<void*> seen;
  for (int round = 0; round < rounds; ++round) {
    std::vector<T*> objects;
    for (int i = 0; i < objects_per_round; ++i) {
      objects.push_back(::new (RequestCache<T>::allocate()) T);
      seen.insert(objects.back());
    }
    std::thread([&] {
      for (T* object : objects) RequestCache<T>::free(object);
    }).join();
  }
  return seen.size();
}

TEST(RequestCache, MemoryTravelsBack) {
  EXPECT_LE(travel<Object<2>>(50, 640), 640u + 4 * 64) << "memory freed elsewhere was lost";
}

TEST(RequestCache, LessThanAMagazineTravelsBack) {
  EXPECT_LE(travel<Object<3>>(50, 63), 4u * 64) << "memory freed elsewhere was lost";
  EXPECT_LE(travel<Object<4>>(500, 1), 4u * 64) << "memory freed elsewhere was lost";
}

}  // namespace
}  // namespace aioscope::kioctx
