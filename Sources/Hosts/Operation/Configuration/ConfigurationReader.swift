import WasmdDigests
import WasmdDocuments
import WasmdHTTP

extension Configuration {
    /// Reads what is not of a single personality; what is wrong is noted in the settings.
    public init(_ root: SettingsTable) {
        self.init()
        if let path = root.text("data", expected: "a folder", { $0.isEmpty ? nil : $0 }) {
            data = Array(path.utf8)
        }
        loops = root.integer("loops", in: 1...1024).map { Int($0) }
        if let mode = root.read("sandbox", expected: "true, false or \"strict\"", Self.sandbox) {
            sandbox = mode
        }
        if let value = root.boolean("insecure") { isInsecure = value }
        limits.read(root.table("limits"))
        access.read(root)
        readTenants(root)
        readTokens(root)
        if let rules = root.table("outbound").texts(
            "hosts", expected: "HOST, HOST:PORT or a network",
            { OutboundPolicy.malformed([$0]) == nil ? $0 : nil })
        {
            outbound = rules
        }
        log.read(root.table("log"))
        traces = root.table("traces").text(
            "url",
            expected: "a URL of http whose host is an address or localhost, for example "
                + "\"http://127.0.0.1:4318/v1/traces\"", Self.collector)
        if let time = root.table("shutdown").duration("grace") { grace = time }
    }

    /// Names are not looked up: the process is restricted by then.
    private static func collector(_ text: String) -> URL? {
        guard let url = URL(Array(text.utf8)), url.scheme.elementsEqual("http".utf8),
            url.userInformation == nil
        else { return nil }
        switch url.authority.host {
        case .address: return url
        case .name(let name): return name.elementsEqual("localhost".utf8) ? url : nil
        }
    }

    private static func sandbox(_ document: Document) -> SandboxMode? {
        switch document {
        case .boolean(let value): value ? .on : .off
        case .string(let text): SandboxMode(rawValue: text)
        default: nil
        }
    }

    private mutating func readTenants(_ root: SettingsTable) {
        for (name, table) in root.namedTables("tenants") {
            var tenant = TenantSettings(name)
            if !Self.isName(name) {
                table.complain("", "a tenant's name is 1 to 64 letters, digits, '-', '_' or '.'")
            }
            tenant.quotas.storedBytes = table.bytes("stored_bytes")
            tenant.quotas.fuelPerSecond = table.integer("fuel_per_second", in: 1...Int64.max)
                .map { UInt64($0) }
            tenant.quotas.instances = table.integer("instances", in: 1...1_000_000)
                .map { Int($0) }
            tenants.append(tenant)
        }
    }

    private mutating func readTokens(_ root: SettingsTable) {
        let names = tenants.map(\.name)
        for table in root.tables("tokens") {
            let name = table.text(
                "name", expected: "1 to 64 letters, digits, '-', '_' or '.'",
                { Self.isName($0) ? $0 : nil })
            let digest = table.text(
                "sha256", expected: "64 hexadecimal digits, as 'wasmd token' prints them",
                Self.digest)
            let scopes = table.texts(
                "scopes", expected: "read, write, run or admin", { Scopes(name: $0) })
            let rate = Self.rate(table, "rate", "burst")
            let tenant = table.text("tenant")
            if !table.has("name") { table.complain("name", "is missing") }
            if !table.has("sha256") { table.complain("sha256", "is missing") }
            if !table.has("scopes") {
                table.complain("scopes", "is missing: a list of read, write, run and admin")
            }
            if let tenant, !names.contains(tenant) {
                let meant =
                    table.suggestion(for: tenant, in: names)
                    .map { "; did you mean '\($0)'?" } ?? ""
                table.complain("tenant", "there is no table [tenants.\(tenant)]\(meant)")
            }
            guard let name, let digest else { continue }
            if tokens.contains(where: { $0.name == name }) {
                table.complain("name", "another token has the name '\(name)'")
            }
            if tokens.contains(where: { $0.digest == digest }) {
                table.complain("sha256", "another token has this secret")
            }
            var token = Token(
                name: name, digest: digest,
                scopes: (scopes ?? []).reduce([]) { $0.union($1) })
            token.tenant = tenant
            token.rate = rate.map { .init(rate: $0.rate, burst: $0.burst) }
            tokens.append(token)
        }
    }

    /// A rate and its burst: by default as many at one time as in a second.
    fileprivate static func rate(
        _ table: SettingsTable, _ rate: String, _ burst: String
    ) -> (rate: Double, burst: Double?)? {
        let burst = table.number(burst, in: 1...1e9)
        return table.number(rate, in: 0.001...1e9).map { ($0, burst) }
    }

    /// Whether a text may be the name of a token or a tenant.
    public static func isName(_ text: String) -> Bool {
        1...64 ~= text.utf8.count
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
                default: false
                }
            }
    }

    private static func digest(_ text: String) -> SHA256.Digest? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue ?? 16 }
        guard digits.count == 64, !digits.contains(16) else { return nil }
        let bytes = stride(from: 0, to: 64, by: 2).map {
            UInt8(truncatingIfNeeded: digits[$0] * 16 + digits[$0 + 1])
        }
        return SHA256.Digest(bytes: bytes.span)
    }
}

extension Configuration.Limits {
    fileprivate mutating func read(_ table: SettingsTable) {
        func limit<Value>(_ convert: @escaping (Document) -> Value?) -> (Document) -> Value?? {
            { $0.stringValue == "none" ? .some(nil) : convert($0).map { .some($0) } }
        }
        let duration = limit { document in
            document.stringValue.flatMap(Quantity.nanoseconds).map { Duration.nanoseconds($0) }
                ?? document.doubleValue.flatMap { $0 > 0 && $0 <= 9e9 ? .seconds($0) : nil }
        }
        let time = "a duration, for example \"500ms\", or \"none\""
        if let value = table.read("run_time", expected: time, duration) { runTime = value }
        if let value = table.read("waiting_time", expected: time, duration) { waitingTime = value }
        if let value = table.read(
            "fuel", expected: "a whole number above zero, or \"none\"",
            limit { document in
                (document.integerValue
                    ?? document.stringValue
                    .flatMap(Quantity.count).flatMap { Int64(exactly: $0) })
                    .flatMap { $0 > 0 ? UInt64($0) : nil }
            })
        {
            fuel = value
        }
        if let value = table.bytes("memory") { memory = value }
        if let value = table.bytes("output") { output = value }
        if let value = table.bytes("module") { module = value }
        if let value = table.integer("runs", in: 1...1_000_000) { runs = Int(value) }
        if let value = table.integer("waiting", in: 0...1_000_000) { waiting = Int(value) }
        if let value = table.integer("writes", in: 1...1_000_000) { writes = Int(value) }
        if let value = table.integer("connections", in: 1...1_000_000) { connections = Int(value) }
    }
}

extension Configuration.Access {
    fileprivate mutating func read(_ root: SettingsTable) {
        func networks(_ key: String) -> [IPNetwork] {
            root.texts(key, expected: "an address or a network, for example 10.0.0.0/8") {
                IPNetwork(Array($0.utf8)[...])
            } ?? []
        }
        trusted = networks("trust")
        proxies = networks("proxies")
        names =
            root.texts("names", expected: "a host's name without port") { text in
                guard case .name? = Authority(Array(text.utf8)[...])?.host, !text.contains(":")
                else { return nil }
                return text
            } ?? []
        origins =
            root.table("cors").texts("origins", expected: "as \"https://host\", or \"*\"") {
                $0 == "*" || Origin(Array($0.utf8)[...]) != nil ? $0 : nil
            } ?? []
        addressRate = Configuration.rate(root.table("rates"), "address", "address_burst")
            .map { .init(rate: $0.rate, burst: $0.burst) }
    }

    /// The rules for pages of other origins.
    public func sameOrigin(machine: [UInt8]) -> SameOriginRules {
        var cors = CORSPolicy()
        cors.allowsAnyOrigin = origins.contains("*")
        cors.origins = origins.filter { $0 != "*" }.map { Array($0.utf8) }
        return SameOriginRules(machine: machine, names: names.map { Array($0.utf8) }, cors: cors)
    }
}

extension Configuration.LogSettings {
    fileprivate mutating func read(_ table: SettingsTable) {
        if let value = table.text(
            "level", expected: "debug, info, warn or error", { Log.Level(name: $0) })
        {
            level = value
        }
        form =
            table.text("form", expected: "\"text\", \"json\" or \"auto\"") { text -> Log.Form?? in
                text == "auto" ? .some(nil) : Log.Form(rawValue: text).map { .some($0) }
            } ?? nil
        file = table.text("file", expected: "a file") { $0.isEmpty ? nil : $0 }
        if let value = table.boolean("requests") { requests = value }
        if let value = table.boolean("audit") { audit = value }
    }
}
