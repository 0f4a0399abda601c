import Glibc
import Testing
import WasmText
import WasmdDocuments
import WasmdEventLoop
import WasmdExecutor
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// A response of a surface.
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

/// A server of an executor's surfaces on a data folder of its own, and a client.
struct ExecutorHouse {
    let executor: Executor
    let client: HTTPClient
    let port: UInt16

    /// Runs `body` against a server.
    static func open(
        _ options: Executor.Options = Executor.Options(), folder: [UInt8]? = nil,
        rules: AccessRules = AccessRules(), surfaces: (Executor) -> [any Surface],
        _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        let path = folder ?? Array("/tmp/wasmd-executor-\(UInt64.random(in: 0...UInt64.max))".utf8)
        let store = try RecordStore(folder: path)
        defer {
            store.close()
            if folder == nil { removeFolder(path) }
        }
        let executor = Executor(store, options)
        var settings = HTTPClientOptions()
        settings.redirectLimit = 0
        let listener = SurfaceListener(surfaces(executor), rules: rules)
        let server = HTTPServer { try await listener.answer($0, $1) }
        let clientOptions = settings
        try EventLoop().run { loop in
            let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            try await body(
                ExecutorHouse(
                    executor: executor, client: HTTPClient(clientOptions, on: loop),
                    port: address?.port ?? 0))
        }
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

    func send(
        _ method: Method, _ path: String, _ text: String, _ fields: [(String, String)] = []
    ) async throws -> Answer {
        try await send(method, path, Array(text.utf8), fields)
    }
}

/// A module from its text.
func module(_ text: String) throws -> [UInt8] {
    try parseModule(Array(text.utf8))
}

func json(_ bytes: [UInt8]) -> String { "[\(bytes.map(String.init).joined(separator: ","))]" }

let adder = """
    (module (func (export "add") (param i32 i32) (result i32)
      (i32.add (local.get 0) (local.get 1))))
    """

/// Removes a folder with everything in it. Not by another program: a child has all descriptors for a
/// moment, and with them the locks of stores that other tests open again.
func removeFolder(_ path: [UInt8]) {
    let path = String(decoding: path, as: UTF8.self)
    if let folder = opendir(path) {
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { removeFolder(Array("\(path)/\(name)".utf8)) }
        }
        closedir(folder)
    }
    remove(path)
}
