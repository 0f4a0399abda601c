import Glibc
import Testing
import WasmInstructionSet

/// The committed handlers are what the table of instructions says.
@Suite struct GeneratedFilesTests {
    private func read(_ path: String) -> String? {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
            .joined(separator: "/")
        guard let file = fopen("\(root)/\(path)", "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: generatedFiles().map(\.path))
    func isCurrent(_ path: String) throws {
        let wanted = try #require(generatedFiles().first { $0.path == path })
        let isCurrent = read(path) == wanted.text
        #expect(isCurrent, "run: swift run generate-instructions")
    }

    @Test func lastAxisIsTheDestination() {
        // The translator takes the next number for the variant that only sets the accumulator.
        for family in instructionSet {
            let position = family.axes.firstIndex {
                $0.choices.map(\.label) == ["slot", "register"]
            }
            #expect(position == nil || position == family.axes.count - 1, "\(family.name)")
        }
    }

    @Test func axesThatShareAnEnumerationHaveItsCases() {
        var cases: [String: [String]] = [:]
        for family in instructionSet {
            for axis in family.axes {
                let product = axis.enumerations.reduce(1) { $0 * $1.cases.count }
                #expect(product == axis.count, "\(family.name)")
                for enumeration in axis.enumerations {
                    let known = cases[enumeration.name] ?? enumeration.cases
                    #expect(known == enumeration.cases, "\(family.name): \(enumeration.name)")
                    #expect(Set(known).count == known.count && known.count <= 256)
                    cases[enumeration.name] = known
                }
            }
        }
        #expect(cases.count > 60)
    }
}
