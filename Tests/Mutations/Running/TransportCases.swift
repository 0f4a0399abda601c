import WasmInterpreter
import WasmText
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

/// Cases that are modules of transports: each is examined as `wasmd watm validate` does, and one that
/// can be used carries a connection, whose peer echoes, to its end. A guest may trap, return errors,
/// loop or do nothing; the process must go on.
enum TransportCases {
    private static let fuel: UInt64 = 200_000
    private static let memoryBytes: UInt64 = 16 << 20

    /// A transport of v0 that copies both ways, with the roles to dial and to accept.
    static let guest: [UInt8] = {
        let source = """
            (module
              (import "env" "host_dial" (func $host_dial (result i32)))
              (import "env" "host_accept" (func $host_accept (result i32)))
              (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_read"
                (func $read (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
                (func $flags (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "poll_oneoff"
                (func $poll (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 2)
              (global $one (mut i32) (i32.const -1))
              (global $two (mut i32) (i32.const -1))
              (global $cancel (mut i32) (i32.const -1))
              (func $subscribe (param $at i32) (param $fd i32)
                (i32.store8 offset=8 (local.get $at) (i32.const 1))
                (i32.store offset=16 (local.get $at) (local.get $fd))
                (drop (call $flags (local.get $fd) (i32.const 4))))
              (func $copy (param $from i32) (param $to i32) (result i32) (local $errno i32)
                (i32.store (i32.const 600) (i32.const 65536))
                (i32.store (i32.const 604) (i32.const 16384))
                (local.set $errno
                  (call $read (local.get $from) (i32.const 600) (i32.const 1) (i32.const 608)))
                (if (i32.eq (local.get $errno) (i32.const 6)) (then (return (i32.const 1))))
                (if (local.get $errno) (then (return (i32.const 0))))
                (if (i32.eqz (i32.load (i32.const 608))) (then (return (i32.const 0))))
                (i32.store (i32.const 604) (i32.load (i32.const 608)))
                (i32.eqz (call $write (local.get $to) (i32.const 600) (i32.const 1) (i32.const 612))))
              (func (export "_water_v0"))
              (func (export "_water_init") (result i32) (i32.const 0))
              (func (export "_water_dial") (param i32) (result i32)
                (global.set $one (local.get 0)) (global.set $two (call $host_dial)) (global.get $two))
              (func (export "_water_accept") (param i32) (result i32)
                (global.set $one (local.get 0)) (global.set $two (call $host_accept)) (global.get $two))
              (func (export "_water_cancel_with") (param i32) (result i32)
                (global.set $cancel (local.get 0)) (i32.const 0))
              (func (export "_water_worker") (result i32)
                (call $subscribe (i32.const 0) (global.get $cancel))
                (call $subscribe (i32.const 48) (global.get $one))
                (call $subscribe (i32.const 96) (global.get $two))
                (loop $again
                  (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 3) (i32.const 512)))
                  (if (i32.eqz (call $copy (global.get $one) (global.get $two)))
                    (then (return (i32.const 0))))
                  (if (i32.eqz (call $copy (global.get $two) (global.get $one)))
                    (then (return (i32.const 0))))
                  ;; 6 is EAGAIN: nobody has cancelled it
                  (i32.store (i32.const 600) (i32.const 65536))
                  (i32.store (i32.const 604) (i32.const 1))
                  (br_if $again (i32.eq (i32.const 6)
                    (call $read (global.get $cancel) (i32.const 600) (i32.const 1) (i32.const 608)))))
                (i32.const -11)))
            """
        return (try? parseModule(Array(source.utf8))) ?? []
    }()

    /// Whether a module shows a version of the interface.
    static func isTransport(_ bytes: [UInt8]) -> Bool {
        guard let module = try? Module(bytes, engine: Engine()) else { return false }
        return TransportReport(module).version != nil
    }

    static func run(_ bytes: [UInt8]) -> Tally {
        let module: Module
        do throws(ModuleError) {
            module = try Module(bytes, engine: Engine())
        } catch {
            return Tally(CaseRunner.refusal(error))
        }
        let report = TransportReport(module)
        for fault in report.faults + report.warnings { _ = fault.description }
        guard report.isUsable else { return Tally(.refusedByLinking) }
        do {
            try connect(module, report)
            return Tally(.ran)
        } catch {
            _ = "\(error)"
            return Tally(.refusedByLinking)
        }
    }

    private static func connect(_ module: Module, _ report: TransportReport) throws {
        var options = TransportOptions()
        options.world.standardOutput = .null
        options.world.standardError = .null
        options.limits.memory = memoryBytes
        options.limits.fuel = fuel
        options.limits.time = .milliseconds(300)
        options.limits.startTime = .milliseconds(300)
        options.limits.stopTime = .milliseconds(100)
        let transport = try Transport(module, options)
        try EventLoop().run { loop in
            let guests = try GuestLoop(loop)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
            guard let address = listener.address else { return }
            let echo = loop.spawn {
                guard let stream = try? await listener.accept() else { return }
                var buffer = InputBuffer(capacity: 4096)
                while let count = try? await stream.read(into: &buffer), count > 0 {
                    guard (try? await stream.write(buffer.take())) != nil else { return }
                }
            }
            if report.roles.contains(.dial),
                let connection = try? await transport.dial(.address(address), on: guests)
            {
                try? await connection.write(Array("a few bytes".utf8))
                connection.finishWriting()
                _ = try? await connection.read()
                connection.close()
                _ = try? await connection.outcome()
            }
            echo.cancel()
            listener.close()
            await echo.value
        }
    }
}
