import Wasmd

/// The bytes of a guest: numbers, arrays, text, and views that copy nothing. Every access is checked.
func memoryAccess() throws {
    let engine = Engine()
    let module = try Module(text: #"(module (memory (export "memory") 1))"#, engine: engine)
    guard let memory = try Instance(module, in: Store(engine: engine)).memory("memory") else {
        return
    }

    try memory.store(1.5, at: 16)
    print("a number", try memory.load(at: 16, as: Double.self))

    try memory.store(contentsOf: [1, 2, 3] as [UInt16], at: 32)
    print("its bytes", try memory.loadArray(of: UInt8.self, at: 32, count: 6))

    let count = try memory.storeString("Grüße", at: 64)
    print("text", try memory.loadString(at: 64, count: count), "of", count, "bytes")
    try memory.storeCString("as C keeps it", at: 128)
    print("text", try memory.loadCString(at: 128))

    try memory.withMutableBytes(at: 32, count: 6) { bytes in
        for index in bytes.indices { bytes[index] |= 0x80 }
    }
    let sum = try memory.withBytes(at: 32, count: 6) { bytes in
        bytes.indices.reduce(0) { $0 + Int(bytes[$1]) }
    }
    print("sum of the bytes", sum)

    do {
        try memory.store(1 as UInt8, at: 65_536)
    } catch {
        print("refused:", error)
    }
    // A handle is no view: it sees the memory as it is now.
    _ = memory.grow(by: 1)
    try memory.store(1 as UInt8, at: 65_536)
    print("after growing", memory.size, "pages")
}
