import WasmdDocuments
import WasmdImages

/// The object at `/othismo`: it makes instances, folders, links and mounts, and lists what there
/// is.
struct NamespaceService {
    /// The members of the reply to a message.
    ///
    /// - Parameter part: the path of an instance of `othismo.namespace`, which makes and lists only
    ///   names below it; nil for the whole namespace.
    static func handle(
        _ envelope: Envelope, _ namespace: inout Namespace, below part: [UInt8]? = nil
    ) throws -> [Document.Member] {
        for member in envelope.payload {
            guard let action = Action(member.name) else { continue }
            return try perform(action, member, &namespace, part)
        }
        throw MessageError.badRequest(
            "the namespace knows othismo.namespace.instantiate, list, make_path, sym_link and mount"
        )
    }

    private enum Action: String {
        case instantiate, list, makePath = "make_path", symbolicLink = "sym_link", mount, `import`

        /// Both `othismo.namespace.list` and `othismo.list`.
        init?(_ key: String) {
            for prefix in ["othismo.namespace.", "othismo."]
            where key.utf8.starts(with: prefix.utf8) {
                self.init(rawValue: String(key.dropFirst(prefix.count)))
                return
            }
            return nil
        }
    }

    private static func perform(
        _ action: Action, _ request: Document.Member, _ namespace: inout Namespace,
        _ part: [UInt8]?
    ) throws -> [Document.Member] {
        let fields = request.value
        switch action {
        case .instantiate:
            let module = try path(fields, "module")
            let name = try newPath(fields, "name", part)
            try instantiate(module, name, &namespace)
        case .list:
            let prefix = fields["prefix"]?.stringValue.map { Array($0.utf8) } ?? []
            let paths = try namespace.paths(prefix: prefix).filter { isBelow($0, part) }
            return [
                Document.Member(
                    request.name + ".response",
                    .array(paths.map { .string(String(decoding: $0, as: UTF8.self)) }))
            ]
        case .makePath:
            try bind(try newPath(fields, "path", part), .folder, [], &namespace)
        case .symbolicLink:
            try bind(
                try newPath(fields, "path", part), .symbolicLink, try path(fields, "target"),
                &namespace)
        case .mount:
            try bind(
                try newPath(fields, "path", part), .mount, try path(fields, "target"), &namespace)
        case .import:
            throw MessageError.forbidden(
                "only the command line imports modules: wasmd othismo IMAGE import-module FILE")
        }
        return [request]
    }

    /// Makes a new instance of a module.
    static func instantiate(
        _ module: [UInt8], _ name: [UInt8], _ namespace: inout Namespace
    ) throws {
        let source = try namespace.resolve(module)
        let native =
            switch source {
            case .native(let binding): NativeKind(module: binding)
            case .nothing: NativeKind(module: module)
            default: nil as NativeKind?
            }
        if let native {
            guard try !namespace.isTaken(name) else { throw MessageError.objectExists(path: name) }
            return namespace.add(native.instance(named: name))
        }
        guard case .object(let object) = source else { throw MessageError.noObject(path: module) }
        guard object.kind == .module else {
            throw MessageError.badRequest(
                "\(String(decoding: module, as: UTF8.self)) is an instance, not a module")
        }
        guard try !namespace.isTaken(name) else { throw MessageError.objectExists(path: name) }
        namespace.add(.init(path: name, kind: .instance, source: .copy(object.key)))
    }

    static func bind(
        _ path: [UInt8], _ kind: ImageBinding.Kind, _ target: [UInt8],
        _ namespace: inout Namespace
    ) throws {
        guard try !namespace.isTaken(path) else { throw MessageError.objectExists(path: path) }
        namespace.add(ImageBinding(path: path, kind: kind, target: target))
    }

    /// Whether a path is below that of a part of the namespace.
    private static func isBelow(_ path: [UInt8], _ part: [UInt8]?) -> Bool {
        guard let part else { return true }
        let slash = [UInt8(ascii: "/")]
        func whole(_ path: [UInt8]) -> [UInt8] { path.first == slash[0] ? path : slash + path }
        return whole(path).starts(with: whole(part) + slash)
    }

    /// The path of something that is made.
    private static func newPath(
        _ fields: Document, _ name: String, _ part: [UInt8]?
    ) throws -> [UInt8] {
        let path = try path(fields, name)
        guard isBelow(path, part) else {
            throw MessageError.forbidden(
                "this object makes names below \(String(decoding: part ?? [], as: UTF8.self))")
        }
        return path
    }

    private static func path(_ fields: Document, _ name: String) throws -> [UInt8] {
        guard let text = fields[name]?.stringValue, !text.isEmpty, !text.utf8.contains(0) else {
            throw MessageError.badRequest("the member \(name) must be a path")
        }
        return Array(text.utf8)
    }
}

extension Exchange {
    /// Changes the namespace of a store without an exchange, by a message as the object at
    /// `/othismo` gets them.
    ///
    /// - Returns: why it was refused; nil if it was done.
    public static func change(
        _ store: any ObjectStore, _ request: Document.Member
    ) throws(ImageError) -> MessageError? {
        var namespace = try Namespace(store)
        do {
            _ = try NamespaceService.handle(
                Envelope(sendTo: Namespace.service, payload: [request]), &namespace)
        } catch let error as MessageError {
            return error
        } catch let error as ImageError {
            throw error
        } catch {
            return .badRequest("\(error)")
        }
        var changes = ObjectChanges()
        changes.objects = Array(namespace.newObjects.values)
        changes.bindings = namespace.newBindings
        changes.settings = namespace.settingChanges
        _ = try store.commit(changes)
        return nil
    }
}
