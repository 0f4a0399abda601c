/// Bounds of a memory (in pages) or table (in elements).
public struct Limits: Hashable, Sendable {
    public var minimum: UInt64
    public var maximum: UInt64?

    public init(minimum: UInt64, maximum: UInt64? = nil) {
        self.minimum = minimum
        self.maximum = maximum
    }
}

/// Whether addresses (of a memory) or indices (of a table) are i32 or i64.
public enum AddressType: Hashable, Sendable {
    case i32
    case i64

    public var valueType: ValueType { self == .i32 ? .i32 : .i64 }
}

/// Specification: 2.3.13 (memory types); shared and page size come from the proposals
/// threads and custom-page-sizes.
public struct MemoryType: Hashable, Sendable {
    public var limits: Limits
    public var addressType: AddressType
    public var isShared: Bool
    /// Bytes of a page as a power of two: 16 (65,536 bytes) or 0 (one byte).
    public var pageSizeLog2: UInt8

    public init(
        limits: Limits, addressType: AddressType = .i32, shared: Bool = false,
        pageSizeLog2: UInt8 = 16
    ) {
        self.limits = limits
        self.addressType = addressType
        isShared = shared
        self.pageSizeLog2 = pageSizeLog2
    }

    /// The most pages that the address type allows: 65,536 for i32 and 2^48 for i64 with pages of
    /// 64 KiB, 2^32 - 1 and 2^64 - 1 with pages of one byte.
    public var maximumPages: UInt64 {
        switch (addressType, pageSizeLog2) {
        case (.i32, 16): 1 << 16
        case (.i64, 16): 1 << 48
        case (.i32, _): UInt64(UInt32.max)
        case (.i64, _): UInt64.max
        }
    }
}

/// Specification: 2.3.14 (table types).
public struct TableType: Hashable, Sendable {
    public var element: ReferenceType
    public var limits: Limits
    public var addressType: AddressType

    public init(element: ReferenceType, limits: Limits, addressType: AddressType = .i32) {
        self.element = element
        self.limits = limits
        self.addressType = addressType
    }
}

/// Specification: 2.3.12 (global types).
public struct GlobalType: Hashable, Sendable {
    public var value: ValueType
    public var isMutable: Bool

    public init(_ value: ValueType, mutable: Bool) {
        self.value = value
        isMutable = mutable
    }
}

/// The five kinds of entities that a module imports and exports.
public enum ExternalKind: UInt8, Hashable, Sendable, CaseIterable {
    case function = 0
    case table = 1
    case memory = 2
    case global = 3
    case tag = 4
}

extension ExternalKind: CustomStringConvertible {
    public var description: String {
        switch self {
        case .function: "function"
        case .table: "table"
        case .memory: "memory"
        case .global: "global"
        case .tag: "tag"
        }
    }
}

/// The type of an imported or exported entity. Functions and tags are named by type index.
public enum ExternalType: Hashable, Sendable {
    case function(TypeIndex)
    case table(TableType)
    case memory(MemoryType)
    case global(GlobalType)
    case tag(TypeIndex)

    public var kind: ExternalKind {
        switch self {
        case .function: .function
        case .table: .table
        case .memory: .memory
        case .global: .global
        case .tag: .tag
        }
    }
}
