import Glibc
import Testing
import WasmInterpreter

/// Modules that once failed, see `Tests/Corpus/README.md`.
@Suite struct CorpusTests {
    private static let folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        .joined(separator: "/") + "/Corpus"

    private static var files: [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".wasm") { names.append(name) }
        }
        return names.sorted()
    }

    /// Whatever it is, it ends in an error, a trap or a result.
    @Test(arguments: files) func ends(_ name: String) throws {
        let engine = Engine()
        let store = Store(engine: engine)
        store.fuel = 100_000
        guard let module = try? Module(path: "\(Self.folder)/\(name)", engine: engine),
            let instance = try? Linker().instantiate(module, in: store)
        else { return }
        for export in module.exports where export.kind == .function {
            guard let function = instance.function(export.name) else { continue }
            let arguments = function.type.parameters.map { type -> Value in
                switch type {
                case .i64: .i64(1)
                case .f32: .f32(1)
                case .f64: .f64(1)
                default: .i32(1)
                }
            }
            _ = try? function.call(arguments)
        }
    }

    @Test func mergedCopies() throws {
        let engine = Engine()
        let store = Store(engine: engine)
        let module = try Module(path: "\(Self.folder)/merged-copies.wasm", engine: engine)
        let instance = try Linker().instantiate(module, in: store)
        let function = try #require(instance.function("f0"))
        #expect(try function.call([.i32(5), .i32(9)]) == [.i32(5), .i32(9), .i32(0)])
    }
}
