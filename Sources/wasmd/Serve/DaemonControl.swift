import Synchronization
import WasmSystem
import WasmdExecutor
import WasmdOperation

/// What of a running daemon can change: the limits of its executor, who may use its listeners, its
/// log.
///
/// All members may be used on any thread; reading a configuration waits for the disk.
final class DaemonControl: Sendable {
    let executor: Executor
    private let file: ConfigurationFile
    private let state: Mutex<State>
    /// Makes one reload follow the other.
    private let turn = Mutex(())

    private struct State: Sendable {
        var settings: DaemonSettings
        var rules: AccessRules
        var listeners: [SurfaceListener] = []
        var followers: [@Sendable (DaemonSettings) -> Void] = []
        var preparing: [Prepare] = []
    }

    typealias Prepare = @Sendable (DaemonSettings) throws(Refusal) -> PreparedReload

    /// - Throws: `StorageError` if what tenants have stored cannot be counted.
    init(
        _ executor: Executor, _ settings: DaemonSettings, file: ConfigurationFile
    ) throws {
        self.executor = executor
        self.file = file
        let rules = AccessRules(settings.common)
        try executor.setTenants(rules.tenants)
        state = Mutex(State(settings: settings, rules: rules))
    }

    /// The settings that hold now.
    var settings: DaemonSettings { state.withLock { $0.settings } }

    /// Who may use the listeners.
    var rules: AccessRules { state.withLock { $0.rules } }

    /// Makes a listener of these surfaces, which follows the configuration.
    func listener(
        _ surfaces: [any Surface], observer: (any ServingObserver)? = nil
    ) -> SurfaceListener {
        state.withLock { state in
            let listener = SurfaceListener(surfaces, rules: state.rules, observer: observer)
            state.listeners.append(listener)
            return listener
        }
    }

    /// Calls `body` with the settings now, and after each reload that changes something.
    func follow(_ body: @escaping @Sendable (DaemonSettings) -> Void) {
        body(settings)
        state.withLock { $0.followers.append(body) }
    }

    /// Calls `body` for each reload before anything is changed: also files that the configuration
    /// names may have changed.
    func prepare(_ body: @escaping Prepare) { state.withLock { $0.preparing.append(body) } }

    /// What a reload did.
    enum Reload: Sendable, Equatable {
        /// Paths of the settings that changed; none if nothing did.
        case changed([String])
        /// Nothing changed: what is wrong, a line each.
        case refused([String])
    }

    /// Reads the configuration again. Connections stay; a configuration with a fault, or one that
    /// needs new rights of the kernel, changes nothing.
    func reload() -> Reload {
        turn.withLock { _ in
            let new: DaemonSettings
            do throws(ConfigurationFile.Fault) {
                new = try file.read().settings
            } catch {
                return .refused(error.lines)
            }
            let old = settings
            let changes = SettingFact.changes(from: old.facts, to: new.facts)
            let fixed = changes.filter { !$0.isReloadable }.map(\.path)
            guard fixed.isEmpty else {
                return .refused(["needs a restart: " + fixed.joined(separator: ", ")])
            }
            var prepared: [PreparedReload] = []
            do throws(Refusal) {
                for body in state.withLock({ $0.preparing }) { prepared.append(try body(new)) }
            } catch {
                return .refused([error.singleLine])
            }
            let files = prepared.flatMap(\.paths).filter { path in
                !changes.contains { $0.path == path }
            }
            guard !changes.isEmpty || !files.isEmpty else { return .changed([]) }
            let rules = AccessRules(new.common, replacing: self.rules)
            do {
                try executor.setTenants(rules.tenants)
            } catch {
                return .refused(["tenants: what they have stored cannot be counted: \(error)"])
            }
            executor.options = new.executorOptions
            let (listeners, followers) = state.withLock { state in
                state.settings = new
                state.rules = rules
                return (state.listeners, state.followers)
            }
            for listener in listeners { listener.rules = rules }
            for follower in followers { follower(new) }
            for part in prepared { part.make() }
            return .changed(changes.map(\.path) + files)
        }
    }
}

extension DaemonSettings {
    /// The limits of the executor.
    var executorOptions: Executor.Options {
        var options = Executor.Options()
        let limits = common.limits
        options.limits.memory = limits.memory
        options.limits.time = limits.runTime
        options.limits.fuel = limits.fuel
        options.limits.output = limits.output
        options.limits.waitingTime = limits.waitingTime
        options.moduleLimit = Int(clamping: limits.module)
        options.writeLimit = limits.writes
        options.runs.places.running = limits.runs
        options.runs.places.waiting = limits.waiting
        return options
    }
}
