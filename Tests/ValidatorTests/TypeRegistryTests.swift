import Testing
import WasmDecoder
import WasmValidator

@Suite struct TypeRegistryTests {
    private func ids(_ types: [[UInt8]], _ registry: TypeRegistry) throws -> [TypeID] {
        try ModuleBuilder(types: types).validate(types: registry).typeIDs
    }

    @Test func equalTypesOfModulesAreOne() throws {
        let registry = TypeRegistry()
        let first = try ids([functionType([i32], [i64]), functionType()], registry)
        let second = try ids([functionType(), functionType([i32], [i64])], registry)
        #expect(first == second.reversed())
        #expect(registry.count == 2)
        #expect(try ids([functionType([i32], [i64])], TypeRegistry()) == [0])
    }

    @Test func groupsAreComparedByRelativePosition() throws {
        let registry = TypeRegistry()
        // The same two types that refer to each other, at different places of two modules.
        let pair = { (first: Int64) in
            rec(structure(mutable(refNull(first + 1))), structure(mutable(refNull(first))))
        }
        let a = try ids([pair(0)], registry)
        let b = try ids([functionType(), pair(1)], registry)
        #expect(a == Array(b.dropFirst()))
        #expect(a[0] != a[1], "two positions of a group are two types")
    }

    @Test func referencesOutOfTheGroupMatter() throws {
        let registry = TypeRegistry()
        let a = try ids([structure(mutable(i32)), structure(immutable(ref(0)))], registry)
        let b = try ids([structure(mutable(i64)), structure(immutable(ref(0)))], registry)
        #expect(a[1] != b[1])
        // A reference into the group is none out of it, even with the same index.
        let c = try ids([rec(structure(mutable(i32)), structure(immutable(ref(0))))], registry)
        #expect(c[0] != a[0])
        #expect(c[1] != a[1])
    }

    @Test func finalAndSupertypesMatter() throws {
        let registry = TypeRegistry()
        let a = try ids(
            [
                structure(), sub(structure()), sub(1, structure()),
                sub(1, final: true, structure()),
                sub(final: true, structure()),
            ], registry)
        #expect(Set(a).count == 4)
        #expect(a[0] == a[4], "without supertype, `sub final` is the short form")
        #expect(registry.isSubtype(a[2], of: a[1]))
        #expect(registry.isSubtype(a[3], of: a[1]))
        #expect(!registry.isSubtype(a[1], of: a[2]))
        #expect(!registry.isSubtype(a[2], of: a[3]))
        #expect(registry.isSubtype(a[1], of: a[1]))
    }

    @Test func hostFunctionsHaveTheTypesOfModules() throws {
        let registry = TypeRegistry()
        let id = registry.register(
            function: FunctionType(parameters: [.i32], results: [.externref]))
        #expect(try ids([functionType([i32], [externref])], registry) == [id])
        #expect(
            registry.definition(id).composite.functionType?.results == [ValueType.externref])
        #expect(registry.register(function: FunctionType()) != id)
    }

    @Test func definitionsAreCanonical() throws {
        let registry = TypeRegistry()
        let module = try ModuleBuilder(types: [
            functionType(), functionType([i32]), functionType([ref(1)], [refNull(0)]),
        ]).validate(types: registry)
        let id = module.typeIDs[2]
        let type = try #require(registry.definition(id).composite.functionType)
        #expect(type.parameters == [.ref(.index(module.typeIDs[1]), nullable: false)])
        #expect(type.results == [module.canonical(.ref(.index(0), nullable: true))])
    }

    @Test func unknownIdsAreHarmless() {
        let registry = TypeRegistry()
        #expect(!registry.isSubtype(5, of: 6))
        #expect(registry.isSubtype(.max, of: .max))
        #expect(registry.definition(.max).composite.functionType == FunctionType())
        #expect(!registry.matches(.ref(.index(77), nullable: false), .funcref))
        #expect(!registry.matches(.ref(.none, nullable: false), .ref(.index(9), nullable: true)))
    }

    @Test func subtypingIsLimitedTo63Levels() throws {
        let chain = { (levels: Int) in
            [sub(structure())] + (0..<levels).map { sub(UInt32($0), structure()) }
        }
        let registry = TypeRegistry()
        let ids = try ids(chain(63), registry)
        #expect(registry.isSubtype(ids[63], of: ids[0]))
        #expect(registry.isSubtype(ids[63], of: ids[62]))
        #expect(
            try ModuleBuilder(types: chain(64)).reason() == .limitExceeded(.subtypingDepth(63)))
    }

    @Test func refusedGroupsLeaveNothing() throws {
        let registry = TypeRegistry()
        let wrong = rec(sub(structure(mutable(i32))), sub(1, structure(mutable(i64))))
        #expect(throws: ValidationError.self) { try ids([functionType(), wrong], registry) }
        #expect(registry.count == 1)
        // Its ids go to the next types.
        let next = try ids([structure(), array(mutable(i8))], registry)
        #expect(next == [1, 2])
        #expect(registry.matches(.ref(.index(2), nullable: false), .ref(.array, nullable: false)))
    }

    @Test func typesAreLimited() throws {
        let registry = TypeRegistry(maximumTypes: 2)
        _ = try ids([functionType(), functionType([i32])], registry)
        _ = try ids([functionType(), functionType([i32])], registry)
        #expect(throws: ValidationError.self) { try ids([functionType([i64])], registry) }
        #expect(registry.count == 2)
    }

    @Test func manyTypesAreFound() throws {
        let registry = TypeRegistry()
        // Every chunk of the storage and the edges between them.
        let types = (0..<3000).map { number in
            functionType((0..<12).map { number >> $0 & 1 == 0 ? i32 : i64 })
        }
        let ids = try ids(types, registry)
        #expect(ids == Array(0..<3000))
        for id in [0, 63, 64, 191, 192, 2999] as [TypeID] {
            #expect(
                registry.definition(id).composite.functionType?.parameters[0]
                    == (id & 1 == 0 ? ValueType.i32 : .i64))
        }
    }

    @Test func threadsAgree() async throws {
        let registry = TypeRegistry()
        let all = try await withThrowingTaskGroup(of: [TypeID].self) { group in
            for shift in 0..<8 {
                group.addTask {
                    let types = (0..<200).map { number in
                        functionType(Array(repeating: i32, count: (number + shift * 25) % 200))
                    }
                    let ids = try ModuleBuilder(types: types).validate(types: registry).typeIDs
                    return Array(ids[(200 - shift * 25)...] + ids[..<(200 - shift * 25)])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(all).count == 1)
        #expect(registry.count == 200)
    }
}

@Suite struct MatchingTests {
    /// Module types: 0 function, 1 structure, 2 its subtype, 3 array.
    private func world() throws -> TypeRegistry {
        let registry = TypeRegistry()
        _ = try ModuleBuilder(types: [
            functionType(), sub(structure()), sub(1, structure(mutable(i32))),
            array(immutable(i8)),
        ]).validate(types: registry)
        return registry
    }

    /// Every pair of heap types against the hierarchy of the specification.
    @Test func heapTypes() throws {
        let registry = try world()
        let function = HeapType.index(0)
        let (base, derived, array) = (HeapType.index(1), HeapType.index(2), HeapType.index(3))
        let above: [HeapType: Set<HeapType>] = [
            .any: [], .eq: [.any], .i31: [.eq, .any], .struct: [.eq, .any], .array: [.eq, .any],
            .none: [.i31, .struct, .array, .eq, .any, base, derived, array],
            .func: [], .nofunc: [.func, function], .extern: [], .noextern: [.extern],
            .exn: [], .noexn: [.exn],
            function: [.func], base: [.struct, .eq, .any], derived: [base, .struct, .eq, .any],
            array: [.array, .eq, .any],
        ]
        for (lower, expected) in above {
            for upper in above.keys {
                let matches = registry.matches(
                    ValueType.ref(lower, nullable: false), .ref(upper, nullable: false))
                #expect(
                    matches == (lower == upper || expected.contains(upper)), "\(lower) \(upper)")
            }
        }
    }

    @Test func valueTypes() throws {
        let registry = try world()
        #expect(registry.matches(ValueType.i32, .i32))
        #expect(!registry.matches(ValueType.i32, .i64))
        #expect(registry.matches(ValueType.bottom, .v128))
        #expect(registry.matches(ValueType.bottom, .funcref))
        #expect(!registry.matches(ValueType.funcref, .i32))
        #expect(registry.matches(.ref(.func, nullable: false), .funcref))
        #expect(!registry.matches(ValueType.funcref, .ref(.func, nullable: false)))
    }

    @Test func externalTypes() throws {
        let registry = try world()
        let memory = { (minimum: UInt64, maximum: UInt64?) in
            ExternalType.memory(MemoryType(limits: Limits(minimum: minimum, maximum: maximum)))
        }
        #expect(registry.matches(memory(2, 3), memory(1, nil)))
        #expect(registry.matches(memory(2, 3), memory(2, 3)))
        #expect(!registry.matches(memory(2, 3), memory(3, nil)))
        #expect(!registry.matches(memory(2, nil), memory(1, 5)))
        #expect(!registry.matches(memory(2, 6), memory(1, 5)))
        #expect(!registry.matches(memory(1, nil), .function(0)))

        let global = { (type: ValueType, mutable: Bool) in
            ExternalType.global(GlobalType(type, mutable: mutable))
        }
        let nonNull = ValueType.ref(.func, nullable: false)
        #expect(registry.matches(global(nonNull, false), global(.funcref, false)))
        #expect(!registry.matches(global(nonNull, true), global(.funcref, true)))
        #expect(!registry.matches(global(.i32, true), global(.i32, false)))

        #expect(registry.matches(ExternalType.function(2), .function(1)))
        #expect(!registry.matches(ExternalType.function(1), .function(2)))
        #expect(!registry.matches(ExternalType.tag(2), .tag(1)))

        let table = { (element: ReferenceType, address: AddressType) in
            ExternalType.table(
                TableType(element: element, limits: Limits(minimum: 1), addressType: address))
        }
        #expect(registry.matches(table(.funcref, .i32), table(.funcref, .i32)))
        #expect(!registry.matches(table(.funcref, .i64), table(.funcref, .i32)))
        #expect(
            !registry.matches(
                table(ReferenceType(.nofunc, nullable: true), .i32), table(.funcref, .i32)))
    }
}
