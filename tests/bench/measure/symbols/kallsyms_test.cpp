#include "bench/measure/symbols/kallsyms.h"

#include <gtest/gtest.h>

#include "tests/bench/fake_root.h"
#include "tests/bench/mutate.h"

namespace aioscope {
namespace {

constexpr std::string_view kText =
    "ffffffff81000000 T _stext\n"
    "ffffffff81000000 T startup\n"
    "ffffffff81000000 t local_name\n"
    "ffffffff81000100 t aio_complete\n"
    "ffffffff81000180 d some_data\n"
    "ffffffff81000200 W weak_name\n"
    "ffffffff81000200 T strong_name\n"
    "ffffffff81000300 T _etext\n"
    "0000000000000000 A fixed_percpu_data\n"
    "ffffffffc0201f80 t ext4_read\t[ext4]\n"
    "ffffffffc0201fc0 t ext4_write\t[ext4]\n"
    "ffffffffc0300000 t nvme_queue_rq\t[nvme]\n";

std::string name_at(const Kallsyms& symbols, std::uint64_t address) {
  return std::string(symbols.find(address).name);
}

TEST(Kallsyms, FindsTheFunctionThatHoldsAnAddress) {
  const Kallsyms symbols = Kallsyms::parse(kText);
  EXPECT_EQ(symbols.reason(), "");
  EXPECT_EQ(name_at(symbols, 0xffffffff81000100), "aio_complete");
  EXPECT_EQ(name_at(symbols, 0xffffffff8100017f), "aio_complete");
  EXPECT_EQ(symbols.find(0xffffffff8100017f).begin, 0xffffffff81000100u);
  EXPECT_EQ(symbols.find(0xffffffff8100017f).module, "");
}

TEST(Kallsyms, NamesNothingOutsideOfFunctions) {
  const Kallsyms symbols = Kallsyms::parse(kText);
  EXPECT_EQ(name_at(symbols, 0), "");
  EXPECT_EQ(name_at(symbols, 0xffffffff80ffffff), "");
  EXPECT_EQ(name_at(symbols, 0xffffffff81000180), "");  // data ends the function before
  EXPECT_EQ(name_at(symbols, 0xffffffff81000300), "");  // so does the end of the text
  EXPECT_EQ(name_at(symbols, 0xffffffffffffffff), "");
}

TEST(Kallsyms, PrefersPublicNames) {
  const Kallsyms symbols = Kallsyms::parse(kText);
  EXPECT_EQ(name_at(symbols, 0xffffffff81000010), "startup");
  EXPECT_EQ(name_at(symbols, 0xffffffff81000210), "strong_name");
}

TEST(Kallsyms, KnowsModulesAndWhereTheyEnd) {
  const Kallsyms symbols = Kallsyms::parse(kText);
  EXPECT_EQ(name_at(symbols, 0xffffffffc0201f90), "ext4_read");
  EXPECT_EQ(symbols.find(0xffffffffc0201f90).module, "ext4");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0201fff), "ext4_write");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0202000), "");  // not a page further
  EXPECT_EQ(symbols.find(0xffffffffc0300000).module, "nvme");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0302000), "");
}

TEST(Kallsyms, TakesHiddenAddressesForNone) {
  const Kallsyms symbols = Kallsyms::parse(
      "0000000000000000 T startup\n"
      "0000000000000000 t aio_complete\n"
      "0000000000000000 t ext4_read\t[ext4]\n");
  EXPECT_EQ(symbols.size(), 0u);
  EXPECT_EQ(name_at(symbols, 0), "");
  EXPECT_NE(symbols.reason().find("kptr_restrict"), std::string::npos) << symbols.reason();
}

TEST(Kallsyms, SaysWhyThereAreNone) {
  EXPECT_NE(Kallsyms::parse("").reason().find("CONFIG_KALLSYMS"), std::string::npos);
  const FakeRoot root;
  EXPECT_NE(Kallsyms::read(root.path()).reason().find("No such file"), std::string::npos);
  root.write("proc/kallsyms", std::string(kText));
  const Kallsyms symbols = Kallsyms::read(root.path());
  EXPECT_EQ(symbols.reason(), "");
  EXPECT_EQ(name_at(symbols, 0xffffffff81000100), "aio_complete");
}

TEST(Kallsyms, LeavesOutWhatIsNoSymbol) {
  const Kallsyms symbols = Kallsyms::parse(
      "\n"
      "xyz T name\n"
      "ffffffff81000000\n"
      "ffffffff81000000 T\n"
      "ffffffff81000000 T \n"
      "ffffffff81000000TTname\n"
      "11112222333344445 T too_large\n"
      "ffffffff81000000 t open_module\t[ext4\n"
      "ffffffff81000100 T good");
  EXPECT_EQ(symbols.size(), 1u);
  EXPECT_EQ(name_at(symbols, 0xffffffff81000100), "good");
}

TEST(Kallsyms, SurvivesMutants) {
  std::size_t found = 0;
  for_each_mutant(kText, 5000, [&](const std::string& text) {
    const Kallsyms symbols = Kallsyms::parse(text);
    ASSERT_EQ(symbols.reason().empty(), symbols.size() > 0);
    for (const std::uint64_t address :
         {0ull, 0xffffffff81000110ull, 0xffffffffc0201fffull, 0xffffffffffffffffull}) {
      const auto function = symbols.find(address);
      if (function.name.empty()) continue;
      ASSERT_LE(function.begin, address);
      ASSERT_NE(text.find(function.name), std::string::npos);
      ++found;
    }
  });
  EXPECT_GT(found, 1000u);
}

}  // namespace
}  // namespace aioscope
