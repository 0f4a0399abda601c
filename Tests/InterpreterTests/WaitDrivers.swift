import Glibc
import Testing
@_spi(Loops) import WasmInterpreter

/// Who waits while a guest does.
enum WaitDriver: CaseIterable {
    /// The thread that called the guest, inside of the call.
    case call
    /// The thread that resumes the guest, between two resumptions.
    case park
    /// A loop.
    case loop

    /// Calls a function, and waits in this way where it waits.
    func call(_ function: Function, _ arguments: [Value] = []) throws -> [Value] {
        switch self {
        case .call: return try function.call(arguments)
        case .park:
            let execution = try function.start(arguments)
            while true {
                switch try execution.resume() {
                case .finished(let results): return results
                case .suspended(.wait): try execution.park()
                case .suspended: throw SuspensionError.resultsMissing
                }
            }
        case .loop:
            return try #require(WaitLoop()).finish(function.start(arguments))
        }
    }
}

/// Both ends of a pipe of the host.
final class HostPipe: Sendable {
    let reading: Int32
    let writing: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        (reading, writing) = (ends[0], ends[1])
        _ = fcntl(reading, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(reading)
        close(writing)
    }

    func send(_ byte: UInt8) {
        var byte = byte
        _ = write(writing, &byte, 1)
    }

    /// The next byte; nil if there is none at the moment.
    func receive() -> UInt8? {
        var byte: UInt8 = 0
        return read(reading, &byte, 1) == 1 ? byte : nil
    }
}
