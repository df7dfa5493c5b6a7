// The C interface of a simulation: what Python hands over in one call and what comes back.
// sim/native.py mirrors these structures; BW_ABI changes with them.
#pragma once
#include <cstdint>

#define BW_ABI 2

extern "C" {

struct BwStream {
    uint8_t* data;            // packed beats: read for an input, written for an output
    int64_t beats;            // beats of the whole run
    int64_t frame_beats;      // beats of a frame
    int64_t* done_cycles;     // [frames] cycle in which each frame's last beat moved
    uint64_t stall_enter;     // chance to begin a stall, of 2^32
    uint64_t stall_leave;     // chance to end a stall, of 2^32
    uint64_t seed;            // of this stream's stalls
    int64_t transfers;        // result: beats moved
    int64_t stalls;           // result: cycles with valid and without ready
    int64_t starves;          // result: cycles with ready and without valid
    int64_t first_cycle;      // result: cycle of the first beat, -1 for none
};

struct BwProgress {
    volatile int64_t cycles;
    volatile int64_t frames;  // frames out of the first output
    volatile int32_t stop;    // set by the caller to end the run early
};

enum BwStatus : int32_t {
    BW_DONE = 0,
    BW_DEADLOCK = 1,   // no beat moved on any port for max_idle cycles
    BW_SPURIOUS = 2,   // a beat more than expected
    BW_LAST = 3,       // tlast is not where a frame ends
    BW_PADDING = 4,    // padding bits are not zero
    BW_PROTOCOL = 5,   // valid withdrawn, or data changed while it waited
    BW_FAULT = 6,      // the design stopped the run: assertion, $fatal, $finish
    BW_STOPPED = 7,    // the caller stopped it
    BW_TIMEOUT = 8,    // max_cycles reached
};

struct BwRun {
    int32_t abi;
    int32_t with_stalls;
    BwStream* streams;        // inputs, then outputs
    const int64_t* pins;      // values of the other input ports
    BwProgress* progress;
    const char* trace_path;   // null for none
    int64_t trace_from;       // first cycle of the trace
    int64_t trace_to;         // cycle after the last one of the trace
    int64_t max_idle;
    int64_t max_cycles;
    int64_t drain;            // cycles watched after the last expected beat
    int64_t reset_cycles;
    int64_t reset_at;         // cycle of a second reset, after which the run starts again; -1 for none
    uint64_t x_seed;          // of what is not initialised
    int64_t cycles;           // result: cycles from the end of the reset to the last expected beat
    int64_t cpu_ns;           // result: processor time of the call
    int32_t status;           // result: BwStatus
    int32_t stream;           // result: stream of the fault, -1 for none
    char* log;                // result: what the design printed; release with bw_release
    char* monitors;           // result: one line a monitor, tab-separated; release with bw_release
};

void bw_run(BwRun* run);
void bw_release(char* text);
}
