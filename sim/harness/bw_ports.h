// Both ends of a stream: a source that feeds an input and a sink that drains an output.
// `Port` is generated: kBytes and kBits of a beat, kPort bits of the data port, and its accessors.
#pragma once
#include "bw_abi.h"

#include <cstring>
#include <type_traits>

namespace bw {

template <class... Ports> struct List {};

// Ports up to 64 bit are integers, wider ones arrays of 32-bit words; both lie in memory like the bytes of a beat.
template <int Bytes, class Word> inline void put(Word& word, const uint8_t* beat) {
    if constexpr (std::is_integral_v<Word>) {
        Word value = 0;
        std::memcpy(&value, beat, Bytes);
        word = value;
    } else {
        if constexpr (Bytes % 4 != 0) word.m_storage[Bytes / 4] = 0;
        std::memcpy(word.m_storage, beat, Bytes);
    }
}

template <int Bytes, class Word> inline void get(const Word& word, uint8_t* beat) {
    if constexpr (std::is_integral_v<Word>) {
        std::memcpy(beat, &word, Bytes);
    } else {
        std::memcpy(beat, word.m_storage, Bytes);
    }
}

template <class Port> constexpr uint8_t kLastByteMask = Port::kBits % 8 ? (1 << (Port::kBits % 8)) - 1 : 0xff;

// Stalls of one port: a chain of two states, so that they come in bursts when asked to.
class Staller {
public:
    explicit Staller(const BwStream& stream)
        : enter_{stream.stall_enter}, leave_{stream.stall_leave}, state_{stream.seed} {}

    bool next() {
        const uint64_t draw = random();
        stalled_ = stalled_ ? draw >= leave_ : draw < enter_;
        return stalled_;
    }

private:
    uint64_t random() {  // splitmix64, upper half
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return (z ^ (z >> 31)) >> 32;
    }

    uint64_t enter_, leave_, state_;
    bool stalled_ = false;
};

// Feeds one input. A beat that was offered stays until it is taken.
template <class Port, class Model, bool Stalls> class Source {
public:
    Source(Model& model, const BwStream& stream) : model_{model}, stream_{stream}, staller_{stream} {}

    void start() {
        next_ = stream_.data;
        end_ = stream_.data + stream_.beats * Port::kBytes;
        done_ = stream_.done_cycles;
        staller_ = Staller{stream_};
        beat_ = stalls_ = starves_ = 0;
        first_ = -1;
        fired_ = false;
        valid_ = true;
        offer(false);
    }

    int sample(int64_t cycle) {
        const bool ready = Port::ready(model_);
        fired_ = valid_ & ready;
        stalls_ += valid_ & !ready;
        starves_ += !valid_ & ready;
        if (fired_) {
            if (first_ < 0) first_ = cycle;
            next_ += Port::kBytes;
            if (++beat_ == stream_.frame_beats) {
                beat_ = 0;
                *done_++ = cycle;
            }
        }
        return fired_;
    }

    void drive() {
        if (valid_ && !fired_) return;
        bool available = next_ != end_;
        if constexpr (Stalls) available &= !staller_.next();
        if (available) {
            put<Port::kBytes>(Port::data(model_), next_);
            Port::last(model_, beat_ + 1 == stream_.frame_beats);
        }
        if (available != valid_) offer(available);
    }

    void close(BwRun& run, int32_t index) {
        BwStream& result = run.streams[index];
        result.transfers = (next_ - stream_.data) / Port::kBytes;
        result.stalls = stalls_;
        result.starves = starves_;
        result.first_cycle = first_;
    }

private:
    void offer(bool valid) {
        valid_ = valid;
        Port::valid(model_, valid);
        if (valid) return;
        // Data without valid mean nothing: make sure that nothing depends on them.
        uint8_t noise[Port::kBytes];
        std::memset(noise, 0x5a, sizeof noise);
        noise[Port::kBytes - 1] &= kLastByteMask<Port>;
        put<Port::kBytes>(Port::data(model_), noise);
        Port::last(model_, true);
    }

    Model& model_;
    const BwStream stream_;
    Staller staller_;
    const uint8_t* next_ = nullptr;
    const uint8_t* end_ = nullptr;
    int64_t* done_ = nullptr;
    int64_t beat_ = 0, stalls_ = 0, starves_ = 0, first_ = -1;
    bool valid_ = false, fired_ = false;
};

// Drains one output and checks what a stream promises.
template <class Port, class Model, bool Stalls> class Sink {
public:
    Sink(Model& model, const BwStream& stream) : model_{model}, stream_{stream}, staller_{stream} {}

    void start() {
        next_ = stream_.data;
        end_ = stream_.data + stream_.beats * Port::kBytes;
        done_ = stream_.done_cycles;
        staller_ = Staller{stream_};
        beat_ = stalls_ = starves_ = 0;
        first_ = -1;
        waited_ = fault_ = false;
        ready_ = false;
        Port::ready(model_, false);
    }

    int64_t frames() const { return done_ - stream_.done_cycles; }

    int sample(int64_t cycle, int32_t& fault) {
        const bool valid = Port::valid(model_);
        const bool fired = valid & ready_;
        stalls_ += valid & !ready_;
        starves_ += !valid & ready_;
#ifdef BW_CHECK
        if (waited_ && (!valid || changed())) return fail(fault, BW_PROTOCOL);
        waited_ = valid && !fired;
        if (waited_) {
            get<Port::kBytes>(Port::data(model_), held_);
            held_last_ = Port::last(model_, false);
        }
#endif
        if (fired) {
            if (next_ == end_) return fail(fault, BW_SPURIOUS);
            if (first_ < 0) first_ = cycle;
            get<Port::kBytes>(Port::data(model_), next_);
            if constexpr (Port::kPort > Port::kBits) {
                if (next_[Port::kBytes - 1] & ~kLastByteMask<Port>) return fail(fault, BW_PADDING);
            }
            const bool last = beat_ + 1 == stream_.frame_beats;
            if (Port::last(model_, last) != last) return fail(fault, BW_LAST);
            next_ += Port::kBytes;
            ++beat_;
            if (last) {
                beat_ = 0;
                *done_++ = cycle;
            }
        }
        return fired;
    }

    void drive() {
        if constexpr (Stalls) {
            ready_ = !staller_.next();
            Port::ready(model_, ready_);
        } else if (!ready_) {
            ready_ = true;
            Port::ready(model_, true);
        }
    }

    void close(BwRun& run, int32_t index) {
        BwStream& result = run.streams[index];
        result.transfers = (next_ - stream_.data) / Port::kBytes;
        result.stalls = stalls_;
        result.starves = starves_;
        result.first_cycle = first_;
        if (fault_) run.stream = index;
    }

private:
    int fail(int32_t& fault, int32_t status) {
        fault = status;
        fault_ = true;
        return 0;
    }
#ifdef BW_CHECK
    bool changed() {
        uint8_t now[Port::kBytes];
        get<Port::kBytes>(Port::data(model_), now);
        return std::memcmp(now, held_, sizeof now) != 0 || Port::last(model_, held_last_) != held_last_;
    }
    uint8_t held_[Port::kBytes];
    bool held_last_ = false;
#endif

    Model& model_;
    const BwStream stream_;
    Staller staller_;
    uint8_t* next_ = nullptr;
    uint8_t* end_ = nullptr;
    int64_t* done_ = nullptr;
    int64_t beat_ = 0, stalls_ = 0, starves_ = 0, first_ = -1;
    bool ready_ = false, waited_ = false, fault_ = false;
};

}  // namespace bw
