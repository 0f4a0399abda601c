import Glibc
import Testing

@testable import WasmSystem

/// The program `confinement-probe`, which is built beside the tests.
enum Probe {
    static let path: String = {
        var name = [CChar](repeating: 0, count: 4096)
        // The tests are a program or a library that one loads: both are in the folder of products.
        for line in (try? Self.read("/proc/self/maps"))?.split(separator: "\n") ?? [] {
            guard let start = line.firstIndex(of: "/") else { continue }
            let folder = line[start...].prefix { $0 != "\n" }.split(separator: "/").dropLast()
            let path = "/" + folder.joined(separator: "/") + "/confinement-probe"
            if access(path, X_OK) == 0 { return path }
        }
        let count = readlink("/proc/self/exe", &name, name.count - 1)
        let own = String(
            decoding: name.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/confinement-probe"
    }()

    static func read(_ path: String) throws -> String {
        let file = FileDescriptor(owning: try Kernel.open(path, .readOnly))
        return try contents(file.number)
    }

    /// All that can be read from a descriptor, until its end.
    static func contents(_ descriptor: Int32) throws -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try Kernel.read(descriptor, $0) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// What the program prints, by the words before its colons.
    static func run(_ arguments: [String]) throws -> [String: String] {
        let pipe = try Pipe()
        let null = FileDescriptor(owning: try Kernel.open("/dev/null", .readWrite))
        let child = try ChildProcess(
            path, ([path] + arguments).map { Array($0.utf8) }, environment: [],
            descriptors: [(0, null.number), (1, pipe.output.number), (2, 2)])
        try pipe.output.close()
        let text = try contents(pipe.input.number)
        #expect(try child.wait() == .status(0))
        var results: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            results[String(line[..<colon])] = String(line[colon...].dropFirst(2))
        }
        return results
    }
}
