// Soundness: a session is used on its loop's thread only; `cancel` sends a message from another one.

import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

/// One connection through a transport, with the instance that serves it.
@safe final class TransportSession: @unchecked Sendable {
    /// The sockets of a connection as they are known when it begins.
    struct Sockets {
        /// The side in clear: of the application, or of the server behind a listener.
        var clear: GuestSocket?
        /// The connection that was accepted, for a guest that accepts.
        var peer: GuestSocket?
        /// Connects to the remote, for a guest that dials.
        var connect: TransportGuest.Connect?
        /// Whether the host has chosen the remote.
        var hasRemote = true
    }

    let transport: Transport
    let role: TransportRole
    let entry: Name?
    let guests: GuestLoop
    let began = LoopInstant.now
    /// Signalled when the worker begins, and when the session ends.
    let changes = WakeSource()
    /// When the worker began.
    private(set) var readyTime: LoopInstant?
    var isReady: Bool { readyTime != nil }
    private(set) var outcome: TransportOutcome?
    /// The side from which bytes come to be transformed, and the one to which they go.
    private(set) var near: GuestSocket?
    private(set) var far: GuestSocket?

    private var guest: TransportGuest?
    private var cancelEnd: MemorySocket?
    /// The end of the host's bytes of a preview: closing it wakes whoever waits for the guest there.
    var bytesEnd: MemorySocket?
    private var handle: InterruptHandle?
    /// Whether the guest was interrupted: nothing is waited for any more.
    private(set) var isInterrupted = false
    private var isCancelled = false
    private var isStopped = false
    /// Whether the guest took longer than it may.
    private var isLate = false
    private var deadlineTimer: LoopTimer?
    private var stopTimer: LoopTimer?
    private var checkTimer: LoopTimer?
    /// For `check`: the bytes that had moved, and since when a peer is gone without any moving.
    private var movedBefore: UInt64 = 0
    private var goneSince: LoopInstant?

    /// - Parameter entry: the function that serves, for `.run`; nil for that of the version.
    init(
        _ transport: Transport, _ role: TransportRole, entry: Name? = nil, on guests: GuestLoop
    ) {
        self.transport = transport
        self.role = role
        self.entry = entry
        self.guests = guests
    }

    /// Bytes from the near side to the far one, and back.
    var byteCounts: (forth: UInt64, back: UInt64) {
        (near?.readByteCount ?? 0, near?.writtenByteCount ?? 0)
    }

    // MARK: The whole

    /// Serves the connection until its end. Once, from a task of the loop, whose cancellation stops
    /// the guest. All sockets belong to the session, and are closed.
    func run(_ sockets: consuming Sockets) async -> TransportOutcome {
        let (clear, peer) = (sockets.clear, sockets.peer)
        var outcome: TransportOutcome
        do {
            switch transport.version {
            case .v0, .v1:
                let worker = try await begin(sockets)
                becameReady()
                let results = try await guests.finish(worker)
                outcome = Self.outcome(ofWorker: results, transport.version)
            case .preview, .olderPreview:
                outcome = try await runPreview(sockets)
            }
        } catch {
            outcome = TransportOutcome(error)
            // Many guests take it for granted that they may connect and listen.
            if case .trapped(let reason) = outcome, let cause = guest?.dialFailure {
                outcome = .trapped("\(reason); before, \(cause)")
            }
        }
        if isLate {
            outcome = .limit("time")
        } else if isStopped {
            outcome = .stopped
        } else if isCancelled {
            outcome = .cancelled
        }
        end(clear, peer)
        finish(outcome)
        return outcome
    }

    func becameReady() {
        readyTime = .now
        guests.signal(changes)
    }

    func setSides(near: GuestSocket, far: GuestSocket) {
        (self.near, self.far) = (near, far)
        watch(near, far)
    }

    /// Ends the guest after this time, in place of the time that was set before. A timer of the loop
    /// costs no thread.
    func setDeadline(_ time: Duration?) {
        deadlineTimer?.cancel()
        deadlineTimer = time.map { time in
            LoopTimer(at: .after(time), on: guests.loop) { [weak self] in
                guard let self, outcome == nil else { return }
                isLate = true
                interrupt()
            }
        }
    }

    private func end(_ clear: GuestSocket?, _ peer: GuestSocket?) {
        setDeadline(nil)
        stopTimer?.cancel()
        stopTimer = nil
        checkTimer?.cancel()
        checkTimer = nil
        near?.whenPeerEnds = nil
        far?.whenPeerEnds = nil
        guest?.end()
        guest = nil
        clear?.guestDidClose([.reading, .writing])
        peer?.guestDidClose([.reading, .writing])
        cancelEnd?.close()
        cancelEnd = nil
        bytesEnd?.close()
        bytesEnd = nil
        handle = nil
    }

    private func finish(_ outcome: TransportOutcome) {
        self.outcome = outcome
        guests.signal(changes)
    }

    private static func outcome(
        ofWorker results: [Value], _ version: TransportVersion
    ) -> TransportOutcome {
        let number = GuestNumber(number(in: results))
        guard number.isCleanEnd else {
            let name = version.interface.mandatory[2].name
            return .failed(function: "\(name)", number: number.text)
        }
        return .ended
    }

    static func number(in results: [Value]) -> Int32 {
        if case .i32(let number)? = results.first { number } else { 0 }
    }

    // MARK: The beginning

    /// Makes an instance with a started guest.
    func makeInstance(_ sockets: borrowing Sockets) async throws -> (Instance, TransportGuest) {
        let made = try makeGuest(sockets)
        for function in made.functions { _ = try await guests.finish(function.start()) }
        for name in made.names { try await start(made.instance, name) }
        return (made.instance, made.guest)
    }

    private struct Made {
        let instance: Instance
        let guest: TransportGuest
        /// What must still be called to start it.
        let functions: [Function]
        let names: [Name]
    }

    /// A function of its own, and not inlined: what it needs would otherwise be part of the task's
    /// memory, 1.8 KiB for as long as the connection lives.
    @inline(never)
    private func makeGuest(_ sockets: borrowing Sockets) throws -> Made {
        let limits = transport.options.limits
        let store = Store(engine: transport.module.engine, limits: limits.store)
        handle = store.interruptHandle
        if isCancelled { store.interruptHandle.interrupt() }
        store.fuel = limits.fuel
        setDeadline(limits.startTime)
        let wasi = try WASIGuest(transport.world)
        let guest = TransportGuest(
            wasi, on: guests, transport.options,
            carriesDatagrams: transport.carriesDatagrams, configuration: transport.configuration,
            peer: sockets.peer, connect: sockets.connect, hasRemote: sockets.hasRemote)
        self.guest = guest
        store.wasiGuest = wasi
        store[TransportGuest.key] = guest
        let (instance, functions, names) = try transport.instance(in: store)
        return Made(instance: instance, guest: guest, functions: functions, names: names)
    }

    /// Calls a function of the guest's start; one that returns an error has failed.
    private func start(_ instance: Instance, _ name: Name) async throws {
        let number = GuestNumber(try await call(instance, name, []))
        guard number.value >= 0 else {
            throw TransportOutcome.Fault.outcome(
                .failed(function: "\(name)", number: number.text))
        }
    }

    func call(_ instance: Instance, _ name: Name, _ arguments: [Value]) async throws -> Int32 {
        guard let function = instance.function(name) else {
            throw TransportOutcome.Fault.outcome(.refused("\(name) is not exported"))
        }
        let results = try await guests.finish(function.start(arguments))
        let number = Self.number(in: results)
        guest?.note("\(name)(\(Self.text(arguments))) returned \(GuestNumber(number).text)")
        return number
    }

    private static func text(_ arguments: [Value]) -> String {
        arguments.map { value in
            switch value {
            case .i32(let number): "\(number)"
            case .i64(let number): "\(number)"
            default: "\(value)"
            }
        }.joined(separator: ", ")
    }

    /// Starts a guest, lets it connect, and returns its worker.
    private func begin(_ sockets: consuming Sockets) async throws -> Execution {
        let function = try transport.function(of: role, hasRemote: sockets.hasRemote)
        let (instance, guest) = try await makeInstance(sockets)
        var arguments: [Value] = []
        if role != .relay {
            guard let clear = sockets.clear, let number = guest.push(clear) else {
                throw TransportOutcome.Fault.outcome(.limit("descriptors"))
            }
            arguments = [.i32(number)]
        }
        let number = try await call(instance, function, arguments)
        guard number >= 0 else {
            if let reason = guest.dialFailure {
                throw TransportOutcome.Fault.outcome(.unreachable(reason))
            }
            throw TransportOutcome.Fault.outcome(
                .failed(function: "\(function)", number: GuestNumber(number).text))
        }
        if role == .relay {
            near = sockets.peer
            far = guest.lastDialed
        } else {
            guard let found = guest.connection(number) else {
                throw TransportOutcome.Fault.outcome(
                    .foreignDescriptor(function: "\(function)", number: number))
            }
            (near, far) = role == .dial ? (sockets.clear, found) : (found, sockets.clear)
        }
        if let near, let far { join(near, far) }
        try await giveCancelChannel(instance, guest)
        setDeadline(transport.options.limits.time)
        let worker = transport.version.interface.mandatory[2].name
        guard let function = instance.function(worker) else {
            throw TransportOutcome.Fault.outcome(.refused("\(worker) is not exported"))
        }
        return try function.start()
    }

    private func giveCancelChannel(_ instance: Instance, _ guest: TransportGuest) async throws {
        let (own, channel) = MemorySocket.makePair(on: guests)
        if let near { channel.wakeTogether(with: near) }
        guard let number = guest.push(channel) else {
            throw TransportOutcome.Fault.outcome(.limit("descriptors"))
        }
        cancelEnd = own
        let name = transport.version.interface.mandatory[1].name
        let result = GuestNumber(
            try await call(instance, name, [.i32(number)]))
        guard result.value >= 0 else {
            throw TransportOutcome.Fault.outcome(
                .failed(function: "\(name)", number: result.text))
        }
    }

    /// Lets each side be held back while the other is slow; and, if it is wanted, lets each direction
    /// end by itself.
    private func join(_ near: GuestSocket, _ far: GuestSocket) {
        near.pair(with: far)
        watch(near, far)
        guard transport.options.keepsHalves else { return }
        for (from, to) in [(near, far), (far, near)] {
            from.hideEnd { [weak from, weak to] in
                guard let from, let to else { return }
                try? to.shutdown(.writing)
                guard to.isEndHidden else { return }
                from.revealEnd()
                to.revealEnd()
            }
        }
    }

    // MARK: The end

    /// Asks the worker to end; after the limit of time it is stopped. From any thread.
    func cancel() {
        _ = guests.loop.callOnLoop { self.cancelHere(self.transport.options.limits.stopTime) }
    }

    private func cancelHere(_ time: Duration) {
        guard outcome == nil, !isCancelled else { return }
        isCancelled = true
        guard isReady, let cancelEnd else { return stop() }
        self.guest?.note("cancelled")
        _ = try? cancelEnd.writeNow([0])
        stopTimer = LoopTimer(at: .after(time), on: guests.loop) { [weak self] in self?.stop() }
    }

    private func stop() {
        stopTimer?.cancel()
        stopTimer = nil
        interrupt()
    }

    private func interrupt() {
        isInterrupted = true
        handle?.interrupt()
        bytesEnd?.close()
    }

    /// How often a connection is checked whose peer has ended, or is gone.
    private static let checkInterval = Duration.milliseconds(250)

    /// Ends the connection if a peer ends and the guest does not.
    private func watch(_ near: GuestSocket, _ far: GuestSocket) {
        for socket in [near, far] {
            socket.whenPeerEnds = { [weak self] in self?.checkLater() }
            if socket.isHungUp || socket.isEndUnread { checkLater() }
        }
    }

    private func checkLater() {
        guard checkTimer == nil, outcome == nil, !isCancelled else { return }
        checkTimer = LoopTimer(at: .after(Self.checkInterval), on: guests.loop) { [weak self] in
            guard let self else { return }
            checkTimer = nil
            check(.now)
            checkLater()
        }
    }

    /// A peer is gone, or has ended and the guest does not read that, and no bytes move.
    private func check(_ now: LoopInstant) {
        guard isReady, outcome == nil, !isCancelled, let near, let far else { return }
        let moved =
            near.readByteCount &+ near.writtenByteCount &+ far.readByteCount
            &+ far.writtenByteCount
        let isGone = near.isHungUp || far.isHungUp || near.isEndUnread || far.isEndUnread
        guard isGone, moved == movedBefore else {
            movedBefore = moved
            goneSince = nil
            return
        }
        guard let goneSince else { return self.goneSince = now }
        let time = transport.options.limits.stopTime / 2
        guard now.since(goneSince) >= time else { return }
        isStopped = true
        cancelHere(time)
    }
}
