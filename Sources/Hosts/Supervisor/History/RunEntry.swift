import WasmdDocuments
import WasmdHTTP

/// A run that has ended, as clients read it.
public struct RunEntry: Sendable, Equatable {
    /// A name with a text.
    public struct Text: Sendable, Equatable {
        public var name: String
        public var text: String
    }

    /// `DEPLOYMENT:MODULE:FUNCTION:NUMBER`.
    public let id: String
    public let deployment: String
    public let module: String
    public let function: String
    public let method: String
    /// The parameters of the query, in their order; of a name that repeats, the first.
    public let arguments: [Text]
    /// Names and sizes of the files that came with the request.
    public let files: [Text]
    /// Seconds since 1970.
    public let queued: Int64
    /// A text: the value, or why the run failed; `{"outputs": [URL, …]}` for a file; what the next
    /// endpoint returned.
    public internal(set) var result: Document = .null
    /// URLs of the output files.
    public internal(set) var outputs: [String] = []
    public internal(set) var isSuccess = false

    /// The members that clients of *wasmiot* know.
    public var document: Document {
        func object(_ texts: [Text]) -> Document {
            .object(texts.map { .init($0.name, .string($0.text)) })
        }
        var members: [Document.Member] = [
            .init("deployment_id", .string(deployment)), .init("function_name", .string(function)),
            .init("method", .string(method)), .init("module_name", .string(module)),
        ]
        if !outputs.isEmpty {
            members.append(.init("outputs", .array(outputs.map { .string($0) })))
        }
        let date = String(decoding: HTTPDate(seconds: queued).bytes, as: UTF8.self)
        return .object(
            members + [
                .init("request_args", object(arguments)), .init("request_files", object(files)),
                .init("request_id", .string(id)), .init("result", result),
                .init("success", .boolean(isSuccess)), .init("work_queued_at", .string(date)),
            ])
    }

    /// How it is stored: the same, with the time as a number.
    var stored: Document {
        guard case .object(var members) = document else { return .null }
        members.append(.init("queued", .integer(queued)))
        return .object(members)
    }

    init(
        id: String, deployment: String, module: String, function: String, method: String,
        arguments: [Text], files: [Text], queued: Int64
    ) {
        self.id = id
        self.deployment = deployment
        self.module = module
        self.function = function
        self.method = method
        self.arguments = arguments
        self.files = files
        self.queued = queued
    }

    /// Reads what `stored` is; nil if something is missing.
    init?(_ stored: Document) {
        func texts(_ name: String) -> [Text] {
            (stored[name]?.objectValue ?? []).map {
                Text(name: $0.name, text: $0.value.stringValue ?? "")
            }
        }
        guard let id = stored["request_id"]?.stringValue,
            let deployment = stored["deployment_id"]?.stringValue,
            let module = stored["module_name"]?.stringValue,
            let function = stored["function_name"]?.stringValue,
            let method = stored["method"]?.stringValue, let result = stored["result"],
            case .boolean(let isSuccess)? = stored["success"],
            let queued = stored["queued"]?.integerValue
        else { return nil }
        self.init(
            id: id, deployment: deployment, module: module, function: function, method: method,
            arguments: texts("request_args"), files: texts("request_files"), queued: queued)
        self.result = result
        self.isSuccess = isSuccess
        outputs = (stored["outputs"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    /// Bytes that it takes in memory, about.
    var byteCount: Int {
        func size(_ texts: [Text]) -> Int {
            texts.reduce(0) { $0 + 64 + $1.name.utf8.count + $1.text.utf8.count }
        }
        return 400 + 2 * id.utf8.count + size(arguments) + size(files)
            + (result.stringValue?.utf8.count ?? 200)
            + outputs.reduce(0) { $0 + 16 + $1.utf8.count }
    }
}
