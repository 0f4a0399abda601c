/// A dimension along which the instructions of a family differ.
///
/// The translator uses it as an enumeration nested in `Instruction`, so that each position on an
/// axis has a name. Families that share an enumeration have the same cases.
public struct Axis: Sendable, ExpressibleByArrayLiteral {
    public let choices: Choices
    /// One; several if the axis is their product, the last varying fastest; none if there is only
    /// one choice.
    public let enumerations: [Enumeration]

    /// An enumeration that the generator writes.
    public struct Enumeration: Sendable {
        public let name: String
        public let cases: [String]
    }

    public init(_ name: String, _ choices: Choices) {
        self.choices = choices
        enumerations = [Enumeration(name: name, cases: choices.map(\.name))]
    }

    /// The product of enumerations: choices whose arguments depend on all of them.
    public init(_ choices: Choices, product enumerations: [(name: String, cases: [String])]) {
        self.choices = choices
        self.enumerations = enumerations.map { Enumeration(name: $0.name, cases: $0.cases) }
    }

    /// Only one choice.
    public init(arrayLiteral choices: Choice...) {
        self.choices = choices
        enumerations = []
    }

    public var count: Int { choices.count }
}

/// Enumerations whose cases have the names of another one's. The conversion is optional where the
/// target lacks some.
public let conversions: [(from: String, to: String)] = [
    ("IntegerCommutative", "IntegerWide"),
    ("OrderedForm", "CommutativeForm"),
    ("IntegerComparison", "IntegerCondition"),
    ("FloatComparison", "FloatCondition"),
    ("IntegerCondition", "LoadedCondition"),
    ("Load", "ScaledLoad"), ("Load", "LoadPair"), ("Load", "BranchedLoad"),
    ("Store", "ScaledStore"),
    ("Address", "ScalarAddress"), ("Address", "OperandAddress"),
    ("OperandAddress", "FactorAddress"), ("OperandAddress", "Source"),
    ("CastTarget", "AbstractTarget"),
    ("VectorBinary", "VectorLoadingBinary"), ("VectorBinary", "VectorStoringBinary"),
    ("VectorBinary", "VectorUpdate"), ("VectorBinary", "LoadedProduct"),
    ("VectorComparison", "VectorBranchComparison"),
]

/// Enumerations whose cases combine two others; see `Choice.parts`.
public let combinations: [(name: String, first: String, second: String)] = [
    ("VectorPair", "VectorBinary", "VectorBinary"),
    ("VectorShiftPair", "VectorShift", "VectorBinary"),
    ("VectorPairShift", "VectorBinary", "VectorShift"),
    ("VectorTwo", "VectorBinary", "VectorBinary"),
    ("VectorExtendedBinary", "VectorBinary", "VectorLoad"),
    ("LoadedProduct", "VectorBinary", "VectorLoad"),
]

/// A fact of a row that the translator uses.
public enum Fact: Sendable {
    case scale, swapped, negated, isCommutative
    /// A case of another enumeration.
    case addition(of: String)
}

/// Facts by enumeration; every row of the axis has them.
public let facts: [(enumeration: String, facts: [Fact])] = [
    ("IntegerComparison", [.negated, .swapped]), ("IntegerCondition", [.negated]),
    ("FloatComparison", [.swapped]), ("FloatCondition", [.negated]),
    ("Load", [.scale]), ("Store", [.scale]),
    ("VectorBinary", [.isCommutative]), ("LoadedProduct", [.addition(of: "VectorBinary")]),
    ("IntegerShape", [.scale]), ("FloatShape", [.scale]), ("VectorExtract", [.scale]),
]
