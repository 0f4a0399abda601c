/// A request to the process that executes programs. Each request is one message.
public enum SpawnerRequest: Hashable, Sendable {
    /// Starts a program; descriptors for its streams are sent with the message.
    case start(SpawnedProgram)
    /// Sends a signal to a program that was started, and to all processes of its group.
    case signal(identifier: UInt64, Int32)
}

/// A program to start.
public struct SpawnedProgram: Hashable, Sendable {
    /// Chosen by the caller; not that of a program that still runs.
    public var identifier: UInt64
    /// The file, by an absolute path.
    public var path: [UInt8]
    /// The first is by convention the program's name.
    public var arguments: [[UInt8]]
    /// `NAME=VALUE` each.
    public var environment: [[UInt8]]
    /// The working directory; nil for the root.
    public var folder: [UInt8]?

    public init(
        identifier: UInt64, path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]] = [],
        folder: [UInt8]? = nil
    ) {
        self.identifier = identifier
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.folder = folder
    }
}

/// A reply of the process.
public enum SpawnerReply: Hashable, Sendable {
    case started(identifier: UInt64, process: Int32)
    /// The program could not be started, or no program has the identifier (`ESRCH`).
    case failed(identifier: UInt64, SystemError)
    case ended(identifier: UInt64, ChildProcess.End)
}

/// The encoding of the messages: a kind of one byte, numbers with the lowest byte first, lists and
/// texts with their count before them.
enum SpawnerCoding {
    /// Longest message; longer ones are refused with `E2BIG`.
    static let messageLimit = 160 << 10
    static let listLimit = 4096

    static func bytes(of request: SpawnerRequest, streams: [Int32]) -> [UInt8] {
        var bytes: [UInt8] = []
        switch request {
        case .start(let program):
            bytes.append(1)
            append(program.identifier, 8, to: &bytes)
            bytes.append(UInt8(truncatingIfNeeded: streams.count))
            for stream in streams { bytes.append(UInt8(truncatingIfNeeded: stream)) }
            append(program.path, to: &bytes)
            append(program.arguments, to: &bytes)
            append(program.environment, to: &bytes)
            append(program.folder.map { [$0] } ?? [], to: &bytes)
        case .signal(let identifier, let signal):
            bytes.append(2)
            append(identifier, 8, to: &bytes)
            append(UInt64(UInt32(bitPattern: signal)), 4, to: &bytes)
        }
        return bytes
    }

    /// A request, and the numbers of the streams that its descriptors are for; nil if it is
    /// malformed.
    static func request(_ bytes: [UInt8]) -> (SpawnerRequest, streams: [Int32])? {
        var reader = Reader(bytes: bytes)
        guard let kind = reader.number(1), let identifier = reader.number(8) else { return nil }
        switch kind {
        case 1:
            guard let count = reader.number(1), count <= 3 else { return nil }
            var streams: [Int32] = []
            for _ in 0..<count {
                guard let stream = reader.number(1), stream <= 2,
                    !streams.contains(Int32(truncatingIfNeeded: stream))
                else { return nil }
                streams.append(Int32(truncatingIfNeeded: stream))
            }
            guard let path = reader.text(), let arguments = reader.list(),
                let environment = reader.list(), let folder = reader.list(), folder.count <= 1,
                reader.isAtEnd
            else { return nil }
            let program = SpawnedProgram(
                identifier: identifier, path: path, arguments: arguments,
                environment: environment, folder: folder.first)
            return (.start(program), streams)
        case 2:
            guard let signal = reader.number(4), reader.isAtEnd else { return nil }
            return (.signal(identifier: identifier, Int32(truncatingIfNeeded: signal)), [])
        default: return nil
        }
    }

    /// The identifier of a request of any kind, also of a malformed one; 0 if there is none.
    static func identifier(_ bytes: [UInt8]) -> UInt64 {
        var reader = Reader(bytes: bytes)
        _ = reader.number(1)
        return reader.number(8) ?? 0
    }

    static func bytes(of reply: SpawnerReply) -> [UInt8] {
        let (kind, identifier, number): (UInt8, UInt64, Int32) =
            switch reply {
            case .started(let identifier, let process): (1, identifier, process)
            case .failed(let identifier, let error): (2, identifier, error.code)
            case .ended(let identifier, .status(let status)): (3, identifier, status)
            case .ended(let identifier, .signal(let signal)): (4, identifier, signal)
            }
        var bytes = [kind]
        append(identifier, 8, to: &bytes)
        append(UInt64(UInt32(bitPattern: number)), 4, to: &bytes)
        return bytes
    }

    static func reply(_ bytes: [UInt8]) -> SpawnerReply? {
        var reader = Reader(bytes: bytes)
        guard let kind = reader.number(1), let identifier = reader.number(8),
            let word = reader.number(4), reader.isAtEnd
        else { return nil }
        let number = Int32(truncatingIfNeeded: word)
        switch kind {
        case 1: return .started(identifier: identifier, process: number)
        case 2: return .failed(identifier: identifier, SystemError(code: number))
        case 3: return .ended(identifier: identifier, .status(number))
        case 4: return .ended(identifier: identifier, .signal(number))
        default: return nil
        }
    }

    // MARK: Parts

    private static func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
        for index in 0..<count {
            bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))))
        }
    }

    private static func append(_ text: [UInt8], to bytes: inout [UInt8]) {
        append(UInt64(text.count), 4, to: &bytes)
        bytes += text
    }

    private static func append(_ list: [[UInt8]], to bytes: inout [UInt8]) {
        append(UInt64(list.count), 4, to: &bytes)
        for text in list { append(text, to: &bytes) }
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        var isAtEnd: Bool { at == bytes.count }

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func number(_ count: Int) -> UInt64? {
            guard bytes.count - at >= count else { return nil }
            defer { at += count }
            return bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        /// A text without NUL, which a string of the C library could not hold.
        mutating func text() -> [UInt8]? {
            guard let count = number(4), count <= UInt64(bytes.count - at) else { return nil }
            let end = at + Int(count)
            defer { at = end }
            let text = Array(bytes[at..<end])
            return text.contains(0) ? nil : text
        }

        mutating func list() -> [[UInt8]]? {
            guard let count = number(4), count <= UInt64(SpawnerCoding.listLimit) else {
                return nil
            }
            var list: [[UInt8]] = []
            for _ in 0..<count {
                guard let text = text() else { return nil }
                list.append(text)
            }
            return list
        }
    }
}
