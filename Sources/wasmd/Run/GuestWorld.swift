import Glibc
import WasmInterpreter
import WasmWASI

/// What the guest finds around it: the names that its module may import, and its threads.
struct GuestWorld {
    let linker = Linker()
    private let threads: GuestThreads?

    /// Sets up WASI for a module that asks for it.
    init(_ options: RunOptions, for module: Module, in store: Store) throws {
        let wantsThreads = GuestThreads.areWanted(by: module)
        let names: [Name] = ["wasi_snapshot_preview1", "wasi_unstable"]
        guard wantsThreads || module.imports.contains(where: { names.contains($0.module) }) else {
            threads = nil
            return
        }
        let guest = try linker.define(try Self.wasi(options))
        threads = try linker.defineThreads(of: module, guest, in: store)
    }

    /// Runs `body` as the guest's first thread.
    func run<Value>(in store: Store, _ body: () throws -> Value) throws -> Value {
        if let threads { try threads.run(in: store, body) } else { try body() }
    }

    /// What options say of the guest's world.
    static func wasi(_ options: RunOptions) throws(Refusal) -> WASI {
        let name = options.argumentZero ?? options.file.split(separator: "/").last.map(String.init)
        var wasi = WASI(arguments: [name ?? options.file])
        if options.function == nil { wasi.arguments += options.arguments }
        wasi.environment =
            GuestEnvironment(
                inheriting: options.inheritsEnvironment, entries: options.environment
            ).variables
        wasi.folders = options.folders
        wasi.listeners = options.listeners
        wasi.descriptors = options.descriptors
        if let count = options.maximumThreads { wasi.limits.threads = count }
        // There is one guest in this process.
        wasi.limits.descriptors =
            options.maximumDescriptors ?? WASI.Limits.descriptorsOfProcess.map { $0 - $0 / 4 }
            ?? 1024
        if options.isDeterministic { wasi.makeDeterministic() }
        if let file = options.standardInput {
            let number = open(file, O_RDONLY | O_CLOEXEC)
            guard number >= 0 else {
                throw Refusal(FileError(errno: errno, path: file), file: file)
            }
            wasi.standardInput = .descriptor(number)
        }
        return wasi
    }
}
