import WasmInterpreter
import WasmdEventLoop
import WasmdGuests
import WasmdWATM

// Sends a line to a server through a transport module, and prints what comes back.

let words = CommandLine.arguments
guard words.count == 3, let remote = TransportAddress(words[2]) else {
    fatalError("usage: transports MODULE HOST:PORT")
}
let transport = try Transport(Module(path: words[1], engine: Engine()))
try EventLoop().run { loop in
    let guests = try GuestLoop(loop)
    let connection = try await transport.dial(remote, on: guests)
    try await connection.write(Array("hello\n".utf8))
    print(String(decoding: try await connection.read(), as: UTF8.self), terminator: "")
    connection.close()
    print("the connection \(try await connection.outcome())")
}
