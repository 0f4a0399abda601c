import WasmdDocuments
import WasmdImages

/// A path of an image, and what is there.
public struct ImageEntry: Sendable {
    public enum Kind: String, Sendable {
        case module, instance, folder, link, mount
    }

    public let path: [UInt8]
    public let kind: Kind
    /// Bytes of the object; nil for what has none.
    public var byteCount: Int?
    /// What a link or a mount means, or the kind of an object of the host.
    public var target: String?

    init(_ object: ImageObject) {
        path = object.path
        kind = object.kind == .module ? .module : .instance
        byteCount = object.byteCount
    }

    init(_ binding: ImageBinding) {
        path = binding.path
        target = String(decoding: binding.target, as: UTF8.self)
        switch binding.kind {
        case .folder:
            kind = .folder
            target = nil
        case .symbolicLink: kind = .link
        case .mount: kind = .mount
        case .native:
            let module = NativeKind(module: binding)
            kind = module == nil ? .instance : .module
            if let module { target = module.rawValue }
        }
    }

    /// Reads what `document` says; nil for anything else.
    public init?(_ document: Document) {
        guard let path = document["path"]?.stringValue,
            let kind = document["kind"]?.stringValue.flatMap(Kind.init(rawValue:))
        else { return nil }
        self.path = Array(path.utf8)
        self.kind = kind
        byteCount = document["size"]?.integerValue.map { Int(clamping: $0) }
        target = document["target"]?.stringValue
    }

    public var document: Document {
        var members: [Document.Member] = [
            .init("path", .string(String(decoding: path, as: UTF8.self))),
            .init("kind", .string(kind.rawValue)),
        ]
        if let byteCount { members.append(.init("size", .integer(Int64(byteCount)))) }
        if let target { members.append(.init("target", .string(target))) }
        return .object(members)
    }

    /// Entries whose path begins with `prefix` and is after `last`, in the order of their bytes.
    public static func all(
        in image: Image, prefix: [UInt8], after last: [UInt8]?, limit: Int
    ) throws(ImageError) -> [ImageEntry] {
        try image.read { (view) throws(ImageError) in
            var entries = try view.objects(prefix: prefix, after: last, limit: limit)
                .map(ImageEntry.init)
            for binding in try view.bindings(prefix: prefix)
            where last.map({ $0.lexicographicallyPrecedes(binding.path) }) ?? true {
                entries.append(ImageEntry(binding))
            }
            return Array(
                entries.sorted { $0.path.lexicographicallyPrecedes($1.path) }.prefix(limit))
        }
    }
}
