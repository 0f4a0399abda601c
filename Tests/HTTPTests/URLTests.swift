import Testing

@testable import WasmdHTTP

struct URLTests {
    @Test func parts() throws {
        let url = try #require(URL(bytes("HTTP://user:p@Example.COM.:8080/a/./b/../c%2f?q=1#f")))
        #expect(text(url.scheme) == "http")
        #expect(text(url.userInformation) == "user:p")
        #expect(url.authority == Authority(host: .name(bytes("example.com")), port: 8080))
        #expect(text(url.path) == "/a/c%2f")
        #expect(text(url.target) == "/a/c%2f?q=1")
        #expect(text(url.host) == "example.com:8080")
        #expect(text(url.bytes) == "http://user:p@example.com:8080/a/c%2f?q=1#f")
        #expect(text(URL(bytes("https://a:443"))?.host) == "a")
        #expect(text(URL(bytes("https://a:443"))?.target) == "/")
        #expect(URL(bytes("https://a"))?.port == 443)
        #expect(text(URL(bytes("http://a/ü|\"{}"))?.path) == "/%C3%BC%7C%22%7B%7D")
        #expect(text(URL(bytes("http://[2001:DB8:0:0::1]:1/"))?.bytes) == "http://[2001:db8::1]:1/")
        for bad in [
            "", "a", "/a", "http:", "http:///a", "http://a b/", "http://a:b/", "http://[::1/",
            "http://a:70000/", "1http://a", "http://a\r\nb/", "http://%zz/", "http://a%2fb/",
            "http://[fe80::1%25eth0]/", "mailto:a@b", "http://.",
        ] {
            #expect(URL(bytes(bad)) == nil, "\(bad)")
        }
    }

    /// RFC 3986 5.4, for references that have an authority in the end.
    @Test(arguments: [
        ("g", "http://a/b/c/g"), ("./g", "http://a/b/c/g"), ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"), ("//g", "http://g/"), ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"), ("#s", "http://a/b/c/d;p?q#s"), ("g#s", "http://a/b/c/g#s"),
        (";x", "http://a/b/c/;x"), ("g;x", "http://a/b/c/g;x"), ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"), ("./", "http://a/b/c/"), ("..", "http://a/b/"),
        ("../", "http://a/b/"), ("../g", "http://a/b/g"), ("../..", "http://a/"),
        ("../../g", "http://a/g"), ("../../../g", "http://a/g"), ("/./g", "http://a/g"),
        ("/../g", "http://a/g"), ("g.", "http://a/b/c/g."), (".g", "http://a/b/c/.g"),
        ("..g", "http://a/b/c/..g"), ("./../g", "http://a/b/g"), ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"), ("g/../h", "http://a/b/c/h"),
        ("g;x=1/../y", "http://a/b/c/y"), ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("https://x/y", "https://x/y"),
    ]) func references(_ reference: String, _ result: String) throws {
        let base = try #require(URL(bytes("http://a/b/c/d;p?q")))
        #expect(text(base.resolving(bytes(reference))?.bytes) == result)
    }

    @Test(
        arguments: [
            ("/", [], true), ("/a/b", ["a", "b"], false), ("/a//b/", ["a", "b"], true),
            ("//health", ["health"], false), ("/a/./b/..", ["a"], true),
            ("/a/%2e%2E/b", ["b"], false),
            ("/a%2Fb", ["a/b"], false), ("/%7E+x", ["~+x"], false),
        ] as [(String, [String], Bool)]) func paths(
            _ raw: String, _ segments: [String], _ isFolder: Bool
        ) throws
    {
        let path = try Path(bytes(raw)[...])
        #expect(path.segments.map { text($0) } == segments)
        #expect(path.isFolder == isFolder)
        #expect(try Path(path.bytes[...]) == path)
    }

    @Test(arguments: [
        ("", Path.Fault.relative), ("a", .relative), ("*", .relative), ("/%", .encoding),
        ("/%4", .encoding), ("/%zz", .encoding), ("/a%00", .nul), ("/..", .escape),
        ("/a/../..", .escape), ("/%2e%2e/%2e%2e", .escape), ("/.%2e/", .escape),
    ]) func pathsThatAreRefused(_ raw: String, _ fault: Path.Fault) {
        #expect(throws: fault) { _ = try Path(bytes(raw)[...]) }
    }

    @Test func filesInPaths() throws {
        #expect(try Path(bytes("/a/b")[...]).isSafeForFiles)
        #expect(try !Path(bytes("/a%2f..%2fb")[...]).isSafeForFiles)
        #expect(try !Path((bytes("/") + [UInt8](repeating: 0x61, count: 256))[...]).isSafeForFiles)
    }

    @Test func queries() {
        let query = Query(bytes("&a=1&b=x+y%26&c&a=2&=z&d=%zz=")[...])
        #expect(query.parameters.map { text($0.name) } == ["a", "b", "c", "a", "", "d"])
        #expect(query.parameters.map { text($0.value) } == ["1", "x y&", "", "2", "z", "%zz="])
        #expect(text(query["a"]) == "1")
        #expect(query["e"] == nil && Query(nil).parameters.isEmpty)
    }

    @Test func percentCoding() {
        let all = [UInt8](0...255)
        #expect(PercentCoding.decode(PercentCoding.encode(all)) == all)
        #expect(PercentCoding.decode(PercentCoding.encode(path: all)) == all)
        #expect(text(PercentCoding.encode(path: bytes("/a b%/é:"))) == "/a%20b%25/%C3%A9:")
        #expect(PercentCoding.decode(bytes("%2")) == nil && PercentCoding.decode(bytes("%")) == nil)
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
        ("0:0:0:0:0:0:0:1", "::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:0DB8::0001", "2001:db8::1"), ("::ffff:1.2.3.4", "::ffff:102:304"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ]) func addresses(_ raw: String, _ normal: String) {
        #expect(text(IPAddress(bytes(raw)[...])?.bytes) == normal)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.", "0x1.2.3.4", ":", ":::", "1:",
        ":1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1.2.3",
        "1.2.3.4::",
        "::1%eth0", "[::1]", "1:2:3:4:5:6:7:8::", "::1:",
    ]) func badAddresses(_ raw: String) { #expect(IPAddress(bytes(raw)[...]) == nil) }

    @Test func networks() throws {
        func contains(_ network: String, _ address: String) throws -> Bool {
            try #require(IPNetwork(bytes(network)[...]))
                .contains(try #require(IPAddress(bytes(address)[...])))
        }
        #expect(try contains("192.168.0.0/16", "192.168.255.1"))
        #expect(try !contains("192.168.0.0/16", "192.169.0.1"))
        #expect(try contains("192.168.0.0/16", "::ffff:192.168.1.1"))
        #expect(try contains("0.0.0.0/0", "1.2.3.4"))
        #expect(try !contains("0.0.0.0/0", "::1"))
        #expect(try contains("fd00::/8", "fdff::1"))
        #expect(try contains("2001:db8::/65", "2001:db8::7fff:0:0:0"))
        #expect(try !contains("2001:db8::/65", "2001:db8::8000:0:0:0"))
        #expect(try contains("::1", "::1") && contains("::/0", "1::"))
        #expect(
            IPNetwork(bytes("1.2.3.4/33")[...]) == nil && IPNetwork(bytes("::/129")[...]) == nil)
    }
}
