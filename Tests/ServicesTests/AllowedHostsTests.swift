import Testing
import WasmdEventLoop
import WasmdHTTP

@testable import WasmdOperation

/// What requests of guests may lead to: each row is one attempt.
@Suite struct AllowedHostsTests {
    enum Expected: Equatable { case allowed, refused, malformed }

    /// A guest that may request `127.0.0.1` and `good.example` tries to reach something else.
    static let attempts: [(url: String, expected: Expected)] = [
        // What is allowed.
        ("http://127.0.0.1/", .allowed), ("http://127.0.0.1:9000/a?b=c", .allowed),
        ("https://127.0.0.1/", .allowed), ("http://good.example/", .allowed),
        ("http://GOOD.Example:8080/", .allowed), ("http://good.example./", .allowed),
        ("http://user:pw@good.example/", .allowed), ("http://%67ood.example/", .allowed),
        ("HTTP://good.example/", .allowed), ("http://good.example:/", .allowed),
        // The allowed address in other forms is the same address.
        ("http://2130706433/", .allowed), ("http://0x7f.1/", .allowed),
        ("http://0x7f000001/", .allowed), ("http://0177.0.0.1/", .allowed),
        ("http://127.1/", .allowed), ("http://127.0.0.1./", .allowed),
        ("http://[::ffff:127.0.0.1]/", .allowed), ("http://[::ffff:7f00:1]/", .allowed),
        // Other hosts.
        ("http://evil.example/", .refused), ("http://sub.good.example/", .refused),
        ("http://good.example.evil.example/", .refused), ("http://good.exampleevil/", .refused),
        ("http://xgood.example/", .refused), ("http://example/", .refused),
        ("http://localhost/", .refused), ("http://localhost.localdomain/", .refused),
        ("http://good.example%2eevil.example/", .refused),
        // The allowed host in other places of the URL.
        ("http://good.example@evil.example/", .refused),
        ("http://good.example:80@evil.example/", .refused),
        ("http://127.0.0.1@evil.example/", .refused),
        ("http://a:b@good.example@evil.example/", .refused),
        ("http://evil.example/good.example", .refused),
        ("http://evil.example?good.example", .refused),
        ("http://evil.example#good.example", .refused),
        ("http://evil.example#@good.example/", .refused),
        ("http://evil.example?@good.example/", .refused),
        ("http://evil.example/@good.example/", .refused),
        ("http://evil.example\\@good.example/", .malformed),
        ("http://good.example\\@evil.example/", .malformed),
        ("http://good.example\\.evil.example/", .malformed),
        ("http://evil.example%2f@good.example/", .allowed),
        ("http://good.example%2f.evil.example/", .malformed),
        ("http://good.example%00.evil.example/", .malformed),
        ("http://good.example%23.evil.example/", .malformed),
        ("http://good.example%40evil.example/", .malformed),
        ("http://good.example\t.evil.example/", .malformed),
        ("http://good.example\n/", .malformed), ("http://good.example evil.example/", .malformed),
        (" http://good.example/", .malformed), ("http://good.example\r\nHost: evil/", .malformed),
        // Other addresses of loopback, in all forms.
        ("http://127.0.0.2/", .refused), ("http://127.255.255.254/", .refused),
        ("http://0.0.0.0/", .refused), ("http://0/", .refused), ("http://127.2/", .refused),
        ("http://2130706434/", .refused), ("http://0x7f000002/", .refused),
        ("http://017700000002/", .refused), ("http://[::1]/", .refused),
        ("http://[0:0:0:0:0:0:0:1]/", .refused), ("http://[::]/", .refused),
        ("http://[::127.0.0.1]/", .refused), ("http://[::ffff:127.0.0.2]/", .refused),
        ("http://[64:ff9b::7f00:1]/", .refused), ("http://[2002:7f00:1::]/", .refused),
        // Private and link-local addresses, such as those of metadata services.
        ("http://169.254.169.254/latest/", .refused), ("http://2852039166/", .refused),
        ("http://0xa9fea9fe/", .refused), ("http://0251.0376.0251.0376/", .refused),
        ("http://[::ffff:169.254.169.254]/", .refused), ("http://[fe80::1]/", .refused),
        ("http://[fd00:ec2::254]/", .refused), ("http://10.0.0.1/", .refused),
        ("http://192.168.1.1/", .refused), ("http://172.16.0.1/", .refused),
        // Malformed hosts.
        ("http://[fe80::1%25eth0]/", .malformed), ("http://[fe80::1%eth0]/", .malformed),
        ("http://[::1/", .malformed), ("http://::1/", .malformed),
        ("http://[127.0.0.1]/", .malformed), ("http://[v1.x]/", .malformed),
        ("http://256.0.0.1/", .malformed), ("http://1.2.3.4.5/", .malformed),
        // Its last number is 0.
        ("http://127.0.0.0x/", .refused), ("http://4294967296/", .malformed),
        ("http://0x100000000/", .malformed), ("http://127.0.0.08/", .malformed),
        ("http://evil.1/", .malformed), ("http://1..2/", .malformed),
        ("http://.good.example/", .malformed), ("http:///good.example", .malformed),
        ("http://", .malformed), ("http:good.example", .malformed), ("good.example", .malformed),
        ("//good.example/", .malformed), ("", .malformed),
        ("http://good.example:99999/", .malformed),
        ("http://good.example:80:80/", .malformed), ("http://g\u{f6}\u{f6}d.example/", .malformed),
        ("http://127\u{3002}0\u{3002}0\u{3002}1/", .malformed),
        ("http://\u{2460}27.0.0.1/", .malformed), ("http://%EF%BC%91.example/", .malformed),
        ("file:///etc/passwd", .malformed), ("data:text/plain,x", .malformed),
        ("ftp://evil.example/", .refused), ("unix:/run/x", .malformed),
    ]

    @Test(arguments: attempts.indices)
    func attemptsOfGuests(index: Int) throws {
        let (url, expected) = Self.attempts[index]
        let policy = try #require(
            OutboundPolicy(allowing: ["http://127.0.0.1:8080/", "https://good.example"]))
        let decision: Expected =
            switch policy.decide(Array(url.utf8)) {
            case .allowed: .allowed
            case .notAllowed: .refused
            case .malformed: .malformed
            }
        #expect(decision == expected, "\(url)")
    }

    /// Where the names of allowed hosts may lead.
    @Test(arguments: [
        (["http://good.example"], "good.example", "93.184.216.34", true),
        (["http://good.example"], "good.example", "127.0.0.1", false),
        (["http://good.example"], "good.example", "10.0.0.1", false),
        (["http://good.example"], "good.example", "169.254.169.254", false),
        (["http://good.example"], "good.example", "::1", false),
        (["http://good.example"], "good.example", "fe80::1", false),
        (["http://good.example"], "good.example", "::ffff:127.0.0.1", false),
        (["http://good.example"], "good.example", "64:ff9b::7f00:1", false),
        (["http://good.example"], "good.example", "0.0.0.0", false),
        (["http://good.example", "http://127.0.0.1"], "good.example", "127.0.0.1", false),
        (["http://good.example", "http://localhost"], "good.example", "127.0.0.1", false),
        (["good.example!private"], "good.example", "10.0.0.1", true),
        (["http://localhost:80"], "localhost", "127.0.0.1", true),
        (["http://localhost:80"], "localhost", "::1", true),
        (["http://LOCALHOST"], "localhost", "::1", true),
        (["http://box.local"], "box.local", "192.168.0.7", true),
        (["http://BOX.local"], "box.local", "192.168.0.7", true),
        (["http://127.0.0.1"], "127.0.0.1", "127.0.0.1", true),
        (["*"], "other.example", "93.184.216.34", true),
        (["*"], "other.example", "127.0.0.1", false),
        (["insecure:allow-all"], "other.example", "93.184.216.34", true),
        (["insecure:allow-all"], "other.example", "127.0.0.1", true),
        ([], "good.example", "93.184.216.34", false),
    ])
    func addresses(entries: [String], host: String, address: String, isAllowed: Bool) throws {
        let policy = try #require(
            OutboundPolicy(allowing: entries, machine: Array("Box.local".utf8)))
        let url = try #require(OutboundURL(Array("http://\(host)/".utf8)))
        let place = try #require(HostAddress(address))
        let found = policy.allows(place, for: url.url.authority.host, port: 80)
        #expect(found == isAllowed)
    }

    @Test(arguments: [
        ("http://good.example/", true), ("http://evil.example/", false),
        // It would be requested as a name.
        ("http://2130706433/", false), ("http://127.0.0.1/", true),
        ("http://169.254.169.254/", false), ("ftp://good.example/", true),
    ])
    func redirects(url: String, isAllowed: Bool) throws {
        let policy = try #require(
            OutboundPolicy(allowing: ["http://127.0.0.1", "good.example"]))
        #expect(policy.allows(redirect: try #require(URL(Array(url.utf8)))) == isAllowed)
    }

    @Test(arguments: [
        ("good.example", true), ("good.example:443", true), ("[::1]:80", true),
        ("10.0.0.0/8", true), ("http://x y/", false), ("http://", false), ("a b", false),
        ("", false),
        ("*.example", true), ("insecure:allow-all", true), ("INSECURE:allow-all", false),
    ])
    func entries(entry: String, isGood: Bool) {
        #expect((OutboundPolicy(allowing: [entry]) != nil) == isGood)
        #expect(OutboundPolicy.malformed(allowing: [entry]) == (isGood ? nil : entry))
    }

    @Test func portsOfRulesCount() throws {
        let policy = try #require(OutboundPolicy(allowing: ["good.example:8000-8100"]))
        func allows(_ url: String) -> Bool {
            if case .allowed = policy.decide(Array(url.utf8)) { true } else { false }
        }
        #expect(allows("http://good.example:8050/"))
        #expect(!allows("http://good.example/"))
        #expect(!allows("http://good.example:8101/"))
    }

    @Test func userInformationBecomesAuthorization() throws {
        let url = try #require(OutboundURL(Array("http://us%3aer:p%40ss@good.example/x#y".utf8)))
        #expect(url.url.bytes == Array("http://good.example/x".utf8))
        #expect(url.authorization == Array("Basic dXM6ZXI6cEBzcw==".utf8))
        #expect(OutboundURL(Array("http://good.example/".utf8))?.authorization == nil)
    }
}
