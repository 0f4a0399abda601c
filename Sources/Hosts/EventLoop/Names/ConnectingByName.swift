import WasmSystem

/// Why there is no connection to a host.
public enum HostError: Error, Hashable, Sendable {
    case name(NameError)
    /// Why the last address that was tried refused.
    case connection(LoopError)
}

extension HostError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .name(let error): error.description
        case .connection(let error): error.description
        }
    }
}

extension ByteStream {
    /// Connects to the first of a host's addresses that accepts, by `ConnectionRace`.
    ///
    /// - Parameters:
    ///   - isAllowed: whether an address may be connected to: called for each, after the look-up.
    ///   - deadline: when to give up, the look-up included.
    public static func connect(
        to host: String, port: UInt16, resolver: Resolver, on loop: EventLoop,
        deadline: LoopInstant = .never, isAllowed: (HostAddress) -> Bool = { _ in true }
    ) async throws(HostError) -> ByteStream {
        var addresses: [HostAddress]
        do throws(NameError) {
            addresses = try await resolver.addresses(of: host, on: loop)
        } catch {
            throw .name(error)
        }
        addresses = addresses.filter(isAllowed)
        if addresses.isEmpty { throw .name(.noAddress) }
        return try await connect(to: addresses, port: port, on: loop, deadline: deadline)
    }

    /// Connects to the first of several addresses that accepts, by `ConnectionRace`.
    public static func connect(
        to addresses: [HostAddress], port: UInt16, on loop: EventLoop,
        deadline: LoopInstant = .never
    ) async throws(HostError) -> ByteStream {
        if addresses.count == 1 {
            do throws(LoopError) {
                return try await connect(
                    to: addresses[0].with(port: port), on: loop, deadline: deadline)
            } catch {
                throw .connection(error)
            }
        }
        let attempts = ConnectionAttempts(addresses, port, loop, deadline)
        return try await attempts.run()
    }
}

/// Attempts to connect side by side, all on one loop.
@safe private final class ConnectionAttempts: @unchecked Sendable {
    // Soundness: used by tasks of one loop only, between whose waits nothing else runs.
    private var race: ConnectionRace
    private let port: UInt16
    private let loop: EventLoop
    private let deadline: LoopInstant
    private var tasks: [Int: LoopTask<Void>] = [:]
    private var winner: ByteStream?
    private var failure = LoopError.timedOut
    private var isOver = false
    /// Interrupts the sleep of `run` when something has happened.
    private var sleep: LoopTask<Bool>?

    init(_ addresses: [HostAddress], _ port: UInt16, _ loop: EventLoop, _ deadline: LoopInstant) {
        race = ConnectionRace(addresses)
        self.port = port
        self.loop = loop
        self.deadline = deadline
    }

    func run() async throws(HostError) -> ByteStream {
        defer {
            isOver = true
            for task in tasks.values { task.cancel() }
        }
        while true {
            if let winner { return winner }
            if Task.isCancelled { throw .connection(.cancelled) }
            let now = LoopInstant.now
            if now >= deadline { throw .connection(.timedOut) }
            switch race.next(at: now) {
            case .over: throw .connection(failure)
            case .connect(let index, let address): begin(index, address)
            case .wait(let time): await wait(until: min(time, deadline))
            }
        }
    }

    private func begin(_ index: Int, _ address: HostAddress) {
        tasks[index] = loop.spawn { [self] in
            do throws(LoopError) {
                let stream = try await ByteStream.connect(
                    to: address.with(port: port), on: loop, deadline: deadline)
                if isOver || winner != nil { stream.close() } else { winner = stream }
            } catch {
                failure = error
                race.failed(index, at: .now)
            }
            tasks[index] = nil
            sleep?.cancel()
        }
    }

    private func wait(until time: LoopInstant) async {
        let task = loop.spawn { [loop] in (try? await loop.sleep(until: time)) != nil }
        sleep = task
        await withTaskCancellationHandler {
            _ = await task.value
        } onCancel: {
            task.cancel()
        }
        sleep = nil
    }
}
