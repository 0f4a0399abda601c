import Testing
import WasmInterpreter
import WasmText

/// Core dumps, read back by the decoder and by what the conventions say of their sections.
@Suite struct CoreDumpTests {
    private func engine() -> Engine {
        var configuration = Engine.Configuration()
        configuration.capturesLocals = true
        return Engine(configuration)
    }

    private func instance(_ fields: String, _ store: Store) throws -> Instance {
        try Instance(
            Module(parseModule(Array("(module $name \(fields))".utf8)), engine: store.engine),
            in: store)
    }

    private func dump(_ store: Store, _ body: () throws -> Void) throws -> [UInt8] {
        let trap = #expect(throws: Trap.self) { try body() }
        var bytes: [UInt8] = []
        try store.writeCoreDump(try #require(trap).backtrace, name: "program") { piece in
            #expect(piece.count <= 65_536)
            bytes += piece
        }
        return bytes
    }

    /// A custom section's content, and numbers of it one after another.
    private struct Content {
        var bytes: ArraySlice<UInt8>

        mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

        mutating func number() -> Int64 {
            var value: Int64 = 0
            var shift: Int64 = 0
            while true {
                let byte = byte()
                value |= Int64(byte & 0x7f) << shift
                shift += 7
                if byte < 0x80 { return value }
            }
        }

        mutating func signed() -> Int64 {
            var value: Int64 = 0
            var shift: Int64 = 0
            while true {
                let byte = byte()
                value |= Int64(byte & 0x7f) << shift
                shift += 7
                guard byte < 0x80 else { continue }
                return byte & 0x40 != 0 && shift < 64 ? value | -1 << shift : value
            }
        }

        mutating func text() -> String {
            let count = Int(number())
            defer { bytes = bytes.dropFirst(count) }
            return String(decoding: bytes.prefix(count), as: UTF8.self)
        }
    }

    private func section(_ name: Name, _ dump: [UInt8]) throws -> Content {
        let parsed = try decode(ModuleBytes(dump), features: .all)
        let section = try #require(parsed.customSections.first { $0.name == name })
        return Content(bytes: dump[section.content.start..<section.content.end])
    }

    @Test func stackAndLocals() throws {
        let store = Store(engine: engine())
        let instance = try instance(
            """
            (func $inner (param i32 f64) (local i64 f32 v128 externref i32)
              (local.set 2 (i64.const -3)) (local.set 3 (f32.const 1.5)) (unreachable))
            (func (export "outer") (param i64) (local i32) (local.set 1 (i32.const 77))
              (call $inner (i32.const -9) (f64.const 2.5)))
            """, store)
        let bytes = try dump(store) { try instance.call("outer", .i64(1 << 40)) }
        var core = try section("core", bytes)
        #expect(core.byte() == 0)
        #expect(core.text() == "program")
        var modules = try section("coremodules", bytes)
        #expect(modules.number() == 1 && modules.byte() == 0)
        #expect(modules.text() == "name")

        var stack = try section("corestack", bytes)
        #expect(stack.byte() == 0)
        #expect(stack.text() == "main")
        #expect(stack.number() == 2)
        // Kind, instance, function, offset in the body.
        #expect([stack.byte()] == [0] && stack.number() == 0 && stack.number() == 0)
        let body = try #require(instance.module.parsed.body(of: 0))
        #expect(stack.number() == Int64(body.count - 2))
        #expect(stack.number() == 7)
        #expect(stack.byte() == 0x7f && stack.signed() == -9)
        #expect(stack.byte() == 0x7c)
        #expect((0..<8).map { _ in stack.byte() } == [0, 0, 0, 0, 0, 0, 4, 0x40])
        #expect(stack.byte() == 0x7e && stack.signed() == -3)
        #expect(stack.byte() == 0x7d)
        #expect((0..<4).map { _ in stack.byte() } == [0, 0, 0xc0, 0x3f])
        #expect(stack.byte() == 1 && stack.byte() == 1)
        #expect(stack.byte() == 0x7f && stack.signed() == 0)
        #expect(stack.number() == 0)
        #expect([stack.byte()] == [0] && stack.number() == 0 && stack.number() == 1)
        _ = stack.number()
        #expect(stack.number() == 2)
        #expect(stack.byte() == 0x7e && stack.signed() == 1 << 40)
        #expect(stack.byte() == 0x7f && stack.signed() == 77)
        #expect(stack.number() == 0)
        #expect(stack.bytes.isEmpty)
    }

    @Test func localsThatWereNeverWrittenAreZero() throws {
        let store = Store(engine: engine())
        let instance = try instance(
            """
            (func $fill (param i32) (result i32) (local i64 i64 i64 i64 i64 i64)
              (local.set 1 (i64.const -1)) (local.set 2 (i64.const -1)) (local.set 3 (i64.const -1))
              (local.set 4 (i64.const -1)) (local.set 5 (i64.const -1)) (local.set 6 (i64.const -1))
              (i32.wrap_i64 (i64.add (local.get 1) (i64.add (local.get 6) (local.get 5)))))
            (func $late (local i64 i64 i64)
              (if (global.get $g) (then (local.set 0 (i64.const 5)) (local.set 2 (i64.const 6))))
              (unreachable))
            (global $g i32 (i32.const 0))
            (func (export "f") (drop (call $fill (i32.const 1))) (call $late))
            """, store)
        let trap = #expect(throws: Trap.self) { try instance.call("f") }
        #expect(trap?.backtrace.frames.first?.locals == [.i64(0), .i64(0), .i64(0)])
    }

    @Test func withoutTheSettingThereAreNoLocals() throws {
        let store = Store(engine: Engine())
        let instance = try instance(#"(func (export "f") (param i32) (unreachable))"#, store)
        let trap = #expect(throws: Trap.self) { try instance.call("f", .i32(1)) }
        #expect(trap?.backtrace.frames.first?.locals == [])
    }

    @Test func memoriesAndGlobals() throws {
        let store = Store(engine: engine())
        let first = try instance(
            """
            (memory (export "memory") 4) (data (i32.const 200000) "abc")
            (global (mut i32) (i32.const -5)) (global i64 (i64.const 6)) (global f32 (f32.const 0.5))
            (global f64 (f64.const 0.25)) (global v128 (v128.const i64x2 1 2))
            (global funcref (ref.null func)) (global anyref (ref.null any))
            (func (export "f") (unreachable))
            """, store)
        _ = try instance("(memory i64 2 9) (memory 0) (data (i64.const 5) \"x\")", store)
        let bytes = try dump(store) { try first.call("f") }
        let engine = Engine()
        let module = try Module(bytes, engine: engine)
        #expect(module.parsed.memories.map(\.limits.minimum) == [4, 2, 0])
        #expect(module.parsed.memories.map(\.addressType) == [.i32, .i64, .i32])
        // Pages of zeros are left out.
        #expect(module.parsed.dataSegments.map(\.content.count) == [65_536, 65_536])

        // Though it is not meant for that, it can be instantiated: then all values are there.
        let copy = try Instance(module, in: Store(engine: engine))
        guard case .memory(let memory)? = copy.external(.memory, 0),
            case .memory(let other)? = copy.external(.memory, 1)
        else {
            Issue.record("no memory")
            return
        }
        #expect(try memory.loadString(at: 200_000, count: 3) == "abc")
        #expect(try other.loadString(at: 5, count: 1) == "x")
        let globals = (0..<7).compactMap { (index: Int) -> Value? in
            if case .global(let global)? = copy.external(.global, index) {
                global.value
            } else {
                nil
            }
        }
        #expect(
            globals == [
                .i32(-5), .i64(6), .f32(0.5), .f64(0.25), .v128(low: 1, high: 2), .function(nil),
                .extern(nil),
            ])
        var instances = try section("coreinstances", bytes)
        #expect(
            (0..<13).map { _ in instances.number() } == [2, 0, 0, 1, 0, 7, 0, 1, 2, 3, 4, 5, 6])
        #expect((0..<6).map { _ in instances.number() } == [0, 1, 2, 1, 2, 0])
    }

    @Test func aWriterThatFailsEndsIt() throws {
        struct Full: Error {}
        let store = Store(engine: engine())
        let instance = try instance(
            #"(memory 3) (data (i32.const 0) "a") (data (i32.const 150000) "a")"#, store)
        _ = instance
        var count = 0
        #expect(throws: Full.self) {
            try store.writeCoreDump(Backtrace(), name: "") { _ in
                count += 1
                if count == 3 { throw Full() }
            }
        }
        #expect(count == 3)
    }
}
