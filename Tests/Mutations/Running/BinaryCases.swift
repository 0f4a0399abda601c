import WasmDecoder
import WasmInterpreter
import WasmText
import WasmValidator

/// Cases that start from the bytes of a module and run nothing.
enum BinaryCases {
    /// Decodes a module and all that is decoded only when somebody asks for it.
    static func decode(_ bytes: [UInt8], _ random: inout RandomNumbers) -> Tally {
        var limits = DecodingLimits.default
        if random.oneIn(4) {
            limits.functions = random.below(20)
            limits.types = random.below(20)
            limits.bodySize = random.below(2000)
            limits.nameSize = random.below(20)
        }
        do throws(DecodingError) {
            let module = try WasmDecoder.decode(
                ModuleBytes(bytes), features: features(&random), limits: limits)
            _ = module.names()?.functions.all
            _ = module.branchHints()
            _ = module.producers()
            return Tally(.accepted)
        } catch {
            _ = "\(error)"
            return Tally(.refusedByDecoding)
        }
    }

    static func features(_ random: inout RandomNumbers) -> Features {
        switch random.below(8) {
        case 0: .default
        case 1: Features(rawValue: UInt32(truncatingIfNeeded: random.next()))
        default: [.all, .legacyExceptions]
        }
    }

    /// Validates a module and translates all of it.
    static func translate(_ bytes: [UInt8], _ random: inout RandomNumbers) -> Tally {
        var configuration = Engine.Configuration()
        configuration.features = features(&random)
        configuration.validationThreads = random.oneIn(64) ? 2 : 1
        configuration.eagerTranslation = true
        do throws(ModuleError) {
            let module = try Module(bytes, engine: Engine(configuration))
            let count = module.parsed.functions.count
            if count > 0, random.oneIn(8) {
                _ = module.registerCode(of: FunctionIndex(clamping: random.below(count)))
            }
            return Tally(.accepted)
        } catch {
            return Tally(CaseRunner.refusal(error))
        }
    }

    /// Prints a module, parses the text, and prints that: from then on nothing may change.
    static func print(_ bytes: [UInt8], _ random: inout RandomNumbers) -> Tally {
        var printer = TextPrinter()
        printer.isFolded = random.oneIn(2)
        printer.showsOffsets = random.oneIn(4)
        printer.names = random.element(of: [.none, .section, .generated]) ?? .section
        let first: [UInt8]
        do {
            let module = try WasmDecoder.decode(
                ModuleBytes(bytes), features: [.all, .legacyExceptions])
            first = try printer.print(module)
        } catch {
            _ = "\(error)"
            return Tally(.refusedByDecoding)
        }
        // What the text format cannot say, like a branch out of a function, may be refused.
        guard let parsed = try? parseModule(first) else { return Tally(.refusedByParsing) }
        guard
            let module = try? WasmDecoder.decode(
                ModuleBytes(parsed), features: [.all, .legacyExceptions]),
            let second = try? printer.print(module),
            let again = try? parseModule(second)
        else { return Tally(.disagreed) }
        // Without names, a malformed name section is kept as the custom section that it is. Made
        // names replace the first name section only; a second one becomes the first.
        let isExcused =
            switch printer.names {
            case .none: true
            case .generated: module.customSections.count { $0.name == "name" } > 1
            case .section: false
            }
        return Tally(parsed == again || isExcused ? .accepted : .disagreed)
    }
}
