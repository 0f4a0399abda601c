import Synchronization
import WasmDecoder

/// Gives equal types of all modules one number, the canonical id.
///
/// Types are equal if their recursion groups are: same definitions, with references inside the
/// group at the same positions. One registry serves an engine; types of different registries have
/// nothing to do with each other. Types stay as long as the registry.
///
/// All methods may be called from any thread. Registering takes a lock; questions take none.
///
/// Specification: 3.1.2 (rolling and unrolling), 3.3 (matching).
public final class TypeRegistry: Sendable {
    let storage = TypeStorage()
    private let firstIDs = Mutex<[RecursionGroupKey: TypeID]>([:])
    private let maximumTypes: Int

    /// Levels of declared subtypes that a type may stand above a type without supertype.
    static let maximumDepth = 63

    /// - Parameter maximumTypes: how many different types there may be (at most 2^28);
    ///   a module that brings more is not valid. It bounds the memory that modules can claim.
    public init(maximumTypes: Int = 1 << 22) {
        self.maximumTypes = min(max(maximumTypes, 0), Int(HeapType.typeLimit) - 1)
    }

    /// How many different types are registered.
    public var count: Int { storage.count }

    /// The type with this id, in canonical form; an id that was never given out has the type of
    /// a function without parameters and results.
    public func definition(_ id: TypeID) -> SubType {
        storage[id]?.pointee.definition ?? SubType(.function(FunctionType()))
    }

    /// The id of a function type (in canonical form) that is final, has no supertype and makes up
    /// a recursion group of its own, as types of host functions do.
    public func register(function: FunctionType) -> TypeID {
        let type = SubType(.function(function))
        let key = RecursionGroupKey(type)
        return firstIDs.withLock { firstIDs in
            if let id = firstIDs[key] { return id }
            let id = TypeID(truncatingIfNeeded: storage.count)
            storage.append(type, parent: nil)
            firstIDs[key] = id
            return id
        }
    }

    /// The canonical ids of all types of a module, in the order of their indices.
    ///
    /// Cost: proportional to the size of the type section.
    ///
    /// - Parameter groupEnds: for each recursion group the index behind its last type, ascending.
    /// - Throws: an error without a useful offset if a type refers to types that are not there or
    ///   declares a supertype that it does not match, or if there are too many types.
    func register(
        types: [SubType], groupEnds: [Int]
    ) throws(ValidationError.Reason) -> [TypeID] {
        var ids: [TypeID] = []
        ids.reserveCapacity(types.count)
        for end in groupEnds {
            let group = ids.count..<max(end, ids.count)
            try checkIndices(group, of: types)
            let first = try register(group, of: types, ids: ids)
            for position in 0..<group.count {
                ids.append(first &+ TypeID(truncatingIfNeeded: position))
            }
        }
        return ids
    }

    /// Types may refer to all types up to the end of their group, and extend earlier ones.
    private func checkIndices(
        _ group: Range<Int>, of types: [SubType]
    ) throws(ValidationError.Reason) {
        for index in group {
            let type = types[index]
            if type.supertypes.count > 1 {
                throw .severalSupertypes(TypeIndex(truncatingIfNeeded: index))
            }
            for parent in type.supertypes where Int(parent) >= index {
                throw .unknown(.type, parent)
            }
            try type.forEachIndex { (other) throws(ValidationError.Reason) in
                if Int(other) >= group.upperBound { throw .unknown(.type, other) }
            }
        }
    }

    /// The id of the first type of a group, which is registered if it is new.
    private func register(
        _ group: Range<Int>, of types: [SubType], ids: [TypeID]
    ) throws(ValidationError.Reason) -> TypeID {
        let key = RecursionGroupKey(group, of: types, ids: ids)
        let result: Result<TypeID, ValidationError.Reason> = firstIDs.withLock { firstIDs in
            if let id = firstIDs[key] { return .success(id) }
            let first = storage.count
            if group.count > maximumTypes - first {
                return .failure(.limitExceeded(.types(maximumTypes)))
            }
            do throws(ValidationError.Reason) {
                try append(group, of: types, ids: ids)
            } catch {
                storage.removeAll(from: first)
                return .failure(error)
            }
            let id = TypeID(truncatingIfNeeded: first)
            firstIDs[key] = id
            return .success(id)
        }
        return try result.get()
    }

    /// Appends the types of a group and checks what they say about their supertypes. The ids are
    /// those that the types will have; they can be taken back.
    private func append(
        _ group: Range<Int>, of types: [SubType], ids: [TypeID]
    ) throws(ValidationError.Reason) {
        let offset = storage.count &- group.lowerBound
        let map = { (index: TypeIndex) -> TypeID in
            let index = Int(index)
            return index < group.lowerBound
                ? ids[index] : TypeID(truncatingIfNeeded: index &+ offset)
        }
        for index in group {
            let type = types[index].mapIndices(map)
            storage.append(type, parent: type.supertypes.first)
        }
        for index in group {
            guard let parent = types[index].supertypes.first else { continue }
            let id = map(TypeIndex(truncatingIfNeeded: index))
            guard isValid(id, extending: map(parent)) else {
                throw .subtypeDoesNotMatch(
                    sub: TypeIndex(truncatingIfNeeded: index), super: parent)
            }
            if let depth = storage[id]?.pointee.depth, depth > Self.maximumDepth {
                throw .limitExceeded(.subtypingDepth(Self.maximumDepth))
            }
        }
    }

    /// Specification: 3.2.9 (sub types).
    private func isValid(_ id: TypeID, extending parent: TypeID) -> Bool {
        guard let base = storage[parent]?.pointee.definition,
            let type = storage[id]?.pointee.definition
        else { return false }
        return !base.isFinal && matches(type.composite, base.composite)
    }

    /// The supertypes of a type, the most general first; the memory lives as long as the registry.
    public func ancestors(of id: TypeID) -> UnsafeBufferPointer<TypeID> {
        guard let entry = storage[id]?.pointee else {
            return UnsafeBufferPointer(start: nil, count: 0)
        }
        return UnsafeBufferPointer(start: entry.ancestors, count: Int(entry.depth))
    }

    /// Whether `a` is `b` or declares it as a supertype, directly or not. Constant time.
    public func isSubtype(_ a: TypeID, of b: TypeID) -> Bool { storage.isSubtype(a, of: b) }
}
