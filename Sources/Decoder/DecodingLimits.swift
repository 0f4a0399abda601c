/// How large a module may be; more is refused with `DecodingError.Reason.limitExceeded`.
///
/// The defaults are those of the WebAssembly JavaScript interface where it has any, so that what
/// loads elsewhere loads here. Memory and tables are limited where they are allocated, not here.
public struct DecodingLimits: Hashable, Sendable {
    /// Bytes of the whole file.
    public var moduleSize = 1 << 30
    public var types = 1_000_000
    /// Types of one recursion group.
    public var recursionGroupTypes = 1_000_000
    public var functions = 1_000_000
    public var imports = 1_000_000
    public var exports = 1_000_000
    public var globals = 1_000_000
    public var tags = 1_000_000
    public var tables = 100_000
    public var memories = 100
    public var elementSegments = 1_000_000
    public var dataSegments = 100_000
    public var parameters = 1_000
    public var results = 1_000
    /// Fields of a structure type.
    public var fields = 10_000
    /// Locals of a function, without its parameters.
    public var locals = 50_000
    /// Bytes of one function: its locals and instructions.
    public var bodySize = 7_654_321
    /// Labels of one `br_table`, without the default.
    public var labels = 65_520
    /// Items of one element segment.
    public var elements = 10_000_000
    /// Bytes of one name.
    public var nameSize = 100_000
    public var customSections = 100_000

    public init() {}

    public static let `default` = DecodingLimits()

    /// Which limit an error is about.
    public enum Kind: UInt16, Hashable, Sendable, CaseIterable {
        case moduleSize, types, recursionGroupTypes, functions, imports, exports, globals, tags
        case tables, memories, elementSegments, dataSegments, parameters, results, fields, locals
        case bodySize, labels, elements, nameSize, customSections

        /// What messages call the violation.
        var excess: String {
            switch self {
            case .moduleSize: "module too large"
            case .types: "too many types"
            case .recursionGroupTypes: "too many types in a recursion group"
            case .functions: "too many functions"
            case .imports: "too many imports"
            case .exports: "too many exports"
            case .globals: "too many globals"
            case .tags: "too many tags"
            case .tables: "too many tables"
            case .memories: "too many memories"
            case .elementSegments: "too many element segments"
            case .dataSegments: "too many data segments"
            case .parameters: "too many parameters"
            case .results: "too many results"
            case .fields: "too many fields"
            case .locals: "too many locals"
            case .bodySize: "function body too large"
            case .labels: "too many labels"
            case .elements: "too many elements in a segment"
            case .nameSize: "name too long"
            case .customSections: "too many custom sections"
            }
        }
    }
}
