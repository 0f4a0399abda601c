import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

/// For each connection to one port of this machine, a guest copies between it and a new connection to
/// another port.
func relay(from port: UInt16, to target: UInt16) throws {
    let program = try GuestProgram(Module(path: guestPath(), engine: Engine()))
    try EventLoop().run { loop in
        let guests = try GuestLoop(loop)
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: port), on: loop)
        while true {
            let accepted = try await listener.accept()
            loop.spawn {
                do {
                    let remote = try Kernel.connect(.ipv4([127, 0, 0, 1], port: target))
                    let near = try KernelSocket(adopting: accepted.release(), on: guests)
                    let far = try KernelSocket(adopting: FileDescriptor(owning: remote), on: guests)
                    near.pair(with: far)
                    var world = WASI(arguments: ["guest", "relay"])
                    world.streams = [near, far]
                    var limits = GuestProgram.Limits()
                    limits.time = nil
                    _ = await program.run(in: world, limits: limits, on: guests)
                } catch {
                    print("measure-guests: \(error)")
                }
            }
        }
    }
}
