import Glibc
import WasmdHTTP

/// `http-tool measure`            nanoseconds of parsing and writing
/// `http-tool mutate COUNT SEED`  damaged streams for each parser, whole and in pieces
/// `http-tool peer`               jobs from standard input, see `Peer.swift`
/// `http-tool serve PORT LOOPS`   a server for clients to try; prints its port
/// `http-tool get URL...`         requests of the client; `get-by-proxy PROXY URL...`
let arguments = CommandLine.arguments

/// Has what was printed read by others now.
func flush() { fflush(nil) }

switch arguments.dropFirst().first {
case "measure": measure()
case "mutate":
    let count = arguments.count > 2 ? Int(arguments[2]) ?? 10_000 : 10_000
    let seed = arguments.count > 3 ? UInt64(arguments[3]) ?? 1 : 1
    mutate(count: count, seed: seed)
case "peer":
    var peer = Peer()
    peer.run()
case "serve":
    let port = arguments.count > 2 ? UInt16(arguments[2]) ?? 0 : 0
    let loops = arguments.count > 3 ? Int(arguments[3]) ?? 1 : 1
    try serve(port: port, loops: loops)
case "get": try get(Array(arguments.dropFirst(2)), proxy: nil)
case "get-by-proxy":
    try get(Array(arguments.dropFirst(3)), proxy: arguments.count > 2 ? arguments[2] : nil)
default:
    print("usage: http-tool measure | mutate COUNT SEED | peer | serve PORT LOOPS | get URL...")
    exit(2)
}
