import Glibc

/// Text on its way out: collected, and written with few system calls.
///
/// A reader that went away (`wasmd inspect x.wasm | head -1`) is no error: what is left is dropped.
final class Output {
    private var buffer: [UInt8] = []
    /// Nil keeps everything, for tests.
    private let descriptor: Int32?

    /// Bytes that are collected before they are written.
    private static let capacity = 32 << 10

    init(descriptor: Int32?) { self.descriptor = descriptor }

    func write(_ text: String) {
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= Self.capacity, descriptor != nil { flush() }
    }

    /// Writes bytes that are many, without keeping a copy.
    func write(_ bytes: UnsafeBufferPointer<UInt8>) {
        flush()
        if let descriptor {
            writeAll(UnsafeRawBufferPointer(bytes), to: descriptor)
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    func writeLine(_ text: String = "") {
        write(text)
        write("\n")
    }

    func flush() {
        guard let descriptor, !buffer.isEmpty else { return }
        writeAll(buffer, to: descriptor)
        buffer.removeAll(keepingCapacity: true)
    }

    /// What was collected and not yet written.
    var text: String { String(decoding: buffer, as: UTF8.self) }
}

/// Standard output and standard error of a command.
struct Console {
    let output: Output
    let error: Output

    static func standard() -> Console {
        Console(output: Output(descriptor: STDOUT_FILENO), error: Output(descriptor: STDERR_FILENO))
    }

    /// Writes what is left: results first, so that both are in order on a terminal.
    func flush() {
        output.flush()
        error.flush()
    }

    /// `wasmd: message` on standard error.
    func complain(_ message: String) { error.writeLine("wasmd: \(message)") }
}

/// Writes all bytes; stops silently at an error, since there is nobody left to tell.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
    bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
}

private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress
        let count = Glibc.write(descriptor, start, rest.count)
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if errno != EINTR {
            return
        }
    }
}
