import WasmSystem
import WasmdDiscovery
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdOperation
import WasmdStorage
import WasmdWATM

/// The transports that a daemon serves: `[transports.NAME]`, `--transport`.
///
/// Made before the process restricts itself: modules are read, and listeners are open then.
struct TransportsService: DaemonService {
    private let opened: [ServedTransport.Opened]
    private let resolver = Resolver.ofSystem()

    /// Nil if there are none.
    ///
    /// - Throws: `Refusal`.
    init?(_ settings: DaemonSettings) throws(Refusal) {
        guard !settings.transports.isEmpty else { return nil }
        var opened: [ServedTransport.Opened] = []
        for section in settings.transports { opened.append(try ServedTransport.Opened(section)) }
        self.opened = opened
    }

    /// The folders whose files are read again for a reload.
    static func folders(_ settings: DaemonSettings) -> [[UInt8]] {
        settings.transports.flatMap { section in
            var paths = section.modules
            paths += [section.config, section.hostConfig].compactMap { $0 }
            if let path = section.hostConfig,
                let host = try? TransportFiles.hostConfiguration(path)
            {
                paths += [host.module, host.configuration].compactMap { $0.map { Word($0) } }
            }
            return paths.map(ConfigurationFile.folder(of:))
        }
    }

    /// The folders of guests.
    static func guestFolders(
        _ settings: DaemonSettings
    ) -> [(path: [UInt8], isReadOnly: Bool)] {
        settings.transports.flatMap { section in
            let host = section.hostConfig.flatMap { try? TransportFiles.hostConfiguration($0) }
            return section.folders.map { ($0.hostPathBytes, $0.isReadOnly) }
                + (host?.folders ?? []).map { (Array($0.host.utf8), false) }
        }
    }

    /// Whether one of them connects to a unix socket.
    static func usesUnixSockets(_ settings: DaemonSettings) -> Bool {
        settings.transports.contains { section in
            if case .address(.unix)? = section.remote { true } else { false }
        }
    }

    func open(_ store: RecordStore, _ house: DaemonHouse) throws -> any OpenService {
        OpenTransports(transports: try opened.map { try ServedTransport($0, resolver) })
    }
}

private struct OpenTransports: OpenService {
    let transports: [ServedTransport]

    /// They have listeners of their own; what is seen of them is on the console's.
    var personality: DaemonSettings.Personality { .console }
    var surfaces: [any Surface] { [] }
    var operatorSurfaces: [any Surface] { [TransportSurface.make(transports)] }
    var api: APITable { TransportSurface.api }

    var status: Document.Member? {
        .init(
            "transports",
            .array(
                transports.map { transport in
                    .object([
                        .init("name", .string(transport.name)),
                        .init("role", .string(transport.service.role.rawValue)),
                        .init("connections", .whole(transport.service.statistics.live)),
                    ])
                }))
    }

    var limits: [LimitUse] {
        transports.map { transport in
            LimitUse(
                "transports.\(transport.name).connections",
                UInt64(clamping: transport.service.connectionLimit),
                used: UInt64(clamping: transport.service.statistics.live), isReloadable: true)
        }
    }

    func watch(_ metrics: MetricRegistry) { TransportMetrics.watch(metrics, transports) }

    func prepare(_ settings: DaemonSettings) throws(Refusal) -> PreparedReload {
        var changes: [ServedTransport.Change] = []
        for transport in transports {
            let section = settings.transports.first { $0.name == transport.name }
            if let section, let change = try transport.change(to: section) {
                changes.append(change)
            }
        }
        return PreparedReload(paths: changes.map { "transports.\($0.section.name)" }) {
            [changes] in for change in changes { change.make() }
        }
    }

    func serve(on loops: [EventLoop], _ loop: EventLoop) async throws {
        for transport in transports { try transport.serve(on: loops, loop) }
    }

    func stop(on loop: EventLoop) async {
        let stopping = transports.map { transport in
            loop.spawn { await transport.stop(on: loop) }
        }
        for task in stopping { await task.value }
    }

    func start(on loop: EventLoop) async throws {}
    func join(_ discovery: LocalDiscovery) {}
}
