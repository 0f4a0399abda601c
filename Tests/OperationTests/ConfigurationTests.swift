import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdOperation

@Suite struct ConfigurationTests {
    private func read(
        _ text: String, _ variables: [String: String] = [:]
    ) throws -> (Configuration, [String], [String]) {
        let settings = Settings(
            try TOML.Source(Array(text.utf8)),
            variables: SettingsVariables(prefix: "WASMD", variables)
        ) { word, candidates in candidates.first { $0.first == word.first } }
        let configuration = Configuration(settings.root)
        return (configuration, settings.finish().map(\.description), settings.unknownVariables)
    }

    @Test func everything() throws {
        let digest = String(repeating: "0a", count: 32)
        let (read, problems, _) = try read(
            """
            data = "store"
            loops = 2
            sandbox = "strict"
            insecure = true
            trust = ["10.0.0.0/8", "::1"]
            proxies = "127.0.0.1"
            names = ["wasm.example.org"]
            cors.origins = ["https://a.example", "*"]
            rates.address = 5
            rates.address_burst = 50
            outbound.hosts = ["example.org:443"]
            shutdown.grace = "5s"

            [limits]
            run_time = "none"
            waiting_time = 2
            fuel = "1_000"
            memory = "1MiB"
            output = 10
            module = "2KiB"
            runs = 3
            waiting = 0
            writes = 4
            connections = 5

            [log]
            level = "warn"
            form = "json"
            file = "wasmd.log"
            requests = true
            audit = true

            [[tokens]]
            name = "ci"
            sha256 = "\(digest)"
            scopes = ["read", "run"]
            rate = 10
            burst = 20
            tenant = "acme"

            [tenants.acme]
            stored_bytes = "1GiB"
            fuel_per_second = 1000
            instances = 7
            """)
        #expect(problems == [])
        var expected = Configuration()
        expected.data = Array("store".utf8)
        expected.loops = 2
        expected.sandbox = .strict
        expected.isInsecure = true
        expected.access.trusted = ["10.0.0.0/8", "::1"].compactMap {
            IPNetwork(Array($0.utf8)[...])
        }
        expected.access.proxies = ["127.0.0.1"].compactMap { IPNetwork(Array($0.utf8)[...]) }
        expected.access.names = ["wasm.example.org"]
        expected.access.origins = ["https://a.example", "*"]
        expected.access.addressRate = .init(rate: 5, burst: 50)
        expected.outbound = ["example.org:443"]
        expected.grace = .seconds(5)
        expected.limits.runTime = nil
        expected.limits.waitingTime = .seconds(2)
        expected.limits.fuel = 1000
        expected.limits.memory = 1 << 20
        expected.limits.output = 10
        expected.limits.module = 2048
        expected.limits.runs = 3
        expected.limits.waiting = 0
        expected.limits.writes = 4
        expected.limits.connections = 5
        expected.log.level = .warning
        expected.log.form = .json
        expected.log.file = "wasmd.log"
        expected.log.requests = true
        expected.log.audit = true
        var token = Token(
            name: "ci", digest: try #require(read.tokens.first?.digest), scopes: [.read, .run])
        token.tenant = "acme"
        token.rate = .init(rate: 10, burst: 20)
        expected.tokens = [token]
        #expect(token.digest.description == digest)
        var tenant = Configuration.TenantSettings("acme")
        tenant.quotas.storedBytes = 1 << 30
        tenant.quotas.fuelPerSecond = 1000
        tenant.quotas.instances = 7
        expected.tenants = [tenant]
        #expect(read == expected)
        let (none, nothing, _) = try self.read("")
        #expect(nothing == [] && none == Configuration())
    }

    @Test func problems() throws {
        let digest = String(repeating: "00", count: 32)
        let (_, problems, _) = try read(
            """
            trust = ["10.0.0.0/8", "ten"]
            limits.runs = 0
            limits.run_tme = 1
            log.level = "loud"
            log.form = "xml"
            cors.origins = ["example.org"]
            names = ["127.0.0.1"]
            outbound.hosts = ["a b"]
            sandbox = "maybe"
            [[tokens]]
            name = "a"
            sha256 = "\(digest)"
            scopes = []
            [[tokens]]
            name = "a"
            sha256 = "\(digest)"
            scopes = ["all"]
            tenant = "nobody"
            [tenants."a/b"]
            [tenants.acme]
            prefix = "a"
            """)
        for (place, start) in [
            ("line 1, column 1", "trust: text 2 of the list: expected an address or a network"),
            ("line 2, column 1", "limits.runs: expected a whole number from 1"),
            ("line 3, column 1", "limits.run_tme: unknown setting; did you mean 'run_time'?"),
            ("line 4, column 1", "log.level: expected debug, info, warn or error"),
            ("line 5, column 1", "log.form: expected"),
            ("line 6, column 1", "cors.origins: text 1 of the list"),
            ("line 7, column 1", "names: text 1 of the list"),
            ("line 8, column 1", "outbound.hosts: text 1 of the list"),
            ("line 9, column 1", "sandbox: expected true, false or"),
            ("line 15, column 1", "tokens[1].name: another token has the name 'a'"),
            ("line 16, column 1", "tokens[1].sha256: another token has this secret"),
            ("line 17, column 1", "tokens[1].scopes: text 1 of the list"),
            ("line 18, column 1", "tokens[1].tenant: there is no table [tenants.nobody]"),
            ("line 21, column 1", "tenants.acme.prefix: unknown setting"),
        ] {
            #expect(problems.contains { $0.hasPrefix("\(place): \(start)") }, "\(start)")
        }
        #expect(problems.contains { $0.contains("a tenant's name is 1 to 64 letters") })
        #expect(problems.count == 15, "\(problems)")
    }

    @Test func variables() throws {
        let variables = [
            "WASMD_LIMITS_RUN_TIME": "3s", "WASMD_LIMITS_RUNS": "9", "WASMD_INSECURE": "true",
            "WASMD_TRUST": "10.0.0.0/8, 127.0.0.1", "WASMD_DATA": "elsewhere", "HOME": "/",
            "WASMD_TENANTS_ACME_INSTANCES": "2", "WASMD_LIMTS_RUNS": "1",
        ]
        let (read, problems, unknown) = try read(
            "data = \"here\"\nlimits.runs = 1\n[tenants.acme]\n", variables)
        #expect(problems == [] && unknown == ["WASMD_LIMTS_RUNS"])
        #expect(read.limits.runTime == .seconds(3) && read.limits.runs == 9 && read.isInsecure)
        #expect(read.access.trusted.count == 2 && read.data == Array("elsewhere".utf8))
        #expect(read.tenants.first?.quotas.instances == 2)
        let (_, wrong, _) = try self.read(
            "limits.runs = 1", ["WASMD_LIMITS_RUNS": "many"])
        #expect(wrong == ["WASMD_LIMITS_RUNS: expected a whole number from 1 to 1000000"])
    }

    @Test func changes() throws {
        var old = Configuration()
        old.tokens = [Token(name: "a", digest: Token.digest(of: [1]), scopes: .read)]
        var new = old
        #expect(SettingFact.changes(from: old.facts, to: new.facts) == [])
        new.limits.runs = 1
        new.data = [1]
        new.tokens = [Token(name: "b", digest: Token.digest(of: [1]), scopes: .read)]
        let changes = SettingFact.changes(from: old.facts, to: new.facts)
        #expect(changes.map(\.path) == ["data", "limits.runs", "tokens.b", "tokens.a"])
        #expect(changes.map(\.isReloadable) == [false, true, true, true])
    }
}
