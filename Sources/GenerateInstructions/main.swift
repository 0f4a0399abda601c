// Writes the machine's handlers and instruction numbers from the table in `Sources/InstructionSet`.
//
//     swift run generate-instructions            writes the files
//     swift run generate-instructions --check    exit status 1 if a file is not current

import Glibc
import WasmInstructionSet

let handlers = "Sources/Interpreter/Machine/Generated"
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
let leftovers = (0..<100).map { "\(handlers)/Handlers\($0).swift" }.filter { path in
    !files.contains { $0.path == path } && access(path, F_OK) == 0
}

if CommandLine.arguments.contains("--check") {
    let stale = files.filter { read($0.path) != $0.text }.map(\.path) + leftovers
    for path in stale { print("\(path) is not current: run swift run generate-instructions") }
    exit(stale.isEmpty ? 0 : 1)
}
for path in leftovers { unlink(path) }
// Files that are current keep their time, so that a build does not compile them again.
for file in files where read(file.path) != file.text {
    guard let output = fopen(file.path, "w") else {
        print("cannot write \(file.path): run this from the package's folder")
        exit(1)
    }
    fputs(file.text, output)
    fclose(output)
}
print("\(instructionSet.reduce(0) { $0 + $1.count }) instructions in \(files.count) files")
