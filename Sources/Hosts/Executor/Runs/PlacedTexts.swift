import WasmInterpreter
import WasmdDocuments
import WasmdGuests

/// A call whose texts and bytes are in the guest's memory, as the canonical ABI of the component model
/// has them: an address and a length for each. The guest gives room for arguments by
/// `cabi_realloc(0, 0, 1, length)`, or by `malloc(length)`; after the results were read, its function
/// `cabi_post_NAME` is called, if there is one.
final class PlacedTexts {
    private let shape: CallShape
    private let arguments: [CallShape.Argument]
    /// What the function returned, if results are in memory.
    private(set) var results: [Document]?

    init(_ shape: CallShape, _ arguments: [CallShape.Argument]) {
        self.shape = shape
        self.arguments = arguments
    }

    /// Why a text cannot be given to the guest, or be taken from it.
    struct Fault: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    func call(_ name: Name, _ calls: RunCalls) async throws -> [Value] {
        guard let function = calls.instance.function(name) else {
            throw FunctionMissing(name: name.description)
        }
        var values: [Value] = []
        for argument in arguments {
            switch argument {
            case .number(let value): values.append(value)
            case .bytes(let bytes):
                let address = try await place(bytes, calls)
                values += [
                    .i32(bits: address), .i32(bits: UInt32(truncatingIfNeeded: bytes.count)),
                ]
            }
        }
        let returned = try await calls.call(function, values)
        results = try await read(returned, calls)
        if let after = calls.instance.function(Name("cabi_post_" + name.description)) {
            _ = try await calls.call(after, returned)
        }
        return returned
    }

    private func place(_ bytes: [UInt8], _ calls: RunCalls) async throws -> UInt32 {
        let instance = calls.instance
        guard let memory = instance.memory("memory") else {
            throw Fault("the module exports no 'memory' for texts")
        }
        guard let length = UInt32(exactly: bytes.count) else {
            throw Fault("a text has more than 4 GiB")
        }
        let results: [Value]
        if let allocate = instance.function("cabi_realloc") {
            results = try await calls.call(
                allocate, [.i32(0), .i32(0), .i32(1), .i32(bits: length)])
        } else if let allocate = instance.function("malloc") {
            results = try await calls.call(allocate, [.i32(bits: max(length, 1))])
        } else {
            throw Fault("the module exports neither 'cabi_realloc' nor 'malloc' for texts")
        }
        guard case .i32(let address)? = results.first else {
            throw Fault("the module's allocator returns no address")
        }
        let start = UInt32(bitPattern: address)
        try memory.store(contentsOf: bytes, at: UInt64(start))
        return start
    }

    /// A result before it is a document.
    private enum Found: Sendable {
        case value(Document)
        case text([UInt8])
        case bytes([UInt8])

        func document() throws -> Document {
            switch self {
            case .value(let document): return document
            case .bytes(let bytes): return ByteText.document(bytes)
            case .text(let bytes):
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw Fault("a text that was returned is no UTF-8")
                }
                return .string(text)
            }
        }
    }

    /// The results as documents. Large ones are made on a thread of the pool.
    private func read(_ values: [Value], _ calls: RunCalls) async throws -> [Document] {
        let (found, size) = try copy(values, calls)
        if size <= Self.smallSize { return try found.map { try $0.document() } }
        return try await calls.loop.blocking { try found.map { try $0.document() } }
    }

    /// The results as they are in the guest's memory, and the bytes of texts.
    private func copy(_ values: [Value], _ calls: RunCalls) throws -> ([Found], size: Int) {
        var rest = values[...]
        var size = 0
        func number() throws -> UInt32 {
            guard case .i32(let value)? = rest.popFirst() else {
                throw Fault("a text was to be returned, and a number is missing")
            }
            return UInt32(bitPattern: value)
        }
        let found = try shape.outputs.map { type -> Found in
            guard type.isInMemory else {
                return .value(rest.popFirst().map(NumberReading.document) ?? .null)
            }
            guard let memory = calls.instance.memory("memory") else {
                throw Fault("the module exports no 'memory' for texts")
            }
            var address = try number()
            let length: UInt32
            if shape.type.results.count == 1 {
                // The address of an address and a length.
                length = try memory.load(at: UInt64(address) + 4, as: UInt32.self)
                address = try memory.load(at: UInt64(address), as: UInt32.self)
            } else {
                length = try number()
            }
            size += Int(length)
            guard size <= Self.limit else {
                throw Fault(
                    "the texts that were returned have more than \(Self.limit) bytes, the limit")
            }
            let bytes = try memory.loadArray(
                of: UInt8.self, at: UInt64(address), count: Int(length))
            return type == .bytes ? .bytes(bytes) : .text(bytes)
        }
        return (found, size)
    }

    /// Bytes of texts that are made at once.
    private static let smallSize = 128 << 10
    /// Bytes of all results together: several may be the same part of the memory.
    private static let limit = 16 << 20
}
