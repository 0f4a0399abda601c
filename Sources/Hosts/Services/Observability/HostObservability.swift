import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdBroker
import WasmdEventLoop
import WasmdGuests

/// The state behind the functions of `hostobservability` of one guest. May be used by all threads
/// of the guest.
public final class HostObservability: Sendable {
    /// Of the state in the guest's store.
    public static let key = HostKey<HostObservability>()
    public static let module: Name = "hostobservability"

    /// Whether a module imports one of its functions.
    public static func areWanted(by module: Module) -> Bool {
        module.imports.contains { $0.module == self.module }
    }

    private struct State: Sendable {
        var subscriptions: [String: any MessageSubscription] = [:]
        var allowance = LineAllowance()
    }

    /// Nil for a host without messages.
    private let place: Place?
    private let topics: TopicPermissions
    private let share: TopicShare?
    private let write: @Sendable ([UInt8]) -> Void
    private let state = Mutex(State())

    private struct Place: Sendable {
        let messaging: any Messaging
        let loop: EventLoop
    }

    private static let subscriptionLimit = 64

    /// - Parameters:
    ///   - messaging: where messages go.
    ///   - topics: those that the guest may use.
    ///   - share: in which the topics count that it makes, also in runs before.
    ///   - loop: on which it waits; must run, and need not be that of the guest.
    ///   - write: receives the lines of `loginfo`, each with its end.
    public init(
        _ messaging: any Messaging, _ topics: TopicPermissions = .all,
        _ share: TopicShare? = nil, on loop: EventLoop,
        write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        place = Place(messaging: messaging, loop: loop)
        self.topics = topics
        self.share = share
        self.write = write
    }

    /// A host without messages: only `loginfo` works, the others trap.
    public init(write: @escaping @Sendable ([UInt8]) -> Void) {
        place = nil
        topics = .none
        share = nil
        self.write = write
    }

    deinit { end() }

    /// Ends all subscriptions.
    func end() {
        let subscriptions = state.withLock { state in
            defer { state.subscriptions = [:] }
            return Array(state.subscriptions.values)
        }
        for subscription in subscriptions { subscription.end() }
    }

    // MARK: Lines

    /// A line of `loginfo`, with its end: the time, the module's name and the message, unchanged.
    public static func line(module: String, _ message: String) -> [UInt8] {
        Array(
            "\(MicrosecondTime.now) Module: \(module), Message: \(message)\n".utf8)
    }

    /// Writes a line now; or returns when it may be written.
    private func log(_ line: [UInt8]) -> ContinuousClock.Instant? {
        let pause = state.withLock { $0.allowance.take(line.count, at: SystemClock.monotonic.now) }
        guard let pause else {
            write(line)
            return nil
        }
        return .now + pause
    }

    // MARK: Functions

    /// Finds the state of the guest that calls.
    public typealias Find = @Sendable (borrowing Caller) -> HostObservability?

    /// Defines all functions. Those of a guest without a state trap.
    public static func define(
        on linker: Linker,
        _ find: @escaping Find = { (caller: borrowing Caller) in caller[HostObservability.key] }
    ) {
        linker.defineShared(module, "loginfo") {
            (
                caller: borrowing Caller, name: UInt32, nameCount: UInt32, message: UInt32,
                messageCount: UInt32
            ) throws in
            let guest = try state(find(caller))
            let name = try CanonicalStrings.lift(caller, name, nameCount)
            let message = try CanonicalStrings.lift(caller, message, messageCount)
            if let end = guest.log(line(module: name, message)) {
                throw guest.waiting(until: end, line(module: name, message))
            }
        }
        linker.defineShared(module, "publish") {
            (
                caller: borrowing Caller, topic: UInt32, topicCount: UInt32, message: UInt32,
                messageCount: UInt32
            ) throws in
            let guest = try state(find(caller))
            let topic = try CanonicalStrings.lift(caller, topic, topicCount)
            let message = try CanonicalStrings.lift(caller, message, messageCount)
            throw try guest.publish(topic, Array(message.utf8))
        }
        linker.defineShared(module, "read") {
            (caller: borrowing Caller, topic: UInt32, count: UInt32, place: UInt32) throws in
            let guest = try state(find(caller))
            throw try guest.read(CanonicalStrings.lift(caller, topic, count), to: place)
        }
        linker.defineShared(module, "subscribe") {
            (caller: borrowing Caller, topic: UInt32, count: UInt32, place: UInt32) throws in
            let guest = try state(find(caller))
            throw try guest.subscribe(CanonicalStrings.lift(caller, topic, count), to: place)
        }
    }

    private static func state(_ found: HostObservability?) throws -> HostObservability {
        guard let found else { throw Trap(.hostError, cause: MessagingError.noMessages) }
        return found
    }

    private func exchange() throws -> Place {
        guard let place else { throw Trap(.hostError, cause: MessagingError.noMessages) }
        return place
    }

    /// Writes a line after a pause: a guest that floods its log is held back.
    private func waiting(until end: ContinuousClock.Instant, _ line: [UInt8]) -> Suspension {
        var wait = Wait()
        wait.end(at: end)
        return Suspension(wait) { [self] _, _ in
            if let end = log(line) { throw waiting(until: end, line) }
        }
    }

    private func publish(_ topic: String, _ message: [UInt8]) throws -> Suspension {
        let place = try exchange()
        if let name = TopicName(topic), !topics.mayPublish(to: name) {
            throw Trap(.hostError, cause: MessagingError.notAllowed(topic: topic))
        }
        let share = share
        let work = PendingWork(on: place.loop) {
            try await place.messaging.publish(
                topic: topic, message: message, share, on: place.loop)
        }
        return work.suspension { _, _, result in
            if case .failure(let error) = result { throw Trap(.hostError, cause: error) }
        }
    }

    private func read(_ topic: String, to result: UInt32) throws -> Suspension {
        let place = try exchange()
        guard TopicName(topic).map(topics.mayRead) ?? true else {
            throw Trap(.hostError, cause: MessagingError.notAllowed(topic: topic))
        }
        return Self.returning(
            PendingWork(on: place.loop) {
                try await place.messaging.read(topic: topic, on: place.loop)
            }, to: result)
    }

    private func subscribe(_ topic: String, to result: UInt32) throws -> Suspension {
        let place = try exchange()
        guard TopicName(topic).map(topics.mayRead) ?? true else {
            throw Trap(.hostError, cause: MessagingError.notAllowed(topic: topic))
        }
        let subscription: any MessageSubscription
        do {
            subscription = try self.subscription(topic, place)
        } catch {
            throw Trap(.hostError, cause: error)
        }
        return Self.returning(
            PendingWork(on: place.loop) { try await subscription.next() }, to: result)
    }

    /// The subscription of a topic; made with the first call, so that nothing is missed between
    /// two.
    private func subscription(
        _ topic: String, _ place: Place
    ) throws -> any MessageSubscription {
        try state.withLock { state in
            if let known = state.subscriptions[topic] { return known }
            guard state.subscriptions.count < Self.subscriptionLimit else {
                throw MessagingError.tooManySubscriptions(limit: Self.subscriptionLimit)
            }
            let subscription = try place.messaging.subscribe(topic: topic, on: place.loop)
            state.subscriptions[topic] = subscription
            return subscription
        }
    }

    /// Returns the string that is the result of work, through the guest's pointer.
    private static func returning(_ work: PendingWork<[UInt8]>, to place: UInt32) -> Suspension {
        work.suspension { caller, _, result in
            switch result {
            case .success(let bytes): try CanonicalStrings.lower(bytes, caller, to: place)
            case .failure(let error): throw Trap(.hostError, cause: error)
            }
        }
    }
}
