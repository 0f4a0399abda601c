import Synchronization
import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdOperation

@Suite struct TenantTests {
    private func refusal(_ body: () throws -> Void) -> AccessRefusal? {
        do {
            try body()
            return nil
        } catch {
            return error as? AccessRefusal
        }
    }

    @Test func storedBytes() throws {
        var quotas = Tenant.Quotas()
        quotas.storedBytes = 100
        let tenant = Tenant("acme", quotas: quotas)
        try tenant.store(60)
        let refusal = refusal { try tenant.store(41) }
        #expect(refusal?.status == .insufficientStorage)
        #expect(refusal?.limit == "tenants.acme.stored_bytes")
        #expect(tenant.storedBytes == 60)
        try tenant.store(100, inPlaceOf: 60)
        tenant.restore(60, inPlaceOf: 100)
        try tenant.store(40)
        #expect(tenant.storedBytes == 100)
        // A quota that is lowered below what is there lets it become less only.
        quotas.storedBytes = 10
        tenant.quotas = quotas
        try tenant.store(50, inPlaceOf: 60)
        let more = self.refusal { try tenant.store(51, inPlaceOf: 50) }
        #expect(more != nil)
        tenant.restore(0, inPlaceOf: 1000)
        #expect(tenant.storedBytes == 0)
        let most = self.refusal { try tenant.store(.max) }
        #expect(most != nil)
        quotas.storedBytes = nil
        tenant.quotas = quotas
        try tenant.store(.max)
        try tenant.store(.max)
        #expect(tenant.storedBytes == .max)
    }

    @Test func fuel() throws {
        let time = Mutex<UInt64>(5)
        var quotas = Tenant.Quotas()
        quotas.fuelPerSecond = 1000
        let tenant = Tenant("acme", quotas: quotas) { time.withLock { $0 } }
        func wait(_ seconds: Double) { time.withLock { $0 += UInt64(seconds * 1e9) } }
        #expect(try tenant.admitRun() == 10_000)
        tenant.charge(fuel: 9000)
        #expect(try tenant.admitRun() == 1000)
        // A run beside others used more than was left: it is paid back later.
        tenant.charge(fuel: 3000)
        let refusal = refusal { _ = try tenant.admitRun() }
        #expect(refusal?.status == .tooManyRequests && refusal?.retryAfter == 3)
        #expect(refusal?.limit == "tenants.acme.fuel_per_second")
        wait(2.5)
        #expect(try tenant.admitRun() == 500)
        wait(1000)
        #expect(try tenant.admitRun() == 10_000)
        tenant.charge(fuel: .max)
        let debt = self.refusal { _ = try tenant.admitRun() }
        #expect(debt?.retryAfter == 86_401)
        tenant.quotas = Tenant.Quotas()
        #expect(try tenant.admitRun() == nil)
    }

    @Test func instances() throws {
        var quotas = Tenant.Quotas()
        quotas.instances = 0
        let tenant = Tenant("acme", quotas: quotas)
        let refusal = refusal { _ = try tenant.admitRun() }
        #expect(refusal?.limit == "tenants.acme.instances" && refusal?.retryAfter == 1)
        quotas.instances = 1
        tenant.quotas = quotas
        #expect(try tenant.admitRun() == nil)
    }

    /// What operators see: limits with their use, quotas with theirs, and no digest of a secret.
    @Test func report() throws {
        var configuration = Configuration()
        var tenant = Configuration.TenantSettings("acme")
        tenant.quotas.storedBytes = 100
        tenant.quotas.instances = 2
        configuration.tenants = [tenant, .init("beta")]
        let digest = Token.digest(of: Array("secret".utf8))
        configuration.tokens = [
            Token(name: "ours", digest: digest, scopes: [.read]),
            Token(name: "theirs", digest: Token.digest(of: Array("other".utf8)), scopes: .all),
        ]
        configuration.tokens[1].tenant = "acme"
        let rules = AccessRules(configuration)
        try rules.tenants["acme"]?.store(60)
        var report = SettingsReport(configuration, rules)
        report.used["limits.runs"] = 7
        let document = report.document
        let limits = try #require(document["limits"]?.arrayValue)
        let runs = limits.first { $0["name"] == "limits.runs" }
        #expect(runs?["number"]?.integerValue == 1024 && runs?["used"]?.integerValue == 7)
        let memory = limits.first { $0["name"] == "limits.memory" }
        #expect(memory?["unit"] == "bytes" && memory?["used"] == nil)
        let tenants = try #require(document["tenants"]?.arrayValue)
        #expect(tenants.map { $0["name"]?.stringValue } == ["acme", "beta"])
        #expect(tenants[0]["stored_bytes"]?["used"]?.integerValue == 60)
        #expect(tenants[0]["stored_bytes"]?["limit"]?.integerValue == 100)
        #expect(tenants[0]["instances"]?["limit"]?.integerValue == 2)
        #expect(tenants[0]["fuel"]?["available"] == .null)
        #expect(tenants[1]["stored_bytes"]?["limit"] == .null)
        let tokens = try #require(document["tokens"]?.arrayValue)
        #expect(tokens[0]["runs"]?["ended"]?.integerValue == 0 && tokens[0]["tenant"] == nil)
        #expect(tokens[1]["runs"] == nil && tokens[1]["tenant"] == "acme")
        #expect(!"\(document)".contains("\(digest)"))
    }

    @Test func availableFuel() throws {
        let time = Mutex<UInt64>(5)
        var quotas = Tenant.Quotas()
        let tenant = Tenant("acme") { time.withLock { $0 } }
        #expect(tenant.availableFuel == nil)
        quotas.fuelPerSecond = 1000
        tenant.quotas = quotas
        #expect(tenant.availableFuel == 10_000)
        tenant.charge(fuel: 12_000)
        #expect(tenant.availableFuel == 0)
        time.withLock { $0 += 3_000_000_000 }
        #expect(tenant.availableFuel == 1000)
    }
}
