import Synchronization
import WasmSystem

@testable import WasmdStorage

/// What happened to a disk, in order.
enum DiskEvent: Sendable {
    case write(file: Int, offset: Int, bytes: [UInt8])
    case setSize(file: Int, Int)
    case datasync(file: Int)
    case link(folder: Int, name: [UInt8], file: Int)
    case unlink(folder: Int, name: [UInt8])
    case rename(folder: Int, old: [UInt8], new: [UInt8])
    case syncFolder(Int)
    /// A mark of the test: all transactions up to this version were acknowledged.
    case acknowledged(UInt64)
}

/// The files of a disk: what programs see.
struct DiskState: Sendable {
    var files: [Int: [UInt8]] = [:]
    /// Files by folder and name. The folders are 0, 1 and 2: root, log and blobs.
    var folders: [[[UInt8]: Int]] = [[:], [:], [:]]

    /// Bytes of the files that have a name.
    var usedSize: Int { folders.joined().reduce(0) { $0 + (files[$1.value]?.count ?? 0) } }

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
        case .link(let folder, let name, let file):
            folders[folder][name] = file
            if files[file] == nil { files[file] = [] }
        case .unlink(let folder, let name): folders[folder][name] = nil
        case .rename(let folder, let old, let new):
            if let file = folders[folder].removeValue(forKey: old) { folders[folder][new] = file }
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
        var failsSync = false
        var failsSetSize = false
        /// Whether values are never in memory, as for a cold cache.
        var isCold = false
    }

    private struct State: Sendable {
        var disk: DiskState
        var events: [DiskEvent] = []
        var descriptors: [Int32: Int] = [:]
        var nextDescriptor: Int32 = 100
        var nextFile: Int
        var locked: Set<Int> = []
        var faults = Faults()
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

    /// The content of a file of the log.
    func change(_ name: [UInt8], _ body: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard let file = state.disk.folders[1][name], var content = state.disk.files[file]
            else { return }
            body(&content)
            state.disk.files[file] = content
        }
    }

    /// The content of a blob.
    func changeBlob(_ name: [UInt8], _ body: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard let file = state.disk.folders[2][name], var content = state.disk.files[file]
            else { return }
            body(&content)
            state.disk.files[file] = content
        }
    }

    private func locked<Value: Sendable>(
        _ body: (inout State) -> Result<Value, SystemError>
    ) throws(SystemError) -> Value {
        try state.withLock { body(&$0) }.get()
    }

    private static func record(_ event: DiskEvent, _ state: inout State) {
        state.disk.apply(event)
        state.events.append(event)
    }

    private func descriptor(_ target: Int, _ state: inout State) -> Int32 {
        state.nextDescriptor += 1
        state.descriptors[state.nextDescriptor] = target
        return state.nextDescriptor
    }

    // Folders have the descriptors 1 to 3.

    func openRoot(_ path: [UInt8], creates: Bool) throws(SystemError) -> Int32 { 1 }

    func openFolder(
        _ folder: Int32, _ name: [UInt8], creates: Bool
    ) throws(SystemError) -> Int32 {
        name == DataFolder.logName ? 2 : 3
    }

    func open(
        _ folder: Int32, _ name: [UInt8], _ flags: FileFlags
    ) throws(SystemError) -> Int32 {
        try locked { state in
            if state.faults.isReadOnly, flags.writes { return .failure(.rofs) }
            if let file = state.disk.folders[Int(folder) - 1][name] {
                if flags.contains(.exclusive) { return .failure(.exist) }
                if flags.contains(.truncate) {
                    Self.record(.setSize(file: file, 0), &state)
                }
                return .success(descriptor(file, &state))
            }
            guard flags.contains(.create) else { return .failure(.noent) }
            let file = state.nextFile
            state.nextFile += 1
            Self.record(.link(folder: Int(folder) - 1, name: name, file: file), &state)
            return .success(descriptor(file, &state))
        }
    }

    func close(_ descriptor: Int32) {
        state.withLock { state in
            guard let file = state.descriptors.removeValue(forKey: descriptor) else { return }
            if !state.descriptors.values.contains(file) { state.locked.remove(file) }
        }
    }

    func unlock(_ descriptor: Int32) {
        state.withLock { state in
            if let file = state.descriptors[descriptor] { state.locked.remove(file) }
        }
    }

    func tryLock(_ descriptor: Int32) throws(SystemError) -> Bool {
        try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            return .success(state.locked.insert(file).inserted)
        }
    }

    func size(_ descriptor: Int32) throws(SystemError) -> Int64 {
        try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            return .success(Int64(state.disk.files[file]?.count ?? 0))
        }
    }

    func exists(_ folder: Int32, _ name: [UInt8]) -> Bool {
        state.withLock { state in
            // The folders are always there.
            folder == 1 && name == DataFolder.logName
                || state.disk.folders[Int(folder) - 1][name] != nil
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

    func readAtOnce(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int? {
        if state.withLock({ $0.faults.isCold }) { return nil }
        return try unsafe read(descriptor, buffer, at: offset)
    }

    func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        let bytes = unsafe [UInt8](buffer)
        return try locked { state in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            if state.faults.isReadOnly { return .failure(.rofs) }
            let used = state.disk.usedSize
            let growth = max(offset + bytes.count - (state.disk.files[file]?.count ?? 0), 0)
            // A full disk takes a part of the last write.
            let fits = min(bytes.count, bytes.count - growth + max(state.faults.capacity - used, 0))
            guard fits > 0 else { return .failure(.nospc) }
            Self.record(
                .write(file: file, offset: offset, bytes: Array(bytes[..<fits])), &state)
            return .success(fits)
        }
    }

    func setSize(_ descriptor: Int32, _ size: Int64) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            if state.faults.isReadOnly { return .failure(.rofs) }
            if state.faults.failsSetSize { return .failure(.io) }
            Self.record(.setSize(file: file, Int(size)), &state)
            return .success(())
        }
    }

    func datasync(_ descriptor: Int32) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            guard let file = state.descriptors[descriptor] else { return .failure(.badf) }
            if state.faults.failsSync { return .failure(.io) }
            Self.record(.datasync(file: file), &state)
            return .success(())
        }
    }

    func syncFolder(_ descriptor: Int32) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            if state.faults.failsSync { return .failure(.io) }
            Self.record(.syncFolder(Int(descriptor) - 1), &state)
            return .success(())
        }
    }

    func rename(_ folder: Int32, _ old: [UInt8], to new: [UInt8]) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            if state.faults.isReadOnly { return .failure(.rofs) }
            guard state.disk.folders[Int(folder) - 1][old] != nil else { return .failure(.noent) }
            Self.record(.rename(folder: Int(folder) - 1, old: old, new: new), &state)
            return .success(())
        }
    }

    func unlink(_ folder: Int32, _ name: [UInt8]) throws(SystemError) {
        try locked { state -> Result<Void, SystemError> in
            if state.faults.isReadOnly { return .failure(.rofs) }
            guard state.disk.folders[Int(folder) - 1][name] != nil else { return .failure(.noent) }
            Self.record(.unlink(folder: Int(folder) - 1, name: name), &state)
            return .success(())
        }
    }

    func renameRoot(_ old: [UInt8], to new: [UInt8]) throws(SystemError) { throw .nosys }
    func removeRoot(_ path: [UInt8]) {}
    func isOccupied(_ path: [UInt8]) -> Bool { true }

    func names(_ folder: Int32) throws(SystemError) -> [[UInt8]] {
        state.withLock { Array($0.disk.folders[Int(folder) - 1].keys) }
    }
}
