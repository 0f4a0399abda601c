import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP
import WasmdOperation

/// What tenants see of each other's modules, and their quotas: nothing, on all surfaces.
@Suite struct TenancyTests {
    private static func rules(_ quotas: Tenant.Quotas = Tenant.Quotas()) -> AccessRules {
        var configuration = Configuration()
        for name in ["one", "two"] {
            var token = Token(
                name: name, digest: Token.digest(of: name.utf8), scopes: [.read, .write, .run])
            token.tenant = name
            configuration.tokens.append(token)
            configuration.tenants.append(.init(name))
        }
        configuration.tenants[0].quotas = quotas
        configuration.tokens.append(
            Token(name: "all", digest: Token.digest(of: "all".utf8), scopes: .all))
        return AccessRules(configuration)
    }

    private func bearer(_ secret: String) -> [(String, String)] {
        [("Authorization", "Bearer \(secret)"), ("Content-Type", "application/wasm")]
    }

    private func open(
        _ rules: AccessRules, wess: Bool = false, folder: [UInt8]? = nil,
        _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        try ExecutorHouse.open(
            folder: folder, rules: rules,
            surfaces: { executor in
                try? executor.setTenants(rules.tenants)
                return wess
                    ? [WessSurface(executor)] : [QuerySurface(executor), ModuleSurface(executor)]
            }, body)
    }

    private func store(
        _ house: ExecutorHouse, _ secret: String, _ bytes: [UInt8]
    ) async throws -> String {
        let answer = try await house.send(.post, "/wasm", bytes, bearer(secret))
        #expect(answer.status == 202, "\(answer.text)")
        return try #require(answer.json["id"]?.stringValue)
    }

    @Test func othersModulesAreNotThere() throws {
        let rules = Self.rules()
        try open(rules) { (house) async throws in
            let bytes = try module(adder)
            let id = try await store(house, "one", bytes)
            let own = try await house.send(.post, "/wasm/\(id)", "[1,2]", bearer("one"))
            #expect(own.status == 200 && own.json["result"] == .integer(3))
            for (method, path, body) in [
                (Method.get, "/wasm/\(id)", ""), (.put, "/wasm/\(id)", "{}"),
                (.delete, "/wasm/\(id)", ""), (.post, "/wasm/\(id)", "[1,2]"),
                (.get, "/wasm/?id=\(id)", ""), (.get, "/run/?id=\(id)", ""),
                (.delete, "/?id=\(id)", ""), (.put, "/?id=\(id)", "{}"),
            ] {
                let answer = try await house.send(method, path, body, bearer("two"))
                #expect(answer.status == 404, "\(method.name) \(path): \(answer.text)")
            }
            let none = try await house.send(.get, "/wasm", "", bearer("two"))
            #expect(none.json["items"] == .array([]))
            let alsoNone = try await house.send(.get, "/", "", bearer("two"))
            #expect(alsoNone.json == .array([]))
            // One that belongs to nobody is not a tenant's either.
            _ = try await store(house, "all", bytes)
            let list = try await house.send(.get, "/wasm?limit=1", "", bearer("one"))
            #expect(list.json["items"]?.arrayValue?.count == 1 && list.json["next"] == .null)
            let all = try await house.send(.get, "/wasm", "", bearer("all"))
            #expect(all.json["items"]?.arrayValue?.count == 2)
            // Nor can it be imported.
            let importer = try module(
                "(module (import \"\(id)\" \"add\" (func (param i32 i32) (result i32)))"
                    + "(func (export \"f\") (result i32) i32.const 1 i32.const 2 call 0))")
            let (mine, theirs) = (
                try await store(house, "one", importer), try await store(house, "two", importer)
            )
            let run = try await house.send(.post, "/wasm/\(mine)", "[]", bearer("one"))
            #expect(run.status == 200, "\(run.text)")
            let refused = try await house.send(.post, "/wasm/\(theirs)", "[]", bearer("two"))
            #expect(refused.status == 409 && refused.text.contains("not stored"))
            let job = try await house.send(.post, "/wasm", bytes, bearer("one"))
            let name = try #require(job.json["job"]?.stringValue)
            let seen = try await house.send(.get, "/jobs/\(name)", "", bearer("one"))
            let hidden = try await house.send(.get, "/jobs/\(name)", "", bearer("two"))
            #expect(seen.status == 200 && hidden.status == 404)
            let listed = try await house.send(.get, "/jobs", "", bearer("one"))
            let others = try await house.send(.get, "/jobs", "", bearer("two"))
            #expect(listed.text.contains(name) && !others.text.contains(name))
            let removed = try await house.send(.delete, "/wasm/\(id)", "", bearer("all"))
            #expect(removed.status == 202)
        }
    }

    @Test func wess() throws {
        let rules = Self.rules()
        try open(rules, wess: true) { (house) async throws in
            let body =
                "{\"wasm\":\(json(try module(adder))),\"metadata\":{\"functionName\":\"add\","
                + "\"args\":[\"I32\",\"I32\"],\"returnType\":[\"I32\"]}}"
            let refused = try await house.send(.post, "/", body)
            #expect(refused.status == 401 && refused.json["message"]?.stringValue != nil)
            let made = try await house.send(.post, "/", body, bearer("one"))
            let id = try #require(made.json["message"]?["id"]?.stringValue)
            for (method, text) in [
                (Method.get, ""), (.put, body), (.delete, ""), (.post, "[1,2]"),
            ] {
                let answer = try await house.send(method, "/\(id)", text, bearer("two"))
                #expect(answer.status == 404, "\(method.name): \(answer.text)")
            }
            let count = try await house.send(.get, "/", "", bearer("two"))
            #expect(count.text == "{\"message\":0}")
            let own = try await house.send(.get, "/", "", bearer("one"))
            #expect(own.text == "{\"message\":1}")
            let run = try await house.send(.post, "/\(id)", "[1,2]", bearer("one"))
            #expect(run.text == "{\"message\":[3]}")
        }
    }

    @Test func storedBytesAreCountedAcrossStarts() throws {
        let folder = Array("/tmp/wasmd-tenancy-\(UInt64.random(in: 0...UInt64.max))".utf8)
        defer { removeFolder(folder) }
        let bytes = try module(adder)
        var quotas = Tenant.Quotas()
        quotas.storedBytes = UInt64(bytes.count * 2)
        let rules = Self.rules(quotas)
        try open(rules, folder: folder) { (house) async throws in
            let id = try await store(house, "one", bytes)
            _ = try await store(house, "one", bytes)
            let full = try await house.send(.post, "/wasm", bytes, bearer("one"))
            #expect(full.status == 507 && full.text.contains("stored_bytes"))
            #expect(
                full.json["error"]?["limit"] == .string("tenants.one.stored_bytes"),
                "\(full.text)")
            // Others are not concerned, and what is removed makes room.
            _ = try await store(house, "two", bytes)
            let removed = try await house.send(.delete, "/wasm/\(id)", "", bearer("all"))
            #expect(removed.status == 202)
            _ = try await store(house, "one", bytes)
        }
        let again = Self.rules(quotas)
        try open(again, folder: folder) { (house) async throws in
            #expect(again.tenants["one"]?.storedBytes == UInt64(bytes.count * 2))
            let full = try await house.send(.post, "/wasm", bytes, bearer("one"))
            #expect(full.status == 507)
        }
    }

    @Test func fuelAndInstances() throws {
        let text = "(module (func (export \"f\") (loop $l br $l)))"
        var quotas = Tenant.Quotas()
        quotas.fuelPerSecond = 1000
        let rules = Self.rules(quotas)
        try open(rules) { (house) async throws in
            let id = try await store(house, "one", try module(text))
            // The first run meets the quota, the second finds it used up.
            for _ in 0..<2 {
                let answer = try await house.send(.post, "/wasm/\(id)", "[]", bearer("one"))
                #expect(answer.status == 429 && answer.field("retry-after") != nil)
                #expect(
                    answer.json["error"]?["limit"] == .string("tenants.one.fuel_per_second"))
            }
        }
        quotas.fuelPerSecond = nil
        quotas.instances = 0
        let none = Self.rules(quotas)
        try open(none) { (house) async throws in
            let id = try await store(house, "one", try module(text))
            let answer = try await house.send(.post, "/wasm/\(id)", "[]", bearer("one"))
            #expect(answer.status == 429 && answer.text.contains("instances"))
            let first = try await house.send(.get, "/run/?id=\(id)", "", bearer("one"))
            #expect(first.status == 429 && first.field("retry-after") == "1")
        }
    }

    /// A full queue is 503 with Retry-After and the limit's name, on all surfaces.
    @Test func fullQueues() throws {
        var options = Executor.Options()
        options.runs.places.running = 0
        options.runs.places.waiting = 0
        try ExecutorHouse.open(
            options, surfaces: { [QuerySurface($0), ModuleSurface($0)] }
        ) { (house) async throws in
            let made = try await house.send(.post, "/wasm", try module(adder), bearer(""))
            let id = try #require(made.json["id"]?.stringValue)
            for path in ["/wasm/\(id)", "/run/?id=\(id)"] {
                let method: Method = path.hasPrefix("/run") ? .get : .post
                let answer = try await house.send(method, path, method == .get ? "" : "[1,2]")
                #expect(
                    answer.status == 503 || answer.status == 400, "\(path): \(answer.text)")
                if path.hasPrefix("/wasm") {
                    #expect(answer.field("retry-after") == "1")
                    #expect(answer.json["error"]?["limit"] == .string("running"))
                    #expect(answer.text.contains("the server: 0 runs, the limit"))
                }
            }
            // Raised places count at once.
            var more = house.executor.options
            more.runs.places.running = 1
            house.executor.options = more
            let answer = try await house.send(.post, "/wasm/\(id)", "[1,2]")
            #expect(answer.status == 200)
            more.moduleLimit = 8
            house.executor.options = more
            let large = try await house.send(.post, "/wasm", try module(adder), bearer(""))
            #expect(large.status == 413 && large.json["error"]?["limit"] == .string("module"))
        }
        options.writeLimit = 0
        for wess in [false, true] {
            try ExecutorHouse.open(
                options, surfaces: { wess ? [WessSurface($0)] : [ModuleSurface($0)] }
            ) { (house) async throws in
                let body =
                    "{\"wasm\":\(json(try module(adder))),\"metadata\":{\"functionName\":\"add\","
                    + "\"args\":[],\"returnType\":[]}}"
                let answer = try await house.send(
                    .post, wess ? "/" : "/wasm", body, [("Content-Type", "application/json")])
                #expect(answer.status == 503 && answer.field("retry-after") == "1")
                #expect(answer.text.contains("limits.writes"))
            }
        }
    }
}
