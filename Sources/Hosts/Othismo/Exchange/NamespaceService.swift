import WasmdDocuments
import WasmdImages

/// The object at `/othismo`: it makes instances, folders, links and mounts, and lists what there
/// is.
struct NamespaceService {
    /// The members of the reply to a message.
    static func handle(
        _ envelope: Envelope, _ namespace: inout Namespace
    ) throws -> [Document.Member] {
        for member in envelope.payload {
            guard let action = Action(member.name) else { continue }
            return try perform(action, member, &namespace)
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
        _ action: Action, _ request: Document.Member, _ namespace: inout Namespace
    ) throws -> [Document.Member] {
        let fields = request.value
        switch action {
        case .instantiate:
            let module = try path(fields, "module")
            let name = try path(fields, "name")
            try instantiate(module, name, &namespace)
        case .list:
            let prefix = fields["prefix"]?.stringValue.map { Array($0.utf8) } ?? []
            let paths = try namespace.paths(prefix: prefix)
            return [
                Document.Member(
                    request.name + ".response",
                    .array(paths.map { .string(String(decoding: $0, as: UTF8.self)) }))
            ]
        case .makePath:
            try bind(try path(fields, "path"), .folder, [], &namespace)
        case .symbolicLink:
            try bind(
                try path(fields, "path"), .symbolicLink, try path(fields, "target"), &namespace)
        case .mount:
            try bind(try path(fields, "path"), .mount, try path(fields, "target"), &namespace)
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
        guard case .object(let object) = try namespace.resolve(module) else {
            throw MessageError.noObject(path: module)
        }
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
        _ = try store.commit(changes)
        return nil
    }
}
