/// What may be done with a descriptor: the `rights` of the specification.
public struct Rights: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    private init(bit: UInt64) { rawValue = 1 << bit }

    public static let fdDatasync = Rights(bit: 0)
    public static let fdRead = Rights(bit: 1)
    public static let fdSeek = Rights(bit: 2)
    public static let fdFdstatSetFlags = Rights(bit: 3)
    public static let fdSync = Rights(bit: 4)
    public static let fdTell = Rights(bit: 5)
    public static let fdWrite = Rights(bit: 6)
    public static let fdAdvise = Rights(bit: 7)
    public static let fdAllocate = Rights(bit: 8)
    public static let pathCreateDirectory = Rights(bit: 9)
    public static let pathCreateFile = Rights(bit: 10)
    public static let pathLinkSource = Rights(bit: 11)
    public static let pathLinkTarget = Rights(bit: 12)
    public static let pathOpen = Rights(bit: 13)
    public static let fdReaddir = Rights(bit: 14)
    public static let pathReadlink = Rights(bit: 15)
    public static let pathRenameSource = Rights(bit: 16)
    public static let pathRenameTarget = Rights(bit: 17)
    public static let pathFilestatGet = Rights(bit: 18)
    public static let pathFilestatSetSize = Rights(bit: 19)
    public static let pathFilestatSetTimes = Rights(bit: 20)
    public static let fdFilestatGet = Rights(bit: 21)
    public static let fdFilestatSetSize = Rights(bit: 22)
    public static let fdFilestatSetTimes = Rights(bit: 23)
    public static let pathSymlink = Rights(bit: 24)
    public static let pathRemoveDirectory = Rights(bit: 25)
    public static let pathUnlinkFile = Rights(bit: 26)
    public static let pollFdReadwrite = Rights(bit: 27)
    public static let sockShutdown = Rights(bit: 28)
    public static let sockAccept = Rights(bit: 29)
}

extension Rights {
    /// All rights that apply to a regular file.
    static let regularFile: Rights = [
        .fdDatasync, .fdRead, .fdSeek, .fdFdstatSetFlags, .fdSync, .fdTell, .fdWrite, .fdAdvise,
        .fdAllocate, .fdFilestatGet, .fdFilestatSetSize, .fdFilestatSetTimes, .pollFdReadwrite,
    ]

    /// All rights that apply to a directory.
    static let directory: Rights = [
        .fdFdstatSetFlags, .fdSync, .fdDatasync, .pathCreateDirectory, .pathCreateFile,
        .pathLinkSource, .pathLinkTarget, .pathOpen, .fdReaddir, .pathReadlink,
        .pathRenameSource, .pathRenameTarget, .pathFilestatGet, .pathFilestatSetSize,
        .pathFilestatSetTimes, .fdFilestatGet, .fdFilestatSetTimes, .pathSymlink,
        .pathRemoveDirectory, .pathUnlinkFile,
    ]

    /// Rights of descriptors that are opened through a preopened folder.
    static let directoryInheriting: Rights = directory.union(regularFile)

    /// A device that can be positioned, for example `/dev/null`.
    static let device: Rights = regularFile.subtracting([.fdAllocate, .fdFilestatSetSize])

    /// Pipes, terminals and streams of the embedder. Without seek and tell: C libraries treat a
    /// character device without them as a terminal.
    static let stream: Rights = [
        .fdRead, .fdWrite, .fdFdstatSetFlags, .fdFilestatGet, .pollFdReadwrite,
    ]

    static let socket: Rights = stream.union([.sockShutdown, .sockAccept])

    /// Rights that a file has only if it was opened for writing.
    static let writing: Rights = [.fdWrite, .fdAllocate, .fdFilestatSetSize]

    /// Rights for standard input: reading, also at other positions of a file, inspecting and
    /// waiting. A file there does not belong to the guest.
    static let standardInput: Rights = [
        .fdRead, .fdSeek, .fdTell, .fdAdvise, .fdFdstatSetFlags, .fdFilestatGet, .pollFdReadwrite,
    ]

    /// Rights for standard output and error: writing at the current position, inspecting and
    /// waiting. With seek a guest could overwrite earlier content of the file.
    static let standardOutput: Rights = [
        .fdWrite, .fdTell, .fdSync, .fdDatasync, .fdFdstatSetFlags, .fdFilestatGet,
        .pollFdReadwrite,
    ]

    /// All rights that apply to a descriptor of `filetype`.
    static func applicable(to filetype: Filetype, isTerminal: Bool) -> Rights {
        switch filetype {
        case .directory: directory
        case .regularFile, .symbolicLink: regularFile
        case .blockDevice: device
        case .characterDevice: isTerminal ? stream : device
        case .socketStream, .socketDgram: socket
        case .unknown: stream
        }
    }
}
