import WasmSystem

/// A file that takes room on the disk for the time when it is full: what frees room, above all a
/// deletion, must be written to the log before. Used by one thread.
struct SpaceReserve {
    private let folder: DataFolder
    private let name: [UInt8]
    /// Bytes; zero for no reserve.
    private let size: Int
    /// Whether the file has its bytes.
    private(set) var isHeld = false

    static let fileName = Array("reserve".utf8)

    init(_ folder: DataFolder, name: [UInt8] = fileName, size: Int) {
        self.folder = folder
        self.name = name
        self.size = size
    }

    /// Takes the room, if it is there; costs a call of the kernel if it was taken before.
    mutating func take() {
        guard !isHeld, size > 0 else { return }
        isHeld = (try? fill()) != nil
        if !isHeld { empty() }
    }

    /// Gives the room to what frees more. Returns whether there was any.
    mutating func giveUp() -> Bool {
        guard isHeld else { return false }
        isHeld = false
        empty()
        return true
    }

    private func open() throws(SystemError) -> OpenFile {
        OpenFile(
            owning: try folder.files.open(
                folder.root.descriptor, name, [.readWrite, .create]), folder.files)
    }

    private func fill() throws(SystemError) {
        let file = try open()
        var done = Int(clamping: try folder.files.size(file.descriptor))
        let zeros = [UInt8](repeating: 0, count: min(size, 64 << 10))
        while done < size {
            let piece = min(zeros.count, size - done)
            try folder.files.writeAll(file.descriptor, Array(zeros.prefix(piece)), at: done)
            done += piece
        }
    }

    private func empty() {
        guard let file = try? open() else { return }
        try? folder.files.setSize(file.descriptor, 0)
    }

    /// Whether the disk has room for as many bytes: takes and frees them.
    static func hasRoom(_ folder: DataFolder, for size: Int) -> Bool {
        var probe = SpaceReserve(folder, name: Array("space".utf8), size: size)
        probe.take()
        let hasRoom = probe.isHeld
        probe.empty()
        try? folder.files.unlink(folder.root.descriptor, probe.name)
        return hasRoom
    }
}

extension CommitJob {
    /// Whether the job leads to room on the disk: on a full one it may use the reserve.
    var freesRoom: Bool {
        switch work {
        case .transaction(let transaction):
            !transaction.changes.isEmpty && transaction.changes.allSatisfy { $0.value == nil }
        case .moved, .first: true
        case .rotate: false
        }
    }
}
