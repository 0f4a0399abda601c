import WasmDecoder

/// Validates function bodies and constant expressions, one after another, in one pass over their
/// bytes. Its stacks keep their memory: in the middle of a module nothing is allocated.
///
/// Instructions are in extensions: control, calls, exceptions, variables, memory, references,
/// structures and arrays.
///
/// Specification: 3.4 (instructions), appendix A.3 (validation algorithm).
struct FunctionValidator: ~Copyable {
    let module: ModuleTables.View
    let registry: TypeRegistry
    let rules: InstructionRule.Table
    private let parsed: ParsedModule

    var reader: BinaryReader
    var operands: OperandStack
    /// The open blocks; the first is the function or expression itself.
    var frames: RawStack<Frame>
    var locals: Locals
    /// The features that the code so far needs.
    var required: UInt32 = 0
    /// In a constant expression only so many globals can be used; nil in functions.
    var constantGlobals: UInt32?

    private let cancellation: Cancellation?
    /// Where instructions pause to look whether validation is to end; 0 at the end of the function.
    /// Lists of a thousand types bring it nearer.
    var checkpoint = 0
    /// What long lists of operands were found to match.
    var knownMatches = ListMatches()

    /// Where the current instruction starts.
    private var start = 0
    var startOffset: Int { start }
    /// Why a `Stop` is on its way.
    private var problem: ValidationError.Reason?

    /// The most operands that lists of types (results of calls, parameters of blocks) may put
    /// on the stack. Single results are bounded by the size of the body.
    static let maximumOperands = 1_000_000

    init(
        _ parsed: ParsedModule, _ tables: ModuleTables, _ registry: TypeRegistry,
        _ cancellation: Cancellation? = nil
    ) {
        self.cancellation = cancellation
        self.parsed = parsed
        module = tables.view
        self.registry = registry
        rules = InstructionRule.Table()
        reader = parsed.reader(of: ByteRange(start: 0, end: 0))
        operands = OperandStack(capacity: 256)
        frames = RawStack(capacity: 64)
        locals = Locals()
    }

    /// Validates the body of the function with this index.
    mutating func validate(
        _ body: ByteRange, of function: FunctionIndex
    ) throws(ValidationError) {
        do {
            constantGlobals = nil
            let type = module.functions[Int(function)]
            begin(body, signature: type, single: .bottom)
            locals.begin(parameters: module.parameters(type))
            try readLocals(bodySize: body.count)
            try instructions()
        } catch {
            throw failure(in: function)
        }
    }

    /// Prepares to read `range`, the instructions of a function or constant expression.
    mutating func begin(_ range: ByteRange, signature: UInt32, single: ValueType) {
        reader = parsed.reader(of: range)
        start = range.start
        operands.removeAll()
        frames.removeAll()
        frames.push(
            Frame(
                single: single, signature: signature, height: 0, initializedCount: 0,
                kind: .function))
    }

    private mutating func readLocals(bodySize: Int) throws(Stop) {
        var groups: Int
        do { groups = try reader.localGroupCount() } catch { throw malformed(error) }
        var total: UInt32 = 0
        while groups > 0 {
            start = reader.offset
            let count: UInt32, type: ValueType
            do {
                (count, type) = try reader.localGroup(total: &total)
            } catch {
                throw malformed(error)
            }
            locals.append(try canonical(type), count: count, bodySize: bodySize)
            groups -= 1
        }
    }

    private static let bytesBetweenChecks = 64 << 10

    private mutating func instructions() throws(Stop) {
        repeat {
            checkpoint = reader.offset + Self.bytesBetweenChecks
            repeat {
                start = reader.offset
                let opcode: Opcode
                do { opcode = try reader.opcode() } catch { throw malformed(error) }
                try instruction(opcode)
            } while start < checkpoint
            if !frames.isEmpty, let cancellation, cancellation.isCancelled {
                throw fail(.cancelled)
            }
        } while !frames.isEmpty
        if !reader.isAtEnd {
            throw malformed(DecodingError(.endExpected, at: reader.offset))
        }
    }

    /// Operands that a constant expression may have at one time: whoever computes it keeps them.
    private static let constantOperands = 100_000

    /// Instructions of a constant expression.
    mutating func constantInstructions() throws(Stop) {
        checkpoint = reader.offset + Self.bytesBetweenChecks
        repeat {
            start = reader.offset
            if start >= checkpoint {
                checkpoint = start + Self.bytesBetweenChecks
                if let cancellation, cancellation.isCancelled { throw fail(.cancelled) }
            }
            let opcode: Opcode
            do { opcode = try reader.opcode() } catch { throw malformed(error) }
            guard opcode.isConstant else { throw fail(.constantExpressionRequired) }
            if opcode.isExtendedConstant { required |= Features.extendedConstants.rawValue }
            try instruction(opcode)
            guard operands.height <= Self.constantOperands else {
                throw fail(.limitExceeded(.operands(Self.constantOperands)))
            }
        } while !frames.isEmpty
    }

    /// Between functions and constant expressions.
    func checkCancellation() throws(ValidationError) {
        if let cancellation, cancellation.isCancelled {
            throw ValidationError(.cancelled, at: start)
        }
    }

    // MARK: Errors

    /// Notes why validation stops.
    @inline(never)
    mutating func fail(_ reason: ValidationError.Reason) -> Stop {
        problem = reason
        return Stop()
    }

    @inline(never)
    mutating func mismatch(_ mismatch: ValidationError.TypeMismatch) -> Stop {
        fail(.typeMismatch(mismatch))
    }

    @inline(never)
    mutating func malformed(_ error: DecodingError) -> Stop { fail(.malformed(error)) }

    /// Something that is only allowed where an `if` or `try` is open, or the end of the body, is
    /// elsewhere.
    @inline(never)
    mutating func misplaced() -> Stop { malformed(DecodingError(.endExpected, at: start)) }

    /// The error of a `Stop`.
    mutating func failure(in function: FunctionIndex?) -> ValidationError {
        let reason = problem ?? .constantExpressionRequired
        problem = nil
        if case .malformed(let error) = reason {
            return ValidationError(reason, at: error.offset, function: function)
        }
        reader.offset = start
        let opcode = try? reader.opcode()
        return ValidationError(
            displayed(reason), at: start, function: function, opcode: opcode)
    }

    /// Types in canonical form mean nothing to the author of a module.
    private func displayed(_ reason: ValidationError.Reason) -> ValidationError.Reason {
        switch reason {
        case .typeMismatch(.operand(let expected, let found)):
            .mismatch(.operand(expected: displayed(expected), found: found.map { displayed($0) }))
        case .typeMismatch(.reference(let found)):
            .mismatch(.reference(found: found.map { displayed($0) }))
        case .typeMismatch(.select(let first, let second)):
            .mismatch(.select(displayed(first), displayed(second)))
        default: reason
        }
    }

    private func displayed(_ type: ValueType) -> ValueType {
        type.mapIndex { id in
            let index = (0..<module.types.count).first { module.types[$0].id == id }
            return index.map { TypeIndex(truncatingIfNeeded: $0) } ?? id
        }
    }
}

/// Validation has stopped; `FunctionValidator` knows why. Empty, so that throwing costs nothing.
struct Stop: Error {}
