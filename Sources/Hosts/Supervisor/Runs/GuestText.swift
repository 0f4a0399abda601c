import WasmInterpreter
import WasmdGuests
import WasmdWasmiot

/// What is given to one or two parameters of a function.
enum GuestArgument {
    case value(Value)
    /// A text, as its address and its count of bytes.
    case text([UInt8])

    /// How many parameters it is.
    var count: Int {
        switch self {
        case .value: 1
        case .text: 2
        }
    }
}

/// Texts of a function's parameters and results.
enum GuestText {
    /// Bytes of a text that a function returns.
    private static let limit: UInt32 = 1 << 20

    /// The values of the arguments: texts are put where the module's `alloc(size)` says.
    ///
    /// - Throws: `RunFault.noAllocator`, and what the allocator's call does.
    static func place(
        _ arguments: [GuestArgument], by calls: RunCalls
    ) async throws -> [Value] {
        var values: [Value] = []
        for argument in arguments {
            switch argument {
            case .value(let value): values.append(value)
            case .text(let bytes):
                guard let allocate = calls.instance.function("alloc"),
                    let memory = calls.instance.memory("memory")
                else { throw RunFault.noAllocator }
                let count = UInt32(clamping: bytes.count)
                guard allocate.type == FunctionType(parameters: [.i32], results: [.i32]),
                    case .i32(let address)? = try await calls.call(
                        allocate, [.i32(bits: count)]
                    ).first
                else { throw RunFault.noAllocator }
                try memory.store(contentsOf: bytes, at: UInt64(UInt32(bitPattern: address)))
                values += [.i32(address), .i32(bits: count)]
            }
        }
        return values
    }

    /// The results of a function as texts. Where the response is a `string`, one i32 is the address
    /// of a text that NUL ends, and two are address and count of bytes.
    static func read(
        _ values: [Value], _ response: EndpointResponse, from instance: Instance
    ) throws(RunFault) -> [String] {
        if response.type == "string" {
            switch (values.first, values.dropFirst().first, values.count) {
            case (.i32(let address)?, nil, 1):
                return [try text(UInt32(bitPattern: address), nil, instance)]
            case (.i32(let address)?, .i32(let count)?, 2):
                return [
                    try text(UInt32(bitPattern: address), UInt32(bitPattern: count), instance)
                ]
            default: break
            }
        }
        return values.map { ArgumentReading.text($0, isBoolean: response.type == "boolean") }
    }

    private static func text(
        _ address: UInt32, _ count: UInt32?, _ instance: Instance
    ) throws(RunFault) -> String {
        guard let memory = instance.memory("memory") else {
            throw .noText("the module exports no memory")
        }
        guard count ?? 0 <= limit else { throw .noText("it has more than \(limit) bytes") }
        do {
            guard let count else {
                return try memory.loadCString(at: UInt64(address), limit: 1 << 20)
            }
            return String(
                decoding: try memory.loadArray(
                    of: UInt8.self, at: UInt64(address), count: UInt64(count)),
                as: UTF8.self)
        } catch {
            throw .noText("\(error)")
        }
    }
}
