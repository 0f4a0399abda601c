@_spi(Loops) import WasmInterpreter
import WasmWASI

/// Runs a WASI program whose guest is suspended where it waits, and waits for it by the loop; its further
/// threads are threads of the host. What it prints and its exit code are as under `wasmd run`.
///
///     measure-waiting --run [--env NAME=VALUE]... [--root FOLDER] FILE [ARGUMENT]...
///
/// - Returns: the exit code.
func runProgram(_ words: [String]) throws -> Int32 {
    var wasi = WASI()
    var rest = words[...]
    while let option = rest.first, ["--env", "--root"].contains(option), rest.count > 2 {
        let value = rest[rest.startIndex + 1]
        rest = rest.dropFirst(2)
        if option == "--root" {
            wasi.folders.append(.init(hostPath: value, guestPath: "/"))
        } else {
            let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            wasi.environment.append((String(parts[0]), parts.count > 1 ? String(parts[1]) : ""))
        }
    }
    guard let path = rest.first, let loop = WaitLoop() else { return 2 }
    wasi.arguments = Array(rest)
    let engine = Engine()
    let store = Store(engine: engine)
    let module = try Module(path: path, engine: engine)
    let linker = Linker()
    let world = try linker.define(wasi)
    let threads = try linker.defineThreads(of: module, world, in: store)
    do {
        let instance = try linker.instantiate(module, in: store)
        guard let start = instance.function("_start") else { return 2 }
        if let threads {
            _ = try threads.run(in: store) { try loop.finish(start.start()) }
        } else {
            _ = try loop.finish(start.start())
        }
        return 0
    } catch let exit as GuestExit {
        return Int32(truncatingIfNeeded: exit.code)
    } catch let trap as Trap {
        print(trap)
        return 134
    }
}
