import Glibc
import WasmInterpreter
import WasmWASI

/// What the guest finds around it: the names that its module may import, and its threads.
struct GuestWorld {
    let linker = Linker()
    private let threads: GuestThreads?
    private let guest: WASIGuest?
    /// Addresses on which the guest listens, and whose ports the system chose.
    let chosenAddresses: [SocketAddress]

    /// Sets up WASI for a module that asks for it.
    init(_ options: RunOptions, for module: Module, in store: Store) throws {
        let wantsThreads = GuestThreads.areWanted(by: module)
        let names: [Name] = ["wasi_snapshot_preview1", "wasi_unstable"]
        guard wantsThreads || module.imports.contains(where: { names.contains($0.module) }) else {
            threads = nil
            guest = nil
            chosenAddresses = []
            return
        }
        let guest = try linker.define(try Self.wasi(options))
        self.guest = guest
        chosenAddresses = zip(options.listeners, guest.listeners).filter { $0 != $1 }.map(\.1)
        ListenerFiles.removeAtSignals(
            options.listeners.compactMap { $0.path.map { Word(bytes: $0) } })
        threads = try linker.defineThreads(of: module, guest, in: store)
    }

    /// Leaves nothing behind in the file system. The rest goes with the process.
    func end() {
        if let guest, guest.listeners.contains(where: { $0.path != nil }) { guest.closeAll() }
    }

    /// Runs `body` as the guest's first thread.
    func run<Value>(in store: Store, _ body: () throws -> Value) throws -> Value {
        if let threads { try threads.run(in: store, body) } else { try body() }
    }

    /// What options say of the guest's world.
    static func wasi(_ options: RunOptions) throws(Refusal) -> WASI {
        let name = options.argumentZero ?? options.path.lastComponent ?? options.path
        var wasi = WASI()
        wasi.argumentBytes = [name.bytes]
        if options.function == nil { wasi.argumentBytes += options.words.map(\.bytes) }
        wasi.environmentBytes =
            GuestEnvironment(
                inheriting: options.inheritsEnvironment, entries: options.environment
            ).variables.map { ($0.name.bytes, $0.value.bytes) }
        wasi.folders = options.folders
        wasi.listeners = options.listeners
        wasi.descriptors = options.descriptors
        if options.isDeterministic { wasi.makeDeterministic() }
        if let file = options.standardInput {
            let number = file.withCString { open($0, O_RDONLY | O_CLOEXEC) }
            guard number >= 0 else {
                throw Refusal(FileError(errno: errno, path: file.text), file: file.text)
            }
            wasi.standardInput = .descriptor(number)
        }
        return wasi
    }
}
