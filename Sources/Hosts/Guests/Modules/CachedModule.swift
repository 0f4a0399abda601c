import Synchronization
import WasmInterpreter
import WasmWASI
import WasmdDigests
import WasmdEventLoop

/// A module of a `ModuleCache`, with the guests that were prepared of it. Valid as long as it is
/// referred to, also after the cache has dropped it.
public final class CachedModule: Sendable {
    public let digest: SHA256.Digest
    public let module: Module
    /// The limits and totals of the module's runs.
    public let scope: RunScope
    /// About the bytes of its decoded tables, of which an entry may be two bytes in the file.
    private let tables: Int

    private let state = Mutex(State())
    /// Runs preparations.
    private let starters: BlockingPool?

    private struct State {
        var variants: [Variant] = []
        var preparing: [Preparing] = []
        var preparationCount = 0
    }

    private struct Variant {
        let imports: ObjectIdentifier
        let guest: PreparedGuest
    }

    /// A preparation that runs now.
    private struct Preparing {
        let imports: ObjectIdentifier
        let world: WASI
        let shared: SharedResult<PreparedGuest>
    }

    /// Guests that are kept, for different imports and worlds; the one used last first.
    private static let variantLimit = 8
    /// After as many preparations, worlds that are new get a guest of another one, of which they are
    /// no forks: preparing costs more than it saves if each run has a world of its own.
    private static let preparationLimit = 64

    init(
        digest: SHA256.Digest, module: Module, scope: RunScope, starters: BlockingPool? = nil
    ) {
        self.starters = starters
        self.digest = digest
        self.module = module
        let parsed = module.parsed
        tables =
            200 * parsed.types.count + 176 * parsed.imports.count + 80 * parsed.exports.count
            + 72 * (parsed.elementSegments.count + parsed.dataSegments.count)
            + 64 * (parsed.globals.count + parsed.tables.count + parsed.tags.count)
            + 32 * (parsed.functions.count + parsed.customSections.count)
        self.scope = scope
    }

    /// Bytes of the module, its code as far as it is translated, and the saved states of prepared
    /// guests; for decoded tables as much as the module again, or what they take.
    public var byteCount: Int {
        let code = module.translationStatistics.words.multipliedReportingOverflow(by: 8)
        let own = 4096 + module.parsed.bytes.count + max(module.parsed.bytes.count, tables)
        let states = state.withLock { $0.variants.reduce(0) { $0 + $1.guest.byteCount } }
        return own + (code.overflow ? 0 : code.partialValue) + states
    }

    /// A guest of the module, prepared for a world: at most once for the same imports and for worlds
    /// that the guest cannot tell apart while it starts. It is started on a thread of the pool; tasks
    /// that want the same wait for it.
    ///
    /// - Parameters:
    ///   - imports: what the module may import besides WASI.
    ///   - world: its arguments, environment and folders are those that most runs will have.
    ///   - limits: of the guest while it is started; the time is at most a second.
    /// - Throws: `LinkError`; `LoopError`.
    public func prepared(
        imports: GuestImports = .none, in world: WASI = WASI(), limits: RunLimits = RunLimits(),
        on loop: EventLoop
    ) async throws -> PreparedGuest {
        let key = ObjectIdentifier(imports)
        let (found, isFirst) = state.withLock { find(key, world, in: &$0) }
        switch found {
        case .known(let guest): return guest
        case .unprepared:
            return try PreparedGuest(
                module, imports: imports, in: world, limits: limits, startsOnce: false)
        case .coming(let shared, let number):
            if isFirst { start(shared, imports, world, limits, loop) }
            return try await shared.value(number)
        }
    }

    /// The same if it was prepared before; nil if that must be waited for.
    public func known(imports: GuestImports = .none, in world: SharedWorld) -> PreparedGuest? {
        // That of most runs is the first.
        guard let first = state.withLock({ $0.variants.first }),
            first.imports == ObjectIdentifier(imports),
            first.guest.obstacle != nil || first.guest.isForked(in: world.world)
        else { return nil }
        return first.guest
    }

    private enum Found {
        case known(PreparedGuest)
        /// Others are prepared now: the run starts its guest itself.
        case unprepared
        case coming(SharedResult<PreparedGuest>, number: UInt64)
    }

    /// A guest, or the preparation to wait for, and whether the caller must start it.
    private func find(
        _ key: ObjectIdentifier, _ world: WASI, in state: inout State
    ) -> (Found, isFirst: Bool) {
        let index = state.variants.firstIndex {
            $0.imports == key && ($0.guest.obstacle != nil || $0.guest.isForked(in: world))
        }
        if let index {
            let variant = state.variants[index]
            if index > 0 {
                state.variants.remove(at: index)
                state.variants.insert(variant, at: 0)
            }
            return (.known(variant.guest), false)
        }
        if state.preparationCount >= Self.preparationLimit,
            let other = state.variants.first(where: { $0.imports == key })
        {
            return (.known(other.guest), false)
        }
        let everything: ObservedWorld = [.arguments, .environment, .folders]
        for running in state.preparing
        where running.imports == key && everything.agree(running.world, world) {
            if let number = running.shared.join() {
                return (.coming(running.shared, number: number), false)
            }
        }
        if let starters, starters.queuedCount > 0 { return (.unprepared, false) }
        let shared = SharedResult<PreparedGuest>()
        state.preparationCount += 1
        state.preparing.append(Preparing(imports: key, world: world, shared: shared))
        return (.coming(shared, number: shared.join() ?? 0), true)
    }

    private func start(
        _ shared: SharedResult<PreparedGuest>, _ imports: GuestImports, _ world: WASI,
        _ limits: RunLimits, _ loop: EventLoop
    ) {
        var limits = limits
        limits.time = min(limits.time ?? .seconds(1), .seconds(1))
        let (module, given) = (module, limits)
        loop.spawn { [self] in
            let result: Result<PreparedGuest, any Error>
            do {
                let guest = try await loop.blocking(on: starters) {
                    try PreparedGuest(module, imports: imports, in: world, limits: given) {
                        shared.setHandle($0)
                    }
                }
                result = .success(guest)
            } catch {
                result = .failure(error)
            }
            state.withLock { state in
                state.preparing.removeAll { $0.shared === shared }
                // A preparation that was given up is not kept: it was interrupted.
                guard case .success(let guest) = result, !shared.isAbandoned else { return }
                state.variants.insert(
                    Variant(imports: ObjectIdentifier(imports), guest: guest), at: 0)
                if state.variants.count > Self.variantLimit { state.variants.removeLast() }
            }
            shared.finish(result)
        }
    }
}
