import Glibc
import Testing
import WasmText
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer
import WasmdModules
import WasmdOperation
import WasmdStorage

/// A response of the surface.
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

/// A part of a form.
struct Part {
    var name: String
    var bytes: [UInt8]
    var file: String?
    var type: String?

    static func text(_ name: String, _ value: String) -> Part {
        Part(name: name, bytes: Array(value.utf8))
    }

    static func file(
        _ name: String, _ bytes: [UInt8], _ file: String, _ type: String?
    ) -> Part {
        Part(name: name, bytes: bytes, file: file, type: type)
    }
}

/// The bytes of a form with the boundary `border`.
func form(_ parts: [Part]) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
        var head = "--border\r\nContent-Disposition: form-data; name=\"\(part.name)\""
        if let file = part.file { head += "; filename=\"\(file)\"" }
        if let type = part.type { head += "\r\nContent-Type: \(type)" }
        bytes += Array("\(head)\r\n\r\n".utf8) + part.bytes + Array("\r\n".utf8)
    }
    return bytes + Array("--border--\r\n".utf8)
}

/// A server of an orchestrator on a data folder, and a client.
struct ModulesHouse {
    let orchestrator: Orchestrator
    let client: HTTPClient
    let loop: EventLoop
    let port: UInt16

    /// Runs `body` against a server.
    static func open(
        _ options: Orchestrator.Options = Orchestrator.Options(), folder: [UInt8]? = nil,
        rules: AccessRules = AccessRules(),
        _ body: @escaping @Sendable (ModulesHouse) async throws -> Void
    ) throws {
        let path = folder ?? Self.newFolder()
        let store = try RecordStore(folder: path)
        defer {
            store.close()
            if folder == nil { removeFolder(path) }
        }
        let orchestrator = try Orchestrator(store, options)
        let listener = SurfaceListener([OrchestratorSurface(orchestrator)], rules: rules)
        let server = HTTPServer { try await listener.answer($0, $1) }
        try EventLoop().run { loop in
            let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            try await body(
                ModulesHouse(
                    orchestrator: orchestrator, client: HTTPClient(on: loop), loop: loop,
                    port: address?.port ?? 0))
        }
    }

    static func newFolder() -> [UInt8] {
        Array("/tmp/wasmd-modules-\(UInt64.random(in: 0...UInt64.max))".utf8)
    }

    /// Sends a request.
    func send(
        _ method: Method, _ path: String, _ body: [UInt8] = [], _ fields: [(String, String)] = []
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

    func send(_ method: Method, _ path: String, json: String) async throws -> Answer {
        try await send(
            method, path, Array(json.utf8), [("Content-Type", "application/json")])
    }

    func send(_ method: Method, _ path: String, form parts: [Part]) async throws -> Answer {
        try await send(
            method, path, form(parts), [("Content-Type", "multipart/form-data; boundary=border")])
    }

    /// Registers a supervisor and waits until it is known; its id.
    func register(_ name: String, _ supervisor: FakeSupervisor) async throws -> String {
        let answer = try await send(
            .post, "/file/device/discovery/register",
            json: """
                {"name":"\(name)","port":\(supervisor.port),"addresses":["127.0.0.1"],
                 "host":"\(name).local.","properties":{"address":"127.0.0.1"}}
                """)
        #expect(answer.status == 204)
        for _ in 0..<500 {
            let device = try await send(.get, "/file/device/\(name)").json
            if device["health"] != nil { return try #require(device["_id"]?.stringValue) }
            try await loop.sleep(for: .milliseconds(5))
        }
        Issue.record("'\(name)' is not known after registering")
        return ""
    }

    /// Stores a module; its id.
    func create(_ name: String, _ bytes: [UInt8]) async throws -> String {
        let answer = try await send(
            .post, "/file/module",
            form: [.text("name", name), .file("wasm", bytes, "m.wasm", "application/wasm")])
        #expect(answer.status == 201, "\(answer.text)")
        return try #require(answer.json["id"]?.stringValue)
    }
}

/// A module from its text.
func module(_ text: String) throws -> [UInt8] { try parseModule(Array(text.utf8)) }

/// With the signatures of the real module of this name.
let fibo = """
    (module
      (import "env" "log" (func (param i32)))
      (import "env" "memory" (memory 1))
      (func (export "fibo") (param i64) (result i64) (local.get 0))
      (func (export "fibo_from_pointers") (param i32 i32 i32) (result i32) (local.get 0))
      (func (export "subtract") (param i64 i64) (result i64)
        (i64.sub (local.get 0) (local.get 1))))
    """

/// Removes a folder with everything in it.
func removeFolder(_ path: [UInt8]) {
    _ = system("rm -rf '\(String(decoding: path, as: UTF8.self))'")
}

/// Writes a file, and makes the folders that it is in.
func writeFile(_ folder: [UInt8], _ path: String, _ bytes: [UInt8]) throws {
    let root = String(decoding: folder, as: UTF8.self)
    mkdir(root, 0o700)
    var parent = root
    for word in path.split(separator: "/").dropLast() {
        parent += "/\(word)"
        mkdir(parent, 0o700)
    }
    let file = try #require(fopen("\(root)/\(path)", "w"))
    defer { fclose(file) }
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
}
