import WasmInterpreter

/// The functions of `wasmd:kv` and `wasmd:config`: docs/services.md.
public enum GuestStoreImports {
    public static let stores: Name = "wasmd:kv"
    public static let configuration: Name = "wasmd:config"

    /// Defines all functions. A guest without a state has no store and no values.
    public static func define(on linker: Linker) {
        linker.defineShared(stores, "get") {
            (
                caller: borrowing Caller, name: UInt32, nameCount: UInt32, key: UInt32,
                keyCount: UInt32, buffer: UInt32, count: UInt32, written: UInt32
            ) throws -> UInt32 in
            let work: PendingWork<[UInt8]?>
            do throws(GuestStoreError) {
                work = try state(caller).get(
                    bytes(caller, name, nameCount), bytes(caller, key, keyCount))
            } catch {
                return error.rawValue
            }
            throw work.suspension { caller, slots, result in
                let number = Self.result { () throws(GuestStoreError) in
                    guard let value = try value(of: result) else { throw .notFound }
                    try write(value, caller, buffer, count, written)
                }
                slots.setResult(u32: number)
            }
        }
        linker.defineShared(stores, "set") {
            (
                caller: borrowing Caller, name: UInt32, nameCount: UInt32, key: UInt32,
                keyCount: UInt32, value: UInt32, valueCount: UInt32
            ) throws -> UInt32 in
            let work: PendingWork<[UInt8]?>
            do throws(GuestStoreError) {
                work = try state(caller).set(
                    bytes(caller, name, nameCount), bytes(caller, key, keyCount),
                    bytes(caller, value, valueCount))
            } catch {
                return error.rawValue
            }
            throw finished(work)
        }
        linker.defineShared(stores, "delete") {
            (
                caller: borrowing Caller, name: UInt32, nameCount: UInt32, key: UInt32,
                keyCount: UInt32
            ) throws -> UInt32 in
            let work: PendingWork<[UInt8]?>
            do throws(GuestStoreError) {
                work = try state(caller).delete(
                    bytes(caller, name, nameCount), bytes(caller, key, keyCount))
            } catch {
                return error.rawValue
            }
            throw finished(work)
        }
        linker.defineShared(stores, "next") {
            (
                caller: borrowing Caller, name: UInt32, nameCount: UInt32, after: UInt32,
                afterCount: UInt32, buffer: UInt32, count: UInt32, written: UInt32
            ) -> UInt32 in
            result { () throws(GuestStoreError) in
                let key = try state(caller).next(
                    bytes(caller, name, nameCount), after: bytes(caller, after, afterCount))
                try write(key, caller, buffer, count, written)
            }
        }
        linker.defineShared(configuration, "get") {
            (
                caller: borrowing Caller, name: UInt32, nameCount: UInt32, buffer: UInt32,
                count: UInt32, written: UInt32
            ) -> UInt32 in
            result { () throws(GuestStoreError) in
                let value = try state(caller).value(bytes(caller, name, nameCount))
                try write(value, caller, buffer, count, written)
            }
        }
    }

    private static func result(_ body: () throws(GuestStoreError) -> Void) -> UInt32 {
        do throws(GuestStoreError) {
            try body()
            return 0
        } catch {
            return error.rawValue
        }
    }

    private static func state(_ caller: borrowing Caller) throws(GuestStoreError) -> GuestStores {
        guard let state = caller[GuestStores.key] else { throw .notAllowed }
        return state
    }

    private static func value(
        of result: Result<[UInt8]?, any Error>
    ) throws(GuestStoreError) -> [UInt8]? {
        switch result {
        case .success(let value): return value
        case .failure: throw .storage
        }
    }

    private static func finished(_ work: PendingWork<[UInt8]?>) -> Suspension {
        work.suspension { _, slots, result in
            if case .failure = result {
                slots.setResult(u32: GuestStoreError.storage.rawValue)
            } else {
                slots.setResult(u32: 0)
            }
        }
    }

    private static let longest: UInt32 = 1 << 20

    private static func bytes(
        _ caller: borrowing Caller, _ address: UInt32, _ count: UInt32
    ) throws(GuestStoreError) -> [UInt8] {
        guard count <= longest else { throw .invalid }
        do throws(AccessError) {
            return try caller.memory.loadArray(of: UInt8.self, at: address, count: count)
        } catch {
            throw .invalid
        }
    }

    /// Writes a count, and the bytes if they fit.
    private static func write(
        _ bytes: [UInt8], _ caller: borrowing Caller, _ buffer: UInt32, _ count: UInt32,
        _ written: UInt32
    ) throws(GuestStoreError) {
        do throws(AccessError) {
            let memory = try caller.memory
            try memory.store(UInt32(truncatingIfNeeded: bytes.count), at: written)
            if bytes.count <= Int(count) { try memory.store(contentsOf: bytes, at: buffer) }
        } catch {
            throw .invalid
        }
        if bytes.count > Int(count) { throw .bufferTooSmall }
    }
}
