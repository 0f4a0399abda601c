import WasmInterpreter
import WasmText
import WasmWASI
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

/// Runs `body` on a loop with guests.
func onLoop<Success: Sendable>(
    _ body: sending @escaping (GuestLoop) async throws -> Success
) throws -> Success {
    try EventLoop().run { loop in try await body(try GuestLoop(loop)) }
}

func module(_ text: String) throws -> Module {
    try Module(try parseModule(Array(text.utf8)), engine: Engine())
}

/// Guests of v0 in the text format, made of parts that tests replace.
struct GuestText {
    var imports = ""
    var initialise = "(i32.const 0)"
    /// Local 0 is the descriptor of the caller.
    var dial = """
        (global.set $caller (local.get 0))
        (global.set $other (call $host_dial))
        (global.get $other)
        """
    var accept = """
        (global.set $caller (local.get 0))
        (global.set $other (call $host_accept))
        (global.get $other)
        """
    var associate = """
        (global.set $caller (call $host_accept))
        (if (i32.lt_s (global.get $caller) (i32.const 0)) (then (return (global.get $caller))))
        (global.set $other (call $host_dial))
        (if (i32.lt_s (global.get $other) (i32.const 0)) (then (return (global.get $other))))
        (i32.const 0)
        """
    var worker = GuestText.copying
    var marker = "(func (export \"_water_v0\"))"
    var others = ""

    /// Copies in both directions, each byte plus one way and the other if `$key` is not 0, until an
    /// end or a cancellation: polls three subscriptions.
    static let copying = """
        (call $subscribe (i32.const 0) (global.get $cancel))
        (call $subscribe (i32.const 48) (global.get $caller))
        (call $subscribe (i32.const 96) (global.get $other))
        (loop $again
          (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 3) (i32.const 512)))
          (if (i32.eqz (call $copy (global.get $cancel) (i32.const -1)))
            (then (return (i32.const -11))))
          (if (i32.eqz (call $copy (global.get $caller) (global.get $other)))
            (then (return (i32.const 0))))
          (if (i32.eqz (call $copy (global.get $other) (global.get $caller)))
            (then (return (i32.const 0))))
          (br $again))
        (unreachable)
        """

    var text: String {
        """
        (module
          (import "env" "host_dial" (func $host_dial (result i32)))
          (import "env" "host_accept" (func $host_accept (result i32)))
          (import "env" "pull_config" (func $pull_config (result i32)))
          (import "env" "host_defer" (func $host_defer))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
            (func $flags (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "random_get"
            (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          \(imports)
          (memory (export "memory") 2)
          (global $caller (mut i32) (i32.const -1))
          (global $other (mut i32) (i32.const -1))
          (global $cancel (mut i32) (i32.const -1))
          (func $subscribe (param $at i32) (param $fd i32)
            (i64.store (local.get $at) (i64.extend_i32_u (local.get $fd)))
            (i32.store8 offset=8 (local.get $at) (i32.const 1))
            (i32.store offset=16 (local.get $at) (local.get $fd))
            (drop (call $flags (local.get $fd) (i32.const 4))))
          ;; copies what there is; 0 at the end, 1 otherwise
          (func $copy (param $from i32) (param $to i32) (result i32) (local $errno i32)
            (i32.store (i32.const 600) (i32.const 65536))
            (i32.store (i32.const 604) (i32.const 16384))
            (local.set $errno
              (call $read (local.get $from) (i32.const 600) (i32.const 1) (i32.const 608)))
            (if (i32.eq (local.get $errno) (i32.const 6)) (then (return (i32.const 1))))
            (if (local.get $errno) (then (return (i32.const 0))))
            (if (i32.eqz (i32.load (i32.const 608))) (then (return (i32.const 0))))
            (if (i32.eq (local.get $to) (i32.const -1)) (then (return (i32.const 0))))
            (i32.store (i32.const 604) (i32.load (i32.const 608)))
            (if (call $write (local.get $to) (i32.const 600) (i32.const 1) (i32.const 612))
              (then (return (i32.const 0))))
            ;; a short write would lose bytes
            (i32.eq (i32.load (i32.const 612)) (i32.load (i32.const 604))))
          \(marker)
          (func (export "_water_init") (result i32) \(initialise))
          (func (export "_water_dial") (param i32) (result i32) \(dial))
          (func (export "_water_accept") (param i32) (result i32) \(accept))
          (func (export "_water_associate") (result i32) \(associate))
          (func (export "_water_cancel_with") (param i32) (result i32)
            (global.set $cancel (local.get 0)) (i32.const 0))
          (func (export "_water_worker") (result i32) \(worker))
          \(others))
        """
    }

    func transport(_ options: TransportOptions = quiet()) throws -> Transport {
        try Transport(module(text), options)
    }
}

/// Options whose guests print nothing.
func quiet() -> TransportOptions {
    var options = TransportOptions()
    options.world.standardOutput = .null
    options.world.standardError = .null
    return options
}

/// Bytes without a pattern that a lost or doubled piece would keep.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// A server on a port of its own, which calls `body` with each connection.
final class TestServer: Sendable {
    let listener: Listener
    let address: TransportAddress

    init(
        on loop: EventLoop, _ body: @escaping @Sendable (ByteStream) async throws -> Void
    ) throws {
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
        self.listener = listener
        guard let address = listener.address else { throw LoopError.closed }
        self.address = .address(address)
        loop.spawn {
            while let stream = try? await listener.accept() {
                loop.spawn { try? await body(stream) }
            }
        }
    }

    /// Sends back what it gets.
    static func echo(on loop: EventLoop) throws -> TestServer {
        try TestServer(on: loop) { stream in
            var buffer = InputBuffer(capacity: 16 << 10)
            while try await stream.read(into: &buffer) > 0 { try await stream.write(buffer.take()) }
        }
    }
}

extension TransportConnection {
    /// Reads `count` bytes, or fewer at the end.
    func read(count: Int) async throws -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            let bytes = try await read(upTo: count - all.count)
            if bytes.isEmpty { break }
            all += bytes
        }
        return all
    }
}

extension ByteStream {
    /// Reads `count` bytes, or fewer at the end.
    func read(count: Int) async throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = InputBuffer(capacity: 16 << 10)
        while all.count < count {
            let isOpen = try? await read(into: &buffer) > 0
            if isOpen != true { break }
            all += buffer.take()
        }
        return all
    }
}

extension GuestLoop {
    /// Waits until `condition`, for some seconds at most; false if it never holds.
    func eventually(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<5000 {
            if condition() { return true }
            try await loop.sleep(for: .milliseconds(2))
        }
        return false
    }
}
