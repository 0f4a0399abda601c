import WasmInterpreter

/// Strings one after the other, each with a NUL after it, which a guest copies at its start.
struct PackedStrings {
    private(set) var bytes: [UInt8] = []
    /// Where each string starts.
    private(set) var offsets: [UInt32] = []

    init(arguments: [[UInt8]]) throws(WASISetupError) {
        for argument in arguments {
            guard append(argument) else {
                throw .malformedArgument(String(decoding: argument, as: UTF8.self))
            }
        }
    }

    /// - Parameter block: more variables, as `WASI.environmentBlock`.
    init(
        variables: [(name: [UInt8], value: [UInt8])], block: [UInt8] = []
    ) throws(WASISetupError) {
        for (name, value) in variables {
            guard !name.isEmpty, !name.contains(0x3d), append(name + [0x3d] + value) else {
                throw .malformedVariable(name: String(decoding: name, as: UTF8.self))
            }
        }
        try append(block: block)
    }

    private mutating func append(block: [UInt8]) throws(WASISetupError) {
        let start = bytes.count
        bytes.append(contentsOf: block)
        var position = 0
        var hasName = false
        for (index, byte) in block.enumerated() {
            if byte == 0 {
                guard hasName, let offset = UInt32(exactly: start + position) else {
                    throw .malformedVariable(name: Self.text(block[position..<index]))
                }
                offsets.append(offset)
                position = index + 1
                hasName = false
            } else if byte == 0x3d, !hasName {
                guard index > position else { throw .malformedVariable(name: "") }
                hasName = true
            }
        }
        guard position == block.count else {
            throw .malformedVariable(name: Self.text(block[position...]))
        }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    private mutating func append(_ string: [UInt8]) -> Bool {
        guard !string.contains(0), let offset = UInt32(exactly: bytes.count) else {
            return false
        }
        offsets.append(offset)
        bytes.append(contentsOf: string)
        bytes.append(0)
        return true
    }

    /// Writes the strings to `buffer` and the address of each to the array at `pointers`.
    func store(
        _ memory: GuestMemory, pointers: UInt32, buffer: UInt32
    ) throws(Errno) {
        let target = try memory.buffer(buffer, byteCount: UInt32(clamping: bytes.count))
        let array = try memory.pointer(pointers, byteCount: offsets.count &* 4)
        target.copyBytes(from: bytes)
        for (index, offset) in offsets.enumerated() {
            array.storeBytes(
                of: (buffer &+ offset).littleEndian, toByteOffset: index &* 4, as: UInt32.self)
        }
    }

    func storeSizes(_ memory: GuestMemory, count: UInt32, byteCount: UInt32) throws(Errno) {
        let count = try memory.result32(count)
        let byteCount = try memory.result32(byteCount)
        count.store(UInt32(clamping: offsets.count))
        byteCount.store(UInt32(clamping: bytes.count))
    }
}

extension WASIGuest {
    func args_get(_ memory: GuestMemory, _ argv: UInt32, _ buffer: UInt32) throws(Errno) {
        try arguments.store(memory, pointers: argv, buffer: buffer)
    }

    func args_sizes_get(
        _ memory: GuestMemory, _ count: UInt32, _ byteCount: UInt32
    ) throws(Errno) {
        try arguments.storeSizes(memory, count: count, byteCount: byteCount)
    }

    func environ_get(_ memory: GuestMemory, _ environ: UInt32, _ buffer: UInt32) throws(Errno) {
        try environment.store(memory, pointers: environ, buffer: buffer)
    }

    func environ_sizes_get(
        _ memory: GuestMemory, _ count: UInt32, _ byteCount: UInt32
    ) throws(Errno) {
        try environment.storeSizes(memory, count: count, byteCount: byteCount)
    }
}
