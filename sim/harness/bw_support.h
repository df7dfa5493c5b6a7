// What a simulation shares with the run-time of Verilator: text output, faults, monitors.
#pragma once
#include <string>

extern "C" int bw_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));

namespace bw {

// Ends a run from inside an evaluation; the reason is the last line of the log.
struct Fault {};

// Where the running simulation of this thread keeps what the design says.
struct Journal {
    std::string log;
    std::string monitors;
};

void open_journal(Journal* journal);  // null closes it
char* copy_text(const std::string& text);

}  // namespace bw
