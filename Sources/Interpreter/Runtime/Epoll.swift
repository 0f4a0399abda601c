// Many descriptors at once: epoll(7). A port changes this file only.
//
// Invariant: `number` is a descriptor made here, closed with the object and by nobody else.

import Glibc

/// Descriptors that a loop waits for. Used by one thread.
final class Epoll {
    private let number: Int32
    private var events: UnsafeMutableRawBufferPointer
    private static let batch: Int32 = 256

    /// `struct epoll_event`: 32 bits of events, and 64 of the user's, packed on x86-64 only.
    #if arch(x86_64)
        private static let eventSize = 12
        private static let dataOffset = 4
    #else
        private static let eventSize = 16
        private static let dataOffset = 8
    #endif

    private static let readable: UInt32 = 0x001
    private static let writable: UInt32 = 0x004
    private static let failed: UInt32 = 0x008 | 0x010

    /// Nil if the system has no descriptor left.
    init?() {
        number = DescriptorNumber.aboveStandardStreams(symbol_epoll_create1(O_CLOEXEC))
        guard number >= 0 else { return nil }
        events = .allocate(byteCount: Int(Self.batch) * Self.eventSize, alignment: 8)
    }

    deinit {
        close(number)
        events.deallocate()
    }

    /// Waits for a descriptor from now on, level-triggered; none of the directions is not at all.
    ///
    /// - Returns: false if the system cannot wait for it, as for a file.
    func set(_ descriptor: Int32, _ directions: Wait.Directions, isNew: Bool) -> Bool {
        guard !directions.isEmpty else {
            _ = symbol_epoll_ctl(number, 2, descriptor, nil)
            return true
        }
        var wanted: UInt32 = 0
        if directions.contains(.reading) { wanted |= Self.readable }
        if directions.contains(.writing) { wanted |= Self.writable }
        return withUnsafeTemporaryAllocation(byteCount: Self.eventSize, alignment: 8) { event in
            event.storeBytes(of: wanted, as: UInt32.self)
            event.storeBytes(
                of: UInt64(truncatingIfNeeded: descriptor), toByteOffset: Self.dataOffset,
                as: UInt64.self)
            return symbol_epoll_ctl(number, isNew ? 1 : 3, descriptor, event.baseAddress) == 0
        }
    }

    /// Waits once, and hands each ready descriptor to `body` with the directions in which it is.
    ///
    /// - Parameter nanoseconds: how long at most; nil for ever.
    func wait(nanoseconds: Int64?, _ body: (Int32, Wait.Directions) -> Void) {
        // Milliseconds are too coarse a time for epoll's own parameter.
        if let nanoseconds, nanoseconds > 0 {
            var item = pollfd(fd: number, events: Int16(truncatingIfNeeded: POLLIN), revents: 0)
            var time = timespec()
            time.tv_sec = Int(nanoseconds / 1_000_000_000)
            time.tv_nsec = Int(nanoseconds % 1_000_000_000)
            guard symbol_ppoll(&item, 1, &time, nil) > 0 else { return }
        }
        let count = symbol_epoll_wait(
            number, events.baseAddress, Self.batch, nanoseconds == nil ? -1 : 0)
        guard count > 0 else { return }
        for index in 0..<Int(count) {
            let offset = index * Self.eventSize
            let found = events.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let data = events.loadUnaligned(
                fromByteOffset: offset + Self.dataOffset, as: UInt64.self)
            var directions: Wait.Directions = []
            if found & (Self.readable | Self.failed) != 0 { directions.insert(.reading) }
            if found & (Self.writable | Self.failed) != 0 { directions.insert(.writing) }
            body(Int32(truncatingIfNeeded: data), directions)
        }
    }
}

// Swift's import of the C library leaves these out. Events are passed as bytes.
@_silgen_name("epoll_create1")
private func symbol_epoll_create1(_ flags: Int32) -> Int32

@_silgen_name("epoll_ctl")
private func symbol_epoll_ctl(
    _ epoll: Int32, _ operation: Int32, _ descriptor: Int32, _ event: UnsafeMutableRawPointer?
) -> Int32

@_silgen_name("epoll_wait")
private func symbol_epoll_wait(
    _ epoll: Int32, _ events: UnsafeMutableRawPointer?, _ count: Int32, _ timeout: Int32
) -> Int32
