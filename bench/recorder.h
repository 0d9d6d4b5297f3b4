// Takes a session's results to where the user wants them: a result file, standard output.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "bench/output.h"
#include "bench/result.h"
#include "bench/self_cost.h"
#include "bench/session.h"
#include "bench/suite.h"
#include "bench/summary.h"

namespace aioscope {

class Recorder final : public SessionSink {
 public:
  // Opens the files and writes their headers. Throws ResultFileError.
  Recorder(const Plan& plan, const RunRequest& request, const Machine& machine,
           std::vector<std::string> command);

  void skipped(const PlannedRow& row) override;
  void measured(const PlannedRow& row, const PlanItem& item, std::size_t position,
                const RunSettings& settings, const Measurement& measurement) override;
  void failed(const PlannedRow& row, const PlanItem& item, std::size_t position, Failure failure,
              const std::string& message) override;
  void abandon(const PlannedRow& row, const PlanItem& item, std::size_t position,
               const std::string& message) override;

  // Completes the files. `exit_code` as of run_session().
  void finish(int exit_code);
  // What standard output shows of everything so far, in the format asked for; "" where records have
  // gone there as they came.
  std::string text(bool color) const;

  // Whether records go to standard output as they come.
  static bool streams(const RunOptions& options);

 private:
  std::size_t index_of(const PlannedRow& row) const;
  void keep_prices();

  const Plan& plan_;
  const Format format_;
  const bool streams_;
  const std::vector<std::string> command_;
  nlohmann::ordered_json host_;
  std::vector<std::unique_ptr<ResultWriter>> writers_;
  Summary summary_;
  const TableOptions table_;
  const std::vector<InstrumentUse> instruments_;
  const SelfCostStore self_cost_;
  std::vector<LookingPrice> prices_;
};

// The command line that measures `row` alone as the run did. `externals` are the shared objects the
// run had loaded.
std::string row_command(const Row& row, const Plan& plan, const RunOptions& options,
                        const std::vector<std::string>& externals);

}  // namespace aioscope
