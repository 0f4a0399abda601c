import Testing

@testable import WasmdHTTP

/// Values of fields: lists, dates, tags, types, qualities, ranges.
struct MessageTests {
    static let now = HTTPDate(seconds: 1_700_000_000)

    func fields(_ pairs: (String, String)...) throws -> Fields {
        var fields = Fields()
        for (name, value) in pairs { try fields.append(name: bytes(name), value: bytes(value)) }
        return fields
    }

    @Test func threeFormsOfDates() {
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            #expect(HTTPDate(bytes(form)[...], now: Self.now)?.seconds == 784_111_777)
        }
        // Two digits are at most 50 years ahead of 2023.
        for (year, full) in [("73", 2073), ("74", 1974), ("23", 2023), ("00", 2000)] {
            let date = HTTPDate(bytes("Sunday, 06-Nov-\(year) 08:49:37 GMT")[...], now: Self.now)
            #expect(date.map { CivilDate(days: $0.seconds / 86_400).year } == full)
        }
        for bad in [
            "", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
            "Son, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 29 Feb 1900 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT", "784111777", "Sun Nov 06 08:49:37 94",
        ] {
            #expect(HTTPDate(bytes(bad)[...], now: Self.now) == nil)
        }
    }

    @Test func datesGoThereAndBack() {
        var generator = Generator(state: 3)
        for seconds in [0, -1, 951_782_400, 253_402_300_799, -62_135_596_800]
            + (0..<1000).map({ _ in
                Int64.random(in: -62_135_596_800...253_402_300_799, using: &generator)
            })
        {
            let date = HTTPDate(seconds: seconds)
            #expect(HTTPDate(date.bytes[...], now: Self.now) == date)
        }
        #expect(text(HTTPDate(seconds: 784_111_777).bytes) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(text(HTTPDate(seconds: .max).bytes) == "Fri, 31 Dec 9999 23:59:59 GMT")
        #expect(text(HTTPDate(seconds: .min).bytes) == "Mon, 01 Jan 0001 00:00:00 GMT")
    }

    @Test func lists() throws {
        let fields = try fields(("A", "b, \"c,\\\"d\" ,, e;f=\",\""), ("B", "x"), ("a", " ,g"))
        #expect(fields.list("a").map { text($0) } == ["b", "\"c,\\\"d\"", "e;f=\",\"", "g"])
        #expect(fields.list("a", contains: "g"))
        #expect(!fields.list("a", contains: "c"))
        let value = ParameterisedValue(bytes("Form-Data; Name=\"a\\\"b\" ;; x=y")[...])
        #expect(text(value?["name"]) == "a\"b" && text(value?["x"]) == "y")
        for bad in ["a;b", "a;b=", "a;=c", "a;b=\"c", "a;b=c d", "a;b=\"c\"d"] {
            #expect(ParameterisedValue(bytes(bad)[...]) == nil)
        }
    }

    @Test func mediaTypes() throws {
        let type = MediaType(bytes("Text/HTML;Charset=\"utf-8\"; q=1")[...])
        #expect(type?.matches("text/html") == true)
        #expect(text(type?["charset"]) == "utf-8")
        for bad in ["", "text", "text/", "/html", "text/html/x", "te xt/html", "text/html, a/b"] {
            #expect(MediaType(bytes(bad)[...]) == nil)
        }
        let twice = try fields(("Content-Type", "a/b"), ("content-type", "a/b"))
        #expect(twice.contentType == nil)
    }

    @Test func acceptedTypes() throws {
        let fields = try fields(
            (
                "Accept",
                "text/*;q=0.3, text/plain;q=0.7, text/html;level=1, */*;q=0.5, image/png;q=0"
            ))
        #expect(fields.acceptance(of: "text/html") == 1000)
        #expect(fields.acceptance(of: "text/plain") == 700)
        #expect(fields.acceptance(of: "text/css") == 300)
        #expect(fields.acceptance(of: "image/jpeg") == 500)
        #expect(fields.acceptance(of: "image/png") == 0)
        #expect(Fields().acceptance(of: "a/b") == 1000)
    }

    @Test(arguments: [
        ("gzip", true), ("GZIP, deflate", true), ("gzip;q=0", false), ("*", true),
        ("*;q=0, gzip;q=0.001", true), ("identity", false), ("br", false), ("", false),
        ("identity, gzip;q=0.5", false), ("identity;q=0.5, gzip", true), ("x-gzip", true),
        ("gzip;q=2", false), ("gzip;q=1.000", true),
    ]) func acceptedCodings(_ value: String, _ isWanted: Bool) throws {
        #expect(try fields(("Accept-Encoding", value)).prefersGzip == isWanted)
    }

    @Test func identity() throws {
        #expect(Fields().acceptance(ofCoding: "identity") == 1000)
        #expect(try fields(("Accept-Encoding", "*;q=0")).acceptance(ofCoding: "identity") == 0)
        #expect(try fields(("Accept-Encoding", "gzip")).acceptance(ofCoding: "identity") == 1000)
    }

    @Test func entityTags() throws {
        #expect(EntityTag(field: bytes("W/\"a\"")[...])?.isWeak == true)
        #expect(text(EntityTag(field: bytes("\"a,b\"")[...])?.opaque) == "a,b")
        for bad in ["a", "\"a", "w/\"a\"", "\"a\"b\"", "", "\"", "\"a b\""] {
            #expect(EntityTag(field: bytes(bad)[...]) == nil)
        }
        let list = EntityTagList(try fields(("X", "\"a,b\", W/\"c\", junk")).all("x"))
        #expect(
            list
                == .tags(
                    [EntityTag(bytes("a,b")), EntityTag(bytes("c"), isWeak: true)].compactMap { $0 }
                ))
        #expect(EntityTagList(try fields(("X", "*")).all("x")) == .any)
        #expect(EntityTagList([]) == nil)
    }

    @Test(arguments: [
        ("bytes=0-9", [RangeSpecifier.between(0, 9)]), ("bytes=5-", [.from(5)]),
        ("Bytes=-5", [.last(5)]),
        ("bytes=0-0, 2-3,-1", [.between(0, 0), .between(2, 3), .last(1)]),
        ("bytes=9-5", nil), ("bytes=a-", nil), ("bytes=-", nil), ("items=0-1", nil), ("bytes", nil),
        ("bytes=", nil), ("bytes=0-99999999999999999999999", [.between(0, UInt64(Int64.max))]),
    ]) func ranges(_ value: String, _ ranges: [RangeSpecifier]?) throws {
        #expect(try fields(("Range", value)).ranges == ranges)
    }

    @Test func methods() {
        for name in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "get",
            "BREW",
        ] {
            #expect(WasmdHTTP.Method(bytes(name))?.name == name)
        }
        #expect(WasmdHTTP.Method(bytes("get")) == .other("get"))
        #expect(WasmdHTTP.Method(bytes("")) == nil && WasmdHTTP.Method(bytes("A B")) == nil)
        #expect(Status(99) == nil && Status(1000) == nil && Status(418)?.code == 418)
    }
}
