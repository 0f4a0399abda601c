import Synchronization
import Testing
import WasmDecoder
import WasmValidator

@Suite struct TypeRegistryTests {
    /// The modules that `ids` made, which hold their types.
    private final class Kept: Sendable {
        let modules = Mutex<[ValidModule]>([])
    }
    private let kept = Kept()

    private func ids(_ types: [[UInt8]], _ registry: TypeRegistry) throws -> [TypeID] {
        let module = try ModuleBuilder(types: types).validate(types: registry)
        kept.modules.withLock { $0.append(module) }
        return module.typeIDs
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
        #expect(registry.count == 0)
        // Its ids go to the next types.
        let next = try ids([structure(), array(mutable(i8))], registry)
        #expect(next == [0, 1])
        #expect(registry.matches(.ref(.index(1), nullable: false), .ref(.array, nullable: false)))
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
                    let ids = try ids(types, registry)
                    return Array(ids[(200 - shift * 25)...] + ids[..<(200 - shift * 25)])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(all).count == 1)
        #expect(registry.count == 200)
    }
}

/// How long types live.
@Suite struct TypeLifetimeTests {
    private func module(_ types: [[UInt8]], _ registry: TypeRegistry) throws -> ValidModule {
        try ModuleBuilder(types: types).validate(types: registry)
    }

    /// A structure type that no other number has: ten fields of four kinds.
    private func distinct(_ number: Int) -> [UInt8] {
        structure((0..<10).map { mutable([i32, i64, f32, f64][number >> (2 * $0) & 3]) })
    }

    private func structure(_ fields: [[UInt8]]) -> [UInt8] {
        [0x5f, UInt8(fields.count)] + fields.flatMap { $0 }
    }

    @Test func typesGoWithTheLastModuleThatHasThem() throws {
        let registry = TypeRegistry()
        var first: ValidModule? = try module([distinct(1), distinct(2)], registry)
        let ids = try #require(first?.typeIDs)
        let second = try module([distinct(2), distinct(3)], registry)
        #expect(registry.count == 3)
        #expect(second.typeIDs[0] == ids[1])
        first = nil
        #expect(registry.count == 2)
        #expect(registry.definition(ids[1]).composite.functionType == nil, "it is still there")
        // The number that is free goes to the next type, and to none that is alive.
        let third = try module([distinct(4)], registry)
        #expect(third.typeIDs == [ids[0]])
        withExtendedLifetime(second) {}
    }

    @Test func groupsGoAsAWhole() throws {
        let registry = TypeRegistry()
        let pair = { (first: Int64) in
            rec(
                sub(final: false, self.structure([mutable(refNull(first + 1))])),
                self.structure([mutable(refNull(first))]))
        }
        var one: ValidModule? = try module([pair(0)], registry)
        var two: ValidModule? = try module([distinct(7), pair(1)], registry)
        #expect(registry.count == 3)
        one = nil
        #expect(registry.count == 3)
        two = nil
        #expect(registry.count == 0)
        withExtendedLifetime((one, two)) {}
    }

    @Test func whatAHeldTypeRefersToStays() throws {
        let registry = TypeRegistry()
        var owner: ValidModule? = try module([distinct(1), distinct(2)], registry)
        let ids = try #require(owner?.typeIDs)
        let held = registry.hold(
            function: FunctionType(parameters: [.ref(.index(ids[1]), nullable: true)]))
        owner = nil
        #expect(registry.count == 2)
        #expect(registry.definition(ids[1]).composite.functionType == nil)
        // The same function of a module that comes later.
        let later = try module([distinct(2), functionType([refNull(0)])], registry)
        #expect(later.typeIDs == [ids[1], held.id])
        registry.release([held.id])
        #expect(registry.count == 2)
        withExtendedLifetime((owner, later)) {}
    }

    @Test func numbersOfTypesThatAreGoneStandForNone() throws {
        let registry = TypeRegistry()
        var owner: ValidModule? = try module([distinct(1)], registry)
        let gone = try #require(owner?.typeIDs.first)
        owner = nil
        let type = FunctionType(parameters: [.ref(.index(gone), nullable: true)])
        let (id, known) = registry.hold(function: type)
        #expect(known != type)
        // Whatever gets the number now is no type of that function's parameter.
        let next = try module([distinct(2), distinct(3), functionType([refNull(1)])], registry)
        #expect(!next.typeIDs.contains(id))
        #expect(registry.hold(9999) == nil)
        withExtendedLifetime(owner) {}
    }

    @Test func refusedModulesLeaveNothing() throws {
        let registry = TypeRegistry()
        for round in 0..<5 {
            let types = (0..<2000).map { distinct(round * 2000 + $0) }
            // Refused for what stands behind the types.
            #expect(throws: ValidationError.self) {
                var builder = ModuleBuilder(types: types)
                builder.start = 99
                return try builder.validate(types: registry)
            }
            #expect(registry.count == 0)
        }
        #expect(try module([distinct(5)], registry).typeIDs == [0])
    }

    @Test func theLimitIsOneOfWhatIsThere() throws {
        let registry = TypeRegistry(maximumTypes: 10)
        for round in 0..<100 {
            let module = try module((0..<10).map { distinct(round * 10 + $0) }, registry)
            #expect(module.typeIDs.allSatisfy { $0 < 10 })
            #expect(throws: ValidationError.self) { try self.module([distinct(-1)], registry) }
            withExtendedLifetime(module) {}
        }
    }

    /// Eight threads make and drop modules that share types: nobody sees another type than its own.
    @Test func threadsMakeAndDrop() async throws {
        let registry = TypeRegistry()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    var kept: [(numbers: [Int], module: ValidModule)] = []
                    for round in 0..<60 {
                        let numbers = (0..<20).map { (task * 3 + round * 7 + $0 * 11) % 200 }
                        let types = numbers.map { self.distinct($0) }
                        kept.append((numbers, try self.module(types, registry)))
                        if kept.count > 4 { kept.removeFirst() }
                        for (numbers, module) in kept {
                            for (number, id) in zip(numbers, module.typeIDs) {
                                guard
                                    case .structure(let fields) = registry.definition(id).composite
                                else {
                                    Issue.record("type \(id) is no structure")
                                    return
                                }
                                let kinds: [ValueType] = [.i32, .i64, .f32, .f64]
                                for (position, field) in fields.enumerated() {
                                    #expect(
                                        field.storage
                                            == .value(kinds[number >> (2 * position) & 3]))
                                }
                                #expect(
                                    registry.matches(
                                        .ref(.index(id), nullable: false),
                                        .ref(.struct, nullable: false)))
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(registry.count == 0)
    }
}

@Suite struct MatchingTests {
    /// Module types: 0 function, 1 structure, 2 its subtype, 3 array.
    private func world() throws -> (TypeRegistry, ValidModule) {
        let registry = TypeRegistry()
        let module = try ModuleBuilder(types: [
            functionType(), sub(structure()), sub(1, structure(mutable(i32))),
            array(immutable(i8)),
        ]).validate(types: registry)
        return (registry, module)
    }

    /// Every pair of heap types against the hierarchy of the specification.
    @Test func heapTypes() throws {
        let (registry, module) = try world()
        defer { withExtendedLifetime(module) {} }
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
        let (registry, module) = try world()
        defer { withExtendedLifetime(module) {} }
        #expect(registry.matches(ValueType.i32, .i32))
        #expect(!registry.matches(ValueType.i32, .i64))
        #expect(registry.matches(ValueType.bottom, .v128))
        #expect(registry.matches(ValueType.bottom, .funcref))
        #expect(!registry.matches(ValueType.funcref, .i32))
        #expect(registry.matches(.ref(.func, nullable: false), .funcref))
        #expect(!registry.matches(ValueType.funcref, .ref(.func, nullable: false)))
    }

    @Test func externalTypes() throws {
        let (registry, module) = try world()
        defer { withExtendedLifetime(module) {} }
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
