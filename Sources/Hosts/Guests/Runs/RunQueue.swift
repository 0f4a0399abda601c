// Soundness: a waiter is in exactly one lane while its state is `waiting`; whoever takes it out,
// under the queue's lock, resumes its continuation, once. A `RunPlace` cannot be copied and gives its
// place back when it is destroyed.

import Synchronization
import WasmdEventLoop

/// Why a run did not begin.
public enum RunRefusal: Error, Sendable {
    /// A limit of a scope is reached.
    case limit(RunLimit, RunScope)
    /// The queue takes no more runs.
    case closed
    /// The task was cancelled while the run waited for its place.
    case cancelled
}

extension RunRefusal: CustomStringConvertible {
    /// `module greet: 8 runs wait, its limit (waiting)`
    public var description: String {
        switch self {
        case .limit(let limit, let scope):
            let owner: String
            switch scope.kind {
            case .total: owner = "the server"
            case .module: owner = "module \(HarmlessText.text(scope.name.utf8))"
            case .account: owner = "account \(HarmlessText.text(scope.name.utf8))"
            }
            switch limit {
            case .waitingTime: return "\(owner): no place in time (\(limit.name))"
            case .running: return "\(owner): \(scope.runningLimit) runs, the limit (\(limit.name))"
            default:
                return "\(owner): \(scope.waitingLimit) runs wait, the limit (\(limit.name))"
            }
        case .closed: return "the server is stopping"
        case .cancelled: return "cancelled"
        }
    }

    /// The limit that is reached.
    public var limit: RunLimit? { if case .limit(let limit, _) = self { limit } else { nil } }
}

/// Gives runs their places: bounded in total, for each module and for each account, and fair among
/// accounts, then among the modules of an account.
///
/// ```swift
/// let place = try await queue.enter(module: module.scope, account: account, on: loop)
/// ```
///
/// A place that becomes free goes to the next account in turn that has a run which may begin, and
/// there to its next module in turn; runs of the same account and module begin in their order. A run
/// that gets its place at once takes a lock and allocates nothing.
///
/// All methods may be called on any thread.
public final class RunQueue: Sendable {
    /// All runs.
    public let total: RunScope
    private let state = Mutex(State())

    public init(places: RunPlaces = RunPlaces(running: 1024, waiting: 1024)) {
        total = RunScope(.total, "", places: places)
    }

    private struct State {
        var accounts: [AccountLanes] = []
        /// The account whose turn is next.
        var turn = 0
        var isClosed = false
    }

    /// The waiting runs of an account.
    private struct AccountLanes {
        let account: RunScope?
        var lanes: [Lane]
        var turn = 0
    }

    /// Waiting runs of one account and module, from `start` on.
    private struct Lane {
        let module: RunScope
        var waiters: [RunWaiter]
        var start = 0
    }

    // MARK: Entering

    /// Waits for a place.
    ///
    /// - Parameters:
    ///   - module: the module's scope.
    ///   - account: the scope of the account, if there is one.
    ///   - time: the longest wait; nil for no limit.
    ///   - loop: the loop that the caller runs on.
    /// - Throws: `RunRefusal`.
    public func enter(
        module: RunScope, account: RunScope? = nil, waitingAtMost time: Duration? = nil,
        on loop: EventLoop
    ) async throws(RunRefusal) -> RunPlace {
        if let place = try tryEnter(module: module, account: account) { return place }
        return try await wait(module, account, time, loop)
    }

    /// A place, if there is one now; nil if the run would wait.
    ///
    /// - Throws: `RunRefusal.closed`.
    public func tryEnter(
        module: RunScope, account: RunScope? = nil
    ) throws(RunRefusal) -> RunPlace? {
        let (isClosed, isTaken) = state.withLock { state in
            // Waiting runs do not matter: none of them could begin now, as long as each free place
            // is given away at once.
            (state.isClosed, !state.isClosed && take(module, account))
        }
        if isClosed { throw .closed }
        return isTaken ? RunPlace(queue: self, module: module, account: account) : nil
    }

    private func take(_ module: RunScope, _ account: RunScope?) -> Bool {
        guard total.hasPlace, module.hasPlace, account?.hasPlace ?? true else { return false }
        total.running.add(1, ordering: .relaxed)
        module.running.add(1, ordering: .relaxed)
        account?.running.add(1, ordering: .relaxed)
        return true
    }

    fileprivate func giveBack(_ module: RunScope, _ account: RunScope?) {
        let hasWaiting = state.withLock { state in
            total.running.subtract(1, ordering: .relaxed)
            module.running.subtract(1, ordering: .relaxed)
            account?.running.subtract(1, ordering: .relaxed)
            return !state.accounts.isEmpty
        }
        // More than one may begin: one that waited for the module, and one that waited for the
        // account.
        if hasWaiting { update() }
    }

    // MARK: Waiting

    func wait(
        _ module: RunScope, _ account: RunScope?, _ time: Duration?, _ loop: EventLoop
    ) async throws(RunRefusal) -> RunPlace {
        let waiter = RunWaiter(module, account)
        let timer = time.map { time in
            LoopTimer(at: .after(time), on: loop) { [self] in
                remove(waiter, .limit(.waitingTime, total))
            }
        }
        let result = await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                unsafe begin(waiter, continuation)
            }
        } onCancel: {
            remove(waiter, .cancelled)
        }
        timer?.cancel()
        try result.get()
        return RunPlace(queue: self, module: module, account: account)
    }

    private func begin(
        _ waiter: RunWaiter, _ continuation: UnsafeContinuation<Result<Void, RunRefusal>, Never>
    ) {
        unsafe waiter.continuation = continuation
        let result = state.withLock { state -> Result<Void, RunRefusal>? in
            let (module, account) = (waiter.module, waiter.account)
            if waiter.isOver { return .failure(.cancelled) }
            if state.isClosed { return .failure(.closed) }
            // A place may have become free since the caller looked.
            if take(module, account) { return .success(()) }
            for scope in [account, module, total] {
                guard let scope, !scope.mayWait else { continue }
                let limit = scope.waitingLimit == 0 ? RunLimit.running : .waiting
                return .failure(.limit(limit, scope))
            }
            for scope in [account, module, total] { scope?.waiting.add(1, ordering: .relaxed) }
            append(waiter, to: &state)
            return nil
        }
        if let result { waiter.resume(result) }
    }

    private func append(_ waiter: RunWaiter, to state: inout State) {
        let lane = Lane(module: waiter.module, waiters: [waiter])
        guard let index = state.accounts.firstIndex(where: { $0.account === waiter.account }) else {
            state.accounts.append(AccountLanes(account: waiter.account, lanes: [lane]))
            return
        }
        let known = state.accounts[index].lanes.firstIndex { $0.module === waiter.module }
        if let known {
            state.accounts[index].lanes[known].waiters.append(waiter)
        } else {
            state.accounts[index].lanes.append(lane)
        }
    }

    /// Takes the next waiting run that may begin, with a place for it.
    private func takeNext(_ state: inout State) -> RunWaiter? {
        guard total.hasPlace else { return nil }
        for offset in 0..<state.accounts.count {
            let index = (state.turn + offset) % state.accounts.count
            guard state.accounts[index].account?.hasPlace ?? true else { continue }
            let laneCount = state.accounts[index].lanes.count
            for laneOffset in 0..<laneCount {
                let lane = (state.accounts[index].turn + laneOffset) % laneCount
                guard state.accounts[index].lanes[lane].module.hasPlace else { continue }
                let start = state.accounts[index].lanes[lane].start
                let waiter = state.accounts[index].lanes[lane].waiters[start]
                // The turn goes on to the next of both.
                state.accounts[index].turn = lane + 1
                state.turn = index + 1
                state.accounts[index].lanes[lane].start += 1
                tidy(&state, index, lane)
                forget(waiter)
                _ = take(waiter.module, waiter.account)
                return waiter
            }
        }
        return nil
    }

    /// Removes what is empty, and the space of runs that have begun.
    private func tidy(_ state: inout State, _ index: Int, _ lane: Int) {
        let start = state.accounts[index].lanes[lane].start
        let count = state.accounts[index].lanes[lane].waiters.count
        if start == count {
            state.accounts[index].lanes.remove(at: lane)
            if state.accounts[index].turn > lane { state.accounts[index].turn -= 1 }
            if state.accounts[index].lanes.isEmpty {
                state.accounts.remove(at: index)
                if state.turn > index { state.turn -= 1 }
            }
        } else if start > 32, start > count / 2 {
            state.accounts[index].lanes[lane].waiters.removeFirst(start)
            state.accounts[index].lanes[lane].start = 0
        }
    }

    private func forget(_ waiter: RunWaiter) {
        waiter.isOver = true
        for scope in [waiter.account, waiter.module, total] {
            scope?.waiting.subtract(1, ordering: .relaxed)
        }
    }

    /// Ends the wait of a run; nothing happens if it is over.
    private func remove(_ waiter: RunWaiter, _ refusal: RunRefusal) {
        let isRemoved = state.withLock { state in
            guard !waiter.isOver else { return false }
            for index in state.accounts.indices
            where state.accounts[index].account === waiter.account {
                for lane in state.accounts[index].lanes.indices
                where state.accounts[index].lanes[lane].module === waiter.module {
                    let start = state.accounts[index].lanes[lane].start
                    let waiters = state.accounts[index].lanes[lane].waiters
                    guard let place = waiters[start...].firstIndex(where: { $0 === waiter }) else {
                        continue
                    }
                    state.accounts[index].lanes[lane].waiters.remove(at: place)
                    forget(waiter)
                    tidy(&state, index, lane)
                    return true
                }
            }
            // It has not begun to wait.
            waiter.isOver = true
            return false
        }
        if isRemoved { waiter.resume(.failure(refusal)) }
    }

    // MARK: Changes

    /// Lets waiting runs begin that may now: after places of a scope were raised.
    public func update() {
        while let next = state.withLock({ takeNext(&$0) }) { next.resume(.success(())) }
    }

    /// Refuses waiting runs and all that come; those that have a place keep it. For stopping.
    public func close() {
        let waiters = state.withLock { state -> [RunWaiter] in
            state.isClosed = true
            let waiters = state.accounts.flatMap { account in
                account.lanes.flatMap { $0.waiters[$0.start...] }
            }
            for waiter in waiters { forget(waiter) }
            state.accounts = []
            return waiters
        }
        for waiter in waiters { waiter.resume(.failure(.closed)) }
    }
}

/// A run that waits.
@safe private final class RunWaiter: @unchecked Sendable {
    let module: RunScope
    let account: RunScope?
    // Both are used under the queue's lock, or by the one that took the waiter out.
    var isOver = false
    var continuation: UnsafeContinuation<Result<Void, RunRefusal>, Never>?

    init(_ module: RunScope, _ account: RunScope?) {
        self.module = module
        self.account = account
    }

    func resume(_ result: Result<Void, RunRefusal>) {
        unsafe continuation?.resume(returning: result)
    }
}

/// The place of a run. It is given back when the value is destroyed, or by `giveBack`.
public struct RunPlace: ~Copyable, Sendable {
    private let queue: RunQueue
    private let module: RunScope
    private let account: RunScope?

    fileprivate init(queue: RunQueue, module: RunScope, account: RunScope?) {
        self.queue = queue
        self.module = module
        self.account = account
    }

    deinit { queue.giveBack(module, account) }

    /// Gives the place to the next run.
    public consuming func giveBack() {}
}
