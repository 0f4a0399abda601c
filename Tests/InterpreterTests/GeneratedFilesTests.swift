import Glibc
import Testing
import WasmInstructionSet

/// The committed handlers are what the table of instructions says.
@Suite struct GeneratedFilesTests {
    private func read(_ name: String) -> String? {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
            .joined(separator: "/")
        guard let file = fopen("\(root)/Sources/Interpreter/Machine/Generated/\(name)", "r") else {
            return nil
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: generatedFiles().map(\.name))
    func isCurrent(_ name: String) throws {
        let wanted = try #require(generatedFiles().first { $0.name == name })
        let isCurrent = read(name) == wanted.text
        #expect(isCurrent, "run: swift run generate-instructions")
    }

    @Test func lastAxisIsTheDestination() {
        // The translator takes the next number for the variant that only sets the accumulator.
        for family in instructionSet {
            let position = family.axes.firstIndex { $0.map(\.label) == ["slot", "register"] }
            #expect(position == nil || position == family.axes.count - 1, "\(family.name)")
        }
    }
}
