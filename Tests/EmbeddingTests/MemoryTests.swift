import Testing
import Wasmd

@Suite struct MemoryTests {
    private let memory: Memory

    init() throws {
        memory = try #require(
            try instance(#"(module (memory (export "memory") 1 3))"#).memory("memory"))
    }

    @Test func numbers() throws {
        try memory.store(-2 as Int16, at: 1)
        #expect(try memory.load(at: 1, as: UInt16.self) == 0xfffe)
        #expect(try memory.load(at: 2, as: UInt8.self) == 0xff)
        try memory.store(1.5, at: 13)
        #expect(try memory.load(at: 13) == 1.5)
        try memory.store(0.25 as Float, at: 100 as UInt32)
        #expect(try memory.load(at: 100 as Int64, as: Float.self) == 0.25)
        try memory.store(SIMD16<UInt8>(repeating: 3), at: 1000)
        #expect(try memory.load(at: 1001, as: UInt64.self) == 0x0303_0303_0303_0303)
    }

    @Test func bounds() throws {
        #expect(try memory.load(at: 65_535, as: UInt8.self) == 0)
        #expect(throws: AccessError.memoryOutOfBounds(address: 65_533, count: 4)) {
            try memory.load(at: 65_533, as: Int32.self)
        }
        // Addresses of guests are unsigned, whatever Swift type they have.
        #expect(throws: AccessError.memoryOutOfBounds(address: 0xffff_fffe, count: 8)) {
            try memory.store(1.0, at: -2 as Int32)
        }
        #expect(throws: AccessError.self) { try memory.load(at: -1, as: UInt8.self) }
        #expect(throws: AccessError.self) {
            try memory.loadArray(of: Double.self, at: 0, count: UInt64.max / 4)
        }
        #expect(throws: AccessError.self) {
            try memory.loadArray(of: UInt8.self, at: 1, count: UInt64.max)
        }
        #expect(throws: AccessError.self) { try memory.fill(at: 1, count: 65_536) }
        #expect(throws: AccessError.self) { try memory.fill(at: 1, count: -1 as Int32) }
        #expect(throws: AccessError.self) {
            try memory.withBytes(at: 0, count: -1 as Int32) { $0.count }
        }
        #expect(try memory.withBytes(at: 65_536, count: 0) { $0.count } == 0)
    }

    @Test func arrays() throws {
        try memory.store(contentsOf: [1, 2, 3] as [UInt32], at: 7)
        #expect(try memory.loadArray(of: UInt32.self, at: 7, count: 3) == [1, 2, 3])
        #expect(try memory.loadArray(of: UInt8.self, at: 7, count: 5 as UInt32) == [1, 0, 0, 0, 2])
        #expect(try memory.loadArray(of: Double.self, at: 65_536, count: 0).isEmpty)
        try memory.fill(at: 7, count: 3, with: 0xff)
        #expect(try memory.load(at: 7, as: UInt32.self) == 0x00ff_ffff)
        #expect(throws: AccessError.self) {
            try memory.store(contentsOf: [1, 2] as [Int64], at: 65_535 - 14)
        }
        // Nothing of what does not fit was written.
        #expect(try memory.load(at: 65_535 - 14, as: Int64.self) == 0)
    }

    @Test func text() throws {
        #expect(try memory.storeString("grüße", at: 10) == 7)
        #expect(try memory.loadString(at: 10, count: 7) == "grüße")
        #expect(throws: AccessError.malformedText(address: 10)) {
            try memory.loadString(at: 10, count: 3)
        }
        #expect(try memory.storeCString("C", at: 20) == 2)
        #expect(try memory.loadCString(at: 20) == "C")
        #expect(try memory.loadCString(at: 21).isEmpty)
        try memory.fill(at: 65_530, count: 6, with: 0x61)
        #expect(throws: AccessError.unterminatedText(address: 65_530)) {
            try memory.loadCString(at: 65_530)
        }
        try memory.storeCString("12345678", at: 40)
        #expect(try memory.loadCString(at: 40, limit: 8) == "12345678")
        #expect(throws: AccessError.unterminatedText(address: 40)) {
            try memory.loadCString(at: 40, limit: 7)
        }
        #expect(throws: AccessError.self) { try memory.loadCString(at: 65_537) }
        #expect(throws: AccessError.self) { try memory.storeCString("ab", at: 65_534) }
    }

    @Test func spans() throws {
        try memory.storeString("a line\nanother", at: 4096)
        let first = try memory.withBytes(at: 4096, count: 14) { bytes in
            bytes.indices.first { bytes[$0] == 0x0a }
        }
        #expect(first == 6)
        try memory.withMutableBytes(at: 4096, count: 6) { bytes in
            for index in bytes.indices { bytes[index] &-= 0x20 }
        }
        #expect(try memory.loadArray(of: UInt8.self, at: 4096, count: 2) == [0x41, 0x00])
        struct Refusal: Error {}
        #expect(throws: Refusal.self) {
            try memory.withBytes(at: 0, count: 1) { _ in throw Refusal() }
        }
    }

    /// A handle is no view: it sees what was added, and keeps what it looks at alive.
    @Test func growth() throws {
        let other = memory
        #expect(throws: AccessError.self) { try other.store(1 as UInt8, at: 65_536) }
        #expect(memory.grow(by: 1) == 1)
        try other.store(1 as UInt8, at: 65_536)
        #expect(try memory.load(at: 65_536, as: UInt8.self) == 1)
        #expect(memory.grow(by: 2) == nil)
        #expect(memory.byteCount == 2 * 65_536)
    }
}
