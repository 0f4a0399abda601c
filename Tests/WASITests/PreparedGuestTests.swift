import Synchronization
import Testing
import WasmInterpreter
import WasmText

@testable import WasmWASI

/// Functions of WASI that find their guest in the store of their caller.
@Suite struct PreparedGuestTests {
    private let engine = Engine()

    private func module(from name: String = "wasi_snapshot_preview1") throws -> Module {
        try Module(
            parseModule(
                Array(
                    """
                    (module
                      (import "\(name)" "fd_write"
                        (func $write (param i32 i32 i32 i32) (result i32)))
                      (import "\(name)" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
                      (import "\(name)" "proc_exit" (func $exit (param i32)))
                      (memory (export "memory") 1)
                      (data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00")
                      (data (i32.const 16) "hi\\n")
                      (func (export "write") (result i32)
                        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                      (func (export "_start")
                        (drop (call $sizes (i32.const 32) (i32.const 36)))
                        (call $exit (i32.load (i32.const 32)))))
                    """.utf8)), engine: engine)
    }

    private func wasi(_ count: Int, _ output: OutputBuffer = OutputBuffer()) -> WASI {
        var wasi = WASI(arguments: Array(repeating: "word", count: count))
        wasi.standardInput = .null
        wasi.standardOutput = .buffer(output)
        wasi.standardError = .null
        return wasi
    }

    private func prepare(_ module: Module) throws -> PreparedModule {
        let linker = Linker()
        linker.defineWASI()
        return try linker.prepare(module)
    }

    private func number(_ instance: Instance, _ name: Name) throws -> Value? {
        try instance.function(name)?.call().first
    }

    @Test(arguments: ["wasi_snapshot_preview1", "wasi_unstable"])
    func eachStoreHasItsGuest(module name: String) throws {
        let prepared = try prepare(module(from: name))
        for count in 1...5 {
            let output = OutputBuffer()
            let store = Store(engine: engine)
            store.wasiGuest = try WASIGuest(wasi(count, output))
            let instance = try prepared.instantiate(in: store)
            #expect(try number(instance, "write") == .i32(0))
            #expect(output.bytes == Array("hi\n".utf8))
            #expect(try instance.runCommand() == UInt32(count))
            #expect(store.wasiGuest?.account === store.account)
        }
    }

    @Test func guestsOnManyThreads() async throws {
        let prepared = try prepare(module())
        let engine = engine
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for thread in 1...6 {
                group.addTask {
                    for count in thread..<(thread + 20) {
                        let store = Store(engine: engine)
                        store.wasiGuest = try WASIGuest(wasi(count))
                        let status = try prepared.instantiate(in: store).runCommand()
                        guard status == UInt32(count) else { return false }
                    }
                    return true
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func storesWithoutGuest() throws {
        let prepared = try prepare(module())
        let store = Store(engine: engine)
        let instance = try prepared.instantiate(in: store)
        #expect(throws: NoWASIGuest()) { try number(instance, "write") }
        store.wasiGuest = try WASIGuest(wasi(1))
        #expect(try number(instance, "write") == .i32(0))
        store.wasiGuest = nil
        #expect(store.wasiGuest == nil)
        #expect(throws: NoWASIGuest()) { try number(instance, "write") }
    }

    /// One guest is traced, another is not, and a third takes the place of one during its call.
    @Test func guestsChange() throws {
        let prepared = try prepare(module())
        let lines = Mutex<[String]>([])
        let store = Store(engine: engine)
        var traced = wasi(1)
        traced.trace = CallTrace { line in lines.withLock { $0.append(line) } }
        traced.trace?.showsDurations = false
        store.wasiGuest = try WASIGuest(traced)
        let instance = try prepared.instantiate(in: store)
        _ = try number(instance, "write")
        #expect(
            lines.withLock { $0 } == [#"fd_write(fd=1, iovs=["hi\n"]) = success nwritten=3"#])

        final class Place: @unchecked Sendable {
            unowned(unsafe) var store: Store?; var next: WASI?
        }
        let place = Place()
        place.store = store
        place.next = wasi(3)
        var changing = wasi(2)
        changing.standardOutput = .closure { _ in
            guard let next = place.next else { return }
            place.store?.wasiGuest = try? WASIGuest(next)
            place.store?.wasiGuest = try? WASIGuest(next)
        }
        store.wasiGuest = try WASIGuest(changing)
        #expect(try number(instance, "write") == .i32(0))
        #expect(try instance.runCommand() == 3)
        #expect(lines.withLock { $0.count } == 1)
    }

    /// What is defined later replaces what was there, one way and the other.
    @Test func otherDefinitions() throws {
        let module = try module()
        let linker = Linker()
        let stub: HostFunction = .shared { (_: Int32, _: Int32, _: Int32, _: Int32) -> Int32 in 77 }
        linker.define("wasi_snapshot_preview1", "fd_write", stub)
        linker.defineWASI()
        let store = Store(engine: engine)
        store.wasiGuest = try WASIGuest(wasi(1))
        #expect(try number(linker.instantiate(module, in: store), "write") == .i32(0))
        linker.define("wasi_snapshot_preview1", "fd_write", stub)
        #expect(try number(linker.instantiate(module, in: store), "write") == .i32(77))
        // One guest for all that the linker makes, whatever the store has.
        let output = OutputBuffer()
        try linker.define(wasi(9, output))
        let instance = try linker.prepare(module).instantiate(in: Store(engine: engine))
        #expect(try number(instance, "write") == .i32(0))
        #expect(output.bytes.count == 3)
        #expect(linker.isDefined("wasi_snapshot_preview1", "fd_read"))
        #expect(!linker.isDefined("wasi_snapshot_preview1", "fd_reed"))
    }

    @Test func rows() throws {
        for table in [FunctionTable.preview1, .unstable] {
            #expect(table.functions.count == 46)
            #expect(Set(table.functions.map(\.name)).count == 46)
            for function in table.functions {
                let names = function.parameters.map(\.name)
                // Some have a parameter `fd` and a result `fd`.
                let isTwice = ["path_open", "sock_accept"].contains(function.name)
                #expect(Set(names).count == names.count - (isTwice ? 1 : 0))
                #expect(function.type.results == (function.name == "proc_exit" ? [] : [.i32]))
            }
        }
        let open = try #require(FunctionTable.preview1["path_open"])
        #expect(
            open.type.parameters == [.i32, .i32, .i32, .i32, .i32, .i64, .i64, .i32, .i32])
        #expect(open.parameters.map(\.slot) == [0, 1, 2, 4, 5, 6, 7, 8])
    }
}
