// Writes the machine's handlers and instruction numbers from the table in `Sources/InstructionSet`.
//
//     swift run generate-instructions            writes the files
//     swift run generate-instructions --check    exit status 1 if a file is not current

import Glibc
import WasmInstructionSet

let folder = "Sources/Interpreter/Machine/Generated"
let files = generatedFiles()

func read(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
        bytes.append(contentsOf: buffer[..<count])
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// Handler files of an earlier, larger table.
let leftovers = (0..<100).map { "Handlers\($0).swift" }.filter { name in
    !files.contains { $0.name == name } && access("\(folder)/\(name)", F_OK) == 0
}

if CommandLine.arguments.contains("--check") {
    let stale = files.filter { read("\(folder)/\($0.name)") != $0.text }.map(\.name) + leftovers
    for name in stale {
        print("\(folder)/\(name) is not current: run swift run generate-instructions")
    }
    exit(stale.isEmpty ? 0 : 1)
}
for name in leftovers { unlink("\(folder)/\(name)") }
for file in files {
    guard let output = fopen("\(folder)/\(file.name)", "w") else {
        print("cannot write \(folder)/\(file.name): run this from the package's folder")
        exit(1)
    }
    fputs(file.text, output)
    fclose(output)
}
print("\(instructionSet.reduce(0) { $0 + $1.count }) instructions in \(files.count) files")
