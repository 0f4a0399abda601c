import WasmDecoder
import WasmValidator

/// `wasmd validate`: reports for each file whether it is a valid module.
struct ValidateCommand {
    private let files: [Word]
    private let features: Features
    private let printsJSON: Bool
    private let isVerbose: Bool

    init(_ arguments: ParsedArguments) throws(UsageError) {
        files = arguments.words
        features = try arguments.features()
        printsJSON = arguments.has(.json)
        isVerbose = arguments.has(.verbose)
    }

    /// Checks all files, also after a refused one, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        var verdicts: [JSON] = []
        var refusedCount = 0
        for file in files {
            do throws(Refusal) {
                let required = try check(file)
                if printsJSON {
                    verdicts.append(
                        .object(
                            ("file", .string(file.text)), ("valid", true),
                            ("features", .strings(required.names))))
                } else if isVerbose {
                    console.output.writeLine("\(printable(file.text)): ok")
                }
            } catch {
                refusedCount += 1
                if printsJSON {
                    verdicts.append(
                        .object(
                            ("file", .string(file.text)), ("valid", false), ("error", error.json)))
                } else {
                    // Keeps the lines in the order of the files.
                    console.output.flush()
                    console.complain(error.text)
                    console.error.flush()
                }
            }
        }
        if printsJSON { console.output.writeLine(JSON.array(verdicts).text) }
        return refusedCount == 0 ? ExitCode.success : ExitCode.refused
    }

    /// Returns the features that a valid module needs.
    private func check(_ path: Word) throws(Refusal) -> Features {
        let file = try ModuleFile(path)
        let module: ParsedModule
        do throws(DecodingError) {
            module = try decode(file.bytes, features: features)
        } catch {
            throw file.refusal(error)
        }
        do throws(ValidationError) {
            return try WasmValidator.validate(module, types: TypeRegistry()).requiredFeatures
        } catch {
            throw file.refusal(error)
        }
    }
}

extension Refusal {
    /// The error as JSON: position and reason.
    var json: JSON {
        .object(
            ("offset", offset.map(JSON.count)), ("line", line.map(JSON.count)),
            ("column", column.map(JSON.count)), ("reason", .string(reason)),
            ("hint", hint.map { .string($0) }))
    }
}
