// Compiled once a machine together with Verilator's run-time. It takes the place of the functions
// that would print to the terminal or end the whole process.
#include "bw_support.h"

#include "verilated.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::size_t kLogLimit = 1 << 20;  // a design that prints every cycle must not fill the memory
thread_local bw::Journal* t_journal = nullptr;

}  // namespace

namespace bw {

void open_journal(Journal* journal) { t_journal = journal; }

char* copy_text(const std::string& text) {
    char* const copy = static_cast<char*>(std::malloc(text.size() + 1));
    if (copy) std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

}  // namespace bw

extern "C" {

int bw_printf(const char* format, ...) {
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    const int count = std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (t_journal && t_journal->log.size() < kLogLimit) t_journal->log += line;
    return count;
}

void bw_monitor(const char* name, long long transfers, long long stalls, long long starves, long long peak) {
    if (!t_journal) return;
    char counts[96];
    std::snprintf(counts, sizeof counts, "\t%lld\t%lld\t%lld\t%lld\n", transfers, stalls, starves, peak);
    t_journal->monitors += name;
    t_journal->monitors += counts;
}
}

void vl_finish(const char* file, int line, const char*) VL_MT_UNSAFE {
    bw_printf("%s:%d: $finish\n", file, line);
    throw bw::Fault{};
}

void vl_stop(const char* file, int line, const char*) VL_MT_UNSAFE {
    // $error, $fatal and a failed assertion have printed a line of their own just before.
    const std::string& log = t_journal ? t_journal->log : std::string{};
    const std::size_t end = log.size() < 2 ? std::string::npos : log.rfind('\n', log.size() - 2);
    if (log.find("%Error", end == std::string::npos ? 0 : end) == std::string::npos && log.find("%Fatal") == std::string::npos) {
        bw_printf("%s:%d: $stop\n", file, line);
    }
    throw bw::Fault{};
}

void vl_fatal(const char* file, int line, const char*, const char* message) VL_MT_UNSAFE {
    bw_printf("%s:%d: %s\n", file, line, message);
    throw bw::Fault{};
}
