// The layout of the specification's structures in linear memory: sizes and byte offsets, and the
// functions that write and read them. No other file of this target has an offset.
//
// Invariant: every pointer given to a function here was checked by `GuestMemory.pointer` for the
// structure's `size`. Addresses need no alignment.

/// The version of the interface that a guest was built for; structures differ slightly.
enum Version {
    case preview1
    /// `wasi_unstable`, of 2019.
    case unstable
}

/// Attributes of a file (`filestat`).
struct Filestat: Equatable {
    var dev: UInt64 = 0
    var ino: UInt64 = 0
    var filetype: Filetype
    var nlink: UInt64 = 1
    var size: UInt64 = 0
    /// Nanoseconds since 1970.
    var atim: UInt64 = 0
    var mtim: UInt64 = 0
    var ctim: UInt64 = 0

    static func size(_ version: Version) -> Int { version == .preview1 ? 64 : 56 }

    func store(to pointer: UnsafeMutableRawPointer, _ version: Version) {
        pointer.put(dev, at: 0)
        pointer.put(ino, at: 8)
        pointer.put(UInt64(0), at: 16)
        pointer.put(filetype.rawValue, at: 16)
        switch version {
        case .preview1:
            pointer.put(nlink, at: 24)
            pointer.put(size, at: 32)
            pointer.put(atim, at: 40)
            pointer.put(mtim, at: 48)
            pointer.put(ctim, at: 56)
        case .unstable:
            pointer.put(UInt32(clamping: nlink), at: 20)
            pointer.put(size, at: 24)
            pointer.put(atim, at: 32)
            pointer.put(mtim, at: 40)
            pointer.put(ctim, at: 48)
        }
    }
}

/// Attributes of a descriptor (`fdstat`).
enum Fdstat {
    static let size = 24

    static func store(
        to pointer: UnsafeMutableRawPointer, filetype: Filetype, flags: Fdflags, base: Rights,
        inheriting: Rights
    ) {
        pointer.put(UInt64(0), at: 0)
        pointer.put(filetype.rawValue, at: 0)
        pointer.put(flags.rawValue, at: 2)
        pointer.put(base.rawValue, at: 8)
        pointer.put(inheriting.rawValue, at: 16)
    }
}

/// A preopened folder (`prestat`); folders are the only kind.
enum Prestat {
    static let size = 8

    static func store(to pointer: UnsafeMutableRawPointer, nameByteCount: UInt32) {
        pointer.put(UInt32(0), at: 0)
        pointer.put(nameByteCount, at: 4)
    }
}

/// The head of a directory entry (`dirent`); the name follows.
enum Dirent {
    static let size = 24

    static func store(
        to pointer: UnsafeMutableRawPointer, next: UInt64, ino: UInt64, nameByteCount: UInt32,
        filetype: Filetype
    ) {
        pointer.put(next, at: 0)
        pointer.put(ino, at: 8)
        pointer.put(nameByteCount, at: 16)
        pointer.put(UInt32(0), at: 20)
        pointer.put(filetype.rawValue, at: 20)
    }
}

/// An event that a guest waits for (`subscription`).
struct Subscription {
    enum Condition {
        case clock(id: UInt32, timeout: UInt64, isAbsolute: Bool)
        case descriptor(UInt32, Eventtype)
    }

    var userdata: UInt64
    var condition: Condition

    static func size(_ version: Version) -> Int { version == .preview1 ? 48 : 56 }

    /// The subscription at `pointer`, or nil if its tag is unknown.
    init?(from pointer: UnsafeRawPointer, _ version: Version) {
        userdata = pointer.get(at: 0)
        guard let type = Eventtype(rawValue: pointer.get(at: 8)) else { return nil }
        switch type {
        case .clock:
            // In the older version a number chosen by the guest precedes the clock's number.
            let clock = version == .preview1 ? 16 : 24
            let flags: UInt16 = pointer.get(at: clock + 24)
            condition = .clock(
                id: pointer.get(at: clock), timeout: pointer.get(at: clock + 8),
                isAbsolute: flags & 1 != 0)
        case .fdRead, .fdWrite:
            condition = .descriptor(pointer.get(at: 16), type)
        }
    }
}

/// An event that happened (`event`).
struct Event {
    var userdata: UInt64
    var error: Errno = .success
    var type: Eventtype
    var byteCount: UInt64 = 0
    var isHangup = false

    static let size = 32

    func store(to pointer: UnsafeMutableRawPointer) {
        pointer.put(userdata, at: 0)
        pointer.put(UInt64(0), at: 8)
        pointer.put(error.rawValue, at: 8)
        pointer.put(type.rawValue, at: 10)
        pointer.put(byteCount, at: 16)
        pointer.put(UInt64(isHangup ? 1 : 0), at: 24)
    }
}

/// A buffer of a vectored call (`iovec`, `ciovec`).
enum Iovec {
    static let size = 8

    @inline(__always)
    static func load(from pointer: UnsafeRawPointer) -> (address: UInt32, byteCount: UInt32) {
        (pointer.get(at: 0), pointer.get(at: 4))
    }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    fileprivate func put(_ value: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
    }
}

extension UnsafeRawPointer {
    @inline(__always)
    fileprivate func get<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
