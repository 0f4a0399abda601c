import WasmSystem
import WasmWASI
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdImages
import WasmdOperation
import WasmdOthismo

/// `wasmd othismo IMAGE serve`: serves the sites of an image until a signal comes.
struct ImageServing {
    private let path: [UInt8]
    private let name: Word
    private let options: ImageServingOptions

    /// How long requests have to end after a signal.
    private static let grace = Duration.seconds(3)

    init(_ path: [UInt8], _ name: Word, _ options: ImageServingOptions) {
        self.path = path
        self.name = name
        self.options = options
    }

    func run() throws {
        guard let hold = try ImageFile.hold(path, name) else { throw ImageFile.isHeld(name) }
        defer { withExtendedLifetime(hold) {} }
        let image = try Image(path: path)
        defer { image.close() }
        let count = options.loopCount ?? availableProcessors()
        let folder = ServedImage.folder(of: image.path)
        try ServeSandbox(options.sandbox, file: name.text) {
            .serving([], folders: [(folder, false)])
        }.start {
            _ = CurrentProcess.raiseDescriptorLimit()
            return (try listeners(count), try ServedImage.socket(of: image, loopCount: count))
        } threads: { listeners, socket, sandbox in
            try serve(image, listeners, socket, sandbox)
        }
    }

    private struct Bound: Sendable {
        let wanted: SocketAddress
        let sockets: ListeningSockets
    }

    private func listeners(_ count: Int) throws(Refusal) -> [Bound] {
        var bound: [Bound] = []
        for address in options.addresses {
            do throws(SystemError) {
                bound.append(
                    Bound(
                        wanted: address,
                        sockets: try ListeningSockets(address.system, loopCount: count)))
            } catch {
                throw Refusal(file: "\(address)", reason: "cannot listen: \(error.text)")
            }
        }
        return bound
    }

    private func serve(
        _ image: Image, _ listeners: [Bound], _ socket: ListeningSockets?,
        _ sandbox: AppliedSandbox
    ) throws {
        ServeMessages.output.start()
        defer { ServeMessages.output.finish() }
        defer { if socket != nil { ServedImage.removeSocket(of: image) } }
        var settings = ServedImage.options()
        if let limit = options.bodyLimit { settings.bodyLimit = limit }
        if let time = options.answerTime { settings.answerTime = time }
        let server = try ImageServer(image, settings)
        let group = try LoopGroup(count: options.loopCount)
        try group.run { loop in
            defer { server.stop() }
            server.start(on: loop)
            let handler = SiteHandler(server)
            let http = HTTPServer(ServedImage.httpOptions) { try await handler.answer($0, $1) }
            // Before, a signal ends the process at once.
            let signals = try SignalStream([Signals.termination, Signals.interrupt], on: loop)
            let admin = try await ServedImage.serveSocket(socket, server, on: group.loops)
            sandbox.tell()
            for bound in listeners {
                try await http.serve(bound.sockets, on: group.loops)
                let place = ServeMessages.place(bound.sockets.address, bound.wanted)
                ServeMessages.write("serving at \(place)")
            }
            _ = try await signals.next()
            // A second signal ends the grace.
            loop.spawn {
                guard (try? await signals.next()) != nil else { return }
                await http.stop(grace: .zero, on: loop)
            }
            await http.stop(grace: Self.grace, on: loop)
            await admin?.stop(grace: .zero, on: loop)
        }
    }
}

/// What a server of an image needs, whichever command it is.
enum ServedImage {
    static var httpOptions: HTTPServerOptions {
        var options = HTTPServerOptions()
        // The handler limits bodies.
        options.limits.body = .max
        return options
    }

    static func options() -> ImageServer.Options {
        var options = ImageServer.Options()
        options.report = { ServeMessages.write(printable($0)) }
        options.exchange.output = .log(ObjectLog { ServeMessages.write($0) })
        options.console = { ServeMessages.write("console: \(MessageDocument.line($0))") }
        return options
    }

    /// The folder of the file, for the journal beside it.
    static func folder(of path: [UInt8]) -> [UInt8] {
        let path = Kernel.absolutePath(CString(path: path)) ?? path
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return Array(".".utf8) }
        return slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash])
    }

    /// The socket beside the image, through which `wasmd othismo` reaches the server; nil if it
    /// cannot be made. The caller has the right to run the image, so one that is there is a
    /// leftover.
    static func socket(of image: Image, loopCount: Int) throws(Refusal) -> ListeningSockets? {
        let path = ServedSession.socketPath(image.path)
        do throws(SystemError) {
            removeSocket(of: image)
            return try CurrentProcess.withFileMask(0o177) { () throws(SystemError) in
                try ListeningSockets(.unix(path), loopCount: loopCount)
            }
        } catch {
            if error == .nametoolong {
                ServeMessages.write(
                    "the path of the image is too long for a socket beside it: 'wasmd othismo' "
                        + "cannot use the image while it is served")
                return nil
            }
            throw Refusal(
                file: printable(Word(bytes: path).text), reason: "cannot listen: \(error.text)")
        }
    }

    static func removeSocket(of image: Image) {
        let path = CString(path: ServedSession.socketPath(image.path))
        guard let status = try? unsafe Kernel.status(path, followsLink: false),
            status.kind == .socket
        else { return }
        try? unsafe Kernel.unlink(path)
    }

    /// Serves the socket for the user that the server belongs to, and for root.
    static func serveSocket(
        _ socket: ListeningSockets?, _ server: ImageServer, on loops: [EventLoop]
    ) async throws -> HTTPServer? {
        guard let socket else { return nil }
        var options = httpOptions
        let user = CurrentProcess.effectiveUser
        options.admits = { $0.user == user || $0.user == 0 }
        let listener = SurfaceListener([ImageSurface.make(server)])
        let http = HTTPServer(options) { try await listener.answer($0, $1) }
        try await http.serve(socket, on: loops)
        return http
    }
}
