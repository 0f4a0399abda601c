import Synchronization
import WasmSystem

@testable import WasmdImages

/// What happened to a disk, in order.
enum DiskEvent: Sendable {
    case write(file: Int, offset: Int, bytes: [UInt8])
    case setSize(file: Int, Int)
    case datasync(file: Int)
    case link(name: [UInt8], file: Int)
    case unlink(name: [UInt8])
    case syncFolder
    /// A mark of the test: the transaction of this number was acknowledged.
    case acknowledged(Int)
}

/// The files of a disk with one folder: what programs see.
struct DiskState: Sendable {
    var files: [Int: [UInt8]] = [:]
    var names: [[UInt8]: Int] = [:]

    func content(_ name: String) -> [UInt8]? { names[Array(name.utf8)].flatMap { files[$0] } }

    mutating func apply(_ event: DiskEvent) {
        switch event {
        case .write(let file, let offset, let bytes):
            var content = files[file] ?? []
            if content.count < offset + bytes.count {
                content += [UInt8](repeating: 0, count: offset + bytes.count - content.count)
            }
            content.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
            files[file] = content
        case .setSize(let file, let size):
            var content = files[file] ?? []
            if content.count > size { content.removeSubrange(size...) }
            content += [UInt8](repeating: 0, count: size - content.count)
            files[file] = content
        case .link(let name, let file):
            names[name] = file
            if files[file] == nil { files[file] = [] }
        case .unlink(let name): names[name] = nil
        case .datasync, .syncFolder, .acknowledged: break
        }
    }
}

/// A disk in memory. It records what happens to it, and can be full, read-only or broken.
final class MemoryDisk: FileLayer {
    struct Faults: Sendable {
        /// Bytes that all files may have together.
        var capacity = Int.max
        var isReadOnly = false
        /// Which sync fails next: counts down at each.
        var syncsUntilFailure = Int.max
    }

    private struct State: Sendable {
        var disk: DiskState
        var events: [DiskEvent] = []
        var descriptors: [Int32: Int] = [:]
        var nextDescriptor: Int32 = 100
        var nextFile: Int
        /// The locks of each range of a file.
        var locks: [Lock] = []
        var faults = Faults()
        var time: UInt64 = 0
    }

    private struct Lock: Sendable {
        var file: Int
        var range: LockRange
        var owner: Int32
        var isExclusive: Bool
    }

    private let state: Mutex<State>

    init(_ disk: DiskState = DiskState()) {
        state = Mutex(State(disk: disk, nextFile: (disk.files.keys.max() ?? 0) + 1))
    }

    var disk: DiskState { state.withLock { $0.disk } }
    var events: [DiskEvent] { state.withLock { $0.events } }
    func note(_ event: DiskEvent) { state.withLock { $0.events.append(event) } }
    func set(_ change: @Sendable (inout Faults) -> Void) { state.withLock { change(&$0.faults) } }
    /// Descriptors that are open now.
    var openCount: Int { state.withLock { $0.descriptors.count } }

    private func locked<Value: Sendable>(
        _ body: (inout State) -> Result<Value, SystemError>
    ) throws(SystemError) -> Value {
        try state.withLock { body(&$0) }.get()
    }

    private static func record(_ event: DiskEvent, _ state: inout State) {
        state.disk.apply(event)
        state.events.append(event)
    }

    func resolved(_ path: [UInt8]) -> [UInt8]? { exists(path) ? path : nil }

    func open(
        _ path: [UInt8], _ flags: FileFlags, permissions: UInt32
    ) throws(SystemError) -> Int32 {
        try locked { state in
            if state.faults.isReadOnly, flags.writes { return .failure(.rofs) }
            let file: Int
            if let found = state.disk.names[path] {
                if flags.contains(.exclusive) { return .failure(.exist) }
                file = found
            } else {
                guard flags.contains(.create) else { return .failure(.noent) }
                file = state.nextFile
                state.nextFile += 1
                Self.record(.link(name: path, file: file), &state)
            }
            state.nextDescriptor += 1
            state.descriptors[state.nextDescriptor] = file
            return .success(state.nextDescriptor)
        }
    }

    func close(_ descriptor: Int32) {
        state.withLock { state in
            state.descriptors[descriptor] = nil
            state.locks.removeAll { $0.owner == descriptor }
        }
    }

    func exists(_ path: [UInt8]) -> Bool { state.withLock { $0.disk.names[path] != nil } }
    func permissions(_ descriptor: Int32) throws(SystemError) -> UInt32 { 0o644 }

    func size(_ descriptor: Int32) throws(SystemError) -> Int {
        try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            return .success(state.disk.files[file]?.count ?? 0)
        }
    }

    func read(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        let bytes: [UInt8] = try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            let content = state.disk.files[file] ?? []
            guard offset < content.count else { return .success([]) }
            return .success(Array(content[offset..<min(offset + buffer.count, content.count)]))
        }
        unsafe buffer.copyBytes(from: bytes)
        return bytes.count
    }

    func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        let bytes = unsafe [UInt8](buffer)
        return try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            if state.faults.isReadOnly { return .failure(.rofs) }
            let used = state.disk.files.values.reduce(0) { $0 + $1.count }
            let growth = max(offset + bytes.count - (state.disk.files[file]?.count ?? 0), 0)
            // A full disk takes a part of the last write.
            let fits = min(bytes.count, bytes.count - growth + max(state.faults.capacity - used, 0))
            guard fits > 0 else { return .failure(.nospc) }
            Self.record(
                .write(file: file, offset: offset, bytes: Array(bytes[..<fits])), &state)
            return .success(fits)
        }
    }

    func setSize(_ descriptor: Int32, _ size: Int) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            Self.record(.setSize(file: file, size), &state)
            return .success(())
        }
    }

    private static func countSync(_ state: inout State) -> Bool {
        state.faults.syncsUntilFailure -= 1
        return state.faults.syncsUntilFailure > 0
    }

    func datasync(_ descriptor: Int32) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            guard Self.countSync(&state) else { return .failure(.io) }
            Self.record(.datasync(file: file), &state)
            return .success(())
        }
    }

    func syncFolder(of path: [UInt8]) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            guard Self.countSync(&state) else { return .failure(.io) }
            Self.record(.syncFolder, &state)
            return .success(())
        }
    }

    func link(_ path: [UInt8], to new: [UInt8]) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            guard let file = state.disk.names[path] else { return .failure(.noent) }
            guard state.disk.names[new] == nil else { return .failure(.exist) }
            Self.record(.link(name: new, file: file), &state)
            return .success(())
        }
    }

    func unlink(_ path: [UInt8]) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            guard state.disk.names[path] != nil else { return .failure(.noent) }
            Self.record(.unlink(name: path), &state)
            return .success(())
        }
    }

    func tryLock(
        _ descriptor: Int32, _ range: LockRange, _ lock: RangeLock
    ) throws(SystemError) -> Bool {
        try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            let isExclusive = lock == .exclusive
            let isTaken = state.locks.contains {
                $0.file == file && $0.range == range && $0.owner != descriptor
                    && (isExclusive || $0.isExclusive)
            }
            if isTaken { return .success(false) }
            state.locks.removeAll { $0.range == range && $0.owner == descriptor }
            state.locks.append(
                Lock(file: file, range: range, owner: descriptor, isExclusive: isExclusive))
            return .success(true)
        }
    }

    func unlock(_ descriptor: Int32, _ range: LockRange) throws(SystemError) {
        state.withLock { state in
            state.locks.removeAll {
                $0.owner == descriptor && (range == .all || $0.range == range)
            }
        }
    }

    func isLockedByOthers(_ descriptor: Int32, _ range: LockRange) throws(SystemError) -> Bool {
        try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            return .success(
                state.locks.contains {
                    $0.file == file && $0.range == range && $0.owner != descriptor
                })
        }
    }

    func pause(nanoseconds: UInt64) { state.withLock { $0.time += nanoseconds } }
    func now() -> UInt64 { state.withLock { $0.time } }
}

/// Rebuilds what a disk may have after a power cut: everything that was synced, and any subset of
/// what was not, in pieces of 512 bytes.
struct PowerCut {
    private(set) var durable = DiskState()
    private var pending: [DiskEvent] = []

    private static let sector = 512

    mutating func add(_ event: DiskEvent) {
        switch event {
        case .acknowledged: break
        case .datasync(let file):
            settle { pending in
                switch pending {
                case .write(file, _, _), .setSize(file, _): true
                default: false
                }
            }
        case .syncFolder:
            settle { pending in
                switch pending {
                case .link, .unlink: true
                default: false
                }
            }
        case .write(let file, let offset, let bytes):
            var start = 0
            while start < bytes.count {
                let end = min(
                    ((offset + start) / Self.sector + 1) * Self.sector - offset, bytes.count)
                pending.append(
                    .write(file: file, offset: offset + start, bytes: Array(bytes[start..<end])))
                start = end
            }
        default: pending.append(event)
        }
    }

    private mutating func settle(_ isSettled: (DiskEvent) -> Bool) {
        for event in pending where isSettled(event) { durable.apply(event) }
        pending.removeAll(where: isSettled)
    }

    var choices: Int { pending.count }

    func state(_ keeps: (Int) -> Bool) -> DiskState {
        var state = durable
        for (index, event) in pending.enumerated() where keeps(index) { state.apply(event) }
        return state
    }
}

/// Numbers that look random and are the same in each run.
struct Randomness: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
