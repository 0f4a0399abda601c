import WasmDecoder

extension ValidationError: CustomStringConvertible {
    /// The reason: first the words of the official test suite, then details.
    public var message: String { reason.message }

    /// `offset 0x1f, function 3, i32.add: type mismatch: expected i32, found i64`
    public var description: String {
        var place = "offset 0x" + String(offset, radix: 16)
        if let function { place += ", function \(function)" }
        if let opcode { place += ", \(opcode.name)" }
        return "\(place): \(message)"
    }
}

extension ValidationError.Reason {
    var message: String {
        switch self {
        case .malformed(let error): error.message
        case .typeMismatch(let mismatch): "type mismatch: \(mismatch.detail)"
        case .unknown(let entity, let index): "unknown \(entity.rawValue) \(index)"
        case .uninitializedLocal(let index): "uninitialized local \(index)"
        case .immutableGlobal(let index): "immutable global \(index)"
        case .immutableField(let index): "immutable field \(index)"
        case .immutableArray: "immutable array"
        case .arrayTypesDoNotMatch: "array types do not match"
        case .arrayTypeIsNotNumericOrVector: "array type is not numeric or vector"
        case .alignmentTooLarge: "alignment must not be larger than natural"
        case .atomicAlignmentNotNatural: "atomic alignment must be natural"
        case .offsetOutOfRange: "offset out of range"
        case .invalidLaneIndex: "invalid lane index"
        case .invalidResultArity: "invalid result arity"
        case .undeclaredFunctionReference(let index): "undeclared function reference \(index)"
        case .constantExpressionRequired: "constant expression required"
        case .invalidRethrowLabel: "invalid rethrow label"
        case .subtypeDoesNotMatch(let sub, let `super`):
            "sub type \(sub) does not match super type \(`super`)"
        case .severalSupertypes(let index): "sub type \(index) has more than one super type"
        case .nonEmptyTagResultType: "non-empty tag result type"
        case .minimumGreaterThanMaximum: "size minimum must not be greater than maximum"
        case .memorySize(let type): "memory size must be at most \(Self.mostPages(of: type))"
        case .tableSize(let address):
            "table size must be at most \(address == .i32 ? "2^32-1" : "2^64-1") elements"
        case .sharedMemoryWithoutMaximum: "shared memory must have maximum"
        case .invalidCustomPageSize: "invalid custom page size"
        case .duplicateExport(let name): "duplicate export name \"\(name)\""
        case .startFunction: "start function must have neither parameters nor results"
        case .limitExceeded(let limit): limit.message
        case .cancelled: "validation was cancelled"
        }
    }

    private static func mostPages(of type: MemoryType) -> String {
        switch (type.addressType, type.pageSizeLog2) {
        case (.i32, 16): "65536 pages (4GiB)"
        case (.i64, 16): "2^48 pages (2^64 bytes)"
        case (.i32, _): "2^32-1 pages of one byte"
        case (.i64, _): "2^64-1 pages of one byte"
        }
    }
}

extension ValidationError.TypeMismatch {
    fileprivate var detail: String {
        switch self {
        case .operand(let expected, let found):
            "expected \(Self.text(expected)), found \(Self.text(found))"
        case .reference(let found): "expected a reference, found \(Self.text(found))"
        case .select(let first, let second):
            "operands must be equal numbers or vectors, found \(Self.text(first)) and "
                + Self.text(second)
        case .operandsRemain(1): "an operand is left at the end of the block"
        case .operandsRemain(let count): "\(count) operands are left at the end of the block"
        case .labelArity: "labels take different numbers of operands"
        case .labelTypes: "the label takes other operands"
        case .calleeResults: "the results are not those of the calling function"
        case .missingElse: "without else, parameters and results must be the same"
        case .elements: "elements do not match"
        case .tableOfFunctionsExpected: "the table must hold functions"
        case .kindOfType(let index): "type \(index) is of another kind"
        case .cast: "the type of the operand is no supertype of the type it is cast to"
        case .packing: "packed fields are read with sign, others without"
        case .noDefault: "the type has no default value"
        case .tableWithoutInitializer: "elements without default value need an initializer"
        }
    }

    private static func text(_ type: ValueType?) -> String {
        switch type {
        case nil: "nothing"
        case .bottom: "an operand"
        case .bottomReference: "a reference"
        case let type?: type.description
        }
    }
}

extension ValidationError.Limit {
    fileprivate var message: String {
        switch self {
        case .subtypingDepth(let limit): "sub type has too many super types (at most \(limit))"
        case .types(let limit): "too many types (at most \(limit) of all modules together)"
        case .operands(let limit): "too many operands (at most \(limit))"
        }
    }
}
