import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdStorage

/// The place of an instance that is held for a move: its runs wait.
final class InstanceHold {
    private var place: RunPlace?
    /// Whether its time is over.
    var isOver = false

    init(_ place: consuming RunPlace) { self.place = consume place }

    /// Lets the next run begin.
    func end() { place = nil }
}

extension DeployedModule {
    /// Ends the hold of the instance, if there is one, in a task of its home: its runs go on here.
    func endHold() {
        hold?.end()
        hold = nil
    }
}

extension Supervisor {
    /// The longest hold, and the longest wait for the end of an instance's runs.
    static let longestHold = 60
    private static let patience = Duration.seconds(30)

    /// The state of an instance between two of its runs, as bytes; nil if it has none yet: then its
    /// module begins anew.
    ///
    /// - Parameter time: how long runs wait then for `release`; nil to let them go on at once.
    /// - Throws: `StateFault`.
    func giveState(
        of module: DeployedModule, holding time: Duration?, on loop: EventLoop
    ) async throws -> [UInt8]? {
        let home = module.home(loop)
        return try await onLoop(home) { [self] in
            try await giveState(of: module, holding: time, home: home)
        }
    }

    private func giveState(
        of module: DeployedModule, holding time: Duration?, home: EventLoop
    ) async throws -> [UInt8]? {
        guard module.hold == nil, !module.isReleasing else { throw StateFault.held }
        let place: RunPlace
        do throws(RunRefusal) {
            place = try await runs.queue.enter(
                module: module.scope, waitingAtMost: Self.patience, on: home)
        } catch {
            throw StateFault.busy
        }
        let hold = InstanceHold(place)
        let bytes: [UInt8]?
        do {
            bytes = try await currentState(of: module, on: home)
        } catch {
            hold.end()
            throw error
        }
        guard let time else {
            hold.end()
            return bytes
        }
        module.hold = hold
        home.spawn {
            _ = try? await home.sleep(for: time)
            hold.isOver = true
            // Not if it was released, or if that is being stored.
            if module.hold === hold { module.endHold() }
        }
        return bytes
    }

    /// Of the loaded instance, or the stored one.
    private func currentState(
        of module: DeployedModule, on home: EventLoop
    ) async throws -> [UInt8]? {
        if let taken = try module.takeState(isMoving: true) {
            return try await home.blocking { try taken.encoded() }
        }
        let bytes = try await storedState(of: module, on: home)
        return options.state == .never && !module.saving.isStored ? nil : bytes
    }

    /// The stored state of an instance; nil if there is none.
    ///
    /// - Throws: `RunFault.moved` if it has moved to another device, `StorageError`.
    func storedState(
        of module: DeployedModule, on home: EventLoop
    ) async throws -> [UInt8]? {
        let (store, key) = (store, RecordKey.state(module))
        let (bytes, target) = try await home.blocking { () throws -> ([UInt8]?, URL?) in
            guard let record = try store.getBlocking(key),
                let document = try? BSON.read(record.value)
            else { return (nil, nil) }
            if let text = document["moved"]?.stringValue { return (nil, URL(Array(text.utf8))) }
            return (try StoredBytes.read(document, store), nil)
        }
        if let target {
            module.movedTo = target
            throw RunFault.moved
        }
        return bytes
    }

    /// Continues with a state of another device; durable when the function returns.
    ///
    /// - Throws: `StateFault`, `SnapshotError`, `StorageError`.
    func takeOver(
        _ bytes: [UInt8], for module: DeployedModule, on loop: EventLoop
    ) async throws {
        let home = module.home(loop)
        try await onLoop(home) { [self] in
            let state = try InstanceState(bytes)
            guard state.module == module.digest else { throw StateFault.otherModule }
            let wasm = try await compiled(module, on: home).module
            // What does not fit is found before anything changes.
            do {
                _ = try await home.blocking {
                    try Snapshot(decoding: state.snapshot, for: wasm)
                }
            } catch let error as SnapshotError {
                throw StateFault.malformed("\(error)")
            }
            let place: RunPlace
            do throws(RunRefusal) {
                place = try await runs.queue.enter(
                    module: module.scope, waitingAtMost: Self.patience, on: home)
            } catch {
                throw StateFault.busy
            }
            let hold = InstanceHold(place)
            defer { hold.end() }
            module.saving.taken += 1
            try await store(bytes, module.saving.taken, of: module, on: home)
            module.saving.isStored = true
            module.saving.failure = nil
            // A run that has read the state before begins again.
            module.saving.taken += 1
            module.kept = nil
            module.movedTo = nil
            instances.remove(module)
        }
    }

    /// Ends a hold.
    ///
    /// - Parameter target: the device that has the instance now: runs that wait and come are forwarded
    ///   to it. Nil to go on here.
    /// - Throws: `StateFault.notHeld`; not if the instance has moved to the target already, so that
    ///   a request whose answer was lost can be sent again.
    func release(
        _ module: DeployedModule, to target: URL?, on loop: EventLoop
    ) async throws {
        let home = module.home(loop)
        try await onLoop(home) { [self] in
            // Another request decides where the instance goes; this one sees what came of it.
            while module.isReleasing { try await home.sleep(for: .milliseconds(1)) }
            guard let hold = module.hold else {
                // After a restart only the stored state says where the instance is.
                if module.movedTo == nil, module.kept == nil {
                    _ = try? await storedState(of: module, on: home)
                }
                guard let target, module.movedTo == target else { throw StateFault.notHeld }
                return
            }
            // From here on the hold ends in this way only: what is stored is what happens.
            module.hold = nil
            if let target { try await move(module, to: target, hold, on: home) }
            hold.end()
        }
    }

    /// Makes durable that an instance has moved to a device, and forwards its runs; if that fails, the
    /// instance is held until the time is over.
    private func move(
        _ module: DeployedModule, to target: URL, _ hold: InstanceHold, on home: EventLoop
    ) async throws {
        module.isReleasing = true
        defer { module.isReleasing = false }
        // A save that is on its way is older, and must not take the place of this record.
        module.saving.taken += 1
        module.saving.given = module.saving.taken
        do {
            // What a restart must not forget: the state goes on elsewhere.
            var transaction = Transaction()
            let text = String(decoding: target.bytes, as: UTF8.self)
            transaction.put(
                RecordKey.state(module),
                try BSON.write(.object([.init("moved", .string(text))])))
            Self.require(module, in: &transaction)
            _ = try await store.commit(transaction)
        } catch {
            module.hold = hold
            if hold.isOver || module.isRetired { module.endHold() }
            // In the place of the save that was given up.
            if options.state != .never {
                module.saving.unfinished += 1
                home.spawn(priority: .background) { [self] in
                    await save(module, on: home)
                    module.saving.unfinished -= 1
                }
            }
            throw error
        }
        module.movedTo = target
        module.kept = nil
        module.cached = nil
        instances.remove(module)
        counters.moves.add(1, ordering: .relaxed)
    }

    /// Runs `body` in a task of a loop.
    func onLoop<Success: Sendable>(
        _ loop: EventLoop, _ body: sending @escaping () async throws -> Success
    ) async throws -> Success {
        try await loop.spawn { () -> Result<Success, any Error> in
            do { return .success(try await body()) } catch { return .failure(error) }
        }.value.get()
    }
}
