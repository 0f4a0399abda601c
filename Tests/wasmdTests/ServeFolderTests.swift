import Glibc
import Testing

/// `wasmd serve FOLDER`, from start to end.
@Suite struct ServeFolderTests {
    let folder: TemporaryFolder
    let site: String

    init() throws {
        folder = try TemporaryFolder()
        site = folder.path + "/site"
        mkdir(site, 0o700)
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
        let parts = name.split(separator: "/")
        for count in 1..<max(parts.count, 1) {
            mkdir(site + "/" + parts[..<count].joined(separator: "/"), 0o700)
        }
        try folder.write("site/" + name, bytes)
    }

    private func variables(_ answer: ServerProcess.Answer) -> [String: String] {
        var values: [String: String] = [:]
        for entry in answer.body.split(separator: "\0") {
            let parts = entry.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[String(parts[0])] = String(parts.last ?? "")
        }
        return values
    }

    @Test func filesArePaths() throws {
        try write("index.wasm", ServePrograms.saying("root"))
        try write("hello.wasm", ServePrograms.environment())
        try write("sub/index.wasm", ServePrograms.saying("sub"))
        try write("users/[id].wasm", ServePrograms.environment())
        try write("users/me.wasm", ServePrograms.saying("me"))
        try write("[who]/page.wasm", ServePrograms.environment())
        try write("docs/[...all].wasm", ServePrograms.environment())
        let server = try ServerProcess([site], folder: folder)
        #expect(try server.get("/").body == "root")
        #expect(try server.get("/sub/").body == "sub")
        let redirect = try server.get("/sub?a=b")
        #expect(redirect.status == 301 && redirect.field("Location") == "/sub/?a=b")
        let posted = try server.post("//sub", [])
        #expect(posted.status == 308 && posted.field("Location") == "/sub/")
        #expect(try server.get("/users/me").body == "me")

        let hello = variables(try server.get("/hello/a%20b/c?q=1"))
        #expect(hello["SCRIPT_NAME"] == "/hello" && hello["PATH_INFO"] == "/a b/c")
        #expect(hello["X_RAW_PATH_INFO"] == "/a%20b/c" && hello["QUERY_STRING"] == "q=1")
        #expect(hello["X_MATCHED_ROUTE"] == "/hello/...")
        #expect(hello["X_FULL_URL"] == "http://a/hello/a%20b/c?q=1")
        let user = variables(try server.get("/users/J%C3%BCrgen"))
        #expect(user["X_PATH_MATCH_ID"] == "Jürgen" && user["SCRIPT_NAME"] == "/users/Jürgen")
        #expect(user["X_MATCHED_ROUTE"] == "/users/[id]" && user["PATH_INFO"] == "")
        #expect(variables(try server.get("/bob/page"))["X_PATH_MATCH_WHO"] == "bob")
        #expect(variables(try server.get("/docs/a/b"))["X_PATH_MATCH_ALL"] == "a/b")

        for path in ["/nothing", "/hello.wasm", "/index", "/users/", "/users/1/2", "/..%2fsite"] {
            #expect(try server.get(path).status == 404, "\(path)")
        }
        for path in ["/../site", "/%2e%2e/x", "/a%00b", "/%zz"] {
            #expect(try server.get(path).status == 400, "\(path)")
        }
        #expect(try server.get("*", method: "OPTIONS").status == 204)
    }

    @Test func namesOfBytes() throws {
        // A name that is not UTF-8, and names in brackets.
        let program = try ServePrograms.saying("bytes")
        try write("plain.wasm", program)
        let name = Array((site + "/").utf8) + [0xff, 0xfe] + Array(".wasm\0".utf8)
        let failure = name.map(CChar.init(bitPattern:)).withUnsafeBufferPointer { path in
            path.baseAddress.map { rename(site + "/plain.wasm", $0) } ?? -1
        }
        #expect(failure == 0)
        try write("[x.wasm", program)
        try write("[a b].wasm", program)
        symlink("[x.wasm", site + "/link.wasm")
        let server = try ServerProcess([site], folder: folder)
        #expect(try server.get("/%ff%FE").body == "bytes")
        #expect(try server.get("/[x").body == "bytes")
        #expect(try server.get("/%5Bx").body == "bytes")
        #expect(try server.get("/%5Ba%20b%5D").status == 404)
        #expect(try server.get("/link").status == 404)
        #expect(server.waits(for: "[a b].wasm: not served: a parameter is written"))
        #expect(server.waits(for: "link.wasm: not served: symbolic links"))
    }

    @Test func changesArePickedUp() throws {
        let (one, two) = (try ServePrograms.saying("one"), try ServePrograms.saying("two"))
        try write("a.wasm", one)
        let server = try ServerProcess([site], folder: folder)
        #expect(try server.get("/a").body == "one")
        // Overwritten, replaced, added, removed.
        try write("a.wasm", two)
        #expect(try server.get("/a").body == "two")
        try write("a.new", one)
        rename(site + "/a.new", site + "/a.wasm")
        #expect(try server.get("/a").body == "one")
        try write("new/index.wasm", two)
        #expect(try server.get("/new/").body == "two")
        unlink(site + "/new/index.wasm")
        #expect(try server.get("/new/").status == 404)

        // A file that is half written does not end the version that is served.
        try write("a.wasm", Array(two.dropLast(20)))
        #expect(try server.get("/a").body == "one")
        #expect(server.waits(for: "The version before is served instead."))
        try write("a.wasm", two)
        #expect(try server.get("/a").body == "two")

        // Without a request, too.
        try write("late.wasm", one)
        #expect(server.waits(for: "late.wasm: added"))
    }

    /// Without the kernel's restrictions, which hold for folders and not for their names.
    @Test func theWholeFolderMayBeReplaced() throws {
        let (one, two) = (try ServePrograms.saying("one"), try ServePrograms.saying("two"))
        try write("a.wasm", one)
        let free = try ServerProcess(["--no-sandbox", site], folder: folder)
        let restricted = try ServerProcess([site], folder: folder)
        rename(site, site + "-old")
        #expect(try free.get("/a").body == "one")
        mkdir(site, 0o700)
        try write("b.wasm", two)
        #expect(try free.get("/b").body == "two")
        #expect(try free.get("/a").status == 404)
        if restricted.messages.contains("restricts the server only in part") { return }
        #expect(restricted.waits(for: "the folder cannot be read"))
        #expect(restricted.waits(for: "serve it with --no-sandbox"))
        #expect(try restricted.get("/a").body == "one")
    }

    @Test func whatIsNoModuleIsReported() throws {
        try write("bad.wasm", Array("garbage".utf8))
        try write("empty.wasm", [])
        try write("good.wasm", ServePrograms.saying("good"))
        let server = try ServerProcess([site], folder: folder)
        #expect(server.waits(for: "bad.wasm: "))
        #expect(server.waits(for: "empty.wasm: "))
        let bad = try server.get("/bad")
        #expect(bad.status == 500 && bad.body.hasPrefix("The program cannot be served: "))
        #expect(try server.get("/good").body == "good")
        try write("bad.wasm", ServePrograms.saying("better"))
        #expect(try server.get("/bad").body == "better")
    }

    @Test func staticFiles() throws {
        let long = Array(repeating: UInt8(ascii: "x"), count: 200_000)
        try write("public/style.css", Array("body {}".utf8))
        try write("public/index.html", Array("<p>".utf8))
        try write("public/sub/index.html", Array("<q>".utf8))
        try write("public/long.txt", long)
        try write("public/404.html", Array("gone".utf8))
        try write("public/.secret", Array("secret".utf8))
        try write("public/both", Array("file".utf8))
        try write("both.wasm", ServePrograms.saying("program"))
        try write("[any].wasm", ServePrograms.saying("any"))
        symlink("/etc/passwd", site + "/public/link")
        symlink("/etc", site + "/public/etc")
        mkfifo(site + "/public/pipe", 0o600)
        let server = try ServerProcess([site], folder: folder)
        let style = try server.get("/style.css")
        #expect(style.body == "body {}" && style.field("Content-Type") == "text/css; charset=utf-8")
        #expect(try server.get("/").body == "<p>")
        let redirect = try server.get("/sub")
        // The program for any name is less than a file, but the folder needs its slash.
        #expect(redirect.status == 301 && redirect.field("Location") == "/sub/")
        #expect(try server.get("/sub/").body == "<q>")
        #expect(try server.get("/public/style.css").body == "body {}")
        #expect(try server.get("/both").body == "program")
        for path in ["/link", "/pipe", "/.secret", "/unknown"] {
            #expect(try server.get(path).body == "any", "\(path)")
        }
        let missing = try server.get("/etc/passwd")
        #expect(missing.status == 404 && missing.body == "gone")

        #expect(try server.get("/long.txt").body.utf8.elementsEqual(long))
        let part = try server.get("/long.txt", "Range: bytes=10-13\r\n")
        #expect(part.status == 206 && part.body == "xxxx")
        let head = try server.get("/long.txt", method: "HEAD")
        #expect(head.field("Content-Length") == "200000" && head.body == "")
        let packed = try server.get("/long.txt", "Accept-Encoding: gzip\r\n")
        #expect(packed.field("Content-Encoding") == "gzip" && packed.body.utf8.count < 10_000)
        let tag = try #require(try server.get("/style.css").field("ETag"))
        #expect(try server.get("/style.css", "If-None-Match: \(tag)\r\n").status == 304)
        let posted = try server.post("/style.css", [])
        #expect(posted.status == 405 && posted.field("Allow") == "GET, HEAD, OPTIONS")
        #expect(try server.get("/style.css", method: "OPTIONS").status == 204)
    }

    @Test func theExamples() throws {
        let server = try ServerProcess([Repository.root + "/Examples/Web"], folder: folder)
        #expect(try server.get("/").body.contains("<a href=\"/greeting\">"))
        #expect(try server.get("/greeting").body.contains("<form method=post>"))
        let greeting = try server.post("/greeting", Array("x=1&name=%3CAda+%26+Co%3E".utf8))
        #expect(greeting.body.contains("<h1>Hello, &lt;Ada &amp; Co&gt;!</h1>"))
        #expect(try server.get("/greeting", method: "DELETE").status == 405)
        #expect(try server.get("/primes/12").body == "2\n3\n5\n7\n11\n")
        #expect(try server.get("/primes/twelve").status == 400)
    }

    @Test func foldersWithoutEnd() throws {
        // A link to a folder above is not followed, and too deep folders are left out.
        try write("a/x.wasm", ServePrograms.saying("x"))
        symlink("..", site + "/a/up")
        var path = site
        for _ in 0..<40 {
            path += "/d"
            mkdir(path, 0o700)
        }
        let server = try ServerProcess([site], folder: folder)
        #expect(try server.get("/a/x").body == "x")
        #expect(try server.get("/a/up/a/x").status == 404)
        #expect(server.waits(for: "too many folders within each other"))
    }

    @Test func routesOfWAGI() throws {
        try write("example.wasm", ServePrograms.routes("/hello hello\n/goodbye/... goodbye\n"))
        try write("wrong.wasm", ServePrograms.routes("/hello helo\n"))
        try write("index.wasm", ServePrograms.routes("/root/... hello\n/example/hello goodbye\n"))
        try write("sub/index.wasm", ServePrograms.routes("/own hello\n"))
        let server = try ServerProcess([site], folder: folder)
        #expect(try server.get("/").body == "main\n")
        let root = variables(try server.get("/root/a"))
        #expect(root["SCRIPT_NAME"] == "/root" && root["PATH_INFO"] == "/a")
        #expect(root["X_MATCHED_ROUTE"] == "/root/...")
        let own = variables(try server.get("/sub/own"))
        #expect(own["SCRIPT_NAME"] == "/sub/own" && own["X_MATCHED_ROUTE"] == "/sub/own")
        #expect(try server.get("/sub/other").status == 404)
        #expect(try server.get("/example").body == "main\n")
        #expect(try server.get("/example/other").body == "main\n")
        let hello = try server.get("/example/hello")
        #expect(hello.body.hasPrefix("hello\n"))
        let values = variables(hello)
        #expect(values["SCRIPT_NAME"] == "/example/hello" && values["PATH_INFO"] == "")
        #expect(values["X_MATCHED_ROUTE"] == "/example/hello")
        let goodbye = variables(try server.get("/example/goodbye/a/b"))
        #expect(goodbye["SCRIPT_NAME"] == "/example/goodbye" && goodbye["PATH_INFO"] == "/a/b")
        #expect(goodbye["X_MATCHED_ROUTE"] == "/example/goodbye/...")
        #expect(server.waits(for: "_routes names helo"))
        #expect(try server.get("/wrong").status == 500)
    }
}
