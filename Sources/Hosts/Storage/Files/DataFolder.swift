// Soundness: an array is lent to a read as a whole.

import Synchronization
import WasmSystem

/// The folders of a store.
final class DataFolder: Sendable {
    let files: any FileLayer
    /// As errors name it.
    let path: String
    let pathBytes: [UInt8]
    let root: OpenFile
    let log: OpenFile
    let blobs: OpenFile
    /// Locked while the store is open; nil if it was opened only to be read.
    private let lock: Mutex<OpenFile?>

    static let logName = Array("log".utf8)
    static let blobsName = Array("blobs".utf8)
    static let lockName = Array("lock".utf8)

    /// - Parameter locks: whether to take the folder for this process.
    /// - Throws: `.held`, `.noStore`, `.system`.
    init(
        _ path: [UInt8], creates: Bool, locks: Bool, _ files: any FileLayer
    ) throws(StorageError) {
        self.files = files
        let name = String(decoding: path, as: UTF8.self)
        self.path = name
        pathBytes = path
        let root: OpenFile
        do throws(SystemError) {
            root = OpenFile(owning: try files.openRoot(path, creates: creates), files)
        } catch {
            throw .system(error, file: name)
        }
        self.root = root
        func open(_ folder: [UInt8]) throws(StorageError) -> OpenFile {
            do throws(SystemError) {
                let opened = try files.openFolder(root.descriptor, folder, creates: creates)
                return OpenFile(owning: opened, files)
            } catch {
                if error == .noent, !creates { throw .noStore(folder: name) }
                throw .system(error, file: name + "/" + String(decoding: folder, as: UTF8.self))
            }
        }
        // The lock comes first, so that two processes do not make the folders at once.
        if !creates, !files.exists(root.descriptor, Self.logName) { throw .noStore(folder: name) }
        lock = Mutex(locks ? try Self.takeLock(root, name) : nil)
        log = try open(Self.logName)
        blobs = try open(Self.blobsName)
        // A process that ended at once may have made names that are not durable yet.
        if locks {
            try? files.syncFolder(root.descriptor)
            try? files.syncFolder(blobs.descriptor)
        }
    }

    deinit { releaseLock() }

    private static func takeLock(
        _ root: OpenFile, _ path: String
    ) throws(StorageError) -> OpenFile? {
        let files = root.files
        let file: OpenFile
        var isWritable = true
        do throws(SystemError) {
            let opened = try files.open(root.descriptor, lockName, [.readWrite, .create])
            file = OpenFile(owning: opened, files)
        } catch {
            guard error == .rofs || error == .acces else {
                throw StorageError(writing: path + "/lock", error)
            }
            // On a disk that cannot be written nobody else writes.
            guard let opened = try? files.open(root.descriptor, lockName, .readOnly) else {
                return nil
            }
            file = OpenFile(owning: opened, files)
            isWritable = false
        }
        guard
            try reading(
                path + "/lock",
                { () throws(SystemError) in
                    try files.tryLock(file.descriptor)
                })
        else {
            throw .held(folder: path, process: holder(file))
        }
        if isWritable {
            // On a full disk the number is missing, no more.
            let text = Array("\(CurrentProcess.identifier)\n".utf8)
            try? files.setSize(file.descriptor, 0)
            try? files.writeAll(file.descriptor, text, at: 0)
        }
        return file
    }

    /// Lets other processes open the folder. Nothing may be written from now on.
    func releaseLock() {
        lock.withLock { file in
            if let file { files.unlock(file.descriptor) }
            file = nil
        }
    }

    /// The number of the process that has the lock.
    private static func holder(_ file: OpenFile) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = unsafe text.withUnsafeMutableBytes {
            try? unsafe file.files.readAll(file.descriptor, $0, at: 0)
        }
        let digits = text.prefix(count ?? 0).prefix { $0 != UInt8(ascii: "\n") }
        return Int(String(decoding: digits, as: UTF8.self)).flatMap { Int32(exactly: $0) }
    }

    /// The process that has the folder open now; nil if none has.
    var currentHolder: (isHeld: Bool, process: Int32?) {
        guard let opened = try? files.open(root.descriptor, Self.lockName, .readOnly) else {
            return (false, nil)
        }
        let file = OpenFile(owning: opened, files)
        guard (try? files.tryLock(file.descriptor)) == false else {
            files.unlock(file.descriptor)
            return (false, nil)
        }
        return (true, Self.holder(file))
    }

    /// The segments of the log by number, and the other names of its folder.
    func segmentNumbers() throws(StorageError) -> (numbers: [UInt32], others: [[UInt8]]) {
        let names = try reading(path + "/log") { () throws(SystemError) in
            try files.names(log.descriptor)
        }
        var numbers: [UInt32] = []
        var others: [[UInt8]] = []
        for name in names {
            if let number = Segment.number(name) {
                numbers.append(number)
            } else {
                others.append(name)
            }
        }
        return (numbers.sorted(), others)
    }

    func openSegment(
        _ number: UInt32, _ flags: FileFlags
    ) throws(SystemError) -> Segment {
        let opened = try files.open(log.descriptor, Segment.name(number), flags)
        return Segment(number: number, OpenFile(owning: opened, files))
    }
}
