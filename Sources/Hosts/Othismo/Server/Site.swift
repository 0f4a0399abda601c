import WasmdImages

/// What answers the requests for one host.
///
/// Below `/server`, and below each instance of `othismo.http`, are three folders, each also written
/// with a dot instead of the slash: `sites/HOST` is the object that gets requests, `streams/HOST`
/// one that gets bodies in pieces, and `content/HOST` an object of blobs that are sent as files.
/// `default` as HOST is for all others.
struct Site: Sendable, Equatable {
    /// The object that answers are sent to.
    let server: [UInt8]
    /// Nil if there is content only.
    var handler: [UInt8]?
    /// Whether the handler gets bodies in pieces.
    var takesPieces = false
    /// The path of an object of blobs.
    var content: [UInt8]?

    static let anyHost: [UInt8] = Array("default".utf8)

    /// Nil if there is neither.
    init?(_ host: [UInt8], _ namespace: Namespace) throws(ImageError) {
        let servers = [ImageServer.endpoint] + namespace.natives(.http)
        for name in [host, Self.anyHost] where !name.isEmpty {
            for server in servers {
                if let site = try Site(name, at: server, namespace) {
                    self = site
                    return
                }
            }
        }
        return nil
    }

    private init?(
        _ host: [UInt8], at server: [UInt8], _ namespace: Namespace
    ) throws(ImageError) {
        self.server = server
        if let stream = try Self.find("streams", host, server, namespace), !stream.isBlobs {
            handler = stream.path
            takesPieces = true
        } else if let site = try Self.find("sites", host, server, namespace) {
            if site.isBlobs {
                content = site.path
            } else {
                handler = site.path
            }
        }
        if let found = try Self.find("content", host, server, namespace), found.isBlobs {
            content = found.path
        }
        if handler == nil, content == nil { return nil }
    }

    private static func find(
        _ folder: String, _ host: [UInt8], _ server: [UInt8], _ namespace: Namespace
    ) throws(ImageError) -> (path: [UInt8], isBlobs: Bool)? {
        for separator in [".", "/"] {
            let path = server + Array("\(separator)\(folder)/".utf8) + host
            switch try namespace.resolve(path) {
            case .object(let object) where object.kind == .instance: return (object.path, false)
            case .new(let object): return (object.path, false)
            case .service: return (Namespace.service, false)
            case .native(let binding):
                switch NativeKind(instance: binding) {
                case .blobs: return (binding.path, true)
                case .namespace: return (binding.path, false)
                default: continue
                }
            default: continue
            }
        }
        return nil
    }
}

extension Namespace {
    /// The paths of all instances of a kind, in the order of their bytes.
    func natives(_ kind: NativeKind) -> [[UInt8]] {
        allBindings.filter { NativeKind(instance: $0) == kind }.map(\.path)
            .sorted { $0.lexicographicallyPrecedes($1) }
    }
}
