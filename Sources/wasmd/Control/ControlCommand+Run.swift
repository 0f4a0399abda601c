import WasmSystem
import WasmdDocuments
import WasmdGuests
import WasmdHTTP

// `wasmd ctl run`: a function with numbers and texts, or a program with arguments and standard
// input.

extension ControlCommand {
    func run(_ client: ControlClient, _ console: Console) throws(Refusal) -> Int32 {
        let id = path(options.words.first)
        let words = options.words.dropFirst()
        let record = try client.json(.get, "/wasm/\(id)?wasm=false")
        let declared = record["meta_data"]?["run_function"]?.stringValue
        let exports = (record["exports"]?.arrayValue ?? []).compactMap { $0["name"]?.stringValue }
        let function = options.function ?? declared ?? (exports.contains("_start") ? "_start" : nil)
        if function == "_start" { return try runProgram(client, id, words.map(\.text), console) }
        let arguments = JSONWriter.write(.array(words.map(Self.argument)))
        let answer = try client.json(
            .post, "/wasm/\(id)" + query([("function", options.function)]), arguments,
            type: "application/json")
        print(answer, console) { answer in
            (answer["results"]?.arrayValue ?? []).map { result in
                result.stringValue.map { HarmlessText.text($0.utf8) } ?? result.text
            }
        }
        return ExitCode.success
    }

    /// A number, `true`, `null` or an array as JSON writes it; everything else is a text.
    private static func argument(_ word: Word) -> Document {
        guard let document = try? JSONReader.read(word.bytes) else { return .string(word.text) }
        return document
    }

    private func runProgram(
        _ client: ControlClient, _ id: String, _ words: [String], _ console: Console
    ) throws(Refusal) -> Int32 {
        // A terminal is not read: nobody would know that it waits.
        var input: [UInt8] = []
        if !Kernel.isTerminal(Kernel.standardInput) {
            let content = try openModule(Word("-"))
            input = content[content.range]
        }
        let pairs = [("function", options.function)] + words.map { ("arg", $0 as String?) }
        let answer = try client.checked(
            client.send(
                .post, "/wasm/\(id)" + query(pairs), input, type: "application/octet-stream"))
        let code = answer.field("wasmd-exit-code").flatMap { Int64($0) } ?? 0
        if options.printsJSON {
            let text = String(validating: answer.bytes, as: UTF8.self)
            let base64 = String(decoding: Base64.encode(answer.bytes), as: UTF8.self)
            console.output.writeLine(
                JSON.object(
                    ("output", text.map { .string($0) }),
                    ("output_base64", text == nil ? .string(base64) : nil),
                    ("exit_code", .integer(code)),
                    ("run", answer.field("wasmd-run").map { .string($0) })
                ).text)
        } else {
            try show(answer.bytes)
        }
        return Int32(truncatingIfNeeded: code & 0xff)
    }

    /// A program's output: as it is into files and pipes, made harmless for a terminal.
    private func show(_ bytes: [UInt8]) throws(Refusal) {
        guard Kernel.isTerminal(Kernel.standardOutput) else { return try write(bytes, to: "-") }
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
            .map { HarmlessText.text($0) }
        try write(Array(lines.joined(separator: "\n").utf8), to: "-")
    }
}
