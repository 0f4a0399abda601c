import Synchronization
import Testing
import WasmdHTTP
import WasmdOperation

@Suite struct AccessTests {
    @Test func tokens() throws {
        let secret = try Token.makeSecret()
        let other = try Token.makeSecret()
        #expect(secret.utf8.count == 64 && secret != other)
        let token = Token(
            name: "ci", digest: Token.digest(of: secret.utf8), scopes: [.read, .run])
        for right in ["Bearer \(secret)", "bEARER   \(secret)"] {
            let digest = Token.digest(ofAuthorization: Array(right.utf8)[...])
            #expect(digest == token.digest)
        }
        for wrong in ["", "Bearer", "Bearer ", "Bearer  ", "Basic \(secret)", secret] {
            #expect(Token.digest(ofAuthorization: Array(wrong.utf8)[...]) == nil)
        }
        let other0 = Token.digest(ofAuthorization: Array("Bearer \(secret)0".utf8)[...])
        #expect(other0 != nil && other0 != token.digest)
        #expect(token.scopes.names == ["read", "run"])
        #expect(Scopes(name: "admin") == .admin && Scopes(name: "Admin") == nil)
    }

    @Test func rates() {
        let time = Mutex<UInt64>(1_000_000_000)
        let limiter = RateLimiter<String>(.init(rate: 2, burst: 3), capacity: 2) {
            time.withLock { $0 }
        }
        func wait(_ seconds: Double) { time.withLock { $0 += UInt64(seconds * 1e9) } }
        for _ in 0..<3 { #expect(limiter.take("a") == nil) }
        let delay = limiter.take("a")
        #expect(delay.map { $0 > .milliseconds(499) && $0 < .milliseconds(501) } == true)
        wait(0.5)
        #expect(limiter.take("a") == nil)
        #expect(limiter.take("a") != nil)
        #expect(limiter.take("b") == nil)
        // Both are in use: a third must wait, until one of them is full again.
        #expect(limiter.take("c") == .seconds(1))
        wait(0.6)
        #expect(limiter.take("c") == nil)
        #expect(limiter.count == 2)
        limiter.setLimit(.init(rate: 1000))
        wait(1)
        #expect(limiter.take("a") == nil)
    }

    private func allows(_ rules: [String], _ host: String, _ port: UInt16, _ address: String)
        throws -> Bool
    {
        let policy = try #require(OutboundPolicy(rules))
        guard let permit = policy.permit(host: Array(host.utf8), port: port) else { return false }
        return policy.allows(try #require(IPAddress(Array(address.utf8)[...])), permit)
    }

    @Test(
        arguments: [
            ([], "example.com", 443, "93.184.216.34", false),
            (["example.com:443"], "example.com", 443, "93.184.216.34", true),
            (["example.com:443"], "EXAMPLE.com.", 443, "93.184.216.34", true),
            (["example.com:443"], "example.com", 80, "93.184.216.34", false),
            (["example.com"], "example.com", 80, "93.184.216.34", true),
            (["example.com"], "notexample.com", 80, "93.184.216.34", false),
            (["*.example.com:8000-8100"], "a.b.example.com", 8100, "1.1.1.1", true),
            (["*.example.com:8000-8100"], "example.com", 8100, "1.1.1.1", false),
            (["*"], "anything", 1, "1.1.1.1", true),
            // A name leads to a private address only if that is said.
            (["*"], "anything", 1, "127.0.0.1", false),
            (["*"], "anything", 1, "::ffff:10.0.0.1", false),
            (["*"], "169.254.169.254", 80, "169.254.169.254", false),
            (["example.com"], "example.com", 80, "192.168.1.1", false),
            (["example.com!private"], "example.com", 80, "192.168.1.1", true),
            (["localhost:3000"], "localhost", 3000, "127.0.0.1", true),
            (["localhost:3000"], "localhost", 3000, "::1", true),
            (["10.0.0.0/8:80"], "10.1.2.3", 80, "10.1.2.3", true),
            (["10.0.0.0/8:80"], "intranet", 80, "10.1.2.3", true),
            (["10.0.0.0/8:80"], "intranet", 80, "1.1.1.1", false),
            (["10.0.0.0/8:80"], "10.1.2.3", 81, "10.1.2.3", false),
            (["127.0.0.1:80"], "::ffff:127.0.0.1", 80, "::ffff:127.0.0.1", true),
            (["[fd00::/8]:*"], "fd00::1", 7, "fd00::1", true),
            (["[::1]:80"], "::1", 80, "::1", true),
            (["1.1.1.1"], "1.1.1.1", 80, "8.8.8.8", false),
        ] as [([String], String, UInt16, String, Bool)])
    func outbound(
        rules: [String], host: String, port: UInt16, address: String, isAllowed: Bool
    ) throws {
        #expect(try allows(rules, host, port, address) == isAllowed)
    }

    @Test(arguments: [
        "", ":80", "a b", "a:", "a:65536", "a:9-8", "a:1-2-3", "[::1", "[::1]80", "10.0.0.0/33",
        "*!private", "a/b", "http://a",
    ])
    func malformedRules(rule: String) {
        #expect(OutboundPolicy(["ok", rule]) == nil)
        #expect(OutboundPolicy.malformed(["ok", rule]) == rule)
    }

    @Test func starsTakeNoTimeWithoutBound() {
        let rule = String(repeating: "*a", count: 100) + "*b"
        let host = [UInt8](repeating: 0x61, count: 4000)
        #expect(OutboundPolicy([rule])?.permit(host: host, port: 1) == nil)
    }
}
