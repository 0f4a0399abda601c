import WasmdDocuments
import WasmdImages

/// An object that the host implements. As a module it is instantiated like any other; an instance
/// is a binding of the image whose target is the name of its kind.
public enum NativeKind: String, CaseIterable, Sendable {
    /// Prints each message that it gets.
    case console = "othismo.console"
    /// The namespace below its own path: see `NamespaceService`.
    case namespace = "othismo.namespace"
    /// A server of HTTP like the object `/server`.
    case http = "othismo.http"
    /// Named bytes: see `BlobService`.
    case blobs = "othismo.blobs"

    /// The kind of an instance; nil for a module, and for kinds of later versions.
    init?(instance binding: ImageBinding) {
        guard binding.kind == .native else { return nil }
        self.init(rawValue: String(decoding: binding.target, as: UTF8.self))
    }

    private static let modulePrefix = "module "

    /// The kind that a binding made by `import-module` names.
    init?(module binding: ImageBinding) {
        let prefix = Array(Self.modulePrefix.utf8)
        guard binding.kind == .native, binding.target.starts(with: prefix) else { return nil }
        self.init(rawValue: String(decoding: binding.target.dropFirst(prefix.count), as: UTF8.self))
    }

    /// The kind that a path names: modules of the host need no import.
    init?(module path: [UInt8]) {
        let name = path.first == UInt8(ascii: "/") ? path.dropFirst() : path[...]
        guard let kind = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(name) })
        else { return nil }
        self = kind
    }

    /// What `import-module` adds to the namespace.
    public func module(named path: [UInt8]) -> ImageBinding {
        ImageBinding(path: path, kind: .native, target: Array((Self.modulePrefix + rawValue).utf8))
    }

    func instance(named path: [UInt8]) -> ImageBinding {
        ImageBinding(path: path, kind: .native, target: Array(rawValue.utf8))
    }
}

/// What objects of the host do with messages.
enum NativeObjects {
    /// The members of the reply.
    ///
    /// - Throws: `MessageError`; `ImageError`.
    static func handle(
        _ envelope: Envelope, _ binding: ImageBinding, _ namespace: inout Namespace
    ) throws -> [Document.Member] {
        switch NativeKind(instance: binding) {
        case .namespace:
            return try NamespaceService.handle(envelope, &namespace, below: binding.path)
        case .blobs:
            var service = BlobService(path: binding.path, namespace: namespace)
            defer { namespace = service.namespace }
            return try service.handle(envelope)
        // Their messages leave the image.
        case .console, .http: return []
        case nil:
            if NativeKind(module: binding) != nil {
                throw MessageError.notAnInstance(path: binding.path)
            }
            throw MessageError.refused(
                "this version has no object \(String(decoding: binding.target, as: UTF8.self))")
        }
    }
}
