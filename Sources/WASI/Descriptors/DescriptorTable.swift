import Synchronization
import WasmInterpreter

/// The open descriptors of a guest by number. Its threads share it; no call waits under its lock.
final class DescriptorTable: Sendable {
    private let numbers: Mutex<Numbers>
    /// The account that is charged for the table; nil before the guest has a store.
    let account = AccountReference()

    init(limit: Int) { numbers = Mutex(Numbers(limit: min(max(limit, 0), Int(Int32.max)))) }

    deinit { removeAll() }

    /// The descriptor with number `fd`; `badf` if there is none.
    @inline(__always)
    subscript(fd: UInt32) -> Descriptor {
        get throws(Errno) {
            try numbers.withLock { (numbers) throws(Errno) in try numbers[fd] }
        }
    }

    /// Gives the descriptor the lowest free number; `mfile` if the guest has too many, `nomem` if
    /// its program's account is exhausted.
    func insert(_ descriptor: Descriptor) throws(Errno) -> UInt32 {
        let account = account.load()
        return try numbers.withLock { (numbers) throws(Errno) in
            try numbers.insert(descriptor, account)
        }
    }

    /// The numbers that are open.
    var openNumbers: [Int] {
        numbers.withLock { numbers in numbers.entries.indices.filter { numbers.entries[$0] != nil }
        }
    }

    /// Whether another descriptor can be inserted.
    var hasRoom: Bool { numbers.withLock { $0.hasRoom } }

    /// Removes the number and returns its descriptor; `badf` if there is none.
    func remove(_ fd: UInt32) throws(Errno) -> Descriptor {
        try numbers.withLock { (numbers) throws(Errno) in try numbers.remove(fd) }
    }

    /// Moves a descriptor to the number of another one, which is closed.
    func renumber(_ fd: UInt32, to: UInt32) throws(Errno) {
        // Close the replaced descriptor without the lock.
        let replaced = try numbers.withLock { (numbers) throws(Errno) -> Descriptor? in
            try numbers.renumber(fd, to: to)
        }
        withExtendedLifetime(replaced) {}
    }

    /// Closes all descriptors.
    func removeAll() {
        let entries = numbers.withLock { numbers in
            defer {
                account.load()?.release(numbers.charged)
                numbers.charged = 0
                numbers.entries = []
                numbers.lowestFree = 0
            }
            return numbers.entries
        }
        withExtendedLifetime(entries) {}
    }
}

private struct Numbers {
    var entries: [Descriptor?] = []
    /// No number below this one is free.
    var lowestFree = 0
    /// All numbers are below this.
    let limit: Int
    /// Bytes that are charged for the entries.
    var charged = 0
    /// Size of a descriptor with its parts, and of its entry.
    private static let byteCount = 512

    @inline(__always)
    subscript(fd: UInt32) -> Descriptor {
        get throws(Errno) {
            let index = Int(truncatingIfNeeded: fd)
            guard index < entries.count, let descriptor = entries[index] else { throw .badf }
            return descriptor
        }
    }

    mutating func insert(
        _ descriptor: Descriptor, _ account: ResourceAccount?
    ) throws(Errno) -> UInt32 {
        let index = entries[lowestFree...].firstIndex { $0 == nil } ?? entries.count
        guard index < limit else { throw .mfile }
        if index == entries.count {
            if let account {
                guard account.charge(Self.byteCount) else { throw .nomem }
                charged += Self.byteCount
            }
            entries.append(descriptor)
        } else {
            entries[index] = descriptor
        }
        lowestFree = index + 1
        return UInt32(truncatingIfNeeded: index)
    }

    var hasRoom: Bool {
        entries.count < limit || entries[lowestFree...].contains { $0 == nil }
    }

    mutating func remove(_ fd: UInt32) throws(Errno) -> Descriptor {
        let descriptor = try self[fd]
        let index = Int(truncatingIfNeeded: fd)
        entries[index] = nil
        lowestFree = min(lowestFree, index)
        return descriptor
    }

    mutating func renumber(_ fd: UInt32, to: UInt32) throws(Errno) -> Descriptor? {
        let replaced = try self[to]
        let moved = try self[fd]
        guard fd != to else { return nil }
        entries[Int(truncatingIfNeeded: to)] = moved
        _ = try remove(fd)
        return replaced
    }
}

/// An account that is set once.
///
/// `AtomicLazyReference` looks up the metadata of its type in each call, which took a fortieth of
/// all instructions of a short guest.
struct AccountReference: ~Copyable, Sendable {
    private let account = Mutex<ResourceAccount?>(nil)

    func load() -> ResourceAccount? { account.withLock { $0 } }

    /// Sets the account if there is none; returns the one that is set.
    func storeIfNil(_ new: ResourceAccount) -> ResourceAccount {
        account.withLock { account in
            if let account { return account }
            account = new
            return new
        }
    }
}
