import WasmInterpreter
import WasmSystem

/// A sleep of a guest while it is started for its snapshot: a `poll_oneoff` that waits for one clock
/// and nothing else. What it returns is the same in each run; only time passes, which a fork need
/// not wait for again.
struct StartSleep {
    /// `poll_oneoff(in, out, nsubscriptions, nevents) -> errno`
    static let type = FunctionType(parameters: [.i32, .i32, .i32, .i32], results: [.i32])

    /// The longest such sleep; a guest that sleeps longer is not prepared.
    private static let limit: UInt64 = 100_000_000

    /// Sleeps and writes the event; false if the call is another one than such a sleep.
    ///
    /// Specification: WASI preview 1, `subscription` (48 bytes) and `event` (32 bytes).
    func perform(_ memory: Memory, _ slots: borrowing CallSlots) -> Bool {
        guard slots.u32(2) == 1,
            let words = try? memory.loadArray(of: UInt64.self, at: slots.u32(0), count: 6),
            words[1] & 0xff == 0,
            let span = span(clock: words[2] & 0xffff_ffff, words[3], flags: words[5] & 0xffff),
            span <= Self.limit
        else { return false }
        SystemClock.sleep(until: SystemClock.monotonic.now + span)
        // The data of the subscription, no error, the type of a clock.
        let event: [UInt64] = [words[0], 0, 0, 0]
        return (try? memory.store(contentsOf: event, at: slots.u32(1))) != nil
            && (try? memory.store(UInt32(1), at: slots.u32(3))) != nil
    }

    /// Nanoseconds until a time of a clock; nil for clocks that do not advance while one sleeps.
    private func span(clock: UInt64, _ time: UInt64, flags: UInt64) -> UInt64? {
        guard clock <= 1 else { return nil }
        guard flags & 1 == 1 else { return time }
        let now = clock == 0 ? SystemClock.realtime.now : SystemClock.monotonic.now
        return time > now ? time - now : 0
    }
}
