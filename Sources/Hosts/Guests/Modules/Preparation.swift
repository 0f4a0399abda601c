import WasmInterpreter
import WasmSystem
import WasmWASI

/// Why the instances of a module are not forks of a snapshot, but made and initialised one by one.
public enum ForkObstacle: Error, Sendable {
    /// While it starts, the guest calls a function whose effect or result may differ between runs,
    /// for example `random_get`: two instances must not share what it returned.
    case call(module: Name, name: Name)
    /// The module imports a memory, table, global or tag.
    case imported(module: Name, name: Name)
    /// Its state refers to something that a snapshot cannot hold.
    case state(SnapshotError)
    /// It traps while it starts, or reaches a limit.
    case failure(any Error)
}

extension ForkObstacle: CustomStringConvertible {
    public var description: String {
        switch self {
        case .call(let module, let name): "it calls \(module).\(name) while it starts"
        case .imported(let module, let name): "it imports \(module).\(name), which is no function"
        case .state(let error): "its state cannot be saved: \(error)"
        case .failure(let error): "it does not start: \(error)"
        }
    }
}

/// What a guest has seen of its world while it started: a fork is right for a run whose world has
/// the same.
struct ObservedWorld: OptionSet, Sendable {
    let rawValue: UInt8

    static let arguments = ObservedWorld(rawValue: 1)
    static let environment = ObservedWorld(rawValue: 2)
    static let folders = ObservedWorld(rawValue: 4)

    /// Whether two worlds agree in these parts.
    func agree(_ one: WASI, _ other: WASI) -> Bool {
        if isEmpty { return true }
        if contains(.arguments), one.argumentBytes != other.argumentBytes { return false }
        if contains(.folders), one.folders != other.folders { return false }
        return !contains(.environment)
            || one.environmentBlock == other.environmentBlock
                && one.environmentBytes.elementsEqual(other.environmentBytes) { $0 == $1 }
    }

    /// How a function of WASI may be used while a guest starts.
    enum Use {
        /// It depends on nothing that differs between runs but the time, which is allowed to.
        case free
        /// It waits: for a time only, it is as free as a clock. See `StartSleep`.
        case waiting
        /// It returns a part of the world.
        case observing(ObservedWorld)
        /// Everything else.
        case refused
    }

    static func use(of name: Name) -> Use {
        switch name {
        case "clock_time_get", "clock_res_get", "sched_yield": .free
        case "poll_oneoff": .waiting
        case "args_get", "args_sizes_get": .observing(.arguments)
        case "environ_get", "environ_sizes_get": .observing(.environment)
        case "fd_prestat_get", "fd_prestat_dir_name": .observing(.folders)
        default: .refused
        }
    }
}

/// A guest after its start.
final class SavedStart: Sendable {
    let snapshot: Snapshot
    /// What of the world the state depends on.
    let observed: ObservedWorld
    /// Is charged for the snapshot, when the store of the start is freed only for it.
    let account: ResourceAccount

    init(snapshot: Snapshot, observed: ObservedWorld, account: ResourceAccount) {
        self.snapshot = snapshot
        self.observed = observed
        self.account = account
    }
}

/// A function of the guest's start returned a negative number.
public struct FailedStart: Error, Hashable, Sendable {
    public let function: Name
    public let number: Int32
}

extension FailedStart: CustomStringConvertible {
    public var description: String {
        "\(HarmlessText.text(function.utf8)) returned \(number)"
    }
}

/// Starts a guest for the sake of its snapshot. Of all functions that it imports, it has only those
/// that give each run the same; a call of another one ends the attempt. So a guest that reads random
/// numbers while it starts, from wherever, is never forked, and what the host's functions return is
/// in no snapshot.
struct Preparation {
    let module: Module
    let world: WASI
    let limits: RunLimits
    /// Exports that are called; nil for the `_initialize` of a reactor.
    let starting: [Name]?
    /// Receives the handle that stops the preparation.
    let onStart: (InterruptHandle) -> Void

    /// A function was called that the attempt does not have.
    private struct Stopped: Error {
        let module: Name
        let name: Name
    }

    /// The state after the start, and what of the world it depends on.
    func snapshot() throws(ForkObstacle) -> SavedStart {
        for wanted in module.imports {
            guard case .function = wanted.type else {
                throw .imported(module: wanted.module, name: wanted.name)
            }
        }
        var allowed: ObservedWorld = []
        // Each attempt allows one part more than the one before.
        while true {
            do {
                return try attempt(allowed)
            } catch let stopped as Stopped {
                guard isWASI(stopped.module),
                    case .observing(let part) = ObservedWorld.use(of: stopped.name),
                    !allowed.contains(part)
                else { throw .call(module: stopped.module, name: stopped.name) }
                allowed.insert(part)
            } catch let error as SnapshotError {
                throw .state(error)
            } catch {
                if let trap = error as? Trap, let unknown = trap.cause as? UnknownImport {
                    throw .call(module: unknown.module, name: unknown.name)
                }
                throw .failure(error)
            }
        }
    }

    private func isWASI(_ name: Name) -> Bool {
        name == "wasi_snapshot_preview1" || name == "wasi_unstable"
    }

    private func attempt(_ allowed: ObservedWorld) throws -> SavedStart {
        let store = Store(engine: module.engine, limits: limits.storeLimits)
        store.fuel = limits.fuel
        store.deadline = limits.deadline
        onStart(store.interruptHandle)
        var world = world
        world.standardInput = .null
        world.standardOutput = .null
        world.standardError = .null
        world.listeners = []
        world.descriptors = []
        world.trace = nil
        if !allowed.contains(.folders) { world.folders = [] }
        store.wasiGuest = try WASIGuest(world)
        let linker = Linker()
        linker.defineWASI()
        for wanted in module.imports where isWASI(wanted.module) {
            switch ObservedWorld.use(of: wanted.name) {
            case .free: continue
            case .observing(let part) where allowed.contains(part): continue
            default: break
            }
            guard let type = module.functionType(of: wanted.type) else { continue }
            if case .waiting = ObservedWorld.use(of: wanted.name),
                wanted.module == "wasi_snapshot_preview1", type == StartSleep.type
            {
                let sleep = StartSleep()
                linker.define(
                    wanted.module, wanted.name,
                    .shared(type) { caller, slots in
                        guard let memory = try? caller.memory, sleep.perform(memory, slots) else {
                            throw Stopped(module: wanted.module, name: wanted.name)
                        }
                        slots.setResult(i32: 0)
                    })
                continue
            }
            linker.define(
                wanted.module, wanted.name,
                .shared(type) { _, _ in
                    throw Stopped(module: wanted.module, name: wanted.name)
                })
        }
        try linker.defineUnknownImports(of: module, in: store, as: .trap)
        let instance = try linker.instantiate(module, in: store)
        if let starting {
            for name in starting {
                guard let function = instance.function(name) else {
                    throw NoSuchFunction(name: name)
                }
                if case .i32(let number)? = try function.call().first, number < 0 {
                    throw FailedStart(function: name, number: number)
                }
            }
        } else if let initialize = instance.function("_initialize"),
            instance.function("_start") == nil
        {
            _ = try initialize.call()
        }
        return SavedStart(
            snapshot: try instance.snapshot(), observed: allowed, account: store.account)
    }
}
