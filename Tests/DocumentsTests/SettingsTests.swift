import Testing
import WasmdDocuments

@Suite struct SettingsTests {
    private func settings(_ text: String) throws -> Settings {
        Settings(try TOML.Source(Array(text.utf8))) { word, candidates in
            candidates.first { $0.first == word.first }
        }
    }

    @Test func values() throws {
        let settings = try settings(
            """
            name = "a"
            on = true
            count = 7
            part = 0.5
            size = "64KiB"
            plain = 10
            wait = "500ms"
            seconds = 1.5
            hosts = ["a", "b"]
            host = "c"
            [limits]
            memory = 1
            [[token]]
            name = "x"
            [[token]]
            name = "y"
            [module.one]
            path = "p"
            """)
        let root = settings.root
        #expect(root.text("name") == "a" && root.boolean("on") == true)
        #expect(root.integer("count", in: 0...9) == 7 && root.number("part", in: 0...1) == 0.5)
        #expect(root.bytes("size") == 65_536 && root.bytes("plain") == 10)
        #expect(root.duration("wait") == .milliseconds(500))
        #expect(root.duration("seconds") == .milliseconds(1500))
        #expect(root.texts("hosts") == ["a", "b"] && root.texts("host") == ["c"])
        #expect(root.table("limits").bytes("memory") == 1)
        #expect(root.tables("token").map { $0.text("name") } == ["x", "y"])
        let modules = root.namedTables("module")
        #expect(modules.map(\.name) == ["one"] && modules.first?.table.text("path") == "p")
        #expect(root.text("absent") == nil && root.table("none").text("x") == nil)
        #expect(root.tables("none2").isEmpty && settings.finish().isEmpty)
    }

    @Test func everythingWrongIsToldWithItsPlace() throws {
        let settings = try settings(
            """
            count = 12
            nmae = "a"
            [limits]
            memory = "much"
            inline = {x = 1}
            [[token]]
            [[token]]
              name = 3
            """)
        let root = settings.root
        _ = root.integer("count", in: 0...9)
        _ = root.text("name")
        let limits = root.table("limits")
        _ = limits.bytes("memory")
        _ = limits.table("inline")
        for token in root.tables("token") { _ = token.text("name") }
        limits.complain("memory", "too much as well")
        root.complain("absent", "must be there")
        #expect(
            settings.finish().map(\.description) == [
                "absent: must be there",
                "line 1, column 1: count: expected a whole number from 0 to 9",
                "line 2, column 1: nmae: unknown setting; did you mean 'name'?",
                #"line 4, column 1: limits.memory: expected a size, for example "64MiB""#,
                "line 4, column 1: limits.memory: too much as well",
                "line 5, column 1: limits.inline.x: unknown setting",
                "line 8, column 3: token[1].name: expected a text in quotes",
            ])
    }

    @Test func wrongKinds() throws {
        let settings = try settings("a = 1\nb = 2\nc = 3\nd = 0\ne = [1]\n")
        let root = settings.root
        _ = root.table("a")
        _ = root.tables("b")
        _ = root.namedTables("c")
        _ = root.duration("d")
        _ = root.texts("e")
        #expect(settings.finish().count == 5)
    }
}
