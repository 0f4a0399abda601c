// The small enumerations and flag sets of the specification.

/// Which clock (`clockid`).
public enum ClockID: UInt32, Sendable, Hashable, CaseIterable {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    case realtime = 0
    /// Never set back; its zero has no meaning.
    case monotonic
    /// Processor time of the host's process.
    case processCPUTime
    /// Processor time of the calling thread.
    case threadCPUTime
}

/// The kind of a descriptor or directory entry (`filetype`).
public enum Filetype: UInt8, Sendable, Hashable {
    case unknown = 0
    case blockDevice, characterDevice, directory, regularFile, socketDgram, socketStream
    case symbolicLink
}

/// State of an open descriptor (`fdflags`).
struct Fdflags: OptionSet, Hashable {
    let rawValue: UInt16
    static let append = Fdflags(rawValue: 1)
    static let dsync = Fdflags(rawValue: 2)
    static let nonblock = Fdflags(rawValue: 4)
    static let rsync = Fdflags(rawValue: 8)
    static let sync = Fdflags(rawValue: 16)
    static let all: Fdflags = [.append, .dsync, .nonblock, .rsync, .sync]
    /// The flags for synchronous writes.
    static let synchronizing: Fdflags = [.dsync, .rsync, .sync]
}

/// How `path_open` opens (`oflags`).
struct Oflags: OptionSet {
    let rawValue: UInt16
    static let creat = Oflags(rawValue: 1)
    static let directory = Oflags(rawValue: 2)
    static let excl = Oflags(rawValue: 4)
    static let trunc = Oflags(rawValue: 8)
    static let all: Oflags = [.creat, .directory, .excl, .trunc]
}

/// How a path is resolved (`lookupflags`).
struct Lookupflags: OptionSet {
    let rawValue: UInt32
    /// A symbolic link as the last component is followed.
    static let symlinkFollow = Lookupflags(rawValue: 1)
}

/// Which times `fd_filestat_set_times` sets (`fstflags`).
struct Fstflags: OptionSet {
    let rawValue: UInt16
    static let atim = Fstflags(rawValue: 1)
    static let atimNow = Fstflags(rawValue: 2)
    static let mtim = Fstflags(rawValue: 4)
    static let mtimNow = Fstflags(rawValue: 8)
    static let all: Fstflags = [.atim, .atimNow, .mtim, .mtimNow]
}

/// The origin of `fd_seek` (`whence`), in the numbering of preview 1.
enum Whence: UInt8 {
    case set = 0
    case cur, end
}

/// How a guest will use a range of a file (`advice`).
enum Advice: UInt8 {
    case normal = 0
    case sequential, random, willneed, dontneed, noreuse
}

/// The kind of a subscription (`eventtype`).
enum Eventtype: UInt8 {
    case clock = 0
    case fdRead, fdWrite
}

/// Flags of `sock_recv` (`riflags`).
struct Riflags: OptionSet {
    let rawValue: UInt16
    static let recvPeek = Riflags(rawValue: 1)
    static let recvWaitall = Riflags(rawValue: 2)
    static let all: Riflags = [.recvPeek, .recvWaitall]
}

/// Which directions `sock_shutdown` ends (`sdflags`).
struct Sdflags: OptionSet {
    let rawValue: UInt8
    static let rd = Sdflags(rawValue: 1)
    static let wr = Sdflags(rawValue: 2)
    static let all: Sdflags = [.rd, .wr]
}
