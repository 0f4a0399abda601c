/// One value of an axis: for example the operator `i32.add`, or the operand form `SI`.
///
/// All other facts of the row are here too, so that translator, disassembler and scripts need no
/// lists of their own: see the modifiers below.
public struct Choice: Sendable {
    /// Its name in handlers and in the disassembler. For operators the specification's name.
    public let label: String
    /// The type arguments that the family's template takes for this choice.
    public let arguments: String
    /// The operands that this choice reads or writes, for the disassembler; see `Family`.
    public let fields: String
    /// Code words that the choice needs beyond the family's.
    public let extraWords: Int
    /// The case of the enumeration that the axis becomes.
    public private(set) var name: String
    /// Other instructions of WebAssembly that this one executes, besides that of the label.
    public private(set) var otherInstructions: [String] = []
    /// The logarithm of the bytes that are read or written.
    public private(set) var scale: Int?
    /// The operator that gives the same result for swapped operands.
    public private(set) var swapped: String?
    /// The operator with the opposite result.
    public private(set) var negated: String?
    /// Operands may be swapped.
    public private(set) var isCommutative = false
    /// The case of `Emitted.Kind` under which the translator looks for fusions.
    public private(set) var fusion: String?
    /// The two operators that a fused one combines.
    public private(set) var parts: [String] = []
    /// The first part's result is the second operand of the second part, and order matters.
    public private(set) var isReversed = false
    /// The addition of results of this product.
    public private(set) var addition: String?

    public init(_ label: String, _ arguments: String, fields: String = "", extraWords: Int = 0) {
        self.label = label
        self.arguments = arguments
        self.fields = fields
        self.extraWords = extraWords
        name = Self.name(label)
    }

    /// Lower camel case, as opcodes are named: `i32.load16_u` is `i32Load16U`; operand forms are
    /// spelt out: `SI` is `slotImmediate`.
    public static func name(_ label: String) -> String {
        let letters: [Character: String] = [
            "S": "Slot", "R": "Register", "I": "Immediate", "W": "Wide", "K": "Constant",
        ]
        var words = label.split { !$0.isLetter && !$0.isNumber }.map(String.init)
        if let form = words.first, words.count == 1,
            form.allSatisfy({ letters[$0] != nil || $0.isNumber })
        {
            words = form.map { letters[$0] ?? String($0) }
        }
        let capitals = words.map { "\($0.prefix(1).uppercased())\($0.dropFirst())" }.joined()
        return "\(capitals.prefix(1).lowercased())\(capitals.dropFirst())"
    }

    private func with(_ change: (inout Choice) -> Void) -> Choice {
        var copy = self
        change(&copy)
        return copy
    }

    public func named(_ name: String) -> Choice { with { $0.name = name } }
    /// Also executes these instructions of WebAssembly.
    public func executing(_ instructions: String...) -> Choice {
        with { $0.otherInstructions += instructions }
    }
    public func scaled(_ scale: Int) -> Choice { with { $0.scale = scale } }
    public func comparing(negated: String, swapped: String?) -> Choice {
        with {
            $0.negated = negated
            $0.swapped = swapped
        }
    }
    public var commuting: Choice { with { $0.isCommutative = true } }
    public func fusing(_ kind: String?) -> Choice { with { $0.fusion = kind } }
    public func made(of parts: String..., isReversed: Bool = false) -> Choice {
        with {
            $0.parts = parts
            $0.isReversed = isReversed
        }
    }
    public func added(by addition: String) -> Choice { with { $0.addition = addition } }
    /// The same with other operands.
    public func with(fields: String) -> Choice {
        let copy = Choice(label, arguments, fields: fields, extraWords: extraWords)
        return copy.withFacts(of: self)
    }
    /// The same facts under another label and with other type arguments.
    public func derived(_ label: String, _ arguments: String) -> Choice {
        Choice(label, arguments, fields: fields, extraWords: extraWords).withFacts(of: self)
    }
    private func withFacts(of other: Choice) -> Choice {
        with {
            $0.name = other.name
            $0.otherInstructions = other.otherInstructions
            $0.scale = other.scale
            $0.swapped = other.swapped
            $0.negated = other.negated
            $0.isCommutative = other.isCommutative
            $0.fusion = other.fusion
            $0.parts = other.parts
            $0.isReversed = other.isReversed
            $0.addition = other.addition
        }
    }
}

/// The choices of an axis.
public typealias Choices = [Choice]
