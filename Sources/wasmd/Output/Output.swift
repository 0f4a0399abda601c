import WasmDecoder
import WasmSystem

/// Buffered output, written with few system calls.
///
/// It is not an error if the reader closes its end (`wasmd inspect x.wasm | head -1`): the rest is
/// dropped. After an error, which `failure` keeps, the rest is dropped too.
final class Output {
    private var buffer: [UInt8] = []
    /// Nil keeps all text in the buffer, for tests.
    private let descriptor: Int32?
    /// Why something could not be written.
    private(set) var failure: FileError?

    /// Size of the buffer in bytes.
    private static let capacity = 32 << 10

    init(descriptor: Int32?) { self.descriptor = descriptor }

    func write(_ text: String) {
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= Self.capacity, descriptor != nil { flush() }
    }

    /// Writes many bytes without copying them.
    func write(_ bytes: UnsafeBufferPointer<UInt8>) {
        flush()
        if descriptor != nil {
            send(UnsafeRawBufferPointer(bytes))
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    func writeLine(_ text: String = "") {
        write(text)
        write("\n")
    }

    func flush() {
        guard descriptor != nil, !buffer.isEmpty else { return }
        buffer.withUnsafeBytes { send($0) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func send(_ bytes: UnsafeRawBufferPointer) {
        guard let descriptor, failure == nil, let error = writeAll(bytes, to: descriptor),
            error != .pipe
        else { return }
        failure = FileError(error, path: "standard output")
    }

    /// Buffered text that was not yet written.
    var text: String { String(decoding: buffer, as: UTF8.self) }
}

/// Standard output and standard error of a command.
struct Console {
    let output: Output
    let error: Output

    static func standard() -> Console {
        Console(
            output: Output(descriptor: Kernel.standardOutput),
            error: Output(descriptor: Kernel.standardError))
    }

    /// Writes buffered output: results first, so that both are in order on a terminal.
    func flush() {
        output.flush()
        error.flush()
    }

    /// `wasmd: message` on standard error.
    func complain(_ message: String) { error.writeLine("wasmd: \(message)") }
}

/// Writes all bytes, or stops at an error and returns it.
@discardableResult
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> SystemError? {
    bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
}

@discardableResult
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> SystemError? {
    do throws(SystemError) {
        try Kernel.writeAll(descriptor, bytes)
        return nil
    } catch {
        return error
    }
}
