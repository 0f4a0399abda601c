import Glibc
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

@testable import WasmdGuests

/// The program of `Benchmarks/guests`, which says what its arguments and exit codes are.
func socketProgram() throws -> GuestProgram {
    let folder = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.endIndex))
    return try GuestProgram(
        Module(path: folder + "/../../Benchmarks/guests/guest.wasm", engine: Engine()))
}

enum SocketProgramExit {
    static let shortWrite: UInt32 = 4
    static let failedWrite: UInt32 = 5
}

/// The other end of a guest's socket, used by tasks of the same loop.
final class SocketPeer: @unchecked Sendable {
    var number: Int32
    private let loop: EventLoop

    init(_ number: Int32, _ loop: EventLoop) {
        self.number = number
        self.loop = loop
    }

    deinit { close() }

    func close() {
        if number >= 0 { try? Kernel.close(number) }
        number = -1
    }

    /// Closes the connection such that the guest sees a reset.
    func reset() throws {
        try Kernel.setResetsOnClose(number)
        close()
    }

    /// Receives until the end or `limit` bytes, in pieces, with a pause after each.
    func receive(
        limit: Int = .max, piece: Int = 65536, pause: Duration = .zero
    ) async throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: piece)
        while all.count < limit {
            do {
                let wanted = min(piece, limit - all.count)
                let count = try buffer.withUnsafeMutableBytes {
                    try Kernel.read(number, UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]))
                }
                if count == 0 { break }
                all += buffer[..<count]
                if pause > .zero { try await loop.sleep(for: pause) }
            } catch let error as SystemError where error == .again {
                try await loop.sleep(for: .microseconds(200))
            }
        }
        return all
    }

    /// Sends all bytes.
    func send(_ bytes: [UInt8]) async throws {
        var position = 0
        while position < bytes.count {
            do {
                position += try bytes.withUnsafeBytes {
                    try Kernel.send(number, UnsafeRawBufferPointer(rebasing: $0[position...]))
                }
            } catch let error as SystemError where error == .again {
                try await loop.sleep(for: .microseconds(200))
            }
        }
    }

    func endSending() throws { try Kernel.shutdown(number, reading: false, writing: true) }
}

extension GuestLoop {
    /// A connected socket for a guest, and its peer. The kernel buffers as little as it can.
    func makeSocket(
        _ limits: GuestSocketLimits = .init(), isTCP: Bool = false
    ) throws -> (KernelSocket, SocketPeer) {
        let (near, far) = try isTCP ? Self.makeTCPPair() : Kernel.makeSocketPair()
        // With smaller windows, TCP waits for acknowledgements that are delayed.
        var size: Int32 = isTCP ? 32768 : 4096
        for number in [near, far] {
            setsockopt(number, SOL_SOCKET, SO_SNDBUF, &size, 4)
            setsockopt(number, SOL_SOCKET, SO_RCVBUF, &size, 4)
        }
        let socket = try KernelSocket(adopting: FileDescriptor(owning: near), limits, on: self)
        return (socket, SocketPeer(far, loop))
    }

    private static func makeTCPPair() throws -> (Int32, Int32) {
        let listener = try Kernel.listen(.ipv4([127, 0, 0, 1], port: 0))
        defer { try? Kernel.close(listener) }
        guard let address = try Kernel.localAddress(listener) else { throw SystemError.badf }
        let far = try Kernel.connect(address)
        while true {
            do {
                return (try Kernel.accept(listener, isNonblocking: true), far)
            } catch {
                guard error == .again else { throw error }
            }
        }
    }

    /// Waits until `condition`, for some seconds at most; false if it never holds.
    func eventually(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<5000 {
            if condition() { return true }
            try await loop.sleep(for: .milliseconds(1))
        }
        return false
    }
}

/// Bytes without a pattern that a lost or doubled piece would keep.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

func world(_ mode: String, _ streams: [any GuestStream]) -> WASI {
    var world = WASI(arguments: ["guest", mode])
    world.streams = streams
    return world
}

func quiet(_ limits: GuestProgram.Limits = .init()) -> GuestProgram.Limits {
    var limits = limits
    limits.time = .seconds(60)
    return limits
}
