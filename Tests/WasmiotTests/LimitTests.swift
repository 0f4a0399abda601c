import Testing
import WasmdDocuments
import WasmdWasmiot

/// What documents of others may have.
@Suite struct LimitTests {
    private func json(_ text: String) throws -> Document { try JSONReader.read(Array(text.utf8)) }

    @Test func manyNamesKeepTheirOrder() {
        var values = NamedValues<Int>()
        for number in 0..<1000 { values["n\(number)"] = number }
        #expect(values.entries.map(\.value) == Array(0..<1000))
        values["n500"] = -1
        values["n10"] = nil
        #expect(values.entries.count == 999 && values["n10"] == nil && values["n1000"] == nil)
        #expect(values["n500"] == -1 && values["n11"] == 11 && values["n999"] == 999)
        #expect(values.names[9...10] == ["n9", "n11"])
        values["n10"] = 7
        #expect(values.names.last == "n10" && values["n10"] == 7)
        for number in 0..<995 { values["n\(number)"] = nil }
        #expect(values.names == ["n995", "n996", "n997", "n998", "n999"])
        #expect(values["n997"] == 997 && values["n10"] == nil)
    }

    @Test func namesAreToldApartByTheirBytes() {
        var values = NamedValues<Int>()
        for number in 0..<20 { values["n\(number)"] = number }
        values["\u{e9}"] = 100
        values["e\u{301}"] = 200
        #expect(values["\u{e9}"] == 100 && values["e\u{301}"] == 200)
        #expect(values.entries.count == 22)
        #expect(NameKey("\u{e9}") != NameKey("e\u{301}") && NameKey("a") == NameKey("a"))
    }

    @Test func tablesOfFunctionsChangeInPlace() {
        var table = FunctionTable<Int>()
        for number in 0..<100 { table["m\(number % 2)", "f\(number)"] = number }
        #expect(table.names == ["m0", "m1"])
        #expect(table["m1"]?.entries.count == 50 && table["m1", "f99"] == 99)
        #expect(table["m0", "f99"] == nil && table["m2", "f0"] == nil)
        table["m1", "f99"] = nil
        #expect(table["m1", "f99"] == nil && table["m1"]?.entries.count == 49)
        table.change("m0", default: NamedValues()) { $0["f0"] = 7 }
        #expect(table["m0", "f0"] == 7 && table.names == ["m0", "m1"])
    }

    private func node(other: String) -> String {
        """
        {"deploymentId":"d","modules":[{"name":"m","urls":{"binary":"u","other":{\(other)}}}]}
        """
    }

    @Test func anObjectHasAtMostTenThousandNames() throws {
        func names(_ count: Int) throws -> Document {
            try json(node(other: (0..<count).map { "\"n\($0)\":\"u\"" }.joined(separator: ",")))
        }
        let longest = try DeploymentNode(names(10_000))
        #expect(longest.modules.first?.other["n9999"] == "u")
        let many = try names(10_001)
        #expect(throws: DocumentFault("modules[0].urls.other", expected: "at most 10000 names")) {
            try DeploymentNode(many)
        }
    }

    @Test func longNamesAreRefusedAndCutInFaults() throws {
        let document = try json(node(other: "\"\(String(repeating: "x", count: 4097))\":\"u\""))
        let fault = #expect(throws: DocumentFault.self) { try DeploymentNode(document) }
        #expect(fault?.expected == "a name of at most 4096 bytes")
        let place = "modules[0].urls.other." + String(repeating: "x", count: 255) + "…"
        #expect(fault?.place == place)
        let name = String(repeating: "x", count: 4096)
        let longest = try json(node(other: "\"\(name)\":\"u\""))
        #expect(try DeploymentNode(longest).modules.first?.other[name] == "u")
    }

    @Test(arguments: [
        ("mounts", #"{"path":"p","stage":"output"}"#, "mounts.m.f.output"),
        ("endpoints", #"{"name":"p"}"#, "endpoints.m.f.request.parameters"),
    ]) func listsHaveAtMostAThousandElements(
        _ member: String, _ element: String, _ place: String
    ) throws {
        func node(_ count: Int) throws -> Document {
            let list = [String](repeating: element, count: count).joined(separator: ",")
            let function =
                member == "mounts"
                ? "{\"output\":[\(list)]}"
                : """
                {"url":"u","path":"p","method":"get","request":{"parameters":[\(list)]},\
                "response":{"media_type":"a/b"}}
                """
            return try json(
                """
                {"deploymentId":"d","modules":[],"\(member)":{"m":{"f":\(function)}}}
                """)
        }
        #expect(try DeploymentNode(node(1000)).deployment == "d")
        let long = try node(1001)
        let fault = #expect(throws: DocumentFault.self) { try DeploymentNode(long) }
        #expect(fault?.place == place)
    }

    @Test func functionsWithTooManyNames() throws {
        func functions(_ count: Int) throws -> Document {
            try json(
                "{"
                    + (0..<count).map { #""f\#($0)":{"method":"get","output":"integer"}"# }
                    .joined(separator: ",") + "}")
        }
        #expect(try ModuleFunctions(functions(10_000)).functions["f9999"]?.method == "get")
        let many = try functions(10_001)
        #expect(throws: DocumentFault("", expected: "at most 10000 names")) {
            try ModuleFunctions(many)
        }
        func parameters(_ count: Int) throws -> Document {
            let list = (0..<count).map { #"{"name":"p\#($0)","type":"integer"}"# }
            return try json(
                """
                {"f":{"method":"get","output":"integer","parameters":[\
                \(list.joined(separator: ","))]}}
                """)
        }
        #expect(try ModuleFunctions(parameters(1000)).functions["f"]?.parameters.count == 1000)
        let long = try parameters(1001)
        #expect(throws: DocumentFault("f", expected: "at most 1000 parameters")) {
            try ModuleFunctions(long)
        }
    }

    @Test func manifestsHaveAtMostAThousandSteps() throws {
        func manifest(_ steps: Int, failovers: Int) throws -> Document {
            let list = [String](repeating: "\"d\"", count: failovers).joined(separator: ",")
            let step = #"{"module":"m","func":"f","failovers":[\#(list)]}"#
            let sequence = [String](repeating: step, count: steps).joined(separator: ",")
            return try json(#"{"name":"x","sequence":[\#(sequence)]}"#)
        }
        #expect(try Manifest(manifest(1000, failovers: 1)).sequence.count == 1000)
        let long = try manifest(1001, failovers: 1)
        #expect(throws: Manifest.Fault.steps) { try Manifest(long) }
        #expect(try Manifest(manifest(1, failovers: 1000)).sequence[0].failovers.count == 1000)
        let wide = try manifest(1, failovers: 1001)
        #expect(throws: Manifest.Fault.failovers) { try Manifest(wide) }
    }

    @Test func offeredFunctionsByNameAndModule() throws {
        let description = try json(
            """
            {"supervisorFunctions":{"a":{"f":"() -> ()","g":1},"b":{"f":"(i32) -> ()"},"c":[]}}
            """)
        let offered = try #require(OfferedFunctions(description: description))
        #expect(offered.type("a", "f") == "() -> ()" && offered.type("b", "f") == "(i32) -> ()")
        #expect(offered.type("a", "g") == nil && offered.type("c", "f") == nil)
        #expect(offered.named("f").map(\.module) == ["a", "b"])
        #expect(offered.named("f").map(\.type) == ["() -> ()", "(i32) -> ()"])
        #expect(offered.named("g").isEmpty)
        #expect(offered.document == description["supervisorFunctions"])
    }
}
