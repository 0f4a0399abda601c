import WasmSystem

extension Profile {
    /// One profile of several, such as those of many short calls: equal frames and stacks become
    /// one, samples are in the order of their time.
    ///
    /// - Parameters:
    ///   - profiles: of the same time, more or less.
    ///   - interval: the time between samples, for a result without profiles.
    public static func merged(_ profiles: [Profile], interval: Duration) -> Profile {
        let start = profiles.map(\.wallClockStart).min() ?? 0
        let end = profiles.map { $0.wallClockStart &+ $0.duration }.max() ?? start
        var merged = ResolvedStacks()
        var frameNumbers: [Frame: Int] = [:]
        var stackNumbers: [Stack: Int] = [:]
        var samples: [Sample] = []
        for profile in profiles {
            let frames = profile.frames.map { frame in
                if let known = frameNumbers[frame] { return known }
                frameNumbers[frame] = merged.frames.count
                merged.frames.append(frame)
                return merged.frames.count - 1
            }
            var stacks: [Int] = []
            for stack in profile.stacks {
                // A caller comes before what it calls.
                let wanted = Stack(
                    caller: stack.caller.map { stacks[$0] }, frame: frames[stack.frame])
                if let known = stackNumbers[wanted] {
                    stacks.append(known)
                    continue
                }
                stackNumbers[wanted] = merged.stacks.count
                stacks.append(merged.stacks.count)
                merged.stacks.append(wanted)
            }
            let offset = profile.wallClockStart &- start
            for var sample in profile.samples {
                sample.time &+= offset
                if sample.stack >= 0 {
                    sample.stack = Int32(truncatingIfNeeded: stacks[Int(sample.stack)])
                }
                samples.append(sample)
            }
        }
        // Numbers of stacks stay what they are.
        merged.numbers = Array(merged.stacks.indices)
        samples.sort { $0.time < $1.time }
        return Profile(
            wallClockStart: start,
            interval: profiles.first?.interval ?? interval.boundedNanoseconds,
            duration: end &- start, merged, samples)
    }
}
