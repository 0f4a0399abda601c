import WasmInterpreter
import WasmdDocuments
import WasmdGuests

// Runs as JSON. What modules, guests and clients chose is made harmless.

/// What was run, for whom, and when.
private func origin(
    _ moduleName: String, _ digest: String, _ function: Name, _ caller: String,
    _ account: String, _ trace: RunTrace?, start: UInt64
) -> [Document.Member] {
    var members: [Document.Member] = [
        .init("module", .string(HarmlessText.text(moduleName.utf8))),
        .init("sha256", .string(digest)),
        .init("function", .string(HarmlessText.text(function.utf8))),
        .init("caller", .string(HarmlessText.text(caller.utf8))),
    ]
    if !account.isEmpty { members.append(.init("account", .string(account))) }
    if let trace { members.append(.init("trace", .string(trace.description))) }
    members.append(.init("start", .string(Timestamp(nanoseconds: start).description)))
    return members
}

extension ActiveRun {
    /// What is known of it now.
    var document: Document {
        var members: [Document.Member] = [
            .init("id", .string(id.description)), .init("state", "running"),
        ]
        members += origin(
            moduleName, module.description, function, caller, account, trace, start: start)
        members += [
            .init("seconds", .seconds(age)),
            .init("computing_seconds", .seconds(computingTime)),
            .init("memory_bytes", .number(memory)),
        ]
        return .object(members)
    }
}

extension RunRecord {
    /// - Parameter isWhole: with the backtrace of a trap.
    func document(isWhole: Bool) -> Document {
        var members: [Document.Member] = [
            .init("id", .string(id.description)), .init("state", "ended"),
            .init("outcome", .string("\(outcome.kind)")),
            .init("reason", .string(HarmlessText.text("\(outcome)".utf8))),
        ]
        if case .limit(let limit, _) = outcome {
            members.append(.init("limit", .string(limit.name)))
        }
        if case .exited(let code) = outcome {
            members.append(.init("exit_code", .integer(Int64(code))))
        }
        members += origin(
            moduleName, module.description, function, caller, account, trace, start: start)
        members += [
            .init("seconds", .seconds(duration)),
            .init("computing_seconds", .seconds(computingTime)),
            .init("queue_seconds", .seconds(queueTime)), .init("fuel", .number(fuel)),
            .init("peak_memory_bytes", .number(peakMemory)),
        ]
        guard isWhole else { return .object(members) }
        members += [
            .init("input_bytes", .number(bytesIn)), .init("output_bytes", .number(bytesOut)),
            .init("log_bytes", .number(logBytes)), .init("is_fork", .boolean(isForked)),
            .init("reached_limits", .array(reached.limits.map { .string($0.name) })),
        ]
        if let trap = outcome.trap {
            members.append(
                .init(
                    "trap",
                    .object([
                        .init("message", .string(trap.message)),
                        .init("backtrace", .array(trap.frames.map { .string($0) })),
                        .init("omitted_frames", .integer(Int64(trap.omittedFrameCount))),
                    ])))
        }
        return .object(members)
    }
}

extension LogLine {
    /// - Parameter module: the name of the run's module, if it is known.
    func document(module: String?) -> Document {
        var members: [Document.Member] = [
            .init("time", .string(Timestamp(nanoseconds: time).description)),
            .init("run", .string(run.description)),
        ]
        if let module { members.append(.init("module", .string(HarmlessText.text(module.utf8)))) }
        members.append(.init("text", .string(text)))
        return .object(members)
    }
}

extension Document {
    /// Nanoseconds as seconds.
    static func seconds(_ nanoseconds: UInt64) -> Document { .double(Double(nanoseconds) * 1e-9) }
    static func number(_ value: UInt64) -> Document {
        Int64(exactly: value).map { .integer($0) } ?? .unsigned(value)
    }
    static func count(of value: Int) -> Document { .integer(Int64(value)) }
}
