import Synchronization
import WasmDecoder

/// Gives equal types of all modules one number, the canonical id.
///
/// Types are equal if their recursion groups are: same definitions, with references inside the
/// group at the same positions. One registry serves an engine; types of different registries have
/// nothing to do with each other.
///
/// A type stays as long as anything holds it: a valid module its types, a store those of the host's
/// functions and of every object that it ever had. Then its number is free for another type. A number
/// that is kept longer than any of these may mean another type later, or none.
///
/// All methods may be called from any thread. Registering takes a lock; questions take none.
///
/// Specification: 3.1.2 (rolling and unrolling), 3.3 (matching).
public final class TypeRegistry: Sendable {
    let storage: TypeStorage
    /// The first type of each group, by the hash of the group's key. The lock is the one under which
    /// `storage` changes.
    private let firstIDs = Mutex(HashIndex())
    private let maximumTypes: Int

    /// Levels of declared subtypes that a type may be above a type without supertype.
    static let maximumDepth = 63

    /// Ids that are left for types of the host when modules have all theirs.
    private static let idsOfHosts = 1 << 20

    /// - Parameter maximumTypes: how many different types there may be at one time (at most 2^28);
    ///   a module that brings more is not valid. It bounds the memory that modules can claim.
    public init(maximumTypes: Int = 1 << 22) {
        self.maximumTypes = min(max(maximumTypes, 0), Int(Self.unknown))
        storage = TypeStorage(
            capacity: min(self.maximumTypes + Self.idsOfHosts, Int(Self.unknown)))
    }

    /// How many different types are registered now.
    public var count: Int { firstIDs.withLock { _ in storage.count } }

    /// The type with this id, in canonical form; an id that no type has now stands for a function
    /// without parameters and results.
    public func definition(_ id: TypeID) -> SubType {
        firstIDs.withLock { _ in storage[id]?.pointee.definition }
            ?? SubType(.function(FunctionType()))
    }

    /// The id of a function type (in canonical form) that is final, has no supertype and makes up
    /// a recursion group of its own, as types of host functions do. The type stays as long as the
    /// registry.
    public func register(function: FunctionType) -> TypeID { hold(function: function).id }

    // MARK: Holding

    /// The same, held for the caller until it calls `release`.
    ///
    /// - Returns: the id, and the type as it is known: a number that no type has now could be that of
    ///   any type later, and stands for none.
    package func hold(function: FunctionType) -> (id: TypeID, type: FunctionType) {
        firstIDs.withLock { firstIDs in
            let given = SubType(.function(function))
            let type = isKnown(given) ? given : given.mapIndices(known)
            let known = type.composite.functionType ?? function
            let key = RecursionGroupKey(type)
            let hash = key.hashValue
            if let (id, group) = find(key, hash, in: firstIDs) {
                group.holders += 1
                return (id, known)
            }
            guard let id = storage.freeIDs(1).first else { return (Self.unknown, known) }
            storage.insert(type, at: id, groupStart: id)
            finish(key, hash, members: [id], &firstIDs)
            return (id, known)
        }
    }

    /// The number of no type.
    private static let unknown: TypeID = HeapType.typeLimit - 1

    private func known(_ id: TypeIndex) -> TypeIndex { storage[id] == nil ? Self.unknown : id }

    private func isKnown(_ type: SubType) -> Bool {
        var isKnown = true
        type.forEachIndex { if storage[$0] == nil { isKnown = false } }
        return isKnown
    }

    /// Holds a type, if there is one with this id, until `release` is called with the result's `first`.
    package func hold(_ id: TypeID) -> (first: TypeID, definition: SubType)? {
        firstIDs.withLock { _ in
            guard let entry = storage[id] else { return nil }
            storage[entry.pointee.first]?.pointee.group?.holders += 1
            return (entry.pointee.first, entry.pointee.definition)
        }
    }

    /// Gives up groups of types, by their first types, each as often as it was held.
    package func release(_ groups: some Collection<TypeID>) {
        var next = groups.startIndex
        // Piece by piece: others wait.
        while next != groups.endIndex {
            let end = groups.index(next, offsetBy: 1000, limitedBy: groups.endIndex)
            let piece = groups[next..<(end ?? groups.endIndex)]
            firstIDs.withLock { firstIDs in
                var pending: [TypeID] = []
                for first in piece { drop(first, &pending, &firstIDs) }
                while let first = pending.popLast() { drop(first, &pending, &firstIDs) }
            }
            next = end ?? groups.endIndex
        }
    }

    /// Gives up a group once; `pending` gets the groups that it held, if it goes.
    private func drop(
        _ first: TypeID, _ pending: inout [TypeID], _ firstIDs: inout HashIndex
    ) {
        guard let group = storage[first]?.pointee.group else { return }
        group.holders -= 1
        guard group.holders == 0 else { return }
        firstIDs.remove(Int(first), hash: group.key.hashValue)
        pending += group.uses
        if group.members.isEmpty {
            storage.remove(first)
        } else {
            for id in group.members { storage.remove(id) }
        }
    }

    /// A group that is registered, and its first type.
    private func find(
        _ key: RecursionGroupKey, _ hash: Int, in firstIDs: borrowing HashIndex
    ) -> (first: TypeID, group: TypeGroup)? {
        var found: TypeGroup?
        let first = firstIDs.first(hash: hash) { position in
            let group = storage[TypeID(truncatingIfNeeded: position)]?.pointee.group
            guard let group, group.key == key else { return false }
            found = group
            return true
        }
        guard let first, let found else { return nil }
        return (TypeID(truncatingIfNeeded: first), found)
    }

    /// Makes a group of types that were inserted known, held by the caller.
    private func finish(
        _ key: RecursionGroupKey, _ hash: Int, members: [TypeID], _ firstIDs: inout HashIndex
    ) {
        guard let first = members.first else { return }
        var uses: [TypeID] = []
        for id in members {
            storage[id]?.pointee.definition.forEachIndex { other in
                guard let used = storage[other]?.pointee.first, used != first, uses.last != used
                else { return }
                uses.append(used)
            }
        }
        for used in uses { storage[used]?.pointee.group?.holders += 1 }
        storage[first]?.pointee.group = TypeGroup(
            key: key, members: members.count > 1 ? members : [], uses: uses)
        firstIDs.insert(Int(first), hash: hash)
    }

    // MARK: Types of modules

    /// Registers all types of a module.
    ///
    /// Cost: proportional to the size of the type section.
    ///
    /// - Parameter groupEnds: for each recursion group the index after its last type, ascending.
    /// - Returns: the canonical ids in the order of the type indices. They are held as long as the
    ///   answer lives.
    /// - Throws: an error without a useful offset if a type refers to types that are not there or
    ///   declares a supertype that it does not match, or if there are too many types. Then none of
    ///   them is held.
    func register(
        types: [SubType], groupEnds: [Int]
    ) throws(ValidationError.Reason) -> HeldTypes {
        var ids: [TypeID] = []
        var groups: [TypeID] = []
        ids.reserveCapacity(types.count)
        groups.reserveCapacity(groupEnds.count)
        do throws(ValidationError.Reason) {
            for end in groupEnds {
                let group = ids.count..<max(end, ids.count)
                guard !group.isEmpty else { continue }
                try checkIndices(group, of: types)
                groups.append(try register(group, of: types, ids: &ids))
            }
        } catch {
            release(groups)
            throw error
        }
        // Most modules have groups of one: then both are the same array.
        return HeldTypes(ids, groups: groups.count == ids.count ? ids : groups, in: self)
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

    /// Holds a group, which is registered if it is new, and appends its ids; returns the first.
    private func register(
        _ group: Range<Int>, of types: [SubType], ids: inout [TypeID]
    ) throws(ValidationError.Reason) -> TypeID {
        let key = RecursionGroupKey(group, of: types, ids: ids)
        let hash = key.hashValue
        let result: Result<[TypeID], ValidationError.Reason> = firstIDs.withLock {
            [ids] firstIDs in
            if let (first, known) = find(key, hash, in: firstIDs) {
                known.holders += 1
                return .success(known.members.isEmpty ? [first] : known.members)
            }
            guard group.count <= maximumTypes - storage.count else {
                return .failure(.limitExceeded(.types(maximumTypes)))
            }
            let members = storage.freeIDs(group.count)
            guard members.count == group.count else {
                return .failure(.limitExceeded(.types(maximumTypes)))
            }
            do throws(ValidationError.Reason) {
                try insert(group, of: types, ids: ids, members)
            } catch {
                for id in members { storage.remove(id) }
                return .failure(error)
            }
            finish(key, hash, members: members, &firstIDs)
            return .success(members)
        }
        let members = try result.get()
        ids += members
        return members[0]
    }

    /// Inserts the types of a group and checks what they say about their supertypes.
    ///
    /// - Parameters:
    ///   - ids: of all types before the group.
    ///   - members: of those in the group.
    private func insert(
        _ group: Range<Int>, of types: [SubType], ids: [TypeID], _ members: [TypeID]
    ) throws(ValidationError.Reason) {
        let start = group.lowerBound
        let map = { (index: TypeIndex) -> TypeID in
            Int(index) < start ? ids[Int(index)] : members[Int(index) - start]
        }
        for (index, id) in zip(group, members) {
            storage.insert(types[index].mapIndices(map), at: id, groupStart: members[0])
        }
        for (index, id) in zip(group, members) {
            guard let parent = types[index].supertypes.first else { continue }
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

    // MARK: Questions about types that the caller holds

    /// The supertypes of a type, the most general first; the memory lives as long as the type.
    package func ancestors(of id: TypeID) -> UnsafeBufferPointer<TypeID> {
        guard let entry = storage[id] else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(
            start: entry.pointee.ancestors, count: Int(entry.pointee.depth))
    }

    /// Whether `a` is `b` or declares it as a supertype, directly or not. Constant time.
    package func isSubtype(_ a: TypeID, of b: TypeID) -> Bool { storage.isSubtype(a, of: b) }
}

/// Types of a registry that stay as long as this.
package final class HeldTypes: Sendable {
    /// In the order of the module's type indices.
    let ids: [TypeID]
    /// The first type of each group that is held.
    private let groups: [TypeID]
    private let registry: TypeRegistry

    init(_ ids: [TypeID], groups: [TypeID], in registry: TypeRegistry) {
        self.ids = ids
        self.groups = groups
        self.registry = registry
    }

    deinit { registry.release(groups) }
}
