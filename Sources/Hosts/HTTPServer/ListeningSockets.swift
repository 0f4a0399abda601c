import Synchronization
import WasmSystem
import WasmdEventLoop

/// Sockets that listen on one address for the loops of a server, made before the loops run: a
/// process that restricts itself in between can make none later.
///
/// Connections that come before `HTTPServer.serve` wait in the kernel. The sockets are closed with
/// the last reference if no server has taken them.
public final class ListeningSockets: Sendable {
    /// With the port that the kernel chose.
    public let address: SystemAddress?
    private let options: Listener.Options
    private let numbers: Mutex<[Int32]>

    /// Listens on an address: one socket for each loop, which share the port, or the same socket for
    /// all loops if it is of the unix family.
    ///
    /// - Throws: `EADDRINUSE`, `EACCES` and others of bind(2).
    public init(
        _ address: SystemAddress, loopCount: Int,
        options: Listener.Options = HTTPServerOptions().listener
    ) throws(SystemError) {
        let count = max(loopCount, 1)
        var options = options
        // Another process may have the port only if the caller wants to share it.
        let isFirst = !options.sharesPort
        if case .unix = address {
            options.sharesPort = false
        } else if count > 1 {
            options.sharesPort = true
        }
        self.options = options
        numbers = Mutex([])
        let first = try Kernel.listen(
            address, backlog: options.backlog, sharesPort: options.sharesPort, isFirst: isFirst)
        numbers.withLock { $0 = [first] }
        let bound = try Kernel.localAddress(first)
        self.address = bound
        for _ in 1..<count {
            let next =
                if options.sharesPort {
                    try Kernel.listen(
                        bound ?? address, backlog: options.backlog, sharesPort: true)
                } else {
                    try Kernel.duplicate(first)
                }
            numbers.withLock { $0.append(next) }
        }
    }

    /// Takes a socket that listens already, such as one of systemd, for all loops.
    public init(
        adopting socket: consuming FileDescriptor, loopCount: Int,
        options: Listener.Options = HTTPServerOptions().listener
    ) throws(SystemError) {
        self.options = options
        numbers = Mutex([])
        address = try Kernel.localAddress(socket.number)
        for _ in 1..<max(loopCount, 1) {
            let next = try Kernel.duplicate(socket.number)
            numbers.withLock { $0.append(next) }
        }
        let first = socket.release()
        numbers.withLock { $0.append(first) }
    }

    deinit { for number in take() { try? Kernel.close(number) } }

    private func take() -> [Int32] {
        numbers.withLock { numbers in
            defer { numbers = [] }
            return numbers
        }
    }

    /// Listeners for loops, as many as there are sockets; none the second time.
    public func listeners(_ loops: [EventLoop]) throws(SystemError) -> [Listener] {
        var owned: [Int32] = take().reversed()
        defer { for number in owned { try? Kernel.close(number) } }
        var listeners: [Listener] = []
        for loop in loops {
            guard let number = owned.popLast() else { break }
            listeners.append(
                try Listener(adopting: FileDescriptor(owning: number), options, on: loop))
        }
        return listeners
    }
}
