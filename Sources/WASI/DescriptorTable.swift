/// The open descriptors of a guest by number.
///
/// Used by one thread at a time. Every change goes through the few methods here, which is where a
/// lock belongs once guests have threads.
struct DescriptorTable {
    private var entries: [Descriptor?] = []
    /// No number below this one is free.
    private var lowestFree = 0
    /// Numbers are below this.
    let limit: Int

    init(limit: Int) { self.limit = min(max(limit, 0), Int(Int32.max)) }

    /// The descriptor with number `fd`; `badf` if there is none.
    @inline(__always)
    subscript(fd: UInt32) -> Descriptor {
        get throws(Errno) {
            let index = Int(truncatingIfNeeded: fd)
            guard index < entries.count, let descriptor = entries[index] else { throw .badf }
            return descriptor
        }
    }

    /// Gives the descriptor the lowest free number; `mfile` if the guest has too many.
    mutating func insert(_ descriptor: Descriptor) throws(Errno) -> UInt32 {
        let index = entries[lowestFree...].firstIndex { $0 == nil } ?? entries.count
        guard index < limit else { throw .mfile }
        if index == entries.count {
            entries.append(descriptor)
        } else {
            entries[index] = descriptor
        }
        lowestFree = index + 1
        return UInt32(truncatingIfNeeded: index)
    }

    /// Whether another descriptor can be inserted.
    var hasRoom: Bool {
        entries.count < limit || entries[lowestFree...].contains { $0 == nil }
    }

    /// Takes the number away and answers what it stood for; `badf` if it stood for nothing.
    mutating func remove(_ fd: UInt32) throws(Errno) -> Descriptor {
        let descriptor = try self[fd]
        let index = Int(truncatingIfNeeded: fd)
        entries[index] = nil
        lowestFree = min(lowestFree, index)
        return descriptor
    }

    /// Moves a descriptor to a number that another has, which is closed.
    mutating func renumber(_ fd: UInt32, to: UInt32) throws(Errno) {
        _ = try self[to]
        let moved = try self[fd]
        guard fd != to else { return }
        entries[Int(truncatingIfNeeded: to)] = moved
        _ = try remove(fd)
    }

    /// Closes everything.
    mutating func removeAll() {
        entries = []
        lowestFree = 0
    }
}
