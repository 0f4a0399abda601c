import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient
import WasmdWasmiot

/// Functions of the device that modules may import besides WASI: `sys`, `communication`, `camera`,
/// `dht`, `network`. Those that are not configured are not there.
///
/// | import | type |
/// |---|---|
/// | `sys.millis` | () -> i32 |
/// | `sys.delay` | (i32) |
/// | `sys.print`, `sys.println`, `sys.printInt` | (i32, i32), (i32), (i32) |
/// | `communication.rpcCall` | (i32, i32, i32, i32) |
/// | `camera.takeImageDynamicSize`, `camera.takeImage` | (i32, i32) |
/// | `camera.takeImageStaticSize` | (i32, i32) |
/// | `dht.getTemperature`, `dht.getHumidity` | () -> f32 |
/// | `network.ping` | (i32, i32, i32, i32) -> f32 |
///
/// What is configured is in `Supervisor.SkillOptions`.
final class Skills: Sendable {
    let options: Supervisor.SkillOptions
    let imports: GuestImports

    init(_ options: Supervisor.SkillOptions) {
        self.options = options
        imports = GuestImports { linker in
            SystemSkill.define(on: linker)
            if options.image != nil { CameraSkill.define(on: linker) }
            if let temperature = options.temperature {
                linker.defineShared("dht", "getTemperature") { (_: borrowing Caller) -> Float in
                    temperature
                }
            }
            if let humidity = options.humidity {
                linker.defineShared("dht", "getHumidity") { (_: borrowing Caller) -> Float in
                    humidity
                }
            }
            if !options.remoteFunctions.isEmpty { CommunicationSkill.define(on: linker) }
            if options.pings { NetworkSkill.define(on: linker) }
        }
    }

    /// The names of all functions that modules can import, as devices advertise them.
    var names: [String] {
        var names = SystemSkill.names
        if !options.remoteFunctions.isEmpty { names += CommunicationSkill.names }
        if options.image != nil { names += CameraSkill.names }
        if options.temperature != nil { names.append("getTemperature") }
        if options.humidity != nil { names.append("getHumidity") }
        if options.pings { names += NetworkSkill.names }
        return names + WASI.functionNames.map(\.description)
    }

    /// The same functions with their modules and types.
    var functions: OfferedFunctions {
        let linker = Linker()
        imports.define(on: linker)
        return OfferedFunctions(
            (linker.hostFunctions + WASI.functions).map { function in
                (
                    function.module.description, function.name.description,
                    OfferedFunctions.type(
                        function.type.parameters.map(\.description),
                        function.type.results.map(\.description))
                )
            })
    }
}

/// What functions of the device need of the instance that calls them.
final class SkillContext {
    static let key = HostKey<SkillContext>()

    let skills: Skills
    let streams: ModuleStreams
    let client: HTTPClient

    init(_ skills: Skills, _ streams: ModuleStreams, _ client: HTTPClient) {
        self.skills = skills
        self.streams = streams
        self.client = client
    }
}

/// Why a function of the device ends its guest.
enum SkillError: Error, Sendable {
    case noContext
    case noAllocator
    case remote(String)
}

extension SkillError: CustomStringConvertible {
    var description: String {
        switch self {
        case .noContext: "the device's functions cannot be called while the module starts"
        case .noAllocator: "the module exports no 'alloc(size)' for the image"
        case .remote(let text): text
        }
    }
}

/// `sys`: time, and text for people.
enum SystemSkill {
    static let names = ["millis", "delay", "print", "println", "printInt"]

    static func define(on linker: Linker) {
        linker.defineShared("sys", "millis") { (_: borrowing Caller) -> Int32 in
            Int32(truncatingIfNeeded: SystemClock.realtime.now / 1_000_000)
        }
        linker.defineShared("sys", "delay") { (_: borrowing Caller, time: Int32) in
            guard time > 0 else { return }
            var wait = Wait()
            let end = ContinuousClock.now + .milliseconds(Int64(time))
            wait.end(at: end)
            throw Suspension(wait) { _, _ in try finish(end) }
        }
        linker.defineShared("sys", "print") {
            (caller: borrowing Caller, address: UInt32, count: UInt32) in
            let count = min(count, textLimit)
            let bytes = try caller.memory.loadArray(of: UInt8.self, at: address, count: count)
            caller[SkillContext.key]?.streams.write(bytes, .info)
        }
        linker.defineShared("sys", "println") { (caller: borrowing Caller, address: UInt32) in
            let text = try caller.memory.loadCString(at: address, limit: Int(textLimit))
            caller[SkillContext.key]?.streams.write((text + "\n").utf8, .info)
        }
        linker.defineShared("sys", "printInt") { (caller: borrowing Caller, number: Int32) in
            caller[SkillContext.key]?.streams.write("\(number)".utf8, .info)
        }
    }

    /// Bytes of a text.
    private static let textLimit: UInt32 = 64 << 10

    /// The wait may be over too early.
    private static func finish(_ end: ContinuousClock.Instant) throws {
        guard ContinuousClock.now < end else { return }
        var wait = Wait()
        wait.end(at: end)
        throw Suspension(wait) { _, _ in try finish(end) }
    }
}

/// `camera`: an image that is configured.
enum CameraSkill {
    static let names = ["takeImage", "takeImageDynamicSize", "takeImageStaticSize"]

    static func define(on linker: Linker) {
        for name in ["takeImage", "takeImageDynamicSize"] as [Name] {
            linker.defineShared("camera", name) {
                (caller: borrowing Caller, place: UInt32, size: UInt32) in
                guard let image = caller[SkillContext.key]?.skills.options.image else {
                    throw SkillError.noContext
                }
                let length = UInt32(clamping: image.count)
                guard let allocate = caller.instance?.function("alloc"),
                    case .i32(let address)? = try allocate.callSynchronously([.i32(bits: length)])
                        .first
                else { throw SkillError.noAllocator }
                let start = UInt32(bitPattern: address)
                try caller.memory.store(contentsOf: image, at: start)
                try caller.memory.store(start, at: place)
                try caller.memory.store(length, at: size)
            }
        }
        linker.defineShared("camera", "takeImageStaticSize") {
            (caller: borrowing Caller, place: UInt32, size: UInt32) in
            guard let image = caller[SkillContext.key]?.skills.options.image else {
                throw SkillError.noContext
            }
            let capacity = try caller.memory.load(at: size, as: UInt32.self)
            let part = Array(image.prefix(Int(clamping: capacity)))
            try caller.memory.store(contentsOf: part, at: place)
        }
    }
}

extension Supervisor {
    /// What the device has besides WASI.
    public struct SkillOptions: Sendable {
        /// A JPEG file, which the camera takes each time; nil for no camera.
        public var image: [UInt8]?
        /// Degrees Celsius; nil for no sensor.
        public var temperature: Float?
        /// Percent; nil for no sensor.
        public var humidity: Float?
        /// Where functions of other devices are, by their names.
        public var remoteFunctions: [(name: String, url: URL)] = []
        /// Whether modules may send echo requests to any address: see `Supervisor.canPing`.
        public var pings = false

        public init() {}
    }
}
