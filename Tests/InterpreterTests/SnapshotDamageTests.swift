import Testing
import WasmInterpreter

/// Bytes of snapshots from outside: an error or a snapshot that can be used, whatever they are.
@Suite struct SnapshotDamageTests {
    /// Something of everything that a snapshot can hold.
    static let fields =
        SnapshotObjectTests.fields + """
            (memory (export "memory") 2 4)
            (global (export "i") (mut i32) (i32.const 1))
            (global $f (mut funcref) (ref.func $answer))
            (table $typed 2 4 (ref $call) (ref.func $answer))
            (data (i32.const 5000) "data")
            (func (export "use") (result i32)
              (call_ref $call (table.get $typed (i32.const 0))))
            """

    /// Offset of the checksum, and where what it covers begins.
    static let checksumOffset = 44

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var hash = UInt64(bytes.count)
        func add(_ word: UInt64) {
            hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 32
        }
        var rest = bytes
        while rest.count >= 8 {
            add(rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
            rest = rest.dropFirst(8)
        }
        for byte in rest { add(UInt64(byte)) }
        return hash
    }

    /// The bytes with the checksum that they should have.
    static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let hash = checksum(bytes[(checksumOffset + 8)...])
        for index in 0..<8 {
            bytes[checksumOffset + index] = UInt8(truncatingIfNeeded: hash >> UInt64(8 * index))
        }
        return bytes
    }

    static func sample(_ house: TextHouse) throws -> (Module, [UInt8]) {
        let instance = try house.instantiate(fields)
        try instance.call("build", .i32(5))
        return (instance.module, try instance.snapshot().encoded())
    }

    /// The error that these bytes are refused with.
    static func refusal(_ bytes: [UInt8], _ module: Module) -> SnapshotError? {
        do throws(SnapshotError) {
            _ = try Snapshot(decoding: bytes, for: module)
            return nil
        } catch {
            return error
        }
    }

    @Test func headers() throws {
        let (module, bytes) = try Self.sample(TextHouse())
        #expect(Self.sealed(bytes) == bytes)
        #expect(Self.refusal([], module) == .malformed(.unexpectedEnd, offset: 0))
        var damaged = bytes
        damaged[3] ^= 1
        #expect(Self.refusal(damaged, module) == .malformed(.magic, offset: 3))
        damaged = bytes
        damaged[8] = 2
        #expect(Self.refusal(damaged, module) == .malformed(.version(2), offset: 8))
        damaged = bytes
        damaged[20] ^= 1
        #expect(Self.refusal(damaged, module) == .otherModule)
        damaged = bytes
        damaged[bytes.count - 1] ^= 1
        #expect(Self.refusal(damaged, module) == .malformed(.checksum, offset: 44))
        #expect(
            Self.refusal(Self.sealed(bytes + [0]), module)
                == .malformed(.length, offset: bytes.count))
    }

    @Test func everyEnd() throws {
        let (module, bytes) = try Self.sample(TextHouse())
        let ends = Array(0..<700) + Array(stride(from: 700, to: bytes.count, by: 97))
        for end in ends where end < bytes.count {
            var part = Array(bytes[..<end])
            if end >= Self.checksumOffset + 8 { part = Self.sealed(part) }
            guard case .malformed? = Self.refusal(part, module) else {
                Issue.record("accepted \(end) of \(bytes.count) bytes")
                return
            }
        }
    }

    /// References and numbers of the wrong type, of things that are not there.
    @Test func wrongTypes() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (type $call (func (result i32)))
            (global i32 (i32.const -1))
            (global (ref $call) (ref.func $f))
            (table 1 (ref null $call))
            (elem declare func $f $g)
            (func $f (type $call) (i32.const 1))
            (func $g (nop))
            """)
        let bytes = try instance.snapshot().encoded()
        // Objects, globals: the count, an i32, a function; tables: the count, size, elements.
        let body = Self.checksumOffset + 8
        let integer = body + 16
        let function = body + 24
        let table = body + 40
        func refusal(_ offset: Int, _ value: UInt64) -> SnapshotError? {
            var damaged = bytes
            for index in 0..<8 {
                damaged[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
            }
            return Self.refusal(Self.sealed(damaged), instance.module)
        }
        #expect(refusal(integer, 0xffff_ffff) == nil)
        #expect(refusal(integer, 1 << 32) == .malformed(.type, offset: integer))
        #expect(refusal(function, 0 << 3 | 2) == nil)
        #expect(refusal(function, 1 << 3 | 2) == .malformed(.type, offset: function))
        #expect(refusal(function, 2 << 3 | 2) == .malformed(.value, offset: function))
        #expect(refusal(function, UInt64.max << 3 | 2) == .malformed(.value, offset: function))
        #expect(refusal(function, 0) == .malformed(.type, offset: function))
        #expect(refusal(function, 7) == .malformed(.type, offset: function))
        #expect(refusal(function, 1 << 40 | 1) == .malformed(.value, offset: function))
        #expect(refusal(function, 4) == .malformed(.value, offset: function))
        #expect(refusal(function, 8) == .malformed(.value, offset: function))
        #expect(refusal(table, 0) == .malformed(.size, offset: table))
        #expect(refusal(table, 1 << 33) == .malformed(.size, offset: table))
        #expect(refusal(table, 1 << 31) == nil)
        #expect(refusal(body + 8, 3) == .malformed(.count, offset: body + 8))
        #expect(refusal(body, UInt64.max) == .malformed(.unexpectedEnd, offset: body))
    }

    @Test func mutations() throws {
        let house = TextHouse()
        let (module, bytes) = try Self.sample(house)
        var seed: UInt64 = 1
        func random(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((seed >> 33) % UInt64(bound))
        }
        let interesting: [UInt8] = [0, 1, 2, 4, 7, 8, 0x7f, 0x80, 0xff]
        var accepted = 0
        for _ in 0..<600 {
            var damaged = bytes
            // Mostly in front of the memory's pages.
            let end = random(4) == 0 ? bytes.count : min(bytes.count, 1200)
            for _ in 0...random(3) {
                let offset = 52 + random(end - 52)
                damaged[offset] =
                    random(2) == 0
                    ? interesting[random(interesting.count)] : UInt8(random(256))
            }
            switch random(8) {
            case 0: damaged.removeSubrange((52 + random(end - 52))...)
            case 1: damaged.insert(UInt8(random(256)), at: 52 + random(end - 52))
            default: break
            }
            let sealed = Self.sealed(damaged)
            do throws(SnapshotError) {
                let snapshot = try Snapshot(decoding: sealed, for: module)
                accepted += 1
                #expect(snapshot.encoded() == sealed)
                try Self.exercise(snapshot, house.engine)
            } catch {
                switch error {
                case .malformed, .resource: break
                default: Issue.record("\(error)")
                }
            }
        }
        // Damage inside of numbers and pages is no damage.
        #expect(accepted > 20)
    }

    /// Runs what there is; guests may trap.
    static func exercise(_ snapshot: Snapshot, _ engine: Engine) throws(SnapshotError) {
        let store = Store(engine: engine, limits: StoreLimits(heapBytes: 1 << 20))
        store.fuel = 10_000
        do {
            let instance = try Instance(snapshot, in: store)
            store.collectGarbage()
            for name in ["sum", "mixed", "shared", "converted", "segment", "use"] {
                do {
                    try instance.call(name)
                } catch is Trap {}
            }
            try instance.restore(snapshot)
            _ = try instance.snapshot()
        } catch let error as SnapshotError {
            throw error
        } catch let error as ResourceError {
            throw .resource(error)
        } catch {
            Issue.record("\(error)")
        }
    }
}
