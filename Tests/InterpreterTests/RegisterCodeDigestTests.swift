import Glibc
import Synchronization
import Testing
import WasmMachine
import WasmText

@testable import WasmInterpreter

/// The register code of every module in the repository, as one number for each file.
///
/// A change that is not meant to change register code must leave `Tests/RegisterCode/digests.txt`
/// as it is. For one that is, set `WASMD_WRITE_DIGESTS=1` and commit the new file: the difference
/// names the files whose code changed.
@Suite struct RegisterCodeDigestTests {
    private static let root =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    private static let folders = ["Examples", "Tests/Corpus", "Tests/Guests", "spec-tests"]

    @Test func registerCodeIsUnchanged() throws {
        let folders = getenv("WASMD_DIGEST_FOLDER").map { [String(cString: $0)] }
        let lines = try (folders ?? Self.folders.map { "\(Self.root)/\($0)" })
            .flatMap { Self.files(in: $0) }
            .compactMap { path in try Self.line(for: path) }
        let output = getenv("WASMD_DIGEST_OUTPUT").map { String(cString: $0) }
        let path = output ?? "\(Self.root)/Tests/RegisterCode/digests.txt"
        if getenv("WASMD_WRITE_DIGESTS") != nil {
            let file = try #require(fopen(path, "w"))
            fputs(lines.map { $0 + "\n" }.joined(), file)
            fclose(file)
        }
        let bytes = try #require(Self.bytes(of: path))
        let expected = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(
            String.init)
        #expect(!lines.isEmpty)
        #expect(lines == expected)
    }

    /// `name modules functions words digest`; nil for a file without functions.
    private static func line(for path: String) throws -> String? {
        guard let bytes = bytes(of: path) else { return nil }
        var digest = CodeDigest()
        for module in path.hasSuffix(".wast") ? try modules(of: bytes) : [bytes] {
            for canonical in [false, true] { digest.add(module, canonicalizesNaNs: canonical) }
        }
        guard digest.functions > 0 else { return nil }
        let name = path.hasPrefix(root + "/") ? String(path.dropFirst(root.count + 1)) : path
        return "\(name) \(digest.modules) \(digest.functions) \(digest.words) "
            + String(digest.value, radix: 16)
    }

    /// The modules of a script that can be encoded.
    private static func modules(of script: [UInt8]) throws -> [[UInt8]] {
        var modules: [[UInt8]] = []
        guard var reader = try? ScriptReader(script) else { return [] }
        while let command = try? reader.nextCommand() {
            guard case .module(let module) = command.kind, let bytes = try? module.encode() else {
                continue
            }
            modules.append(bytes)
        }
        return modules
    }

    private static func bytes(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// Modules and scripts in a folder and those below it, by name.
    private static func files(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var paths: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") { continue }
            if name.hasSuffix(".wasm") || name.hasSuffix(".wast") {
                paths.append("\(folder)/\(name)")
            } else if !name.contains(".") {
                paths += files(in: "\(folder)/\(name)")
            }
        }
        return paths.sorted()
    }
}

/// A number for the register code of modules. Addresses of handlers count as the numbers of their
/// instructions, those of functions as their indices.
private struct CodeDigest {
    var modules = 0
    var functions = 0
    var words = 0
    var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: [UInt8], canonicalizesNaNs: Bool) {
        var configuration = Engine.Configuration()
        configuration.features = .all
        configuration.canonicalizesNaNs = canonicalizesNaNs
        guard let module = try? Module(bytes, engine: Engine(configuration)) else { return }
        modules += 1
        let first = UInt64(UInt(bitPattern: module.code.entries))
        let entrySize = UInt64(MemoryLayout<Atomic<UInt>>.stride)
        let entries = first..<(first + entrySize * UInt64(max(module.parsed.bodies.count, 1)))
        for index in module.parsed.bodies.indices {
            guard let code = try? module.code.annotated(index).code else {
                add(0xdead)
                continue
            }
            functions += 1
            words += code.words.count
            add(UInt64(code.entry))
            add(UInt64(code.slotCount))
            for word in code.words {
                if let number = Self.numbers[word] {
                    add(UInt64(1) << 60 | UInt64(number))
                } else if entries.contains(word) {
                    let index: UInt64 = (word - first) / entrySize
                    add(UInt64(1) << 61 | index)
                } else {
                    add(word)
                }
            }
        }
    }

    private mutating func add(_ word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01b3
        value ^= value &>> 29
    }

    private static let numbers: [CodeWord: Int] = {
        var numbers: [CodeWord: Int] = [:]
        for number in 0..<Instruction.count { numbers[Machine.handlers[number]] = number }
        return numbers
    }()
}
