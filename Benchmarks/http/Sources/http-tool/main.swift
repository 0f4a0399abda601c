import Glibc
import WasmdHTTP

/// `http-tool measure`            nanoseconds of parsing and writing
/// `http-tool mutate COUNT SEED`  damaged streams for each parser, whole and in pieces
/// `http-tool peer`               jobs from standard input, see `Peer.swift`
let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "measure": measure()
case "mutate":
    let count = arguments.count > 2 ? Int(arguments[2]) ?? 10_000 : 10_000
    let seed = arguments.count > 3 ? UInt64(arguments[3]) ?? 1 : 1
    mutate(count: count, seed: seed)
case "peer":
    var peer = Peer()
    peer.run()
default:
    print("usage: http-tool measure | mutate COUNT SEED | peer")
    exit(2)
}
