import WasmDecoder
import WasmInterpreter
import WasmWASI
import WasmdDocuments
import WasmdImages

/// An instance in memory, woken from its module at rest.
final class GuestInstance {
    let path: [UInt8]
    /// The object whose bytes hold the state; nil if it is not committed yet.
    var key: ObjectKey?
    let interface: GuestInterface
    private let instance: Instance
    private let memory: Memory
    private let functions: GuestFunctions
    private(set) var mark: GuestMark
    /// Whether `_othismo_start` ran.
    private var isStarted: Bool
    /// Whether a call of the guest is in progress.
    private(set) var isBusy = false
    /// Messages that it sent during the delivery.
    var sendCount = 0
    /// Their bytes.
    var sendBytes = 0
    /// The message that it handles now.
    var current: Envelope?
    /// What it prints, if that goes to a log.
    private let lines: ObjectLines?

    /// What a guest asks for with its imports.
    typealias Send = (GuestInstance, [UInt8], SendMode) throws -> Int64

    enum SendMode {
        /// Returns the length of the answer, which is in the inbox then.
        case synchronous
        /// Returns a handle.
        case request
        /// The same, but no answer will come.
        case cast
    }

    /// - Throws: `MessageError.noInterface`, `.refused`, `.trap`.
    init(
        path: [UInt8], key: ObjectKey?, bytes: [UInt8], engine: Engine, limits: StoreLimits,
        output: ObjectOutput, deadline: ContinuousClock.Instant?, send: @escaping Send
    ) throws(MessageError) {
        self.path = path
        self.key = key
        let module: Module
        do throws(ModuleError) {
            module = try Module(bytes, engine: engine)
        } catch {
            throw .refused("\(error)")
        }
        guard let interface = GuestInterface(module) else { throw .noInterface }
        self.interface = interface
        let known = GuestMark(module)
        mark = known ?? GuestMark()
        isStarted = known != nil
        let usesWASI = module.imports.contains { Self.wasiModules.contains($0.module) }
        var lines: ObjectLines?
        if usesWASI, case .log(let log) = output { lines = ObjectLines(of: path, log) }
        self.lines = lines
        // Instantiating may call a function of the guest.
        defer { lines?.endDelivery() }
        let store = Store(engine: engine, limits: limits)
        store.deadline = deadline
        let linker = Linker()
        let owner = Owner()
        Self.define(on: linker, owner, send)
        if usesWASI {
            var wasi = WASI(arguments: [String(decoding: path, as: UTF8.self)])
            wasi.standardInput = .null
            wasi.standardOutput = Self.stream(output, lines)
            wasi.standardError = wasi.standardOutput
            do {
                store.wasiGuest = try WASIGuest(wasi)
            } catch {
                throw .refused("\(error)")
            }
            linker.defineWASI()
        }
        do {
            instance = try linker.instantiate(module, in: store)
        } catch {
            throw Self.failure(error)
        }
        var memory = instance.memory("memory")
        if memory == nil, case .memory(let first)? = instance.external(.memory, 0) {
            memory = first
        }
        guard let memory else { throw .refused("the module has no memory for messages") }
        self.memory = memory
        guard let functions = GuestFunctions(interface, instance) else { throw .noInterface }
        self.functions = functions
        owner.guest = self
    }

    private static func stream(_ output: ObjectOutput, _ lines: ObjectLines?) -> WASI.Output {
        switch output {
        case .discarded: return .null
        case .descriptor(let number): return .descriptor(number)
        case .log:
            guard let lines else { return .null }
            return unsafe .closure { unsafe lines.write($0) }
        }
    }

    /// Breaks the cycle between an instance and its host functions.
    private final class Owner {
        weak var guest: GuestInstance?
    }

    private static let wasiModules: [Name] = ["wasi_snapshot_preview1", "wasi_unstable"]

    // MARK: Imports

    private static func define(on linker: Linker, _ owner: Owner, _ send: @escaping Send) {
        func define(_ name: Name, _ mode: SendMode) {
            linker.define(
                GuestInterface.importModule, name,
                HostFunction {
                    (caller: borrowing Caller, first: UInt32, second: UInt32) -> Int32 in
                    guard let guest = owner.guest else { return 0 }
                    let memory = try caller.memory
                    let (address, count) =
                        mode == .synchronous
                        ? order(first, second, memory) : (first, second)
                    guard Int(count) <= Envelope.maximumBytes else {
                        throw MessageError.tooLarge(Int(count))
                    }
                    let bytes = try memory.loadArray(of: UInt8.self, at: address, count: count)
                    return Int32(clamping: try send(guest, bytes, mode))
                })
        }
        define("send_message", .synchronous)
        define("_send_message", .request)
        define("_cast_message", .cast)
    }

    /// The interface's text has the length first, and its guests the address. A BSON document
    /// begins with its length, so the bytes say which it is.
    private static func order(
        _ first: UInt32, _ second: UInt32, _ memory: Memory
    ) -> (address: UInt32, count: UInt32) {
        if (try? memory.load(at: first, as: UInt32.self)) == second { return (first, second) }
        if (try? memory.load(at: second, as: UInt32.self)) == first { return (second, first) }
        return (first, second)
    }

    // MARK: Messages

    /// Delivers a message; the guest has handled it when this returns.
    ///
    /// - Throws: `MessageError`; an error of the host that ended the guest, such as an
    ///   `ImageError`, unchanged.
    func deliver(
        _ envelope: Envelope, _ bytes: [UInt8], deadline: ContinuousClock.Instant?
    ) throws {
        isBusy = true
        current = envelope
        instance.store.deadline = deadline
        defer {
            lines?.endDelivery()
            isBusy = false
            current = nil
        }
        do {
            if !isStarted {
                isStarted = true
                try call(GuestInterface.initialize)
                try call(GuestInterface.start)
            }
            // A message has at most `Envelope.maximumBytes`.
            let count = UInt32(truncatingIfNeeded: bytes.count)
            switch functions {
            case .first(let prepare, let received):
                try place(bytes, at: prepare(count))
                try received()
            case .second(let allocate, let received, let run):
                let address = try allocate(count)
                try place(bytes, at: address)
                try received(address)
                _ = try run?.callSynchronously()
            case .third(let allocate, let run):
                let handle = mark.nextHandle()
                let request = mark.take(envelope.responseID)
                let address = try allocate(
                    UInt32(truncatingIfNeeded: handle), count, UInt32(truncatingIfNeeded: request))
                try place(bytes, at: address)
                try run()
            }
        } catch {
            throw Self.isOwn(error) ? error : Self.failure(error)
        }
    }

    /// Whether the guest was ended by the exchange.
    private static func isOwn(_ error: any Error) -> Bool {
        error is MessageError || error is ImageError || error is DeliveryFailure
    }

    /// The inbox gets the answer to a message that the guest is sending.
    func answer(_ bytes: [UInt8]) throws {
        guard case .first(let prepare, _) = functions else { return }
        try place(bytes, at: prepare(UInt32(truncatingIfNeeded: bytes.count)))
    }

    func nextHandle() -> Int64 { mark.nextHandle() }
    func note(_ request: Document, _ handle: Int64) { mark.note(request, handle) }

    private func place(_ bytes: [UInt8], at address: UInt32) throws(MessageError) {
        do throws(AccessError) {
            try memory.store(contentsOf: bytes, at: address)
        } catch {
            throw .buffer(error)
        }
    }

    /// Calls an export without parameters, if there is one of this name.
    private func call(_ name: Name) throws {
        guard let function = instance.function(name), function.type.parameters.isEmpty else {
            return
        }
        _ = try function.callSynchronously()
    }

    private static func failure(_ error: any Error) -> MessageError {
        switch error {
        case let trap as Trap where trap.code == .deadlineExceeded: .timeout
        case let trap as Trap: .trap("trap: \(trap.code)")
        case let exit as GuestExit: .trap("the guest ended itself with \(exit.code)")
        case is Exception: .trap("an exception was not caught")
        case let error as MessageError: error
        case let error as AccessError: .buffer(error)
        default: .refused("\(error)")
        }
    }

    // MARK: State

    /// The module that holds the state.
    func saved() throws(MessageError) -> [UInt8] {
        do throws(SavedModuleError) {
            return try instance.savedModule(
                .stable, addingSections: [(GuestMark.section, mark.content)])
        } catch {
            throw .unsavable(error)
        }
    }

    /// What `restore` needs; nil if the state cannot be held.
    func checkpoint() -> Checkpoint? {
        guard let snapshot = try? instance.snapshot() else { return nil }
        return Checkpoint(snapshot: snapshot, mark: mark, isStarted: isStarted)
    }

    struct Checkpoint {
        fileprivate let snapshot: Snapshot
        fileprivate let mark: GuestMark
        fileprivate let isStarted: Bool
    }

    /// Makes the guest what it was; false if that fails.
    func restore(_ checkpoint: Checkpoint) -> Bool {
        guard (try? instance.restore(checkpoint.snapshot)) != nil else { return false }
        mark = checkpoint.mark
        isStarted = checkpoint.isStarted
        return true
    }
}
