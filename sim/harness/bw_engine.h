// The one simulation loop of all designs.
//
// `Design` is generated (sim/glue.py): the model's class, a type for each stream that touches its
// ports, clock and reset. Everything is resolved at compile time, so that the loop is what one
// would write by hand around the model.
//
// A cycle: sample valid and ready, settled before the edge -> rising edge -> change the inputs
// together with the falling edge -> settle. Nothing changes in the evaluation of the rising edge,
// where flip-flops would see the new value and sampled assertions the old one.
#pragma once
#include "bw_ports.h"
#include "bw_support.h"
#include "bw_trace.h"

#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

namespace bw {

constexpr int64_t kPollCycles = 1024;  // progress and stop requests are looked at this often

template <class Design, bool Stalls> class Engine {
    using Model = typename Design::Model;

    // One end for each port; braces keep the order of evaluation.
    template <template <class, class, bool> class End, class... Ports>
    static auto ends(List<Ports...>, Model& model, const BwStream* stream) {
        return std::tuple<End<Ports, Model, Stalls>...>{End<Ports, Model, Stalls>{model, *stream++}...};
    }
    using Sources = decltype(ends<Source>(typename Design::Inputs{}, std::declval<Model&>(), nullptr));
    using Sinks = decltype(ends<Sink>(typename Design::Outputs{}, std::declval<Model&>(), nullptr));

public:
    Engine(BwRun& run, Model& model, Trace<Model>& trace)
        : run_{run}, model_{model}, trace_{trace},
          sources_{ends<Source>(typename Design::Inputs{}, model, run.streams)},
          sinks_{ends<Sink>(typename Design::Outputs{}, model, run.streams + Design::kInputs)} {
        for (int index = 0; index < Design::kInputs + Design::kOutputs; ++index) total_ += run.streams[index].beats;
    }

    void operator()() {
        reset();
        try {
            loop();
        } catch (...) {
            close();
            throw;
        }
        if (!complete_) close();
    }

private:
    template <class Visit> void sources(Visit visit) {
        std::apply([&](auto&... each) { (visit(each), ...); }, sources_);
    }
    template <class Visit> void sinks(Visit visit) {
        std::apply([&](auto&... each) { (visit(each), ...); }, sinks_);
    }

    void clock(bool level) {
        Design::clock(model_, level);
        model_.eval();
        trace_.dump(cycle_);
    }

    void reset() {
        sources([](auto& each) { each.start(); });
        sinks([](auto& each) { each.start(); });
        cycle_ = 0;
        Design::reset(model_, true);
        clock(false);
        for (int64_t count = 0; count < run_.reset_cycles; ++count) {
            clock(true);
            clock(false);
        }
        Design::reset(model_, false);
        sources([](auto& each) { each.drive(); });
        sinks([](auto& each) { each.drive(); });
        clock(false);
    }

    // The inputs settle with the clock low; each turn begins there and ends there.
    void loop() {
        int64_t left = total_, idle = 0, drained = 0;
        int64_t poll = 0;
        const int64_t max_idle = run_.max_idle, drain = run_.drain;
        for (;;) {
            if (cycle_ >= poll) {
                if (cycle_ == run_.reset_at) {
                    run_.reset_at = -1;
                    reset();
                    complete_ = false;
                    left = total_;
                    idle = drained = 0;
                }
                poll = cycle_ + kPollCycles;
                if (run_.reset_at > cycle_ && run_.reset_at < poll) poll = run_.reset_at;
                run_.progress->cycles = cycle_;
                run_.progress->frames = std::get<0>(sinks_).frames();
                if (run_.progress->stop) return finish(BW_STOPPED);
                if (cycle_ >= run_.max_cycles) return finish(BW_TIMEOUT);
            }
            int moved = 0;
            int32_t fault = BW_DONE;
            sources([&](auto& each) { moved += each.sample(cycle_); });
            sinks([&](auto& each) { moved += each.sample(cycle_, fault); });
            if (__builtin_expect(fault != BW_DONE, 0)) {
                complete_ = false;
                return finish(fault);
            }
            if (moved) {
                idle = 0;
                left -= moved;
                if (left == 0) {  // what follows is only watched, not counted
                    complete_ = true;
                    run_.cycles = cycle_ + 1;
                    close();
                }
            } else if (left == 0) {
                if (++drained > drain) return;
            } else if (++idle > max_idle) {
                return finish(BW_DEADLOCK);
            }
            clock(true);
            sources([](auto& each) { each.drive(); });
            sinks([](auto& each) { each.drive(); });
            clock(false);
            ++cycle_;
        }
    }

    void finish(int32_t status) { run_.status = status; }

    void close() {
        int32_t index = 0;
        if (!complete_) run_.cycles = cycle_;
        sources([&](auto& each) { each.close(run_, index++); });
        sinks([&](auto& each) { each.close(run_, index++); });
        run_.progress->cycles = cycle_;
        run_.progress->frames = std::get<0>(sinks_).frames();
    }

    BwRun& run_;
    Model& model_;
    Trace<Model>& trace_;
    Sources sources_;
    Sinks sinks_;
    int64_t cycle_ = 0, total_ = 0;
    bool complete_ = false;
};

inline int64_t cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

template <class Design> void simulate(BwRun& run) {
    // Attaching a context to a thread writes a pointer that Verilator shares between threads.
    static std::mutex attach;
    const int64_t started = cpu_ns();
    Journal journal;
    open_journal(&journal);
    run.status = BW_DONE;
    run.stream = -1;
    run.cycles = 0;
    try {
        std::unique_ptr<VerilatedContext> context;
        std::unique_ptr<typename Design::Model> model;
        {
            const std::lock_guard<std::mutex> guard{attach};
            context = std::make_unique<VerilatedContext>();
            context->randReset(2);
            context->randSeed(static_cast<int>(run.x_seed));
            context->traceEverOn(run.trace_path != nullptr);
            Verilated::threadContextp(context.get());
            model = std::make_unique<typename Design::Model>(context.get(), "");
        }
        Design::pins(*model, run.pins);
        Trace<typename Design::Model> trace{*context, *model, run};
        if (run.with_stalls) {
            Engine<Design, true>{run, *model, trace}();
        } else {
            Engine<Design, false>{run, *model, trace}();
        }
        model->final();
    } catch (const Fault&) {
        run.status = BW_FAULT;
    } catch (const std::exception& error) {  // must not cross the C interface
        run.status = BW_FAULT;
        journal.log += error.what();
    }
    open_journal(nullptr);
    run.cpu_ns = cpu_ns() - started;
    run.log = copy_text(journal.log);
    run.monitors = copy_text(journal.monitors);
}

}  // namespace bw
