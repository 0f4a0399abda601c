import WasmDecoder
import WasmInterpreter
import WasmText
import WasmValidator

/// Cases that start from text.
enum TextCases {
    /// Parses a module; decodes, validates and prints what comes out.
    static func parse(_ text: [UInt8], _ random: inout RandomNumbers) -> Tally {
        do throws(TextError) {
            return Tally(follow(try parseModule(text), &random))
        } catch {
            _ = error.rendered(in: text, path: "text")
            _ = error.explanation(in: text)
            return Tally(.refusedByParsing)
        }
    }

    /// Reads all commands of a script and parses its modules.
    static func read(_ text: [UInt8], _ random: inout RandomNumbers) -> Tally {
        var outcome = Outcome.accepted
        do throws(TextError) {
            var reader = try ScriptReader(text)
            while true {
                do throws(TextError) {
                    guard let command = try reader.nextCommand() else { break }
                    outcome = try look(at: command, outcome, &random)
                } catch {
                    _ = error.rendered(in: text, path: "script")
                    outcome = .refusedByParsing
                }
            }
        } catch {
            _ = error.message
            outcome = .refusedByParsing
        }
        return Tally(outcome)
    }

    private static func look(
        at command: ScriptCommand, _ outcome: Outcome, _ random: inout RandomNumbers
    ) throws(TextError) -> Outcome {
        switch command.kind {
        case .module(let module), .assertInvalid(let module, _), .assertMalformed(let module, _),
            .assertInvalidCustom(let module, _), .assertMalformedCustom(let module, _):
            let bytes = try module.encode()
            if random.oneIn(8) {
                _ = module.placeOfInstruction(
                    function: UInt32(random.below(4)), offset: random.below(40))
            }
            guard outcome == .accepted else { return outcome }
            return follow(bytes, &random)
        case .thread(let thread):
            var inner = thread.reader()
            while let command = try inner.nextCommand() { _ = command.line }
            return outcome
        default: return outcome
        }
    }

    private static func follow(_ bytes: [UInt8], _ random: inout RandomNumbers) -> Outcome {
        do {
            let module = try decode(ModuleBytes(bytes), features: [.all, .legacyExceptions])
            if random.oneIn(4) { _ = try TextPrinter().print(module) }
            _ = try validate(module, types: TypeRegistry(), threads: 1)
            return .accepted
        } catch {
            _ = "\(error)"
            return error is ValidationError ? .refusedByValidation : .refusedByDecoding
        }
    }
}
