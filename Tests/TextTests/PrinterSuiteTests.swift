import Glibc
import Testing
import WasmDecoder

@testable import WasmText

/// Every module of the official scripts is printed and parsed again.
@Suite struct PrinterSuiteTests {
    /// The folder with the official scripts, if they are there.
    static let folder: String? = {
        if let path = getenv("WASMD_SPEC_TESTSUITE").map({ String(cString: $0) }) { return path }
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let path = parts.dropLast(4).joined(separator: "/") + "/shared/spec-testsuite"
        return access(path, R_OK) == 0 ? path : nil
    }()

    /// The scripts in a folder and in those inside of it.
    static func scripts(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var result: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let path = folder + "/" + name
            if name.hasSuffix(".wast") {
                result.append(path)
            } else if Int32(entry.pointee.d_type) == Int32(DT_DIR) {
                result += scripts(in: path)
            }
        }
        return result.sorted()
    }

    @Test(
        .enabled(
            if: folder != nil,
            "the official scripts are not there; WASMD_SPEC_TESTSUITE says where they are"))
    func everyModuleComesBack() throws {
        let scripts = Self.scripts(in: Self.folder ?? "")
        var count = 0
        for script in scripts where !script.contains("/custom-descriptors/") {
            let bytes = try ModuleBytes(path: script)
            var reader = try ScriptReader(bytes[bytes.range])
            count += try check(&reader, script)
        }
        print("\(count) modules of \(scripts.count) official scripts were printed and parsed again")
        #expect(count > 5000)
    }

    private func check(_ reader: inout ScriptReader, _ script: String) throws -> Int {
        var count = 0
        while let command = try reader.nextCommand() {
            switch command.kind {
            case .module(let module), .assertInvalid(let module, _),
                .assertUnlinkable(.module(let module), _),
                .assertUninstantiable(.module(let module), _):
                try check(module, "\(script):\(command.line)")
                count += 1
            case .thread(let thread):
                var inner = thread.reader()
                count += try check(&inner, script)
            default: break
            }
        }
        return count
    }

    private func check(_ module: ScriptModule, _ place: String) throws {
        var binary = try module.encode()
        if case .binary = module.form {
            // Written by hand: its encoding need not be the usual one.
            try expectSameBytes(binary, place)
            binary = assemble(try TextPrinter().string(binary))
        }
        try expectSameBytes(binary, place)
        // With other names everything else stays.
        for names in [TextPrinter.Names.none, .generated] {
            let text = try TextPrinter(folded: true, names: names).string(binary)
            #expect(try stripped(assemble(text)) == stripped(binary), "\(place)")
        }
    }
}
