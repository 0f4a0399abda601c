import Testing
import WasmdDocuments
import WasmdImages
import WasmdOthismo

@Suite struct NamespaceTests {
    private let house: House

    init() throws {
        house = try House()
        try house.instantiate("counter3", "/a")
    }

    private func ask(_ key: String, _ fields: (String, String)...) throws -> Document {
        let answers = try house.send(
            "/othismo", key, fields.map { Document.Member($0.0, .string($0.1)) })
        return try #require(answers.first)
    }

    @Test func lists() throws {
        let all = try ask("othismo.namespace.list")["othismo.namespace.list.response"]
        #expect(all?.arrayValue == ["/a", "counter1", "counter2", "counter3"])
        let some = try ask("othismo.list", ("prefix", "counter%"))["othismo.list.response"]
        #expect(some?.arrayValue == [])
        #expect(
            try ask("othismo.list", ("prefix", "/"))["othismo.list.response"]?.arrayValue == ["/a"])
    }

    @Test func linksAndMounts() throws {
        _ = try ask("othismo.namespace.make_path", ("path", "/config"))
        _ = try ask("othismo.namespace.sym_link", ("path", "/config/main"), ("target", "/a"))
        #expect(house.value(try house.send("/config/main", "counter.add")) == 1)
        _ = try ask("othismo.namespace.mount", ("path", "/srv"), ("target", "/config"))
        #expect(house.value(try house.send("/srv/main", "counter.add")) == 2)
        // A mounted instance gets what is sent below it.
        _ = try ask("othismo.namespace.mount", ("path", "/all"), ("target", "/a"))
        #expect(house.value(try house.send("/all/of/it", "counter.add")) == 3)
        try house.restart()
        #expect(house.value(try house.send("config/main", "counter.add")) == 4)
        // Links in a circle lead nowhere.
        _ = try ask("othismo.namespace.sym_link", ("path", "/x"), ("target", "/y"))
        _ = try ask("othismo.namespace.sym_link", ("path", "/y"), ("target", "/x"))
        let lost = try house.send("/x", "lost")
        #expect(lost.first?["lost"] != nil)
    }

    @Test func refusals() throws {
        #expect(
            try ask("othismo.instantiate", ("module", "none"), ("name", "b")).errorCode
                == "no_object")
        #expect(
            try ask("othismo.instantiate", ("module", "/a"), ("name", "b")).errorCode
                == "bad_request")
        for name in ["/a", "a", "/", "/othismo", "counter1"] {
            #expect(
                try ask("othismo.instantiate", ("module", "counter1"), ("name", name)).errorCode
                    == "object_exists")
        }
        #expect(try ask("othismo.make_path", ("path", "/a")).errorCode == "object_exists")
        #expect(try ask("othismo.make_path").errorCode == "bad_request")
        #expect(try ask("othismo.import", ("file", "x.wasm")).errorCode == "forbidden")
        #expect(try ask("othismo.unheard").errorCode == "bad_request")
    }

    /// A new instance can be used in the batch in which it is made, and is gone if that fails.
    @Test func newInstances() throws {
        try house.post(
            "/othismo", "othismo.instantiate",
            [Document.Member("module", "counter1"), Document.Member("name", "new")])
        try house.post("new", "counter.add")
        #expect(house.value(try house.drain(), at: 1) == 1)
        try house.restart()
        #expect(house.value(try house.send("new", "counter.add")) == 2)
    }
}
