import Testing
import WasmInterpreter

/// Modules that declare more than anybody needs, or more than there is.
@Suite struct DeclarationTests {
    private let million = 1_000_000

    @Test func aMillionFunctions() throws {
        var hostile = HostileModule()
        hostile.section(1, 1, of: [0x60, 0, 0])
        hostile.section(3, million, of: [0])
        hostile.section(7, 1, of: [1, 0x66, 0] + HostileModule.unsigned(million - 1))
        hostile.section(10, million, of: [2, 0, 0x0b])
        let cage = Cage()
        #expect(try cage.trap(cage.instantiate(hostile)) == nil)
    }

    /// One more than the limit of each kind is refused before anything is looked at.
    @Test(arguments: [
        (1, 1_000_000, DecodingLimits.Kind.types), (2, 1_000_000, .imports),
        (3, 1_000_000, .functions), (4, 100_000, .tables), (5, 100, .memories),
        (6, 1_000_000, .globals), (7, 1_000_000, .exports), (9, 1_000_000, .elementSegments),
        (11, 100_000, .dataSegments), (13, 1_000_000, .tags),
    ])
    func tooMany(id: UInt8, limit: Int, kind: DecodingLimits.Kind) {
        var hostile = HostileModule()
        hostile.section(id, count: limit + 1, [UInt8](repeating: 0xff, count: 8 * limit))
        #expect(Cage().limit(hostile) == kind)
    }

    /// Counts that nothing follows: refused without making room for them.
    @Test(arguments: 1...13) func emptyPromises(id: Int) {
        for count in [1000, 100_000, 0xffff_ffff] {
            var hostile = HostileModule()
            hostile.section(UInt8(id), count: count, [])
            #expect(throws: ModuleError.self) { try Cage().module(hostile) }
        }
    }

    /// Sections longer than the file.
    @Test(arguments: 0...13) func longerThanTheFile(id: Int) {
        for size in [1, 0x7fff_ffff, 0xffff_ffff] {
            var hostile = HostileModule()
            hostile.bytes += [UInt8(id)] + HostileModule.unsigned(size)
            #expect(throws: ModuleError.self) { try Cage().module(hostile) }
        }
    }

    /// Counts within items that nothing follows.
    @Test func emptyPromisesWithin() {
        let huge = HostileModule.unsigned(0xffff_ffff)
        let items: [(UInt8, [UInt8])] = [
            (1, [0x60] + huge), (1, [0x60, 0] + huge), (1, [0x5f] + huge), (1, [0x4e] + huge),
            (1, [0x50] + huge), (2, huge), (2, [0] + huge), (7, huge),
            (9, [0, 0x41, 0, 0x0b] + huge),
            (9, [1, 0] + huge), (9, [5, 0x70] + huge), (11, [1] + huge),
            (11, [0, 0x41, 0, 0x0b] + huge),
        ]
        for (id, item) in items {
            var hostile = HostileModule()
            hostile.section(id, 1, of: item)
            #expect(throws: ModuleError.self) { try Cage().module(hostile) }
        }
        var bodyless = HostileModule()
        bodyless.section(1, 1, of: [0x60, 0, 0])
        bodyless.section(3, 1, of: [0])
        bodyless.section(10, 1, of: huge)
        #expect(throws: ModuleError.self) { try Cage().module(bodyless) }
    }

    // MARK: Types

    /// A chain of types of which each refers to the one before, and one group of all of them.
    @Test(arguments: [false, true]) func aChainOfTypes(isOneGroup: Bool) throws {
        let count = 100_000
        var content: [UInt8] = isOneGroup ? [0x4e] + HostileModule.unsigned(count) : []
        for index in 0..<count {
            let element = index == 0 ? [0x7f] : [0x63] + HostileModule.unsigned(index - 1)
            // A heap type is a signed number: one more byte keeps it positive.
            let padded =
                index == 0
                ? element : element.dropLast() + [element[element.count - 1] | 0x80, 0]
            content += [0x5e] + padded + [1]
        }
        var hostile = HostileModule()
        hostile.section(1, count: isOneGroup ? 1 : count, content)
        _ = try Cage().module(hostile)
    }

    /// Subtypes of subtypes: 63 levels are fine, 100,000 are not.
    @Test func aLadderOfSubtypes() throws {
        func ladder(_ count: Int) -> HostileModule {
            var content: [UInt8] = [0x50, 0, 0x5f, 0]
            for index in 1..<count {
                content += [0x50, 1] + HostileModule.unsigned(index - 1) + [0x5f, 0]
            }
            var hostile = HostileModule()
            hostile.section(1, count: count, content)
            return hostile
        }
        _ = try Cage().module(ladder(60))
        #expect(throws: ModuleError.self) { try Cage().module(ladder(100_000)) }
    }

    @Test func tooManyParameters() {
        for (item, kind) in [
            (
                [UInt8](arrayLiteral: 0x60) + HostileModule.unsigned(1001),
                DecodingLimits.Kind.parameters
            ),
            ([0x60, 0] + HostileModule.unsigned(1001), .results),
            ([0x5f] + HostileModule.unsigned(10_001), .fields),
        ] {
            var hostile = HostileModule()
            hostile.section(1, 1, of: item + [UInt8](repeating: 0x7f, count: 30_000))
            #expect(Cage().limit(hostile) == kind)
        }
    }

    // MARK: Imports, exports, segments

    @Test func aMillionImports() throws {
        var hostile = HostileModule()
        hostile.section(1, 1, of: [0x60, 0, 0])
        hostile.section(2, million, of: [0, 0, 0, 0])
        let cage = Cage()
        let module = try cage.module(hostile)
        #expect(throws: LinkError.self) { try cage.linker.instantiate(module, in: cage.store) }
        cage.linker.defineFunction("", "") { _, _ in }
        _ = try cage.linker.instantiate(module, in: cage.store)
    }

    @Test func aMillionExports() throws {
        var content: [UInt8] = []
        for index in 0..<million {
            content += HostileModule.name(String(index, radix: 36)) + [0, 0]
        }
        var hostile = HostileModule()
        hostile.section(1, 1, of: [0x60, 0, 0])
        hostile.section(3, 1, of: [0])
        hostile.section(7, count: million, content)
        hostile.section(10, 1, of: [2, 0, 0x0b])
        let cage = Cage()
        let instance = try cage.instantiate(hostile)
        #expect(try cage.trap(instance, Name(String(million - 1, radix: 36))) == nil)
        // The same name twice, far apart.
        var twice = HostileModule()
        twice.section(1, 1, of: [0x60, 0, 0])
        twice.section(3, 1, of: [0])
        twice.section(
            7, count: million, Array(content.dropLast(7)) + [4] + Array("10zz".utf8) + [0, 0])
        twice.section(10, 1, of: [2, 0, 0x0b])
        #expect(throws: ModuleError.self) { try cage.module(twice) }
    }

    @Test func aHugeElementSegment() throws {
        func segment(_ count: Int) -> HostileModule {
            var hostile = HostileModule()
            hostile.section(1, 1, of: [0x60, 0, 0])
            hostile.section(3, 1, of: [0])
            hostile.section(4, 1, of: [0x70, 0, 1])
            let items = [UInt8](repeating: 0, count: count)
            hostile.section(
                9, count: 1, [0, 0x41, 0, 0x0b] + HostileModule.unsigned(count) + items)
            hostile.section(10, 1, of: [2, 0, 0x0b])
            return hostile
        }
        #expect(Cage().limit(segment(10_000_001)) == .elements)
        let cage = Cage()
        let error = #expect(throws: Trap.self) {
            try cage.instantiate(segment(1_000_000))
        }
        #expect(error?.code == .outOfBoundsTableAccess)
    }

    @Test func aHugeDataSegment() throws {
        var hostile = HostileModule()
        hostile.section(5, 1, of: [0, 1])
        let size = 100 << 20
        hostile.section(
            11, count: 1,
            [0, 0x41, 0, 0x0b] + HostileModule.unsigned(size) + [UInt8](repeating: 1, count: size))
        let cage = Cage()
        let error = #expect(throws: Trap.self) { try cage.instantiate(hostile) }
        #expect(error?.code == .outOfBoundsMemoryAccess)
    }
}
