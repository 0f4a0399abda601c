// Writes the machine's handlers and instruction numbers from the table in `Sources/InstructionSet`.
//
//     swift run generate-instructions            writes the files
//     swift run generate-instructions --check    exit status 1 if a file is not current

import WasmInstructionSet
import WasmSystem

let handlers = "Sources/Machine/Generated"
let files = generatedFiles()

func read(_ path: String) -> String? {
    guard let number = try? Kernel.open(path, .readOnly) else { return nil }
    let file = FileDescriptor(owning: number)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        guard let count = try? buffer.withUnsafeMutableBytes({ try Kernel.read(file.number, $0) })
        else { return nil }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes.append(contentsOf: buffer[..<count])
    }
}

func write(_ text: String, to path: String) throws {
    let file = FileDescriptor(
        owning: try Kernel.open(path, [.writeOnly, .create, .truncate]))
    try Array(text.utf8).withUnsafeBytes { try Kernel.writeAll(file.number, $0) }
    try file.close()
}

/// Handler files of an earlier, larger table.
let leftovers = (0..<100).map { "\(handlers)/Handlers\($0).swift" }.filter { path in
    !files.contains { $0.path == path } && Kernel.isAccessible(path, for: .exist)
}

if CommandLine.arguments.contains("--check") {
    let stale = files.filter { read($0.path) != $0.text }.map(\.path) + leftovers
    for path in stale { print("\(path) is not current: run swift run generate-instructions") }
    CurrentProcess.exit(stale.isEmpty ? 0 : 1)
}
for path in leftovers { try? Kernel.unlink(path) }
// Files that are current keep their time, so that a build does not compile them again.
for file in files where read(file.path) != file.text {
    do {
        try write(file.text, to: file.path)
    } catch {
        print("cannot write \(file.path), run this from the package's folder: \(error)")
        CurrentProcess.exit(1)
    }
}
print("\(instructionSet.reduce(0) { $0 + $1.count }) instructions in \(files.count) files")
