/// Which way conditional branches are expected to go.
///
/// Specification: appendix to the custom sections, "metadata.code.branch_hint".
public struct BranchHint: Hashable, Sendable {
    /// Where the `if` or `br_if` is: bytes from the start of the function's locals.
    public var offset: UInt32
    /// Whether the branch is expected to be taken.
    public var isLikely: Bool

    public init(offset: UInt32, isLikely: Bool) {
        self.offset = offset
        self.isLikely = isLikely
    }
}

extension ParsedModule {
    /// Decodes the custom section "metadata.code.branch_hint": hints by function index.
    ///
    /// Empty if there is none or it is malformed. Whether the functions and instructions exist is
    /// not checked. Cost: proportional to its size.
    public func branchHints() -> [FunctionIndex: [BranchHint]] {
        let name: Name = "metadata.code.branch_hint"
        guard let section = customSections.first(where: { $0.name == name }) else { return [:] }
        var reader = reader(of: section.content)
        return (try? Self.branchHints(&reader)) ?? [:]
    }

    private static func branchHints(
        _ reader: inout BinaryReader
    ) throws(DecodingError) -> [FunctionIndex: [BranchHint]] {
        var functions: [FunctionIndex: [BranchHint]] = [:]
        for _ in 0..<(try reader.count()) {
            let function = try reader.unsigned32()
            let count = try reader.count()
            var hints: [BranchHint] = []
            hints.reserveCapacity(min(count, reader.remaining / 3))
            for _ in 0..<count { hints.append(try branchHint(&reader)) }
            functions[function] = hints
        }
        guard reader.isAtEnd else { throw reader.failure(.sectionSizeMismatch) }
        return functions
    }

    /// An offset, the number of bytes that follow (one) and the hint: 0 or 1.
    private static func branchHint(
        _ reader: inout BinaryReader
    ) throws(DecodingError) -> BranchHint {
        let offset = try reader.unsigned32()
        guard try reader.unsigned32() == 1 else { throw reader.failure(.lengthOutOfBounds) }
        let value = try reader.byte()
        guard value < 2 else { throw reader.failure(.integerTooLarge) }
        return BranchHint(offset: offset, isLikely: value == 1)
    }
}
