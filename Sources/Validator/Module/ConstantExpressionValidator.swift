import WasmDecoder

/// Constant expressions: initializers, offsets and elements of segments.
///
/// Specification: 3.4.12 (constant expressions).
extension FunctionValidator {
    /// Validates an expression whose result has type `type` (in canonical form), and which may use
    /// the first `globals` globals. Functions that it refers to become declared.
    mutating func validate(
        _ expression: ConstantExpression, type: ValueType, globals: Int
    ) throws(ValidationError) {
        _ = try validateConstant(expression.range, type: type, globals: globals)
    }

    /// Validates `count` expressions of one type, one after another.
    mutating func validate(
        _ count: Int, expressionsIn range: ByteRange, type: ValueType, globals: Int
    ) throws(ValidationError) {
        var range = range
        for index in 0..<count {
            if index & 1023 == 1023 { try checkCancellation() }
            range.start = try validateConstant(range, type: type, globals: globals)
        }
    }

    /// Validates the expression at the start of `range`; returns where it ends.
    private mutating func validateConstant(
        _ range: ByteRange, type: ValueType, globals: Int
    ) throws(ValidationError) -> Int {
        do throws(Stop) {
            constantGlobals = UInt32(truncatingIfNeeded: globals)
            begin(range, signature: Frame.single, single: type)
            try constantInstructions()
            return reader.offset
        } catch {
            throw failure(in: nil)
        }
    }

    /// Notes that functions are in an element segment.
    mutating func declare(_ count: Int, functionsIn range: ByteRange) throws(ValidationError) {
        do throws(Stop) {
            begin(range, signature: Frame.empty, single: .bottom)
            for _ in 0..<count {
                let index = try unsigned32()
                guard module.functions.contains(index) else {
                    throw fail(.unknown(.function, index))
                }
                module.declared[Int(index)] = 1
            }
        } catch {
            throw failure(in: nil)
        }
    }
}

extension Opcode {
    /// Whether a constant expression may contain the instruction.
    var isConstant: Bool {
        switch self {
        case .end, .i32Const, .i64Const, .f32Const, .f64Const, .v128Const,
            .globalGet, .refNull, .refFunc,
            // Extended constants
            .i32Add, .i32Sub, .i32Mul, .i64Add, .i64Sub, .i64Mul,
            // Garbage collection
            .structNew, .structNewDefault, .arrayNew, .arrayNewDefault, .arrayNewFixed, .refI31,
            .anyConvertExtern, .externConvertAny:
            true
        default: false
        }
    }

    /// The instruction was added to constant expressions by a proposal of its own.
    var isExtendedConstant: Bool {
        switch self {
        case .i32Add, .i32Sub, .i32Mul, .i64Add, .i64Sub, .i64Mul: true
        default: false
        }
    }
}
