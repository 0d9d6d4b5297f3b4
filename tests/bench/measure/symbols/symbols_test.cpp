#include "bench/measure/symbols/symbols.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <cstdlib>
#include <fstream>

#include "tests/bench/fake_root.h"

namespace aioscope {
namespace symbols_test {

[[gnu::noinline]] int known_function(int value) { return value * 3 + 1; }

}  // namespace symbols_test

namespace {

std::uint64_t address_of_known_function() {
  return reinterpret_cast<std::uint64_t>(&symbols_test::known_function);
}

TEST(Symbols, NamesFunctionsOfThisProgram) {
  Symbols symbols;
  const Symbol& symbol = symbols.user(address_of_known_function() + 1);
  EXPECT_EQ(symbol.name, "aioscope::symbols_test::known_function(int)");
  EXPECT_EQ(symbol.offset, 1u);
  EXPECT_NE(symbol.object.find("bench_symbols_test"), std::string::npos) << symbol.object;
  EXPECT_EQ(&symbols.user(address_of_known_function() + 1), &symbol);  // looked up once
}

TEST(Symbols, NamesFunctionsOfSharedLibraries) {
  Symbols symbols;
  void* const function = dlsym(RTLD_DEFAULT, "sched_yield");
  ASSERT_NE(function, nullptr);
  const Symbol& symbol = symbols.user(reinterpret_cast<std::uint64_t>(function));
  EXPECT_NE(symbol.name.find("sched_yield"), std::string::npos) << symbol.name;
  EXPECT_NE(symbol.object.find("libc"), std::string::npos) << symbol.object;
}

TEST(Symbols, NamesTheVdso) {
  const auto vdso = getauxval(AT_SYSINFO_EHDR);
  if (vdso == 0) GTEST_SKIP() << "no vDSO here";
  Symbols symbols;
  bool named = false;
  for (std::uint64_t address = vdso; address < vdso + 0x2000 && !named; address += 16) {
    const Symbol& symbol = symbols.user(address);
    EXPECT_EQ(symbol.object, "[vdso]");
    named = symbol.name.find("clock_gettime") != std::string::npos;
  }
  EXPECT_TRUE(named);
}

TEST(Symbols, NamesNoData) {
  Symbols symbols;
  const int local = 0;
  EXPECT_FALSE(symbols.user(reinterpret_cast<std::uint64_t>(&local)).known());
  EXPECT_FALSE(symbols.user(0).known());
  EXPECT_FALSE(symbols.user(UINT64_MAX).known());
}

TEST(Symbols, SaysWhichFilesItCouldNotRead) {
  const FakeRoot root;
  root.write("proc/self/maps",
             "1000-2000 r-xp 00000000 fe:00 1 /nowhere/lib.so\n"
             "3000-4000 r-xp 00000000 fe:00 1 /bin/sh (deleted)\n"
             "5000-6000 rw-p 00000000 00:00 0 [heap]\n");
  Symbols symbols(root.path());
  const Symbol& symbol = symbols.user(0x1010);
  EXPECT_FALSE(symbol.known());
  EXPECT_EQ(symbol.object, "/nowhere/lib.so");
  EXPECT_EQ(symbol.offset, 0x10u);
  EXPECT_FALSE(symbols.user(0x3010).known());
  EXPECT_FALSE(symbols.user(0x5010).known());
  const auto reasons = symbols.user_reasons();
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_NE(reasons[0].find("/bin/sh: was replaced"), std::string::npos) << reasons[0];
  EXPECT_NE(reasons[1].find("/nowhere/lib.so: No such file"), std::string::npos) << reasons[1];
}

TEST(Symbols, NamesTheKernel) {
  const FakeRoot root;
  root.write("proc/kallsyms",
             "ffffffff81000100 t aio_complete\n"
             "ffffffff81000180 T _etext\n"
             "ffffffffc0201f80 t ext4_read\t[ext4]\n");
  Symbols symbols(root.path());
  EXPECT_EQ(symbols.kernel(0xffffffff81000108).name, "aio_complete");
  EXPECT_EQ(symbols.kernel(0xffffffff81000108).object, "kernel");
  EXPECT_EQ(symbols.kernel(0xffffffff81000108).offset, 8u);
  EXPECT_EQ(symbols.kernel(0xffffffffc0201f80).object, "[ext4]");
  EXPECT_FALSE(symbols.kernel(0xffffffff81000180).known());
  EXPECT_EQ(symbols.kernel_reason(), "");
}

TEST(Symbols, SaysWhyTheKernelHasNoNames) {
  const FakeRoot root;
  root.write("proc/kallsyms", "0000000000000000 t aio_complete\n");
  Symbols symbols(root.path());
  EXPECT_FALSE(symbols.kernel(0xffffffff81000108).known());
  EXPECT_NE(symbols.kernel_reason().find("kptr_restrict"), std::string::npos);
}

TEST(ShortName, KeepsTheQualifiedNameOnly) {
  EXPECT_EQ(short_name("io_submit_one"), "io_submit_one");
  EXPECT_EQ(short_name("aioscope::Lane::prepare()"), "aioscope::Lane::prepare");
  EXPECT_EQ(
      short_name("void aioscope::Kioctx<aioscope::Stage{1, (Cas)2}>::complete<int>(int) const"),
      "aioscope::Kioctx::complete");
  EXPECT_EQ(short_name("aioscope::(anonymous namespace)::Crew::body(unsigned int)"),
            "aioscope::Crew::body");
  EXPECT_EQ(short_name("std::vector<int, std::allocator<int> >::push_back(int&&)"),
            "std::vector::push_back");
  EXPECT_EQ(short_name("operator new(unsigned long)"), "operator new");
  EXPECT_EQ(short_name("aioscope::Box::operator()(int) const"), "aioscope::Box::operator()");
  EXPECT_EQ(short_name("aioscope::Box::operator->()"), "aioscope::Box::operator->");
  EXPECT_EQ(short_name("f(int) [clone .part.0]"), "f");
  EXPECT_EQ(short_name("(odd"), "(odd");
  EXPECT_EQ(short_name(""), "");
}

TEST(Demangle, LeavesOtherNamesAlone) {
  EXPECT_EQ(demangle("_ZN8aioscope4Lane7prepareEv"), "aioscope::Lane::prepare()");
  EXPECT_EQ(demangle("io_submit"), "io_submit");
  EXPECT_EQ(demangle("_Znonsense"), "_Znonsense");
}

}  // namespace
}  // namespace aioscope
