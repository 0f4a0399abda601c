import WasmInterpreter
import WasmdHTTP

/// The functions of `wasi_experimental_http`. Each returns 0, or a number of `GuestHTTPError`.
public enum GuestHTTPImports {
    public static let module: Name = "wasi_experimental_http"

    /// Whether a module imports one of them.
    public static func areWanted(by module: Module) -> Bool {
        module.imports.contains { $0.module == self.module }
    }

    /// Finds the state of the guest that calls.
    public typealias Find = @Sendable (borrowing Caller) -> GuestHTTP?

    /// Defines all functions. A guest without a state can request nothing.
    ///
    /// - Parameter find: called by each function.
    public static func define(
        on linker: Linker,
        _ find: @escaping Find = { (caller: borrowing Caller) in caller[GuestHTTP.key] }
    ) {
        let nothing = GuestHTTP(.nothing) { throw GuestHTTPError.runtime }
        defineRequest(on: linker) { (caller: borrowing Caller) in find(caller) ?? nothing }
        defineHeaders(on: linker) { (caller: borrowing Caller) in find(caller) ?? nothing }
        linker.defineShared(module, "close") {
            (caller: borrowing Caller, handle: UInt32) -> UInt32 in
            find(caller)?.close(handle)
            return 0
        }
        linker.defineShared(module, "body_read") {
            (
                caller: borrowing Caller, handle: UInt32, buffer: UInt32, count: UInt32,
                written: UInt32
            ) -> UInt32 in
            result { () throws(GuestHTTPError) in
                let memory = try GuestHTTPMemory(caller)
                let guest = find(caller) ?? nothing
                try guest.read(handle, upTo: Int(count)) { (bytes) throws(GuestHTTPError) in
                    try memory.write(bytes, at: buffer)
                    try memory.write(count: bytes.count, at: written)
                }
            }
        }
    }

    fileprivate static func result(_ body: () throws(GuestHTTPError) -> Void) -> UInt32 {
        do throws(GuestHTTPError) {
            try body()
            return 0
        } catch {
            return error.rawValue
        }
    }

    private static func defineHeaders(
        on linker: Linker, _ find: @escaping @Sendable (borrowing Caller) -> GuestHTTP
    ) {
        linker.defineShared(module, "header_get") {
            (
                caller: borrowing Caller, handle: UInt32, name: UInt32, nameCount: UInt32,
                value: UInt32, valueCount: UInt32, written: UInt32
            ) -> UInt32 in
            result { () throws(GuestHTTPError) in
                let memory = try GuestHTTPMemory(caller)
                let fields = try find(caller).fields(handle)
                let name = try memory.text(
                    name, nameCount, atMost: 64 << 10, else: .headerNotFound)
                guard let found = fields.first(named: name) else { throw .headerNotFound }
                guard found.count <= Int(valueCount) else { throw .bufferTooSmall }
                try memory.write(Array(found), at: value)
                try memory.write(count: found.count, at: written)
            }
        }
        linker.defineShared(module, "headers_get_all") {
            (
                caller: borrowing Caller, handle: UInt32, buffer: UInt32, count: UInt32,
                written: UInt32
            ) -> UInt32 in
            result { () throws(GuestHTTPError) in
                let memory = try GuestHTTPMemory(caller)
                let text = try HeaderLines.write(find(caller).fields(handle))
                guard text.count <= Int(count) else { throw .bufferTooSmall }
                try memory.write(text, at: buffer)
                try memory.write(count: text.count, at: written)
            }
        }
    }

    // MARK: req

    private static func defineRequest(
        on linker: Linker, _ find: @escaping @Sendable (borrowing Caller) -> GuestHTTP
    ) {
        linker.defineShared(module, "req") {
            (
                caller: borrowing Caller, url: UInt32, urlCount: UInt32, method: UInt32,
                methodCount: UInt32, headers: UInt32, headersCount: UInt32, body: UInt32,
                bodyCount: UInt32, status: UInt32, handle: UInt32
            ) throws -> UInt32 in
            let guest = find(caller)
            let work: PendingWork<OutboundClient.Answer>
            do throws(GuestHTTPError) {
                // In this order: guests see the first error.
                let memory = try GuestHTTPMemory(caller)
                try guest.checkSessions()
                let url = try guest.check(
                    url: memory.text(url, urlCount, atMost: 64 << 10, else: .invalidURL))
                let name = try memory.text(
                    method, methodCount, atMost: 1 << 10, else: .invalidMethod)
                guard let method = Method(name) else { throw .invalidMethod }
                let body = try memory.bytes(body, bodyCount, atMost: 64 << 20, else: .request)
                let fields = try HeaderLines.read(
                    memory.text(headers, headersCount, atMost: 1 << 20, else: .invalidEncoding))
                work = try guest.begin(
                    GuestHTTP.Request(method: method, url: url, fields: fields, body: body))
            } catch {
                return error.rawValue
            }
            throw work.suspension { caller, slots, answer in
                let number = result { () throws(GuestHTTPError) in
                    try finish(answer, caller, guest, status: status, handle: handle)
                }
                slots.setResult(u32: number)
            }
        }
    }

    private static func finish(
        _ result: Result<OutboundClient.Answer, any Error>, _ caller: borrowing Caller,
        _ guest: GuestHTTP, status: UInt32, handle: UInt32
    ) throws(GuestHTTPError) {
        let answer: OutboundClient.Answer
        switch result {
        case .success(let value): answer = value
        case .failure(let error): throw GuestHTTPError(error)
        }
        let memory = try GuestHTTPMemory(caller)
        try memory.write(answer.status, at: status)
        let number = try guest.keep(answer)
        do throws(GuestHTTPError) {
            try memory.write(number, at: handle)
        } catch {
            // Nobody knows the response.
            guest.close(number)
            throw error
        }
    }
}

/// The memory that a guest exports as `memory`, as functions of `wasi_experimental_http` use it.
private struct GuestHTTPMemory {
    private let memory: Memory

    init(_ caller: borrowing Caller) throws(GuestHTTPError) {
        guard let memory = caller.instance?.memory("memory") else { throw .memoryNotFound }
        self.memory = memory
    }

    /// - Parameters:
    ///   - limit: how many bytes at most: copying and checking them takes the loop's time.
    ///   - error: what is thrown if there are more.
    func bytes(
        _ address: UInt32, _ count: UInt32, atMost limit: UInt32, else error: GuestHTTPError
    ) throws(GuestHTTPError) -> [UInt8] {
        guard count <= limit else {
            // What is not in memory has an error of its own.
            let isInMemory = UInt64(address) + UInt64(count) <= UInt64(memory.byteCount)
            throw isInMemory ? error : .bufferTooSmall
        }
        do throws(AccessError) {
            return try memory.loadArray(of: UInt8.self, at: address, count: count)
        } catch {
            throw .bufferTooSmall
        }
    }

    /// Bytes that are UTF-8.
    func text(
        _ address: UInt32, _ count: UInt32, atMost limit: UInt32, else error: GuestHTTPError
    ) throws(GuestHTTPError) -> [UInt8] {
        let bytes = try bytes(address, count, atMost: limit, else: error)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notUTF8 }
        return bytes
    }

    func write(_ bytes: [UInt8], at address: UInt32) throws(GuestHTTPError) {
        do throws(AccessError) {
            try memory.store(contentsOf: bytes, at: address)
        } catch {
            throw .memoryAccess
        }
    }

    func write<Number: MemoryNumber>(
        _ number: Number, at address: UInt32
    ) throws(GuestHTTPError) {
        do throws(AccessError) {
            try memory.store(number, at: address)
        } catch {
            throw .memoryAccess
        }
    }

    func write(count: Int, at address: UInt32) throws(GuestHTTPError) {
        try write(UInt32(truncatingIfNeeded: count), at: address)
    }
}
