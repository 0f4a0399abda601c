/// A range of bytes in a `ModuleBytes`; offsets count from the start of the file.
public struct ByteRange: Hashable, Sendable {
    public var start: Int
    public var end: Int

    public init(start: Int, end: Int) {
        self.start = start
        self.end = end
    }

    public var count: Int { end - start }
}

/// An import: the two names and the type that is asked for.
public struct Import: Hashable, Sendable {
    public var module: Name
    public var name: Name
    public var type: ExternalType
}

/// An export: its name and the entity, by kind and index in that kind's index space.
public struct Export: Hashable, Sendable {
    public var name: Name
    public var kind: ExternalKind
    public var index: UInt32
}

/// A constant expression: the range of its instructions including the final `end`.
public struct ConstantExpression: Hashable, Sendable {
    public var range: ByteRange
}

/// A table that the module defines; without an initializer its elements start as null.
public struct TableDefinition: Hashable, Sendable {
    public var type: TableType
    public var initializer: ConstantExpression?
}

/// A global that the module defines.
public struct GlobalDefinition: Hashable, Sendable {
    public var type: GlobalType
    public var initializer: ConstantExpression
}

/// When and where a segment is copied.
public enum SegmentMode: Hashable, Sendable {
    case passive
    /// Only element segments: makes functions available to `ref.func`, is never copied.
    case declarative
    /// Copied to the table or memory `index` when the module is instantiated.
    case active(index: UInt32, offset: ConstantExpression)
}

/// Specification: 2.5.6 (element segments).
public struct ElementSegment: Hashable, Sendable {
    public enum Items: Hashable, Sendable {
        /// `count` function indices, LEB128 encoded one after another in `range`.
        case functions(range: ByteRange, count: Int)
        /// `count` constant expressions one after another in `range`.
        case expressions(range: ByteRange, count: Int)
    }

    public var type: ReferenceType
    public var mode: SegmentMode
    public var items: Items

    public var count: Int {
        switch items {
        case .functions(_, let count), .expressions(_, let count): count
        }
    }
}

/// Specification: 2.5.7 (data segments).
public struct DataSegment: Hashable, Sendable {
    public var mode: SegmentMode
    public var content: ByteRange
}

/// A custom section; `content` is what follows its name.
public struct CustomSection: Hashable, Sendable {
    public var name: Name
    public var content: ByteRange
    /// How many of the known sections precede it.
    public var position: Int
}

/// One section as it is in the file, for tools that show the layout.
public struct SectionSpan: Hashable, Sendable {
    public var id: UInt8
    /// From the section's id byte to its end.
    public var range: ByteRange
}

/// A module that was decoded, but not yet validated: the sections as values, bodies as ranges.
///
/// Index spaces (functions, tables, memories, globals, tags) list imports first. Everything the
/// decoder can check is checked; whether indices are in range is for the validator to say.
public struct ParsedModule: Sendable {
    public let bytes: ModuleBytes
    public let features: Features
    public let limits: DecodingLimits

    public var types: [SubType] = []
    /// For each recursion group the index after its last type; together they cover `types`.
    public var recursionGroupEnds: [Int] = []
    /// The recursion groups, in order, as ranges of type indices.
    public var recursionGroups: [Range<Int>] {
        recursionGroupEnds.indices.map { group in
            (group == 0 ? 0 : recursionGroupEnds[group - 1])..<recursionGroupEnds[group]
        }
    }
    public var imports: [Import] = []
    /// Type index of every function, imported ones first.
    public var functions: [TypeIndex] = []
    public var importedFunctionCount = 0
    /// Type of every table, imported ones first.
    public var tables: [TableType] = []
    public var tableDefinitions: [TableDefinition] = []
    /// Type of every memory, imported ones first.
    public var memories: [MemoryType] = []
    public var importedMemoryCount = 0
    /// Type of every global, imported ones first.
    public var globals: [GlobalType] = []
    public var globalDefinitions: [GlobalDefinition] = []
    /// Type index of every tag, imported ones first.
    public var tags: [TypeIndex] = []
    public var importedTagCount = 0
    public var exports: [Export] = []
    public var start: FunctionIndex?
    public var elementSegments: [ElementSegment] = []
    public var dataSegments: [DataSegment] = []
    /// The data count section, if there is one.
    public var dataCount: UInt32?
    /// For every function that is not imported: its locals and instructions, without the size.
    public var bodies: [ByteRange] = []
    public var customSections: [CustomSection] = []
    public var sections: [SectionSpan] = []

    init(bytes: ModuleBytes, features: Features, limits: DecodingLimits) {
        self.bytes = bytes
        self.features = features
        self.limits = limits
    }

    /// A reader for a body, constant expression or segment of this module, with its features and
    /// limits. The module, or its `bytes`, must outlive it.
    public func reader(of range: ByteRange) -> BinaryReader {
        BinaryReader(bytes, range: range, features: features, limits: limits)
    }

    /// Locals and instructions of a function; nil if the function is imported, or there is none.
    public func body(of function: FunctionIndex) -> ByteRange? {
        let position = Int(function) - importedFunctionCount
        return bodies.indices.contains(position) ? bodies[position] : nil
    }

    public var importedTableCount: Int { tables.count - tableDefinitions.count }
    public var importedGlobalCount: Int { globals.count - globalDefinitions.count }

    /// The type of a function, or nil if an index is out of range or names no function type.
    public func functionType(at index: FunctionIndex) -> FunctionType? {
        guard let index = Int(exactly: index), index < functions.count else { return nil }
        return functionType(typeIndex: functions[index])
    }

    /// The function type with this type index, or nil if there is none.
    public func functionType(typeIndex: TypeIndex) -> FunctionType? {
        guard let index = Int(exactly: typeIndex), index < types.count else { return nil }
        return types[index].composite.functionType
    }
}
