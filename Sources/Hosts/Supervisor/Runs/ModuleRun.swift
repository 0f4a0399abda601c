import WasmInterpreter
import WasmSystem
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient
import WasmdOperation
import WasmdStorage
import WasmdWasmiot

extension Supervisor {
    /// Begins a run in a task of its own: it ends also if its client has gone.
    ///
    /// - Returns: the ticket, and the task to wait for.
    func begin(_ call: RunCall, on loop: EventLoop) -> (RunTicket, LoopTask<Void>) {
        let ticket = RunTicket(
            history.begin(
                call.deployment.id, call.module.name, call.function, isKnown: call.isNamed))
        pending.add(ticket)
        let home = call.module.home(loop)
        let entry = RunEntry(
            id: ticket.id, deployment: call.deployment.id, module: call.module.name,
            function: call.function, method: call.method, arguments: call.arguments,
            files: call.files.map { .init(name: $0.name, text: "\($0.bytes.count) bytes") },
            queued: Int64(clamping: SystemClock.realtime.now / 1_000_000_000))
        let task = home.spawn { [self] in
            do {
                ticket.end(.success(try await run(call, entry, ticket, on: home)))
            } catch let error as StorageError {
                ticket.end(.failure(.storage(error)))
            } catch {
                ticket.end(.failure(.tooMany("\(error)")))
            }
            pending.remove(ticket)
        }
        ticket.goesOn(in: task)
        if pending.isStopping { ticket.stop() }
        return (ticket, task)
    }

    /// Runs the function, calls the next endpoint with its result, and records what came of it.
    ///
    /// - Throws: `StorageError` if the entry cannot be stored.
    private func run(
        _ call: RunCall, _ entry: RunEntry, _ ticket: RunTicket, on home: EventLoop
    ) async throws -> RunEntry {
        var entry = entry
        var output: RunOutput?
        do {
            // Requests of the guest are below its run; that of the next endpoint is not.
            let trace = TraceParent(of: call.trace)?.text ?? HTTPClient.traceParent
            let made = try await HTTPClient.$traceParent.withValue(trace) {
                try await execute(call, ticket, on: home)
            }
            output = made
            entry.outputs = made.files.map { file in
                call.origin + "/module_results/" + Self.path(call.deployment.id) + "/"
                    + Self.path(call.module.name) + "/" + Self.path(file.mount.path)
            }
            if made.isForwarded {
                entry.result = made.result ?? .null
            } else if let next = call.next {
                entry.result = try await self.call(next, with: made, on: home)
            } else if let value = made.value {
                entry.result = .string(value)
            } else {
                entry.result = .object([
                    .init("outputs", .array(entry.outputs.map { .string($0) }))
                ])
            }
            entry.isSuccess = true
        } catch {
            // Of an instance that did not start.
            publish(lines(call, entry.id, call.module.streams.take()))
            ticket.fail(error as? RunFault)
            entry.result = .string(Self.text(error))
        }
        let isKnown = call.isKnown
        do {
            try await record(entry, output, call, isKnown, on: home)
        } catch LoopError.cancelled {
            // The server stops, and nothing was written yet; clients may know the run all the same.
            // This task is cancelled, another one is not.
            let (ended, made) = (entry, output)
            try await onLoop(home) { [self] in
                try await record(ended, made, call, isKnown, on: home)
            }
        }
        if output?.isForwarded == false { scheduleSave(call.module, on: home) }
        if entry.isSuccess {
            counters.succeeded.add(1, ordering: .relaxed)
        } else {
            counters.failed.add(1, ordering: .relaxed)
        }
        publish([ending(of: entry)])
        return entry
    }

    private static func text(_ error: any Error) -> String {
        HarmlessText.text("\(error)", lines: 100)
    }

    /// A name as a segment of a path.
    static func path(_ name: String) -> String {
        String(decoding: PercentCoding.encode(Array(name.utf8)), as: UTF8.self)
    }

    private func record(
        _ entry: RunEntry, _ output: RunOutput?, _ call: RunCall, _ isKnown: Bool,
        on home: EventLoop
    ) async throws {
        var outputs: [(file: OutputFile, bytes: StoredBytes)] = []
        var state: StoredBytes?
        if !call.module.isRetired {
            for file in output?.files ?? [] {
                let digest = try await ModuleCache.digest(of: file.bytes, on: home)
                outputs.append(
                    (
                        OutputFile(
                            .init(call.deployment.id, call.module.name, file.mount.path),
                            mediaType: file.mount.mediaType, size: file.bytes.count,
                            digest: digest, written: SystemClock.realtime.now),
                        try await StoredBytes.write(file.bytes, store, on: home)
                    ))
            }
            if let taken = output?.state {
                let bytes =
                    taken.isLarge
                    ? try await home.blocking { try taken.state.encoded() }
                    : try taken.state.encoded()
                let stored = try await StoredBytes.write(bytes, store, on: home)
                state = stored
            }
        }
        let number = output?.state?.number ?? 0
        do {
            try await history.end(entry, isKnown: isKnown, outputs: outputs, on: home) { changes in
                // Output files of a deployment that was replaced are not those of the one in its place.
                if !outputs.isEmpty { Self.require(call.module, in: &changes) }
                // A newer state that was given to the store before becomes durable before this
                // entry.
                guard let state, number > call.module.saving.given else { return }
                call.module.saving.given = number
                try Self.put(state, of: call.module, in: &changes)
            }
        } catch StorageError.conflict {
            // The deployment was removed meanwhile: only the entry is kept.
            try await history.end(entry, isKnown: isKnown, outputs: [], on: home)
        }
        if state != nil { try? await collect(call.module, on: home) }
        withExtendedLifetime(state) {}
    }

    // MARK: Lines

    func lines(
        _ call: RunCall, _ id: String, _ lines: [ModuleStreams.Line]
    ) -> [ModuleLine] {
        lines.map { line in
            ModuleLine(
                time: line.time, level: line.level, bytes: line.bytes, run: id,
                deployment: call.deployment.id, module: call.module.name, function: call.function)
        }
    }

    private func ending(of entry: RunEntry) -> ModuleLine {
        let text: String
        switch (entry.isSuccess, entry.result) {
        case (true, .string(let value)): text = "Execution result: \(value.prefix(400))"
        case (true, _): text = "Result url: \(entry.outputs.first ?? "")"
        case (false, let result):
            text =
                "Error running WebAssembly function '\(entry.function)': "
                + "\((result.stringValue ?? "").prefix(400))"
        }
        return ModuleLine(
            time: SystemClock.realtime.now, level: entry.isSuccess ? .debug : .error,
            bytes: Array(text.utf8), run: entry.id, deployment: entry.deployment,
            module: entry.module, function: entry.function, isEnd: true)
    }

    /// Passes lines on to subscribers and to the orchestrator.
    func publish(_ lines: [ModuleLine]) {
        for line in lines { self.lines.append(line, byteCount: line.byteCount) }
        logs.add(lines)
    }
}

extension HarmlessText {
    /// A text of several lines, each made harmless.
    static func text(_ text: String, lines limit: Int) -> String {
        text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .prefix(limit).map { Self.text($0.prefix(4096)) }.joined(separator: "\n")
    }
}
