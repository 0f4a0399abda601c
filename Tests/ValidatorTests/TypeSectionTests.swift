import Testing
import WasmDecoder
import WasmValidator

@Suite struct TypeSectionTests {
    private func reason(_ types: [UInt8]...) throws -> ValidationError.Reason? {
        try ModuleBuilder(types: types).reason()
    }

    @Test func typesReferToEarlierOnesAndTheirGroup() throws {
        #expect(try reason(functionType([ref(0)])) == nil)
        #expect(try reason(functionType([ref(1)]), functionType()) == .unknown(.type, 1))
        #expect(try reason(rec(functionType([ref(1)]), functionType())) == nil)
        #expect(try reason(rec(sub(1, structure()), sub(structure()))) == .unknown(.type, 1))
        #expect(try reason(sub(0, structure())) == .unknown(.type, 0))
        #expect(try reason(array(mutable(refNull(1 << 28)))) == .unknown(.type, 1 << 28))
        #expect(try reason(rec()) == nil)
    }

    @Test func subtypesMatchTheirSupertype() throws {
        let wrong = ValidationError.Reason.subtypeDoesNotMatch(sub: 1, super: 0)
        // Final types are not extended.
        #expect(try reason(structure(), sub(0, structure())) == wrong)
        #expect(try reason(sub(final: true, structure()), sub(0, structure())) == wrong)
        // Kinds
        #expect(try reason(sub(structure()), sub(0, functionType())) == wrong)
        // Fields are added, not taken away; immutable ones can be refined, mutable ones not.
        let base = sub(structure(immutable(eqref), mutable(eqref)))
        #expect(try reason(base, sub(0, structure(immutable(i31ref), mutable(eqref)))) == nil)
        #expect(
            try reason(base, sub(0, structure(immutable(i31ref), mutable(eqref), mutable(i8))))
                == nil)
        #expect(try reason(base, sub(0, structure(immutable(i31ref)))) == wrong)
        #expect(try reason(base, sub(0, structure(immutable(eqref), mutable(i31ref)))) == wrong)
        #expect(try reason(base, sub(0, structure(mutable(eqref), mutable(eqref)))) == wrong)
        #expect(try reason(base, sub(0, structure(immutable(anyref), mutable(eqref)))) == wrong)
        #expect(try reason(sub(array(mutable(i8))), sub(0, array(mutable([0x77])))) == wrong)
        // Parameters go the other way.
        let function = sub(functionType([eqref], [eqref]))
        #expect(try reason(function, sub(0, functionType([anyref], [i31ref]))) == nil)
        #expect(try reason(function, sub(0, functionType([i31ref], [i31ref]))) == wrong)
        #expect(try reason(function, sub(0, functionType([anyref], [anyref]))) == wrong)
        #expect(try reason(function, sub(0, functionType([anyref]))) == wrong)
    }

    @Test func supertypesMayBeInTheSameGroup() throws {
        #expect(try reason(rec(sub(structure()), sub(0, structure(mutable(refNull(1)))))) == nil)
        #expect(
            try reason(rec(sub(structure(mutable(i32))), sub(0, structure())))
                == .subtypeDoesNotMatch(sub: 1, super: 0))
    }

    @Test func oneSupertypeAtMost() throws {
        #expect(
            try reason(sub(structure()), sub(structure()), sub([0, 1], false, structure()))
                == .severalSupertypes(2))
    }

    @Test func hostileTypeSectionsTakeLinearTime() throws {
        // Every type refers to the one before: closed forms must not be unfolded.
        var types = [structure(mutable(i32))]
        for index in 0..<20_000 {
            types.append(
                structure(immutable(ref(Int64(index))), immutable(ref(Int64(index)))))
        }
        #expect(try ModuleBuilder(types: types).reason() == nil)
        // One large group.
        let members = (0..<20_000).map { structure(mutable(refNull(($0 * 7919) % 20_000))) }
        #expect(try ModuleBuilder(types: [[0x4e] + vector(members)]).reason() == nil)
    }
}
