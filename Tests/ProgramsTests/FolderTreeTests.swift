import Testing
import WasmdHTTP

@testable import WasmdPrograms

/// A tree of files, given by their paths in the order of their names.
private func tree(_ files: [String]) -> FolderTree {
    var tree = FolderTree()
    var folders: [String: Int] = ["": FolderTree.root]
    for (number, file) in files.enumerated() {
        let parts = file.split(separator: "/").map(String.init)
        var path = ""
        for part in parts.dropLast() {
            let parent = folders[path] ?? FolderTree.root
            path += "/" + part
            if folders[path] == nil {
                folders[path] = tree.addFolder(Array(part.utf8), to: parent)
            }
        }
        _ = tree.add(
            number, file: Array((parts.last ?? "").utf8), to: folders[path] ?? FolderTree.root)
    }
    return tree
}

/// What a path leads to, as `file script-segments parameters`, `redirect` or `nothing`.
private func meaning(_ path: String, _ files: [String]) throws -> String {
    switch tree(files).match(try Path(Array(path.utf8)[...])) {
    case .nothing: return "nothing"
    case .folderWithoutSlash: return "redirect"
    case .program(let found):
        let parameters = found.parameters.map {
            String(decoding: $0.name, as: UTF8.self) + "="
                + String(decoding: $0.value, as: UTF8.self)
        }
        return ([files[found.program], "\(found.segmentCount)"] + parameters)
            .joined(separator: " ")
    }
}

@Suite struct FolderTreeTests {
    @Test(arguments: [
        ("a.wasm", FolderName.literal(Array("a".utf8))), ("index.wasm", .index),
        ("[id].wasm", .parameter(Array("id".utf8))), ("[...x].wasm", .rest(Array("x".utf8))),
        ("a", .ignored), (".wasm", .ignored), (".a.wasm", .ignored), ("a.wat", .ignored),
        ("[].wasm", .malformed), ("[a b].wasm", .malformed), ("[...].wasm", .malformed),
        ("[a.wasm", .literal(Array("[a".utf8))), ("a].wasm", .literal(Array("a]".utf8))),
        ("[.wasm", .literal(Array("[".utf8))), ("..wasm", .ignored), ("...wasm", .ignored),
        ("[..].wasm", .malformed), ("[[a]].wasm", .malformed), ("A.WASM", .ignored),
    ])
    func namesOfFiles(_ name: String, _ expected: FolderName) {
        #expect(FolderName(file: Array(name.utf8)) == expected)
    }

    @Test func namesOfFoldersAndBytes() {
        #expect(FolderName(folder: Array("index".utf8)) == .literal(Array("index".utf8)))
        #expect(FolderName(folder: Array("[a]".utf8)) == .parameter(Array("a".utf8)))
        #expect(FolderName(folder: Array("[...a]".utf8)) == .malformed)
        #expect(FolderName(folder: Array(".git".utf8)) == .ignored)
        let bytes: [UInt8] = [0xff, 0xfe]
        #expect(FolderName(file: bytes + Array(".wasm".utf8)) == .literal(bytes))
    }

    static let files = [
        "[id].wasm", "[user]/[post].wasm", "[user]/page.wasm", "a.wasm", "a/b.wasm",
        "a/index.wasm", "docs/[...rest].wasm", "docs/intro.wasm", "index.wasm",
        "only/index.wasm",
    ]

    @Test(arguments: [
        ("/", "index.wasm 0"),
        // A program before a folder without a slash, a folder with one.
        ("/a", "a.wasm 1"), ("/a/", "a/index.wasm 1"), ("/a/b", "a/b.wasm 2"),
        ("/a/b/c", "a/b.wasm 2"), ("/a/c", "a.wasm 1"), ("/a/c/d/", "a.wasm 1"),
        ("/only", "redirect"), ("/only/", "only/index.wasm 1"),
        ("/only/x", "[user]/[post].wasm 2 user=only post=x"),
        ("/5", "[id].wasm 1 id=5"), ("/5/", "nothing"), ("/index", "[id].wasm 1 id=index"),
        ("/me/page", "[user]/page.wasm 2 user=me"), ("/me/page/x", "[user]/page.wasm 2 user=me"),
        ("/me/7", "[user]/[post].wasm 2 user=me post=7"), ("/me/7/8", "nothing"),
        ("/docs", "docs/[...rest].wasm 1 rest="), ("/docs/", "docs/[...rest].wasm 1 rest="),
        ("/docs/intro", "docs/intro.wasm 2"), ("/docs/x/y", "docs/[...rest].wasm 1 rest=x/y"),
        ("/a%2Fb", "[id].wasm 1 id=a/b"), ("/x/../a", "a.wasm 1"), ("/%61", "a.wasm 1"),
        ("/%5Bid%5D", "[id].wasm 1 id=[id]"), ("/A", "[id].wasm 1 id=A"),
    ])
    func paths(_ path: String, _ expected: String) throws {
        #expect(try meaning(path, Self.files) == expected)
    }

    @Test func oneOfTwoParametersIsServed() throws {
        var tree = FolderTree()
        let first = tree.add(0, file: Array("[a].wasm".utf8), to: FolderTree.root)
        let second = tree.add(1, file: Array("[b].wasm".utf8), to: FolderTree.root)
        #expect(first && !second)
        // Folders are tried one after the other.
        let files = ["[a]/x.wasm", "[b]/y.wasm"]
        #expect(try meaning("/1/y", files) == "[b]/y.wasm 2 b=1")
    }

    @Test func patternsAndExactness() throws {
        let tree = tree(Self.files)
        func found(_ path: String) throws -> FolderTree.Found? {
            guard case .program(let found) = tree.match(try Path(Array(path.utf8)[...])) else {
                return nil
            }
            return found
        }
        for (path, pattern, isExact) in [
            ("/", "/", true), ("/a", "/a/...", true), ("/a/", "/a/", true),
            ("/a/b/", "/a/b/...", false), ("/5", "/[id]", false), ("/docs/x", "/docs/...", false),
            ("/me/page", "/[user]/page/...", false),
        ] {
            let found = try #require(try found(path))
            #expect(String(decoding: found.pattern, as: UTF8.self) == pattern)
            #expect(found.isExact == isExact, "\(path)")
        }
    }

    @Test func deepPathsEndAtTheTree() throws {
        let path = String(repeating: "/a", count: 5000)
        #expect(try meaning(path, Self.files) == "a.wasm 1")
        #expect(try meaning(path, ["b.wasm"]) == "nothing")
    }
}

@Suite struct ProgramRouteTests {
    @Test(arguments: [
        ("/a", 1, "/a", "", ""), ("/a/", 1, "/a", "/", "/"),
        ("/a/b%20c", 1, "/a", "/b c", "/b%20c"),
        ("//a//b/", 1, "/a", "/b/", "//b/"), ("/x%2Fy/z", 1, "/x/y", "/z", "/z"),
        ("/q/../a/b%41", 1, "/a", "/bA", "/bA"), ("/a/./b/", 1, "/a", "/b/", "/b/"),
        ("/", 0, "", "/", "/"), ("/a%20b", 0, "", "/a b", "/a%20b"),
        ("/a/b/c", 2, "/a/b", "/c", "/c"), ("/a/%3F", 1, "/a", "/?", "/%3F"),
    ])
    func thePathIsDivided(
        _ raw: String, _ count: Int, _ script: String, _ info: String, _ rawInfo: String
    ) throws {
        let bytes = Array(raw.utf8)[...]
        let route = ProgramRoute(
            try Path(bytes), raw: bytes, scriptSegments: count, pattern: [])
        #expect(String(decoding: route.scriptName, as: UTF8.self) == script)
        #expect(String(decoding: route.pathInfo, as: UTF8.self) == info)
        #expect(String(decoding: route.rawPathInfo, as: UTF8.self) == rawInfo)
    }

    @Test func variablesOfParameters() {
        let parameter = ProgramParameter(name: Array("user-id_2".utf8), value: [])
        #expect(String(decoding: parameter.variable, as: UTF8.self) == "X_PATH_MATCH_USER_ID_2")
    }
}

@Suite struct ModuleRoutesTests {
    private func match(_ text: String, _ path: String) throws -> String? {
        let routes = try ModuleRoutes(Array(text.utf8))
        let path = try Path(Array(path.utf8)[...])
        guard let found = routes.match(path.segments[...], isFolder: path.isFolder) else {
            return nil
        }
        return "\(found.function) \(found.count) " + String(decoding: found.pattern, as: UTF8.self)
    }

    @Test func linesArePathsAndFunctions() throws {
        let text = "/hello hello\r\n\n  /goodbye/...\tgoodbye \n/main _start"
        #expect(try match(text, "/hello") == "hello 1 /hello")
        #expect(try match(text, "/hello/") == nil)
        #expect(try match(text, "/hello/x") == nil)
        #expect(try match(text, "/goodbye") == "goodbye 1 /goodbye/...")
        #expect(try match(text, "/goodbye/a/b") == "goodbye 1 /goodbye/...")
        #expect(try match(text, "/goodbyes") == nil)
        #expect(try match(text, "/main") == "_start 1 /main")
        #expect(try match(text, "/") == nil)
        #expect(try match("/... all", "/") == "all 0 /...")
    }

    @Test func theLastMatchWins() throws {
        let lines = ["/one/... one", "/one/two/... two", "/one/two/three/... three"]
        let path = "/one/two/three/four"
        #expect(try match(lines.joined(separator: "\n"), path)?.hasPrefix("three") == true)
        #expect(try match(lines.reversed().joined(separator: "\n"), path)?.hasPrefix("one") == true)
    }

    @Test(arguments: ["", "\n\n", "/hello", "/a b c", "/a b\n/c", "/%zz f", "/../a f"])
    func malformedLinesAreRefused(_ text: String) {
        #expect(throws: ModuleRoutes.Fault.self) { try ModuleRoutes(Array(text.utf8)) }
    }

    @Test func tooManyLinesAreRefused() {
        let text = String(repeating: "/a b\n", count: ModuleRoutes.limit + 1)
        #expect(throws: ModuleRoutes.Fault.self) { try ModuleRoutes(Array(text.utf8)) }
    }
}

@Suite struct CheckBudgetTests {
    @Test func requestsNowAndThenExamineEachTime() {
        var budget = CheckBudget()
        for second in 1...100 as ClosedRange<UInt64> {
            let begins = budget.begin(second * 1_000_000_000)
            #expect(begins)
            budget.end(cost: 10_000_000)
        }
    }

    @Test func underLoadAFiftiethIsSpent() {
        var budget = CheckBudget()
        var spent: UInt64 = 0
        // A request each 50 µs for ten seconds, of which an examination takes 100 µs.
        let start: UInt64 = 1_000_000_000
        for number in 0..<200_000 as Range<UInt64> where budget.begin(start + number * 50_000) {
            budget.end(cost: 100_000)
            spent += 150_000
        }
        #expect(spent > 350_000_000 && spent < 450_000_000)
    }

    @Test func oneAtATimeAndDearOnesToo() {
        var budget = CheckBudget()
        let first = budget.begin(1)
        let second = budget.begin(2)
        #expect(first && !second)
        budget.end(cost: 3_000_000_000)
        var time: UInt64 = 3
        var count = 0
        while !budget.begin(time), count < 1000 {
            time += 1_000_000_000
            count += 1
        }
        #expect(count > 100 && count < 200)
    }
}
