import WasmSystem
import WasmWASI
import WasmdDiscovery
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTPServer
import WasmdImages
import WasmdOperation
import WasmdOthismo
import WasmdStorage

/// The image whose sites a daemon serves: `--othismo`.
///
/// Made before the process restricts itself: it opens the image, and the socket beside it.
struct OthismoService: DaemonService {
    private let hold: ImageHold
    private let image: Image
    private let socket: ListeningSockets?
    private let options: ImageServer.Options

    /// Nil if no listener is one of an image.
    ///
    /// - Throws: `Refusal` if the image cannot be opened, or another process runs it.
    init?(_ settings: DaemonSettings, _ listeners: DaemonListeners) throws(Refusal) {
        guard listeners.bound.contains(where: { $0.personality == .othismo }),
            let name = settings.othismo.image
        else { return nil }
        let section = settings.othismo
        var options = ServedImage.options()
        options.bodyLimit = section.bodyLimit
        options.answerTime = section.answerTime
        options.exchange.limits.totalBytes = settings.common.limits.memory
        self.options = options
        do {
            let path = ImageFile.path(name)
            guard let hold = try ImageFile.hold(path, name) else { throw ImageFile.isHeld(name) }
            self.hold = hold
            image = try Image(path: path)
            socket = try ServedImage.socket(of: image, loopCount: 1)
        } catch {
            throw Refusal(file: printable(name.text), reason: OthismoFailure(error).text)
        }
    }

    func open(_ store: RecordStore, _ house: DaemonHouse) throws -> any OpenService {
        let server = try ImageServer(image, options)
        house.readiness.add { [server] in server.problem }
        return OpenOthismo(server: server, hold: hold, socket: socket)
    }
}

private struct OpenOthismo: OpenService {
    let server: ImageServer
    let hold: ImageHold
    let socket: ListeningSockets?

    var personality: DaemonSettings.Personality { .othismo }

    var surfaces: [any Surface] { [SiteSurface(server)] }

    var operatorSurfaces: [any Surface] { [ImageSurface.make(server)] }

    var api: APITable { ImageSurface.api }

    var status: Document.Member? {
        let statistics = server.statistics
        return .init(
            "othismo",
            .object([
                .init("image", .string(String(decoding: server.image.path, as: UTF8.self))),
                .init("deliveries", .integer(Int64(statistics.exchange.deliveries))),
                .init("waiting", .integer(Int64(statistics.waiting))),
                .init("requests", .integer(Int64(statistics.requests))),
                .init("websockets", .integer(Int64(statistics.sockets))),
            ]))
    }

    func watch(_ metrics: MetricRegistry) { server.watch(metrics) }

    func start(on loop: EventLoop) async throws {
        server.start(on: loop)
        _ = try await ServedImage.serveSocket(socket, server, on: [loop])
    }

    func finish(on loop: EventLoop) async {
        server.stop()
        if socket != nil { ServedImage.removeSocket(of: server.image) }
    }

    func join(_ discovery: LocalDiscovery) {}
}
