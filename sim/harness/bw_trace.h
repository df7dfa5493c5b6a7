// A wave or activity file of a window of cycles; nothing at all in builds without tracing.
// BW_TRACE: 1 VCD, 2 FST, 3 SAIF.
#pragma once
#include "bw_abi.h"
#include "verilated.h"
#if BW_TRACE == 1
#include "verilated_vcd_c.h"
#elif BW_TRACE == 2
#include "verilated_fst_c.h"
#elif BW_TRACE == 3
#include "verilated_saif_c.h"
#endif

namespace bw {

constexpr uint64_t kHalfCycle = 5;

#if BW_TRACE
#if BW_TRACE == 1
using TraceFile = VerilatedVcdC;
#elif BW_TRACE == 2
using TraceFile = VerilatedFstC;
#else
using TraceFile = VerilatedSaifC;
#endif

template <class Model> class Trace {
public:
    Trace(VerilatedContext& context, Model& model, const BwRun& run)
        : context_{context}, from_{run.trace_from}, to_{run.trace_to}, open_{run.trace_path != nullptr} {
        if (!open_) return;
        model.trace(&file_, 99);
        file_.open(run.trace_path);
    }
    ~Trace() {
        if (open_) file_.close();
    }
    void dump(int64_t cycle) {
        time_ += kHalfCycle;
        context_.time(time_);
        if (open_ && cycle >= from_ && cycle < to_) file_.dump(time_);
    }

private:
    VerilatedContext& context_;
    TraceFile file_;
    int64_t from_, to_;
    uint64_t time_ = 0;
    bool open_;
};
#else
template <class Model> class Trace {
public:
    Trace(VerilatedContext& context, Model&, const BwRun&) : context_{context} {}
    void dump(int64_t) {
#ifdef BW_CHECK
        context_.timeInc(kHalfCycle);
#endif
    }

private:
    VerilatedContext& context_;
};
#endif

}  // namespace bw
