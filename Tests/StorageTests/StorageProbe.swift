import Glibc
import Testing
import WasmSystem

/// The program `storage-probe`, which is built beside the tests.
enum StorageProbe {
    static let path: String = {
        // The tests are a program or a library that one loads: both are in the folder of products.
        for line in (try? contents("/proc/self/maps"))?.split(separator: "\n") ?? [] {
            guard let start = line.firstIndex(of: "/") else { continue }
            let folder = line[start...].split(separator: "/").dropLast()
            let path = "/" + folder.joined(separator: "/") + "/storage-probe"
            if access(path, X_OK) == 0 { return path }
        }
        return "storage-probe"
    }()

    static func contents(_ path: String) throws -> String {
        let file = FileDescriptor(owning: try Kernel.open(path, .readOnly))
        return String(decoding: try bytes(file.number), as: UTF8.self)
    }

    /// All that can be read from a descriptor, until its end.
    static func bytes(_ descriptor: Int32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes {
                try unsafe Kernel.read(descriptor, $0)
            }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// Starts the program; returns it with the reading end of its output.
    static func start(
        _ arguments: [String], limit: Int? = nil
    ) throws -> Running {
        let pipe = try Pipe()
        let null = FileDescriptor(owning: try Kernel.open("/dev/null", .readWrite))
        var program = ([path] + arguments).map { Array($0.utf8) }
        var file = path
        if let limit {
            // In units of 1,024 bytes.
            program =
                [
                    "bash", "-c", "ulimit -f \(limit); exec \"$0\" \"$@\"", path,
                ].map { Array($0.utf8) } + program.dropFirst()
            file = "/bin/bash"
        }
        let child = try ChildProcess(
            file, program, environment: [],
            descriptors: [(0, null.number), (1, pipe.output.number), (2, 2)])
        return Running(child, try pipe.input.duplicated())
    }

    /// A child that may be sent signals and is waited for.
    final class Running {
        let identifier: Int32
        private var child: ChildProcess?

        /// What it prints.
        private let output: FileDescriptor

        init(_ child: consuming ChildProcess, _ output: consuming FileDescriptor) {
            identifier = child.identifier
            self.output = output
            self.child = consume child
        }

        /// Waits until it has opened its store.
        func waitUntilReady() throws {
            var start = [UInt8](repeating: 0, count: 6)
            _ = try unsafe start.withUnsafeMutableBytes {
                try unsafe Kernel.read(output.number, $0)
            }
            #expect(start == Array("ready\n".utf8))
        }

        /// Waits until it has printed something that was not read, or has ended.
        func waitForOutput() throws {
            _ = try Kernel.waitUntilReady(output.number, isReading: true)
        }

        /// What it prints from now on, until its end.
        func text() throws -> String { String(decoding: try bytes(output.number), as: UTF8.self) }

        func kill() { Glibc.kill(identifier, SIGKILL) }

        func wait() throws -> ChildProcess.End? { try child.take()?.wait() }
    }
}

/// A folder of its own, removed at the end.
final class TemporaryFolder {
    let path: String

    init(in parent: String = "/tmp") throws {
        var template = Array("\(parent)/wasmd-storage-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw SystemError.ofLastCall }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    var bytes: [UInt8] { Array(path.utf8) }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in (try? Kernel.names(inFolder: path)) ?? [] {
            let child = path + "/" + String(decoding: name, as: UTF8.self)
            if unsafe unlink(child) != 0 { remove(child) }
        }
        rmdir(path)
    }
}
