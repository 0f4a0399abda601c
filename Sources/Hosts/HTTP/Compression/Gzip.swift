/// Compresses a stream as gzip (RFC 1952), piece by piece.
public struct GzipEncoder: Sendable {
    private var deflate = Deflate()
    private var checksum = CRC32()
    private var size: UInt32 = 0
    private var isStarted = false
    private var isFinished = false

    public init() {}

    /// Compresses a piece and appends what is ready. With `.sync` the client can show all bytes so
    /// far; with `.finish` the stream is complete, and later calls do nothing.
    public mutating func compress(
        _ piece: borrowing Span<UInt8>, flush: Deflate.Flush = .none, to output: inout [UInt8]
    ) {
        if isFinished { return }
        if !isStarted {
            // No name, no time, an unknown system.
            output.append(contentsOf: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
            isStarted = true
        }
        checksum.update(piece)
        size &+= UInt32(truncatingIfNeeded: piece.count)
        deflate.compress(piece, flush: flush, to: &output)
        guard flush == .finish else { return }
        isFinished = true
        for value in [checksum.value, size] {
            for shift: UInt32 in [0, 8, 16, 24] {
                output.append(UInt8(truncatingIfNeeded: value >> shift))
            }
        }
    }
}

/// Decompresses a gzip stream of one or more members, in pieces of a bounded size.
public struct GzipDecoder: Sendable {
    private enum State: Sendable {
        case header
        case body
        case trailer
        case failed(Inflate.Fault)
    }

    private var state = State.header
    /// Bytes of a header or trailer that are not understood yet.
    private var pending: [UInt8] = []
    private var inflate: Inflate
    private var checksum = CRC32()
    private var size: UInt32 = 0
    private var total: UInt64 = 0
    private var members = 0

    /// The most bytes that may come out of all members.
    public let limit: UInt64
    /// The most bytes of a header, whose name and comment have no limit of their own.
    private static var headerLimit: Int { 4096 }

    public init(limit: UInt64) {
        self.limit = limit
        inflate = Inflate(limit: limit)
    }

    /// Decompresses; see `Inflate.next`. Never `.finished`: another member may follow.
    public mutating func next(
        _ input: borrowing Span<UInt8>, at position: inout Int, into output: inout [UInt8],
        upTo maximum: Int
    ) throws(Inflate.Fault) -> Inflate.Progress {
        do throws(Inflate.Fault) {
            return try advance(input, at: &position, into: &output, upTo: maximum)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private mutating func advance(
        _ input: borrowing Span<UInt8>, at position: inout Int, into output: inout [UInt8],
        upTo maximum: Int
    ) throws(Inflate.Fault) -> Inflate.Progress {
        position = min(max(position, 0), input.count)
        while true {
            switch state {
            case .failed(let fault): throw fault
            case .header:
                guard position < input.count else { return .needsInput }
                pending.append(input[position])
                position &+= 1
                if try isHeaderComplete() {
                    pending.removeAll()
                    state = .body
                    inflate = Inflate(limit: limit &- total)
                    checksum = CRC32()
                    size = 0
                }
            case .body:
                let start = output.count
                let progress = try inflate.next(
                    input, at: &position, into: &output, upTo: maximum)
                checksum.update(output.span.extracting(start..<output.count))
                size &+= UInt32(truncatingIfNeeded: output.count &- start)
                total &+= UInt64(output.count &- start)
                if progress != .finished { return progress }
                state = .trailer
            case .trailer:
                while pending.count < 8 {
                    guard position < input.count else { return .needsInput }
                    pending.append(input[position])
                    position &+= 1
                }
                guard word(0) == checksum.value, word(4) == size else { throw .gzip }
                pending.removeAll()
                members &+= 1
                state = .header
            }
        }
    }

    /// Says that the input ended.
    public func finish() throws(Inflate.Fault) {
        switch state {
        case .failed(let fault): throw fault
        case .header where pending.isEmpty && members > 0: return
        default: throw .truncated
        }
    }

    private func word(_ index: Int) -> UInt32 {
        (0..<4).reduce(UInt32(0)) {
            $0 | UInt32(truncatingIfNeeded: pending[index + $1]) << UInt32($1 * 8 & 31)
        }
    }

    /// Whether `pending` is a whole header. Called with each byte more, which the limit keeps
    /// cheap.
    private mutating func isHeaderComplete() throws(Inflate.Fault) -> Bool {
        if pending.count > Self.headerLimit { throw .gzip }
        guard pending.count >= 10 else { return false }
        guard pending[0] == 0x1f, pending[1] == 0x8b, pending[2] == 8, pending[3] & 0xe0 == 0
        else { throw .gzip }
        let flags = pending[3]
        // Extra fields, name, comment and checksum are rare; without them the header ends here.
        if flags & 0x1e == 0 { return true }
        var end = 10
        if flags & 4 != 0 {
            guard pending.count >= 12 else { return false }
            end = 12 + Int(pending[10]) + Int(pending[11]) << 8
            guard pending.count >= end else { return false }
        }
        for flag: UInt8 in [8, 16] where flags & flag != 0 {
            guard let zero = pending[end...].firstIndex(of: 0) else { return false }
            end = zero + 1
        }
        if flags & 2 != 0 { end += 2 }
        return pending.count >= end
    }
}
