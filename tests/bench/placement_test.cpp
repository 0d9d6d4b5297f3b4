#include "bench/placement.h"

#include <gtest/gtest.h>

#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

using Cpus = std::vector<int>;

// Two packages that are nodes, two cores each, two hardware threads each; numbered as Linux does on
// x86: first all first threads, then all second ones. Core ids repeat in the second package.
void make_big_machine(const FakeRoot& root) {
  root.set_online("0-7");
  for (int id = 0; id < 8; ++id) root.add_cpu(id, id % 2, id / 2 % 2);
  root.add_node(0, "0-1,4-5");
  root.add_node(1, "2-3,6-7");
}

Cpus place(const Topology& topology, PinPolicy policy, std::size_t threads) {
  return cpus_for(topology, {.policy = policy}, threads);
}

TEST(Placement, TopologyKnowsSiblingsPackagesAndNodes) {
  const FakeRoot root;
  make_big_machine(root);
  const Topology topology = read_topology(root.path(), {});
  ASSERT_EQ(topology.cpus.size(), 8u);
  EXPECT_EQ(topology.cpus[5], (Cpu{.id = 5, .core = 1, .package = 0, .node = 0, .sibling = 1}));
  EXPECT_EQ(topology.cpus[2], (Cpu{.id = 2, .core = 0, .package = 1, .node = 1, .sibling = 0}));
  EXPECT_TRUE(topology.smt());
  EXPECT_EQ(topology.cores(), 4u);
  EXPECT_EQ(topology.packages(), 2u);
  EXPECT_EQ(topology.nodes(), 2u);
}

// Where core ids repeat within a package, sysfs still says which threads share a core.
TEST(Placement, SiblingsAreThoseThatSysfsNames) {
  const FakeRoot root;
  root.set_online("0-3");
  for (int id = 0; id < 4; ++id) {
    root.add_cpu(id, 0, 0);
    root.write("sys/devices/system/cpu/cpu" + std::to_string(id) + "/topology/thread_siblings_list",
               id % 2 == 0 ? "0,2\n" : "1,3\n");
  }
  const Topology topology = read_topology(root.path(), {});
  EXPECT_EQ(topology.cores(), 2u);
  EXPECT_EQ(topology.cpus[3].sibling, 1);
  EXPECT_EQ(place(topology, PinPolicy::kCompact, 4), (Cpus{0, 2, 1, 3}));
}

TEST(Placement, CompactFillsSiblingsThenTheNode) {
  const FakeRoot root;
  make_big_machine(root);
  const Topology topology = read_topology(root.path(), {});
  EXPECT_EQ(place(topology, PinPolicy::kCompact, 8), (Cpus{0, 4, 1, 5, 2, 6, 3, 7}));
}

TEST(Placement, SpreadTakesOneThreadPerCoreOverTheNodesInTurn) {
  const FakeRoot root;
  make_big_machine(root);
  const Topology topology = read_topology(root.path(), {});
  EXPECT_EQ(place(topology, PinPolicy::kSpread, 8), (Cpus{0, 2, 1, 3, 4, 6, 5, 7}));
}

TEST(Placement, MoreThreadsThanCpusBeginAgain) {
  const FakeRoot root;
  make_big_machine(root);
  const Topology topology = read_topology(root.path(), {0, 2});
  EXPECT_EQ(place(topology, PinPolicy::kSpread, 5), (Cpus{0, 2, 0, 2, 0}));
  EXPECT_EQ(place(topology, PinPolicy::kNone, 5), Cpus{});
}

TEST(Placement, OfflineAndForbiddenCpusAreNotUsed) {
  const FakeRoot root;
  make_big_machine(root);
  root.set_online("0-3,5-7");
  const Topology topology = read_topology(root.path(), {1, 4, 5, 6});
  EXPECT_EQ(place(topology, PinPolicy::kCompact, 3), (Cpus{1, 5, 6}));
  EXPECT_EQ(unusable_cpu(topology, *parse_pinning("1,4")), 4);
  EXPECT_EQ(unusable_cpu(topology, *parse_pinning("1,5-6")), std::nullopt);
}

TEST(Placement, TheFirstUsableThreadOfACoreCountsAsItsFirst) {
  const FakeRoot root;
  make_big_machine(root);
  const Topology topology = read_topology(root.path(), {4, 5});
  EXPECT_FALSE(topology.smt());
  EXPECT_EQ(topology.cores(), 2u);
}

TEST(Placement, AMachineWithoutTopologyFilesHasACorePerCpu) {
  const FakeRoot root;
  const Topology topology = read_topology(root.path(), {0, 3});
  EXPECT_EQ(place(topology, PinPolicy::kCompact, 2), (Cpus{0, 3}));
  EXPECT_EQ(topology.cores(), 2u);
  EXPECT_EQ(topology.nodes(), 1u);
}

TEST(Placement, AListKeepsItsOrder) {
  const auto pinning = parse_pinning("3,0-1");
  ASSERT_TRUE(pinning);
  EXPECT_EQ(cpus_for({}, *pinning, 4), (Cpus{3, 0, 1, 3}));
  EXPECT_EQ(pinning_text(*pinning), "3,0-1");
  for (const char* policy : {"none", "compact", "spread"}) {
    ASSERT_TRUE(parse_pinning(policy));
    EXPECT_EQ(pinning_text(*parse_pinning(policy)), policy);
  }
}

TEST(Placement, WhatIsNoListIsRefused) {
  for (const char* bad : {"", ",", "1,", "a", "1-", "2-1", "-1", "1-2-3", "0-99999999"}) {
    EXPECT_FALSE(parse_cpu_list(bad)) << bad;
  }
}

TEST(Placement, ThisProcessMayUseSomeCpu) { EXPECT_FALSE(affinity_mask().empty()); }

}  // namespace
}  // namespace aioscope
