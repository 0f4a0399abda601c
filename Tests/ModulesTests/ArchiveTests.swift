import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP

@testable import WasmdModules

@Suite struct ArchiveTests {
    private static let functions = #"""
        {"fibo":{"method":"get","param0":"integer","output":"integer","mounts":[
         {"name":"in","stage":"deployment"}]}}
        """#

    /// Everything that was exported is there after it was imported elsewhere.
    @Test func everythingAsOneFile() throws {
        let large = [UInt8](repeating: 7, count: 100_000)
        let exported = Box()
        try ModulesHouse.openWithDevices(["a"]) { house, _, _ in
            let described = try await house.send(
                .post, "/file/module/m/upload",
                form: [.text("functions", Self.functions), .file("in", large, "in.bin", nil)])
            #expect(described.status == 200, "\(described.text)")
            _ = try await house.deploy(#"{"module":"m","func":"fibo"}"#)
            _ = try await house.send(
                .post, "/moduleCards",
                json: #"{"permission":[{"target":"t","action":"a","constraint":[]}]}"#)
            let archive = try await house.send(.get, "/export")
            #expect(archive.status == 200 && archive.bytes.count % 512 == 0)
            exported.value = archive.bytes
            exported.modules = try await house.send(.get, "/file/module").json
        }
        let bytes = exported.value
        try ModulesHouse.open { house in
            func importing(_ bytes: [UInt8], _ query: String = "") async throws -> Answer {
                try await house.send(
                    .post, "/import\(query)", bytes, [("Content-Type", "application/x-tar")])
            }
            for cut in [1, 511, 700, 2000, bytes.count / 2] {
                #expect(try await importing(Array(bytes.prefix(cut))).status == 400)
            }
            #expect(try await house.send(.get, "/file/module").json == .array([]))
            let answer = try await importing(bytes)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json["module"] == .integer(1))
            #expect(answer.json["device"] == .integer(1))
            #expect(answer.json["deployment"] == .integer(1))
            #expect(answer.json["modulecards"] == .integer(1))
            let list = try await house.send(.get, "/file/module").json
            let before = exported.modules.arrayValue?.first { $0["name"] == "m" }
            #expect(list[0] == before)
            #expect(try await house.send(.get, "/file/module/m/in").bytes == large)
            #expect(
                try await house.send(.get, "/file/module/m/wasm").bytes == (try module(fibo)))
            let deployment = try await house.send(.get, "/file/manifest/d").json
            #expect(deployment["active"] == .boolean(false))
            #expect(try await house.send(.get, "/file/device/a").json["status"] == "active")
            _ = try await house.create("other", try module("(module)"))
            #expect(try await importing(bytes, "?replace=true").status == 200)
            let names = try await house.send(.get, "/file/module").json.arrayValue
            #expect(names?.map { $0["name"] } == ["m"])
            // In the place of the one with its id, with its files.
            #expect(
                try await house.send(.get, "/file/module/m/wasm").bytes == (try module(fibo)))
            #expect(try await house.send(.get, "/file/module/m/in").bytes == large)
        }
    }

    /// An archive of one file with cards of a kilobyte.
    private static func cards(_ numbers: Range<Int>) throws -> [UInt8] {
        let text = String(repeating: "x", count: 1000)
        let list = numbers.map { #"{"name":"n\#($0)","nodeid":"\#(text)"}"# }
        let bytes = Array("[\(list.joined(separator: ","))]".utf8)
        let header = try #require(
            TarHeader.block(Array("nodecards/all.json".utf8), size: bytes.count, seconds: 0))
        return header + bytes + TarHeader.padding(bytes.count) + TarHeader.end
    }

    private static func replace(_ house: ModulesHouse, _ numbers: Range<Int>) async throws {
        let answer = try await house.send(
            .post, "/import?replace=true", Self.cards(numbers),
            [("Content-Type", "application/x-tar")])
        #expect(answer.status == 200, "\(answer.text)")
        let stored = try await house.send(.get, "/nodeCards").json.arrayValue ?? []
        let names = Set(stored.compactMap { $0["name"]?.stringValue })
        #expect(names == Set(numbers.map { "n\($0)" }) && stored.count == numbers.count)
    }

    /// A failure, or the end of the process, must not leave less than there was.
    @Test func whatIsReplacedGoesWhenTheNewIsThere() throws {
        try ModulesHouse.open { house in
            try await Self.replace(house, 0..<10)
            let cards = try #require(house.orchestrator.cards[.node])
            let isDone = Box()
            let loop = house.loop
            let watching = loop.spawn {
                var least = Int.max
                while isDone.value.isEmpty, !Task.isCancelled {
                    least = min(least, cards.count)
                    await loop.yieldToOthers()
                }
                return least
            }
            // Half of them have the names of others that are there.
            try await Self.replace(house, 5..<15)
            isDone.value = [1]
            let least = await watching.value
            #expect(least >= 10)
        }
    }

    @Test func whatHasNoRoomBesideTheOldReplacesIt() throws {
        var options = OrchestrationTests.options
        options.documentMemory = 32 << 10
        try ModulesHouse.open(options) { house in
            try await Self.replace(house, 0..<12)
            try await Self.replace(house, 6..<18)
            try await Self.replace(house, 20..<22)
        }
    }

    /// A module, its data and devices as the original's init folder has them.
    @Test func anInitFolder() throws {
        let folder = ModulesHouse.newFolder()
        defer { removeFolder(folder) }
        @Sendable func write(_ path: String, _ bytes: [UInt8]) throws {
            try writeFile(folder, path, bytes)
        }
        let id = "68625a3144799bc88dfe2d69"
        try write("files/fibo.wasm", try module(fibo))
        try write("files/data.csv", Array("a,b".utf8))
        try write(
            "module/modules.json",
            Array(
                #"""
                [{"_id":"\#(id)","name":"fibo","exports":[],"requirements":[],
                  "wasm":{"originalFilename":"fibo.wasm","fileName":"x","path":"/app/files/wasm/x"},
                  "dataFiles":{"in":{"originalFilename":"data.csv","fileName":"y","path":"z"}},
                  "mounts":{"fibo":{"in":{"mediaType":"text/csv","stage":"deployment"}}}},
                 {"name":"core:Datalist","isCoreModule":true}]
                """#.utf8))
        try write(
            "device/devices.json",
            Array(
                #"""
                [{"name":"orchestrator"},
                 {"name":"kitchen","communication":{"addresses":["192.0.2.1"],"port":5000}}]
                """#.utf8))
        try ModulesHouse.open { house in
            let added = try await house.orchestrator.addInitFolder(folder, on: house.loop)
            #expect(added == "1 of module, 1 of device")
            let document = try await house.send(.get, "/file/module/\(id)").json[0]
            #expect(document?["exports"]?[0]?["name"] == "fibo")
            #expect(try await house.send(.get, "/file/module/fibo/in").text == "a,b")
            let device = try await house.send(.get, "/file/device/kitchen").json
            #expect(device["communication"]?["addresses"] == .array(["192.0.2.1"]))
            // What is there stays.
            #expect(try await house.send(.delete, "/file/device/kitchen").status == 200)
            let again = try await house.orchestrator.addInitFolder(folder, on: house.loop)
            #expect(again == "1 of device")
            try write("module/broken.json", Array("{".utf8))
            await #expect(throws: ImportFault.self) {
                try await house.orchestrator.addInitFolder(folder, on: house.loop)
            }
        }
    }

    @Test func archivesInPieces() throws {
        let content = Array("content".utf8)
        let long = [UInt8](repeating: 0x61, count: 150)
        let path = Array("168 path=".utf8)
        #expect(path.count + long.count + 1 == 160)
        let record = Array("160 path=".utf8) + long + [0x0a]
        var extended = try #require(
            TarHeader.block(Array("x".utf8), size: record.count, seconds: 0))
        extended[156] = UInt8(ascii: "x")
        let sum = extended.enumerated().reduce(0) {
            $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element))
        }
        let digits = Array(String(sum, radix: 8).utf8)
        extended.replaceSubrange(
            148..<154, with: [UInt8](repeating: 0x30, count: 6 - digits.count) + digits)
        let file = try #require(
            TarHeader.block(Array("short".utf8), size: content.count, seconds: 1))
        let bytes =
            extended + record + TarHeader.padding(record.count) + file + content
            + TarHeader.padding(content.count) + TarHeader.end
        for size in [1, 7, 512, 513, bytes.count] {
            var reader = TarReader()
            var names: [[UInt8]] = []
            var read: [UInt8] = []
            var start = 0
            while start < bytes.count {
                let end = min(start + size, bytes.count)
                for event in try reader.feed(Array(bytes[start..<end])) {
                    switch event {
                    case .begin(let name, _): names.append(name)
                    case .content(let more): read += more
                    case .end: break
                    }
                }
                start = end
            }
            try reader.finish()
            #expect(names == [long] && read == content)
        }
        #expect(TarHeader.block([UInt8](repeating: 0x61, count: 101), size: 0, seconds: 0) == nil)
    }
}

/// What a test keeps from one server for the next.
private final class Box: @unchecked Sendable {
    var value: [UInt8] = []
    var modules = Document.null
}
