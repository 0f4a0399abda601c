import Synchronization
import Testing
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
}
