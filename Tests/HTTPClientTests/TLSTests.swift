import Glibc
import Synchronization
import Testing
import WasmSystem
import WasmdEventLoop
import WasmdHTTP

@testable import WasmdHTTPClient

/// Processes of this one, running or not waited for, whose program is `openssl`.
private func helperCount() -> Int {
    var count = 0
    guard let folder = opendir("/proc") else { return -1 }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard Int32(name) != nil, let file = fopen("/proc/\(name)/stat", "r") else { continue }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        fgets(&line, 511, file)
        let text = String(
            decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let words = text.split(separator: " ")
        if words.count > 3, words[1] == "(openssl)", words[3] == "\(getpid())" { count += 1 }
    }
    return count
}

private final class Most: Sendable {
    private let number = Mutex(0)
    var value: Int { number.withLock { $0 } }
    func add(_ other: Int) { number.withLock { $0 = max($0, other) } }
}

/// Runs a client that trusts the test's authority, against a server with a certificate.
private func withTLS<Success: Sendable>(
    _ certificate: String, limit: Int = 16, _ change: (inout HTTPClientOptions) -> Void = { _ in },
    _ body: @escaping @Sendable (HTTPClient, UInt16) async throws -> Success
) throws -> Success {
    let server = try TLSServer.Running(certificate)
    let port = server.port
    var options = HTTPClientOptions()
    options.tls = TLSProgram(trusted: TLSServer.authority, limit: limit)
    change(&options)
    let chosen = options
    let result = try EventLoop().run { loop in
        let before = loop.descriptorCount
        let client = HTTPClient(chosen, on: loop)
        let result: Result<Success, any Error>
        do { result = .success(try await body(client, port)) } catch { result = .failure(error) }
        client.closeIdle()
        // Descriptors are closed at once; the children are reaped by a thread.
        let end = LoopInstant.after(.seconds(10))
        while helperCount() > 0, .now < end { try await loop.sleep(for: .milliseconds(10)) }
        #expect(helperCount() == 0)
        for _ in 0..<100 where loop.descriptorCount > before {
            try await loop.sleep(for: .milliseconds(5))
        }
        #expect(loop.descriptorCount == before)
        #expect(chosen.tls?.runningCount == 0)
        return try result.get()
    }
    withExtendedLifetime(server) {}
    return result
}

private func get(_ client: HTTPClient, _ text: String) async throws -> String {
    let url = try #require(URL(text.utf8))
    let response = try await client.send(ClientRequest(.get, url))
    return String(decoding: try await response.body(), as: UTF8.self)
}

private func failure(_ client: HTTPClient, _ text: String) async -> HTTPClientError? {
    do {
        _ = try await get(client, text)
        return nil
    } catch {
        return error as? HTTPClientError
    }
}

private func code(_ error: HTTPClientError?) -> Int? {
    if case .tls(.certificate(let code, _))? = error { code } else { nil }
}

@Suite(.serialized, .enabled(if: TLSServer.isAvailable)) struct TLSTests {
    @Test func requestsUseOneProcess() throws {
        let (texts, count, opened) = try withTLS("good") { client, port in
            var texts: [String] = []
            for path in ["a", "b", "c"] {
                texts.append(try await get(client, "https://localhost:\(port)/\(path)"))
            }
            return (texts, helperCount(), client.connectionCount)
        }
        #expect(texts.map { $0.prefix(2) } == ["/a", "/b", "/c"])
        #expect(texts[0].hasPrefix("/a localhost:"))
        #expect(count == 1)
        #expect(opened == 1)
    }

    @Test func addressesAreCheckedAsSuch() throws {
        let text = try withTLS("good") { try await get($0, "https://127.0.0.1:\($1)/") }
        #expect(text.hasPrefix("/ 127.0.0.1:"))
        let error = try withTLS("othername") { await failure($0, "https://127.0.0.1:\($1)/") }
        #expect(code(error) == TLSError.wrongAddress)
    }

    @Test func otherCertificatesAreRefused() throws {
        for (certificate, reason) in [
            ("othername", TLSError.wrongName), ("expired", TLSError.expired),
            ("selfsigned", TLSError.selfSigned),
        ] {
            let error = try withTLS(certificate) { await failure($0, "https://localhost:\($1)/") }
            #expect(code(error) == reason, "\(certificate): \(String(describing: error))")
        }
        // The authority of the test is none of the system's.
        let unknown = try withTLS("good") { options in
            options.tls = TLSProgram()
        } _: {
            await failure($0, "https://localhost:\($1)/")
        }
        #expect(code(unknown) == TLSError.unknownIssuer)
    }

    @Test func bodiesOfAllBytesPassBothWays() throws {
        // Letters at the start of a read are commands of the program unless it is told otherwise.
        var bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        for (index, letter) in "QqRrBbKkSPD\n".utf8.enumerated() { bytes[index &* 16_384] = letter }
        let sent = bytes
        let results = try withTLS("good") { client, port in
            let url = try #require(URL("https://localhost:\(port)/".utf8))
            var results: [Bool] = []
            for letter in "QRBKk".utf8 {
                let body = [letter, 10] + sent
                let response = try await client.send(ClientRequest(.post, url, body: .bytes(body)))
                results.append(try await response.body() == body)
            }
            // Pieces of one letter each.
            let response = try await client.send(
                ClientRequest(
                    .post, url,
                    body: .stream(.bytes(10)) { body in
                        for letter in "Q\nR\nB\nK\nk\n".utf8 {
                            // The last letter ends the closure: a server that answers while it
                            // still runs costs the connection.
                            try await client.loop.sleep(for: .milliseconds(5))
                            try await body.write([letter])
                        }
                    }))
            results.append(try await response.body() == Array("Q\nR\nB\nK\nk\n".utf8))
            results.append(
                try await get(client, "https://localhost:\(port)/bytes/20000000").utf8.count
                    == 20_000_000)
            results.append(client.connectionCount == 1)
            return results
        }
        #expect(results == [Bool](repeating: true, count: 8))
    }

    @Test func aHundredRequestsShareEightProcesses() throws {
        let (count, most, opened) = try withTLS("good", limit: 8) { options in
            // It includes the wait for a process.
            options.connectTimeout = .seconds(120)
        } _: { client, port in
            let most = Most()
            let tasks = (0..<100).map { index in
                client.loop.spawn { () -> Bool in
                    // Two hosts, so that connections of one have to be closed for the other.
                    let host = index % 2 == 0 ? "localhost" : "127.0.0.1"
                    let text = try? await get(client, "https://\(host):\(port)/\(index)")
                    most.add(client.options.tls?.runningCount ?? 0)
                    return text?.hasPrefix("/\(index) \(host)") == true
                }
            }
            var count = 0
            for task in tasks where await task.value { count += 1 }
            return (count, most.value, client.connectionCount)
        }
        #expect(count == 100)
        // By its own count: of the system, a process that was killed is one until it is reaped.
        #expect((1...8).contains(most))
        #expect(opened < 60)
    }

    @Test func theLimitIsReportedWhenTimeIsUp() throws {
        let error = try withTLS("good", limit: 1) { options in
            options.connectTimeout = .seconds(60)
        } _: { client, port in
            // The time of the one that is refused is short, not that of the ones that must connect.
            var options = client.options
            options.connectTimeout = .milliseconds(1500)
            let hasty = HTTPClient(options, on: client.loop)
            let first = client.loop.spawn {
                await failure(client, "https://localhost:\(port)/stay")
            }
            for _ in 0..<6000 where options.tls?.runningCount == 0 {
                try await client.loop.sleep(for: .milliseconds(5))
            }
            let error = await failure(hasty, "https://127.0.0.1:\(port)/")
            first.cancel()
            #expect(await first.value == .cancelled)
            // Its place is free again.
            #expect(await failure(client, "https://127.0.0.1:\(port)/") == nil)
            return error
        }
        #expect(error == .tls(.limit(1)))
    }

    @Test func cancellingKillsTheProcess() throws {
        let (before, after) = try withTLS("good") { client, port in
            let task = client.loop.spawn {
                await failure(client, "https://localhost:\(port)/stay")
            }
            while helperCount() == 0 { try await client.loop.sleep(for: .milliseconds(5)) }
            try await client.loop.sleep(for: .milliseconds(200))
            let before = helperCount()
            task.cancel()
            let error = await task.value
            return (before, error)
        }
        #expect(before == 1)
        #expect(after == .cancelled)
    }

    @Test func aResponseUntilTheEndMustNotBeCut() throws {
        let (whole, cut) = try withTLS("good") { client, port in
            (
                try await get(client, "https://localhost:\(port)/until-end"),
                await failure(client, "https://localhost:\(port)/cut")
            )
        }
        #expect(whole == "all of it")
        #expect(cut == .disconnected)
    }

    @Test func aProxyConnects() throws {
        let proxy = try TLSServer.Running(nil, authorization: "Basic dXNlcjpwYXNz")
        let port = proxy.port
        let host = try #require(URL("http://127.0.0.1/".utf8)).authority.host
        let server = try TLSServer.Running("good")
        let far = server.port
        func ask(_ authorization: String?, _ name: String) throws -> Result<String, HTTPClientError>
        {
            var options = HTTPClientOptions()
            options.tls = TLSProgram(trusted: TLSServer.authority)
            options.proxy = HTTPProxy(
                host: host, port: port, authorization: authorization.map { Array($0.utf8) })
            let chosen = options
            return try EventLoop().run { loop in
                do {
                    return .success(
                        try await get(HTTPClient(chosen, on: loop), "https://\(name):\(far)/p"))
                } catch let error as HTTPClientError {
                    return .failure(error)
                }
            }
        }
        // The proxy finds the name, which has no address here, and the certificate is for it.
        let text = try ask("Basic dXNlcjpwYXNz", "good.test").get()
        #expect(text.hasPrefix("/p good.test:"))
        #expect(try ask("basic dXNlcjpwYXNz", "localhost").get().hasPrefix("/p localhost:"))
        for (authorization, name) in [
            ("Basic dXNlcjpmYWxzZQ==", "good.test"), (nil, "good.test"),
            ("Basic dXNlcjpwYXNz", "refused.test"),
        ] {
            guard case .failure(.tls(.proxy(let reason))) = try ask(authorization, name) else {
                Issue.record("not refused: \(name)")
                continue
            }
            #expect(reason.contains("403"))
        }
        guard case .failure(let error) = try ask("Basic dXNlcjpwYXNz", "unknown.test") else {
            Issue.record("not refused")
            return
        }
        #expect(code(error) == TLSError.wrongName)
        guard case .failure(.tls(.proxyAuthorization)) = try ask("Bearer x", "good.test") else {
            Issue.record("not refused")
            return
        }
        withExtendedLifetime((proxy, server)) {}
    }

    @Test func otherServersAreReported() throws {
        let server = try TLSServer.Running(nil)
        let port = server.port
        let (plain, none, missing) = try withTLS("good") { client, _ in
            let plain = await failure(client, "https://localhost:\(port)/")
            let none = await failure(client, "https://127.0.0.1:1/")
            var options = client.options
            options.tls = TLSProgram(path: Array("/nowhere/openssl".utf8))
            let other = HTTPClient(options, on: client.loop)
            return (plain, none, await failure(other, "https://127.0.0.1:1/"))
        }
        withExtendedLifetime(server) {}
        guard case .tls(.handshake(let reason))? = plain else {
            Issue.record("\(String(describing: plain))")
            return
        }
        #expect(!reason.isEmpty)
        #expect(none == .tls(.connection(.connrefused)))
        #expect(missing == .tls(.program(path: Array("/nowhere/openssl".utf8), .noent)))
        #expect(missing.map { "\($0)".contains("install the package 'openssl'") } == true)
    }

    @Test func aSpawnerStartsTheProcesses() throws {
        let server = try TLSServer.Running("good")
        let port = server.port
        let path = Array("/usr/bin/openssl".utf8)
        let executable = probe
        let (texts, refused, running, left) = try EventLoop().run { loop in
            let spawner = try Spawner(
                executable: Array(executable.utf8),
                verb: [Array("probe".utf8), Array(SpawnerProcess.verb.utf8)], programs: [path])
            let starter = try LoopSpawner(spawner, on: loop)
            var options = HTTPClientOptions()
            options.tls = TLSProgram(trusted: TLSServer.authority, starter: starter)
            let client = HTTPClient(options, on: loop)
            var texts: [String] = []
            for path in ["a", "b"] {
                texts.append(try await get(client, "https://localhost:\(port)/\(path)"))
            }
            let running = starter.runningCount
            options.tls = TLSProgram(path: Array("/bin/true".utf8), starter: starter)
            let refused = await failure(
                HTTPClient(options, on: loop), "https://localhost:\(port)/")
            client.closeIdle()
            for _ in 0..<500 where starter.runningCount > 0 {
                try await loop.sleep(for: .milliseconds(10))
            }
            return (texts, refused, running, starter.runningCount)
        }
        withExtendedLifetime(server) {}
        #expect(texts.map { $0.prefix(2) } == ["/a", "/b"])
        #expect(refused == .tls(.program(path: Array("/bin/true".utf8), .acces)))
        #expect(running == 1)
        #expect(left == 0)
    }

    private var probe: String {
        var name = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &name, name.count - 1)
        let own = String(
            decoding: name.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/confinement-probe"
    }
}

@Suite struct TLSProgramTests {
    /// Runs a shell script in place of the TLS program.
    private func ask(
        _ script: String, timeout: Duration = .seconds(5)
    ) throws -> HTTPClientError? {
        var template = Array("/tmp/wasmd-tls-program-XXXXXX".utf8CString)
        let number = mkstemp(&template)
        try #require(number >= 0)
        let path = template.dropLast().map { UInt8(bitPattern: $0) }
        defer { unlink(template) }
        let text = Array("#!/bin/sh\n\(script)\n".utf8)
        #expect(write(number, text, text.count) == text.count)
        fchmod(number, 0o700)
        close(number)
        var options = HTTPClientOptions()
        options.connectTimeout = timeout
        options.responseTimeout = timeout
        options.tls = TLSProgram(path: path)
        let chosen = options
        return try EventLoop().run { loop in
            var error: HTTPClientError?
            for _ in 0..<5000 {
                error = await failure(HTTPClient(chosen, on: loop), "https://127.0.0.1:1/")
                // A process that is being started beside this test has a copy of the descriptor
                // that wrote the program.
                guard error == .tls(.program(path: path, .txtbsy)) else { break }
                try await loop.sleep(for: .milliseconds(2))
            }
            return error
        }
    }

    private static let established = "echo CONNECTION ESTABLISHED >&2; echo Verification: OK >&2; "

    @Test func programsThatMisbehaveEndInErrors() throws {
        #expect(try ask("exit 3") == .tls(.ended(.status(3))))
        #expect(try ask("kill -9 $$") == .tls(.ended(.signal(9))))
        #expect(try ask("exec sleep 100", timeout: .milliseconds(300)) == .timedOut(.connecting))
        #expect(try ask("exec yes flood >&2") == .tls(.flooded))
        #expect(try ask("exec tr '\\0' x </dev/zero >&2") == .tls(.flooded))
        #expect(try ask("echo something else >&2") == .tls(.handshake("something else")))
        // Without the second line the certificate was not checked.
        #expect(
            try ask("echo CONNECTION ESTABLISHED >&2; exec sleep 100", timeout: .milliseconds(300))
                == .timedOut(.connecting))
        #expect(
            try ask("echo CONNECTION ESTABLISHED >&2; echo 'Verification error: odd' >&2")
                == .tls(.certificate(code: 1, reason: "odd")))
        #expect(
            try ask("echo verify error:num=10:old >&2; " + Self.established)
                == .tls(.certificate(code: 10, reason: "old")))
    }

    @Test func programsThatMisbehaveAfterTheHandshakeEndInErrors() throws {
        #expect(try ask(Self.established + "exit 0") == .disconnected)
        #expect(try ask(Self.established + "exec yes flood >&2") == .disconnected)
        #expect(
            try ask(Self.established + "exec sleep 100", timeout: .seconds(3))
                == .timedOut(.waiting))
        guard case .response? = try ask(Self.established + "exec yes garbage") else {
            Issue.record("garbage was accepted")
            return
        }
    }

    @Test func onlyNamesOfHostsBecomeArguments() throws {
        for name in [
            "a", "localhost", "example.org", "a-b.c_d.example", "xn--bcher-kva.example", "1.a",
        ] {
            #expect(TLSTarget.isName(Array(name.utf8)), "\(name)")
        }
        let long = String(repeating: "a", count: 64)
        for name in [
            "", ".", ".a", "a.", "a..b", "-a", "a-", "-", "b.-a", "a b", "a\0b", "a\nb", "*.a",
            "a/b",
            "a:1", "1.2.3", "127.1", "0x7f.0x1", "ä.example", "@a", "$(id)", "`id`", "a;id", long,
            String(repeating: "a.", count: 127) + "a",
        ] {
            #expect(!TLSTarget.isName(Array(name.utf8)), "\(name)")
        }
        let error = try EventLoop().run { loop in
            var options = HTTPClientOptions()
            options.tls = TLSProgram()
            options.resolver = Resolver(
                configuration: ResolverConfiguration(), hosts: HostsFile(Array("127.0.0.1 a-".utf8))
            )
            return await failure(HTTPClient(options, on: loop), "https://a-/")
        }
        #expect(error == .tls(.host(Array("a-".utf8))))
    }

    @Test func argumentsHoldWhatIsChecked() throws {
        let host = try #require(URL("https://example.org/".utf8)).authority.host
        var target = TLSTarget(host: host, port: 443, address: .ipv4([192, 0, 2, 1], port: 443))
        func words() throws -> [String] {
            try target.command().arguments.map { String(decoding: $0, as: UTF8.self) }
        }
        func value(_ option: String) throws -> String? {
            let words = try words()
            return words.firstIndex(of: option).map { words[$0 + 1] }
        }
        #expect(try value("-connect") == "192.0.2.1:443")
        #expect(try value("-verify_hostname") == "example.org")
        #expect(try value("-servername") == "example.org")
        #expect(try words().contains("-verify_return_error"))
        #expect(try target.command().environment.isEmpty)
        target.address = .ipv6(
            [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [1], port: 1)
        #expect(try value("-connect") == "[2001:db8::1]:1")
        target.isProxied = true
        target.authorization = Array("Basic dTpwOnE=".utf8)
        #expect(try value("-proxy") == "[2001:db8::1]:1")
        #expect(try value("-connect") == "example.org:443")
        #expect(try value("-proxy_user") == "u")
        #expect(try target.command().environment == [Array("PROXY_PASSWORD=p:q".utf8)])
        for bad in ["Basic LXU6cA==", "Basic dQ==", "Basic AAA6cA==", "Digest dTpwOnE=", "Basic"] {
            target.authorization = Array(bad.utf8)
            #expect(throws: TLSError.proxyAuthorization) { try target.command() }
        }
    }
}
