import WasmDecoder

/// What a structure or an array of the generated programs looks like. All programs have the same
/// ones, behind their function types.
struct ObjectShape {
    /// What a field or element holds.
    enum Storage {
        case byte
        case short
        case value(ValueType)

        /// The type of the operand that is stored.
        var operand: ValueType {
            if case .value(let type) = self { type } else { .i32 }
        }

        fileprivate var code: UInt8 {
            switch self {
            case .byte: 0x78
            case .short: 0x77
            case .value(let type): ProgramGenerator.encoded(type)
            }
        }
    }

    let isArray: Bool
    /// Fields, or the one element; all can be changed.
    let fields: [Storage]
    /// The shape of which this one is a subtype.
    let parent: Int?

    private init(isArray: Bool = false, _ fields: [Storage], parent: Int? = nil) {
        self.isArray = isArray
        self.fields = fields
        self.parent = parent
    }

    /// Elements of every array.
    static let length = 8
    static let all = [
        ObjectShape([.value(.i32), .value(.anyref), .byte, .value(.f64)]),
        ObjectShape(
            [
                .value(.i32), .value(.anyref), .byte, .value(.f64), .value(.i64), .short,
                .value(.v128),
            ],
            parent: 0),
        ObjectShape([.value(.f32), .value(.eqref), .value(.anyref), .value(.funcref)]),
        ObjectShape(isArray: true, [.byte]),
        ObjectShape(isArray: true, [.short]),
        ObjectShape(isArray: true, [.value(.i64)]),
        ObjectShape(isArray: true, [.value(.f64)]),
        ObjectShape(isArray: true, [.value(.anyref)]),
        ObjectShape(isArray: true, [.value(.v128)]),
    ]

    /// The items of the type section; the first has the index `base`.
    static func items(_ base: Int) -> [[UInt8]] {
        all.map { shape in
            BinaryWriter.build { writer in
                // Open for subtypes.
                writer.byte(0x50)
                writer.vector(shape.parent.map { [index(base + $0)] } ?? [])
                let fields = shape.fields.map { [$0.code, 1] }
                if shape.isArray {
                    writer.byte(0x5e)
                    writer.bytes.append(contentsOf: fields[0])
                } else {
                    writer.byte(0x5f)
                    writer.vector(fields)
                }
            }
        }
    }

    private static func index(_ index: Int) -> [UInt8] {
        BinaryWriter.build { $0.unsigned(index) }
    }
}
