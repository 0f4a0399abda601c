import Glibc

// Messages on unix sockets that carry descriptors: unix(7), `SCM_RIGHTS`.
//
// Invariants: a control message is laid out as the kernel's `cmsghdr` (its length of eight bytes, level
// and type of four each, then the descriptors); ranges of it that are read are inside of what the kernel
// says it has filled.

extension Kernel {
    /// Two sockets that are connected to each other, and keep messages apart: unix(7),
    /// `SOCK_SEQPACKET`. Reads and writes wait.
    public static func messagePair() throws(SystemError) -> (Int32, Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let type = Int32(truncatingIfNeeded: SOCK_SEQPACKET.rawValue) | 0o2_000_000
        let result = withUnsafeMutableBytes(of: &ends) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return socketpair(AF_UNIX, type, 0, start.assumingMemoryBound(to: Int32.self))
        }
        guard result == 0 else { throw .ofLastCall }
        let pair = try aboveStandardStreams(ends)
        return (pair.read, pair.write)
    }

    private static let controlHead = 16

    /// Sends a message with descriptors, which the receiver gets copies of: sendmsg(2).
    ///
    /// - Parameter waits: whether to wait until there is room for the message.
    /// - Throws: `EMSGSIZE` for a message that is too long for the socket, `EAGAIN`, `EPIPE`.
    public static func sendMessage(
        _ socket: Int32, _ bytes: [UInt8], descriptors: [Int32], waits: Bool = true
    ) throws(SystemError) {
        var control: [UInt8] = []
        if !descriptors.isEmpty {
            let length = controlHead + 4 * descriptors.count
            withUnsafeBytes(of: UInt(length)) { control.append(contentsOf: $0) }
            withUnsafeBytes(of: (SOL_SOCKET, Int32(1))) { control.append(contentsOf: $0) }
            for number in descriptors {
                withUnsafeBytes(of: number) { control.append(contentsOf: $0) }
            }
            while control.count % 8 != 0 { control.append(0) }
        }
        var flags = Int32(truncatingIfNeeded: MSG_NOSIGNAL)
        if !waits { flags |= Int32(truncatingIfNeeded: MSG_DONTWAIT) }
        var bytes = bytes
        _ = try withMessage(&bytes, &control) { (message) throws(SystemError) -> Int in
            try retrying { sendmsg(socket, &message, flags) }
        }
    }

    /// A message that came, and the descriptors in it, which the caller owns.
    public struct ReceivedMessage: Sendable {
        /// Empty when the other end is closed.
        public var bytes: [UInt8]
        public var descriptors: [Int32]
        /// Whether the message was longer, or had more descriptors; the rest is lost.
        public var isCut: Bool
    }

    /// Takes one message: recvmsg(2).
    ///
    /// - Throws: `EAGAIN` if there is none and the call does not wait.
    public static func receiveMessage(
        _ socket: Int32, byteCount: Int, descriptorCount: Int, waits: Bool = true
    ) throws(SystemError) -> ReceivedMessage {
        var bytes = [UInt8](repeating: 0, count: max(byteCount, 1))
        let room = (controlHead + 4 * max(descriptorCount, 0) + 7) & ~7
        var control = [UInt8](repeating: 0, count: room)
        // MSG_CMSG_CLOEXEC
        var flags: Int32 = 0x4000_0000
        if !waits { flags |= Int32(truncatingIfNeeded: MSG_DONTWAIT) }
        var filled = 0
        var cut = false
        let count = try withMessage(&bytes, &control) { (message) throws(SystemError) -> Int in
            let count = try retrying { recvmsg(socket, &message, flags) }
            filled = min(Int(clamping: message.msg_controllen), room)
            let lost = Int32(truncatingIfNeeded: MSG_TRUNC) | Int32(truncatingIfNeeded: MSG_CTRUNC)
            cut = message.msg_flags & lost != 0
            return count
        }
        return ReceivedMessage(
            bytes: Array(bytes[..<min(count, bytes.count)]),
            descriptors: descriptors(in: control[..<filled]), isCut: cut)
    }

    private static func descriptors(in control: ArraySlice<UInt8>) -> [Int32] {
        func number(_ start: Int, _ count: Int) -> UInt64 {
            control[start..<start + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        var result: [Int32] = []
        var at = 0
        while control.count - at >= controlHead {
            let length = Int(clamping: number(at, 8))
            guard length >= controlHead, length <= control.count - at else { break }
            if number(at + 8, 4) == UInt64(UInt32(bitPattern: SOL_SOCKET)), number(at + 12, 4) == 1
            {
                for place in stride(from: at + controlHead, to: at + length - 3, by: 4) {
                    result.append(Int32(truncatingIfNeeded: number(place, 4)))
                }
            }
            at += (length + 7) & ~7
        }
        return result
    }

    private static func withMessage<Result>(
        _ bytes: inout [UInt8], _ control: inout [UInt8],
        _ body: (inout msghdr) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        try bytes.withUnsafeMutableBufferPointer { (bytes) throws(SystemError) -> Result in
            try control.withUnsafeMutableBufferPointer {
                (control) throws(SystemError) -> Result in
                var vector = iovec(
                    iov_base: UnsafeMutableRawPointer(bytes.baseAddress), iov_len: bytes.count)
                return try withUnsafeMutablePointer(to: &vector) {
                    (vector) throws(SystemError) -> Result in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control =
                        control.isEmpty ? nil : UnsafeMutableRawPointer(control.baseAddress)
                    message.msg_controllen = numericCast(control.count)
                    return try body(&message)
                }
            }
        }
    }
}
