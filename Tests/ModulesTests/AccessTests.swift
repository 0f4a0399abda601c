import Testing
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdModules
import WasmdOperation

@Suite struct AccessTests {
    private func status(
        _ house: ModulesHouse, _ method: Method, _ origin: String
    ) async throws -> UInt16 {
        let fields = [("Origin", origin), ("Content-Type", "application/json")]
        return try await house.send(
            method, "/file/manifest", method == .post ? Array("{}".utf8) : [], fields
        ).status
    }

    /// Pages of loopback and of configured origins change things; others do not.
    @Test func pagesThatMayChangeSomething() throws {
        try ModulesHouse.open { house in
            let read = try await status(house, .get, "http://gui.example")
            #expect(read == 200)
            // 400: the request is read.
            #expect(try await status(house, .post, "http://localhost:5173") == 400)
            #expect(try await status(house, .post, "http://127.0.0.1:80") == 400)
            #expect(try await status(house, .post, "http://gui.example") == 403)
            #expect(try await status(house, .post, "null") == 403)
            var cors = CORSPolicy()
            cors.origins = [Array("http://gui.example".utf8)]
            house.orchestrator.setOrigins(cors)
            #expect(try await status(house, .post, "http://gui.example") == 400)
            #expect(try await status(house, .post, "http://other.example") == 403)
            house.orchestrator.setOrigins(CORSPolicy())
            #expect(try await status(house, .post, "http://gui.example") == 403)
        }
    }

    /// The name by which devices reach the server is its own.
    @Test func theNameOfThePublicURL() throws {
        var options = Orchestrator.Options()
        options.publicURL = "http://orchestrator.test:3000"
        try ModulesHouse.open(options) { house in
            let pages = try #require(OrchestratorSurface(house.orchestrator).pages)
            #expect(pages.names == [Array("orchestrator.test".utf8)])
        }
    }

    /// With tokens, devices that are registered read files and send logs without one.
    @Test func devicesWithoutTokens() throws {
        let secret = String(repeating: "a", count: 64)
        let account = Account(token: "t", scopes: [.read, .write, .run])
        let rules = AccessRules(accounts: [SHA256.hash(Array(secret.utf8)): account])
        try ModulesHouse.open(rules: rules) { house in
            let token = [("Authorization", "Bearer \(secret)")]
            let form = [("Content-Type", "application/x-www-form-urlencoded")]
            let line = Array("logData=%7B%22message%22%3A%22x%22%7D".utf8)
            #expect(try await house.send(.get, "/file/module").status == 401)
            #expect(try await house.send(.get, "/file/module/m/wasm").status == 401)
            let refused = try await house.send(.post, "/device/logs", line, form)
            #expect(refused.status == 401)
            #expect(refused.field("www-authenticate") == "Bearer realm=\"wasmd\"")
            #expect(refused.json["errorText"] != nil)
            #expect(try await house.send(.get, "/health").status == 200)
            let registered = try await house.send(
                .post, "/file/device/discovery/register",
                Array(#"{"name":"d","port":9,"addresses":["127.0.0.1"]}"#.utf8),
                token + [("Content-Type", "application/json")])
            #expect(registered.status == 204)
            #expect(try await house.send(.post, "/device/logs", line, form).status == 200)
            // 400: there is no such module.
            #expect(try await house.send(.get, "/file/module/m/wasm").status == 400)
            #expect(try await house.send(.get, "/file/module").status == 401)
            #expect(try await house.send(.get, "/device/logs").status == 401)
        }
    }

    /// A browser in a trusted network does not do for foreign pages what devices may do.
    @Test func foreignPagesInTrustedNetworks() throws {
        let network = try #require(IPNetwork(Array("127.0.0.0/8".utf8)[...]))
        try ModulesHouse.open(rules: AccessRules(trusted: [network])) { house in
            func log(_ fields: [(String, String)]) async throws -> UInt16 {
                try await house.send(
                    .post, "/device/logs", Array("logData=%7B%22message%22%3A%22x%22%7D".utf8),
                    [("Content-Type", "application/x-www-form-urlencoded")] + fields
                ).status
            }
            let device = try await log([])
            #expect(device == 200)
            #expect(try await log([("Origin", "http://localhost:5173")]) == 200)
            #expect(try await log([("Origin", "http://gui.example")]) == 403)
            #expect(try await log([("Sec-Fetch-Site", "cross-site")]) == 403)
        }
    }

    @Test func pagesAndTheirDocument() throws {
        try ModulesHouse.open { house in
            for (path, type) in [
                ("/", "text/html; charset=utf-8"), ("/docs", "text/html; charset=utf-8"),
                ("/utils.js", "text/javascript; charset=utf-8"),
                ("/openapi.json", "application/json; charset=utf-8"),
            ] {
                let answer = try await house.send(.get, path)
                #expect(answer.status == 200 && answer.field("content-type") == type, "\(path)")
            }
            let document = try await house.send(.get, "/openapi.json").json
            #expect(document["paths"]?["/file/manifest/{deployment}/migrate"]?["post"] != nil)
            var names: Set<String> = []
            for path in document["paths"]?.objectValue ?? [] {
                for operation in path.value.objectValue ?? [] {
                    let name = operation.value["operationId"]?.stringValue ?? ""
                    #expect(names.insert(name).inserted, "\(name)")
                }
            }
            let bytes = try module(fibo)
            _ = try await house.create("m", bytes)
            let stored = try await house.send(.get, "/file/module/m").json[0]?["wasm"]?["path"]
            let file = try await house.send(.get, "/\(stored?.stringValue ?? "")")
            #expect(file.bytes == bytes)
            #expect(try await house.send(.get, "/files/none").status == 404)
        }
    }

    @Test func cardsAreDeleted() throws {
        try ModulesHouse.open { house in
            let none = try await house.send(.get, "/nodeCards")
            #expect(none.json == .array([]))
            for name in ["n1", "n2"] {
                let card = #"{"asset":[{"title":"t","uid":"\#(name)","relation":[]}]}"#
                #expect(try await house.send(.post, "/nodeCards", json: card).status == 200)
            }
            #expect(
                try await house.send(.delete, "/nodeCards/n1").json["deletedCount"] == .integer(1))
            #expect(try await house.send(.delete, "/nodeCards/n1").status == 404)
            #expect(
                try await house.send(.delete, "/nodeCards").json["deletedCount"] == .integer(1))
            #expect(
                try await house.send(.delete, "/zoneRiskLevels").json["deletedCount"]
                    == .integer(0))
            #expect(
                try await house.send(.delete, "/deploymentCertificates").json["deletedCount"]
                    == .integer(0))
        }
    }
}

@Suite struct SeveralValuesTests {
    @Test func functionsWithSeveralResults() throws {
        try ModulesHouse.open { house in
            let id = try await house.create(
                "m",
                try module(
                    #"(module (func (export "f") (result i32 f64) (i32.const 1) (f64.const 2)))"#))
            let path = "/file/module/\(id)/upload"
            let right = try await house.send(
                .post, path, json: #"{"f":{"method":"get","output":["integer","float"]}}"#)
            #expect(right.status == 200 && right.json["warnings"] == nil, "\(right.text)")
            let operation = right.json["description"]?["paths"]?["/{deployment}/modules/m/f"]?[
                "get"]
            let content = operation?["responses"]?["200"]?["content"]?["application/json"]
            #expect(content?["schema"]?["type"] == "array")
            #expect(content?["schema"]?["minItems"] == .integer(2))
            let wrong = try await house.send(
                .post, path, json: #"{"f":{"method":"get","output":"integer, integer"}}"#)
            #expect(wrong.json["warnings"]?[0]?["function"] == "f")
        }
    }
}
