import Glibc
import Synchronization
import Testing
import WasmText
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage
import WasmdSupervisor

/// A response of a supervisor, or of a file server.
struct Answer {
    var status: UInt16
    var fields: Fields
    var bytes: [UInt8]

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var json: Document { (try? JSONReader.read(bytes)) ?? .null }
    func field(_ name: StaticString) -> String? {
        fields.first(name).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A supervisor with a server, and a server of files beside it that also notes what is posted to it.
struct SupervisorHouse {
    /// What the file server has, and what it got.
    final class Files: Sendable {
        struct Request: Sendable {
            var method: String
            var target: String
            var type: String
            var body: [UInt8]
        }
        let contents = Mutex<[String: [UInt8]]>([:])
        let requests = Mutex<[Request]>([])
        /// The answer to requests of paths that have no contents.
        let answer = Mutex<(status: Int, body: String)?>(nil)
    }

    let supervisor: Supervisor
    let client: HTTPClient
    let loop: EventLoop
    let port: UInt16
    let files: Files
    let filePort: UInt16

    /// Runs `body` against a supervisor on a data folder: one of its own, or `folder`, which stays.
    static func open(
        _ options: Supervisor.Options = Supervisor.Options(), folder: [UInt8]? = nil,
        _ body: @escaping @Sendable (SupervisorHouse) async throws -> Void
    ) throws {
        let path =
            folder ?? Array("/tmp/wasmd-supervisor-\(UInt64.random(in: 0...UInt64.max))".utf8)
        let store = try RecordStore(folder: path)
        defer {
            store.close()
            if folder == nil { removeFolder(path) }
        }
        let supervisor = try Supervisor(store, options)
        let surface = SupervisorSurface(supervisor)
        let listener = SurfaceListener([surface])
        let server = HTTPServer { try await listener.answer($0, $1) }
        let files = Files()
        let fileServer = HTTPServer { try await Self.serve(files, $0, $1) }
        try EventLoop().run { loop in
            let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            let other = try await fileServer.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            try await body(
                SupervisorHouse(
                    supervisor: supervisor, client: HTTPClient(on: loop), loop: loop,
                    port: address?.port ?? 0, files: files, filePort: other?.port ?? 0))
        }
    }

    private static func serve(
        _ files: Files, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        let target = String(decoding: request.target.bytes, as: UTF8.self)
        let noted = Files.Request(
            method: request.method.name, target: target,
            type: request.fields.first("content-type").map { String(decoding: $0, as: UTF8.self) }
                ?? "",
            body: try await request.body())
        files.requests.withLock { $0.append(noted) }
        if let bytes = files.contents.withLock({ $0[target] }) {
            return try await response.respond(ResponseHead(.ok), bytes)
        }
        guard !target.hasPrefix("/nothing"), let answer = files.answer.withLock({ $0 }),
            let status = Status(answer.status)
        else {
            return try await response.respond(.notFound, "nothing")
        }
        try await response.respond(status, answer.body, type: "application/json")
    }

    /// Sends a request; `path` as it is written.
    func send(
        _ method: WasmdHTTP.Method, _ path: String, _ body: [UInt8] = [],
        _ fields: [(String, String)] = []
    ) async throws -> Answer {
        let url = try #require(URL(Array("http://127.0.0.1:\(port)\(path)".utf8)))
        var request = ClientRequest(method, url, body: body.isEmpty ? .none : .bytes(body))
        for (name, value) in fields {
            try request.fields.append(name: Array(name.utf8), value: Array(value.utf8))
        }
        let response = try await client.send(request)
        return Answer(
            status: response.status.code, fields: response.fields,
            bytes: try await response.body())
    }

    func send(
        _ method: WasmdHTTP.Method, _ path: String, json: Document
    ) async throws -> Answer {
        try await send(
            method, path, JSONWriter.write(json), [("Content-Type", "application/json")])
    }

    // MARK: Deployments

    /// A module of a node.
    struct Part {
        var name: String
        var wasm: [UInt8]
        var functions: [Function]
        var files: [(name: String, bytes: [UInt8])] = []
    }

    struct Function {
        var name: String
        var parameters: [String] = []
        var output = "integer"
        var mounts: [(name: String, type: String, stage: String)] = []
        /// The endpoint that gets the result.
        var to: Document = .null
        var method = "get"
        /// Whether results, and the parameter `text`, are texts.
        var isText = false
    }

    /// Makes the files available, and the node that names them.
    func node(_ deployment: String, _ parts: [Part]) -> Document {
        var modules: [Document] = []
        var endpoints: [Document.Member] = []
        var instructions: [Document.Member] = []
        var mounts: [Document.Member] = []
        for part in parts {
            let base = "/file/\(String(deployment.map { $0 == " " ? "_" : $0 }))/\(part.name)"
            files.contents.withLock { contents in
                contents["\(base)/wasm"] = part.wasm
                for file in part.files { contents["\(base)/\(file.name)"] = file.bytes }
            }
            let origin = "http://127.0.0.1:\(filePort)"
            modules.append(
                .object([
                    .init("id", .string(part.name)), .init("name", .string(part.name)),
                    .init(
                        "urls",
                        .object([
                            .init("binary", .string("\(origin)\(base)/wasm")),
                            .init("description", .string("\(origin)\(base)/description")),
                            .init(
                                "other",
                                .object(
                                    part.files.map {
                                        .init($0.name, .string("\(origin)\(base)/\($0.name)"))
                                    })),
                        ])),
                ]))
            func each(_ value: (Function) -> Document) -> Document.Member {
                .init(part.name, .object(part.functions.map { .init($0.name, value($0)) }))
            }
            endpoints.append(each { endpoint(deployment, part.name, $0) })
            instructions.append(
                each {
                    .object([
                        .init("from", endpoint(deployment, part.name, $0)), .init("to", $0.to),
                    ])
                })
            mounts.append(
                each { function in
                    .object(
                        ["execution", "deployment", "output"].map { stage in
                            .init(
                                stage,
                                .array(
                                    function.mounts.filter { $0.stage == stage }.map {
                                        .object([
                                            .init("path", .string($0.name)),
                                            .init("media_type", .string($0.type)),
                                            .init("stage", .string(stage)),
                                        ])
                                    }))
                        })
                })
        }
        return .object([
            .init("deploymentId", .string(deployment)), .init("modules", .array(modules)),
            .init("endpoints", .object(endpoints)),
            .init("instructions", .object([.init("modules", .object(instructions))])),
            .init("mounts", .object(mounts)),
        ])
    }

    /// The endpoint of a function, on this supervisor or another server.
    func endpoint(
        _ deployment: String, _ module: String, _ function: Function, port other: UInt16? = nil
    ) -> Document {
        let isValue = ["integer", "float", "number", "boolean"].contains(function.output)
        let schema: Document =
            function.isText
            ? .object([.init("type", "string")])
            : isValue
                ? .object([.init("type", .string(function.output))])
                : .object([.init("type", "string"), .init("format", "binary")])
        var request: [Document.Member] = [
            .init(
                "parameters",
                .array(
                    function.parameters.map { name in
                        .object([
                            .init("name", .string(name)), .init("in", "query"),
                            .init("required", true),
                            .init(
                                "schema",
                                .object([
                                    .init("type", name == "text" ? "string" : "integer")
                                ])),
                        ])
                    }))
        ]
        let inputs = function.mounts.filter { $0.stage != "output" }
        if !inputs.isEmpty {
            request.append(
                .init(
                    "request_body",
                    .object([
                        .init("media_type", "multipart/form-data"),
                        .init(
                            "schema",
                            .object([
                                .init(
                                    "properties",
                                    .object(inputs.map { .init($0.name, .object([])) }))
                            ])),
                        .init("encoding", .object([])),
                    ])))
        }
        return .object([
            .init("url", .string("http://127.0.0.1:\(other ?? port)")),
            .init("path", .string("/\(deployment)/modules/\(module)/\(function.name)")),
            .init("method", .string(function.method)), .init("request", .object(request)),
            .init(
                "response",
                .object([
                    .init(
                        "media_type",
                        .string(
                            isValue || function.isText ? "application/json" : function.output)),
                    .init("schema", schema),
                ])),
        ])
    }

    func deploy(_ deployment: String, _ parts: [Part]) async throws {
        let answer = try await send(.post, "/deploy", json: node(deployment, parts))
        #expect(answer.status == 200, "\(answer.text)")
        #expect(answer.json["status"] == "success", "\(answer.text)")
    }

    /// Runs a function and returns its entry.
    func run(_ path: String, _ method: WasmdHTTP.Method = .get) async throws -> Answer {
        let answer = try await send(method, path)
        #expect(answer.status == 200, "\(answer.text)")
        return try await entry(of: answer)
    }

    /// The entry that an answer to a run names.
    func entry(of answer: Answer) async throws -> Answer {
        let url = try #require(answer.json["resultUrl"]?.stringValue, "\(answer.text)")
        let prefix = "http://127.0.0.1:\(port)"
        #expect(url.hasPrefix(prefix))
        for _ in 0..<500 {
            let entry = try await send(.get, String(url.dropFirst(prefix.count)))
            if entry.status != 404 { return entry }
            try await loop.sleep(for: .milliseconds(20))
        }
        return try await send(.get, String(url.dropFirst(prefix.count)))
    }
}

/// A module from its text.
func module(_ text: String) throws -> [UInt8] { try parseModule(Array(text.utf8)) }

/// Removes a folder with everything in it.
func removeFolder(_ path: [UInt8]) {
    _ = system("rm -rf '\(String(decoding: path, as: UTF8.self))'")
}

/// A form with files.
func form(_ files: [(name: String, bytes: [UInt8])]) -> (body: [UInt8], type: String) {
    var body: [UInt8] = []
    for file in files {
        body += Array(
            "--bo\r\nContent-Disposition: form-data; name=\"\(file.name)\"; filename=\"f\"\r\n\r\n"
                .utf8)
        body += file.bytes + [0x0d, 0x0a]
    }
    return (body + Array("--bo--\r\n".utf8), "multipart/form-data; boundary=bo")
}
