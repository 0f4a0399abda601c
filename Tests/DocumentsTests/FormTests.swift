import Testing
import WasmdDocuments

@Suite struct FormTests {
    @Test(arguments: [
        ("", "{}"), ("&&", "{}"), ("a", #"{"a":""}"#), ("a=", #"{"a":""}"#), ("=b", #"{"":"b"}"#),
        ("a=b=c", #"{"a":"b=c"}"#), ("a=1&a=2", #"{"a":["1","2"]}"#),
        ("a+b=c+d", #"{"a b":"c d"}"#),
        ("a=%41%zz%4", #"{"a":"A%zz%4"}"#), ("a[]=1", #"{"a":["1"]}"#),
        ("a[b]=1&a[c]=2", #"{"a":{"b":"1","c":"2"}}"#),
        ("a[b][c][d]=1", #"{"a":{"b":{"c":{"d":"1"}}}}"#),
        ("a[1]=x&a[0]=y", #"{"a":["y","x"]}"#),
        ("a[0][b]=1&a[1][b]=2", #"{"a":[{"b":"1"},{"b":"2"}]}"#),
        ("a[][b]=1&a[][b]=2", #"{"a":[{"b":"1"},{"b":"2"}]}"#),
        ("a[01]=x", #"{"a":{"01":"x"}}"#), ("a[-1]=x", #"{"a":{"-1":"x"}}"#),
        ("a[1001]=x", #"{"a":{"1001":"x"}}"#),
        ("a[99999999999999999999]=x", #"{"a":{"99999999999999999999":"x"}}"#),
        ("[a]=1", #"{"a":"1"}"#), ("a[=1", #"{"a[":"1"}"#), ("a[b=1", #"{"a[b":"1"}"#),
        ("a]=1", #"{"a]":"1"}"#),
        ("a[b]c=1", #"{"a":{"b":{"c":"1"}}}"#), ("a=1&a[b]=2", #"{"a":{"b":"2","0":"1"}}"#),
        ("a[0]=x&a[b]=y&a=z", #"{"a":{"0":"x","b":"y","1":"z"}}"#),
        ("a[2]=x&a[b]=y&a=p&a=q&a=r", #"{"a":{"2":"x","b":"y","0":"p","1":"q","3":"r"}}"#),
        ("a%5Bb%5D=1", #"{"a":{"b":"1"}}"#), ("a[b%5D=1", #"{"a":{"b":"1"}}"#),
        ("é=ü", "{\"é\":\"ü\"}"), ("%00=%00", #"{"\u0000":"\u0000"}"#),
    ])
    func reads(_ form: String, _ expected: String) throws {
        let document = try URLEncodedForm.read(Array(form.utf8))
        #expect(String(decoding: JSONWriter.write(document), as: UTF8.self) == expected)
    }

    @Test func deepBracketsBecomeOneName() throws {
        var options = URLEncodedForm.Options()
        options.depth = 2
        let document = try URLEncodedForm.read(Array("a[b][c][d][e]=1".utf8), options: options)
        #expect(document["a"]?["b"]?["c"]?["[d][e]"] == "1")
        let deep = "a" + String(repeating: "[b]", count: 10_000) + "=1"
        options.depth = .max
        _ = try URLEncodedForm.read(Array(deep.utf8), options: options)
        let open = "a" + String(repeating: "[", count: 100_000) + "=1"
        #expect(try URLEncodedForm.read(Array(open.utf8)).objectValue?.count == 1)
    }

    @Test func limitsHold() throws {
        var options = URLEncodedForm.Options()
        options.parameters = 2
        #expect(throws: FormError.self) {
            try URLEncodedForm.pairs(Array("a&b&c".utf8), options: options)
        }
        options.bytes = 2
        #expect(throws: FormError.self) {
            try URLEncodedForm.pairs(Array("a&b".utf8), options: options)
        }
        options = .init()
        options.refusesMalformedEscapes = true
        #expect(throws: FormError.malformedEscape(offset: 2)) {
            try URLEncodedForm.pairs(Array("a=%4".utf8), options: options)
        }
    }

    @Test func valuesThatAreNoTextStayBytes() throws {
        let document = try URLEncodedForm.read(Array("a=%ff&a=b".utf8))
        #expect(document["a"] == .array([.bytes([0xff]), "b"]))
    }
}
