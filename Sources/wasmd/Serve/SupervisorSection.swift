import WasmWASI
import WasmdDocuments
import WasmdHTTP
import WasmdOperation
import WasmdSupervisor

/// `[supervisor]`: a device of *wasmiot*.
struct SupervisorSection: Sendable, Equatable {
    /// A function of another device: `[supervisor.remote_functions.NAME]`.
    struct RemoteFunction: Sendable, Equatable {
        let name: String
        let url: URL
    }

    var listen: [SocketAddress] = []
    /// The device's name; nil for that of the machine with the port.
    var name: String?
    /// The orchestrator to register with; nil to wait for one.
    var orchestrator: URL?
    /// How long a registration holds; nil for 15 minutes.
    var renewal: Duration?
    /// When the state of instances is saved.
    var state = Supervisor.StateSaving.interval
    /// The longest time of a run; nil for that of `[limits]`.
    var runTime: Duration?
    /// How long fetching a file and a call of the next endpoint may take.
    var callTime = Duration.seconds(30)
    /// Bytes of all loaded instances, and their number.
    var instanceMemory: UInt64 = 1 << 30
    var instances = 1000
    /// Entries of the history.
    var history = 2000
    /// Statuses as they should be, and not as existing clients know them.
    var usesRightStatuses = false
    /// A file with members of the device description, as JSON.
    var description: Word?
    /// The image that the camera takes; nil for no camera.
    var image: Word?
    /// Degrees Celsius and percent; nil for no sensor.
    var temperature: Double?
    var humidity: Double?
    /// Whether modules may send echo requests.
    var pings = false
    var remoteFunctions: [RemoteFunction] = []

    init() {}

    init(_ table: SettingsTable) {
        listen = table.addresses("listen")
        name = table.text("name", expected: "a name") { $0.isEmpty ? nil : $0 }
        orchestrator = table.text("orchestrator", expected: Self.url) { URL(http: Array($0.utf8)) }
        renewal = table.duration("renewal")
        state =
            table.text("state", expected: "always, interval or never") {
                Supervisor.StateSaving(rawValue: $0)
            } ?? state
        runTime = table.duration("run_time")
        callTime = table.duration("call_time") ?? callTime
        instanceMemory = table.bytes("instance_memory") ?? instanceMemory
        instances = table.integer("instances", in: 1...100_000).map { Int($0) } ?? instances
        history = table.integer("history", in: 1000...1_000_000).map { Int($0) } ?? history
        usesRightStatuses = table.boolean("right_statuses") ?? false
        description = table.text("description", expected: "a file", Self.file)
        image = table.text("camera_image", expected: "a file", Self.file)
        temperature = table.number("temperature", in: -1000...10_000)
        humidity = table.number("humidity", in: 0...100)
        pings = table.boolean("ping") ?? false
        for (name, table) in table.namedTables("remote_functions") {
            let url = table.text("url", expected: Self.url) { URL(http: Array($0.utf8)) }
            if !table.has("url") { table.complain("url", "is missing") }
            if let url { remoteFunctions.append(RemoteFunction(name: name, url: url)) }
        }
    }

    private static let url = "a URL, for example http://HOST:3000"
    private static func file(_ text: String) -> Word? { text.isEmpty ? nil : Word(text) }

    var facts: [SettingFact] {
        func text(_ url: URL?) -> String {
            url.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        }
        func text<Value>(_ value: Value?) -> String { value.map { "\($0)" } ?? "" }
        let facts = [
            ("listen", "\(listen)"), ("name", name ?? ""), ("orchestrator", text(orchestrator)),
            ("renewal", text(renewal)), ("state", state.rawValue),
            ("run_time", text(runTime)), ("call_time", "\(callTime)"),
            ("instance_memory", "\(instanceMemory)"), ("instances", "\(instances)"),
            ("history", "\(history)"), ("right_statuses", "\(usesRightStatuses)"),
            ("description", description?.text ?? ""), ("camera_image", image?.text ?? ""),
            ("temperature", text(temperature)), ("humidity", text(humidity)),
            ("ping", "\(pings)"),
            (
                "remote_functions",
                remoteFunctions.map { "\($0.name)=\(text($0.url))" }.joined(separator: " ")
            ),
        ]
        return facts.map { SettingFact("supervisor.\($0)", $1, isReloadable: false) }
    }
}
