import Testing
import WasmdDocuments
import WasmdWasmiot

@Suite struct DocumentTests {
    private func json(_ text: String) throws -> Document { try JSONReader.read(Array(text.utf8)) }

    private func text(_ document: Document) -> String {
        String(decoding: JSONWriter.write(document), as: UTF8.self)
    }

    private static let endpoint = """
        {"url":"http://127.0.0.1:5000","path":"/d/modules/m/f","method":"get",\
        "request":{"parameters":[{"name":"param0","in":"query","description":"text",\
        "required":true,"schema":{"type":"integer"}}]},\
        "response":{"media_type":"application/json","schema":{"type":"integer"}}}
        """
    private static let formEndpoint = """
        {"url":"http://127.0.0.1:5001","path":"/d/modules/n/g","method":"post",\
        "request":{"parameters":[],"request_body":{"media_type":"multipart/form-data",\
        "schema":{"type":"object","properties":{"in":{"type":"string","format":"binary"}}},\
        "encoding":{"in":{"contentType":"text/csv"}}}},\
        "response":{"media_type":"image/png","schema":{"type":"string","format":"binary"}}}
        """
    private static let node = """
        {"deploymentId":"d","modules":[{"id":"1","name":"m","urls":{"binary":"http://o/wasm",\
        "description":"http://o/description","other":{"data":"http://o/data"}}}],\
        "endpoints":{"m":{"f":\(endpoint)}},\
        "instructions":{"modules":{"m":{"f":{"from":\(endpoint),"to":\(formEndpoint)}}}},\
        "mounts":{"m":{"f":{"execution":[],"deployment":[{"path":"data","media_type":"text/csv",\
        "stage":"deployment"}],"output":[]}}}}
        """

    @Test func aNodeIsWrittenAsItWasRead() throws {
        let node = try DeploymentNode(json(Self.node))
        #expect(text(node.document) == Self.node)
        #expect(node.endpoints["m", "f"]?.parameters.first?.type == "integer")
        #expect(node.instructions["m", "f"]?.to?.body?.encoding["in"] != nil)
        #expect(node.mounts["m", "f"]?.deployment.first?.mediaType == "text/csv")
        #expect(node.modules.first?.other["data"] == "http://o/data")
    }

    @Test func anOlderNode() throws {
        let node = try DeploymentNode(
            json(
                #"{"deploymentId":"d","modules":[{"name":"m","urls":{"binary":"u","other":[]}}]}"#)
        )
        #expect(node.endpoints.isEmpty && node.mounts.isEmpty && node.instructions.isEmpty)
        #expect(node.modules.first?.id == "m" && node.modules.first?.other.isEmpty == true)
    }

    @Test(arguments: [
        ("[]", "", "an object"), ("{}", "deploymentId", "a value"),
        (#"{"deploymentId":1}"#, "deploymentId", "a string"),
        (#"{"deploymentId":"d","modules":{}}"#, "modules", "an array"),
        (#"{"deploymentId":"d","modules":[{"name":"m"}]}"#, "modules[0].urls", "a value"),
        (
            #"{"deploymentId":"d","modules":[],"mounts":{"m":{"f":{"output":[{"path":"a","stage":"x"}]}}}}"#,
            "mounts.m.f.output[0].stage", "deployment, execution or output"
        ),
        (
            #"{"deploymentId":"d","modules":[],"endpoints":{"m":{"f":{"url":"u"}}}}"#,
            "endpoints.m.f.path", "a value"
        ),
    ]) func faultsNameTheirPlace(_ source: String, _ place: String, _ expected: String) throws {
        let document = try json(source)
        #expect(throws: DocumentFault(place, expected: expected)) {
            try DeploymentNode(document)
        }
    }

    @Test func descriptionsOfFunctions() throws {
        let functions = try ModuleFunctions(
            json(
                """
                {"f":{"method":"GET","parameters":[{"name":"x","type":"integer"}],"output":"float"},
                 "g":{"method":"post","param1":"integer","param0":"float","output":"integer",
                      "stage":"x","mounts":[{"name":"o","stage":"output","mediaType":"image/png"},
                                            {"name":"d","stage":"deployment"}]},
                 "note":"text"}
                """)
        ).functions
        #expect(functions.names == ["f", "g"])
        #expect(functions["f"]?.method == "get" && functions["f"]?.outputType == "float")
        #expect(functions["g"]?.parameters.map(\.name) == ["param1", "param0"])
        #expect(functions["g"]?.outputType == "image/png")
    }

    @Test(arguments: [
        ("[]", ""), (#"{"f":{}}"#, "f.method"), (#"{"f":{"method":"eat"}}"#, "f.method"),
        (
            #"{"f":{"method":"get","output":"a","parameters":[{"name":"x"}]}}"#,
            "f.parameters[0].type"
        ),
        (#"{"f":{"method":"get","param0":1}}"#, "f.param0"),
        (
            #"{"f":{"method":"get","mounts":[{"name":"../x","stage":"output"}]}}"#,
            "f.mounts[0].name"
        ),
        (#"{"f":{"method":"get","mounts":[{"name":"x","stage":"out"}]}}"#, "f.mounts[0].stage"),
        (
            #"{"f":{"method":"get","parameters":[{"name":"x","type":"a"},{"name":"x","type":"b"}]}}"#,
            "f.parameters[1]"
        ),
    ]) func descriptionsThatAreRefused(_ source: String, _ place: String) throws {
        let document = try json(source)
        let fault = #expect(throws: DocumentFault.self) { try ModuleFunctions(document) }
        #expect(fault?.place == place)
    }

    @Test func manifests() throws {
        let manifest = try Manifest(
            json(
                """
                {"name":"x","sequence":[{"device":null,"module":"m","func":"f","more":1},
                 {"device":"d","module":"n","func":"g","failovers":["e"]}]}
                """))
        #expect(manifest.sequence.map(\.device) == [nil, "d"])
        #expect(manifest.sequence.last?.failovers == ["e"])
        for (source, fault) in [
            (#"{"sequence":[]}"#, Manifest.Fault.name), (#"{"name":1}"#, .name),
            (#"{"name":"x","sequence":{}}"#, .sequence), ("7", .name),
            (#"{"name":"x","sequence":[{"func":"f"}]}"#, .module),
            (#"{"name":"x","sequence":[{"module":"f"}]}"#, .function),
        ] {
            let document = try json(source)
            #expect(throws: fault) { try Manifest(document) }
        }
    }

    @Test func registrations() throws {
        let full = try DeviceRegistration(
            json(
                #"{"name":"s","host":"h.local.","port":"81","addresses":["10.0.0.1"],"properties":{"tls":0}}"#
            ))
        #expect(full.port == 81 && full.addresses == ["10.0.0.1"] && full.host == "h.local.")
        #expect(try DeviceRegistration(json(#"{"name":"s"}"#)).port == 5000)
        #expect(try DeviceRegistration(full.document) == full)
        for source in [
            "{}", #"{"name":""}"#, #"{"name":"s","port":0}"#, "[]", #"{"name":"s","port":65536}"#,
        ] {
            let document = try json(source)
            #expect(throws: DocumentFault.self) { try DeviceRegistration(document) }
        }
    }

    @Test func objectIDs() throws {
        var source = ObjectIDSource()
        var ids: [ObjectID] = []
        for second: Int64 in [100, 100, 99, 101, 0, 1 << 40] {
            ids.append(source.next(now: second))
        }
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
        #expect(Set(ids).count == ids.count)
        let first = try #require(ids.first)
        #expect(ObjectID(first.description) == first && first.description.utf8.count == 24)
        #expect(ObjectID("65000000AAAAAAAA000001e7")?.description == "65000000aaaaaaaa000001e7")
        #expect(ObjectID("6500000") == nil && ObjectID("65000000aaaaaaaa000001eg") == nil)
    }

    @Test func typesOfOutputs() {
        #expect(OutputType("integer") == .value("integer"))
        #expect(OutputType("float").schema == .object([.init("type", "float")]))
        #expect(OutputType("integer, float") == .values(["integer", "float"]))
        #expect(OutputType("integer,x/y") == .file("integer,x/y"))
        #expect(OutputType("integer,float").mediaType == "application/json")
        #expect(OutputType("image/jpeg").mediaType == "image/jpeg")
    }

    @Test(arguments: [
        ("a.txt", true), ("", false), (".", false), ("..", false), ("a/b", false),
        ("a\\b", false), ("a\0", false), (String(repeating: "x", count: 256), false),
        ("...", true),
    ]) func namesOfMounts(_ name: String, _ isSafe: Bool) {
        #expect(MountName.isSafe(name) == isSafe)
    }
}
