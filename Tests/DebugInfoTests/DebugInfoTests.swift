import Testing
import WasmDebugInfo
import WasmDecoder

/// What clang writes for `Tests/Guests/lines.c`. Expected places were read from llvm-dwarfdump.
@Suite struct CompiledGuestTests {
    @Test(arguments: 2...5)
    func anInstructionHasAPlace(version: Int) throws {
        let info = try #require(try Guest.debugInfo(dwarf: version))
        let place = try #require(info.location(at: 0x109))
        #expect(
            place
                == SourceLocation(
                    file: "lines.c", compilationDirectory: "/guests", line: 9, column: 9))
        #expect(place.description == "lines.c:9:9")
        #expect(place.path == "/guests/lines.c")
        #expect(info.location(at: 0x78)?.description == "lines.c:29:15")
    }

    @Test(arguments: 2...5)
    func bodiesInOthersAreFrames(version: Int) throws {
        let info = try #require(try Guest.debugInfo(dwarf: version))
        let frames = info.frames(at: 0x109)
        #expect(frames.map(\.function) == ["check", "count"])
        #expect(frames.map(\.isInlined) == [true, false])
        // Before version 5 too, clang names the column of a call.
        #expect(frames.map { $0.location?.description } == ["lines.c:9:9", "lines.c:18:16"])
        #expect(info.frames(at: 0x78).map(\.function) == ["_start"])
    }

    @Test(arguments: 2...5)
    func aFunctionHasLines(version: Int) throws {
        let module = try Guest.module(dwarf: version)
        let info = try #require(DebugInfo(module))
        let body = try #require(module.body(of: 0))
        let lines = info.lines(in: body)
        #expect(lines.map { $0.location?.line } == [23, 24, 24, 24])
        #expect(lines.map { $0.location?.column } == [0, 20, 18, 5])
        #expect(lines.map(\.isStatement) == [true, true, false, false])
        #expect(lines.first?.offset == body.start)
        #expect(lines.allSatisfy { body.start..<body.end ~= $0.offset })
    }

    @Test func codeOfNoLineHasNoPlace() throws {
        let module = try Guest.module(dwarf: 5)
        let info = try #require(DebugInfo(module))
        let body = try #require(module.body(of: 2))
        #expect(info.lines(in: body).contains { $0.location == nil })
        #expect(info.location(at: 0) == nil)
        #expect(info.location(at: body.end + 1000) == nil)
        #expect(info.frames(at: -1).isEmpty)
        #expect(info.lines(in: ByteRange(start: 0, end: 4)).isEmpty)
    }

    @Test func aModuleWithoutTablesHasNoInformation() throws {
        #expect(try SmallModule().debugInfo() == nil)
    }
}

/// Line programs that no compiler at hand writes.
@Suite struct LineProgramTests {
    private let code = SmallModule.codeStart

    private func info(_ lines: [UInt8]) throws -> DebugInfo {
        try #require(try SmallModule(sections: [(".debug_line", lines)]).debugInfo())
    }

    @Test(arguments: [false, true])
    func offsetsMayHave64Bits(is64Bit: Bool) throws {
        let program =
            Line.address(3) + Line.line(6) + Line.copy + Line.advance(4) + Line.line(1) + Line.copy
            + Line.advance(2) + Line.end
        let info = try info(lineUnit(program, is64Bit: is64Bit))
        #expect(info.location(at: code + 2) == nil)
        #expect(info.location(at: code + 3)?.description == "a.c:7")
        #expect(info.location(at: code + 6)?.line == 7)
        #expect(info.location(at: code + 7)?.line == 8)
        #expect(info.location(at: code + 9) == nil)
    }

    @Test func specialOpcodesMoveAddressAndLine() throws {
        // 13 is the first: line - 5, address + 0; 14 more are one address further.
        let program = Line.address(3) + Line.line(9) + [13 + 5, 13 + 14 + 7, 8] + Line.end
        let info = try info(lineUnit(program))
        #expect(info.location(at: code + 3)?.line == 10)
        #expect(info.location(at: code + 4)?.line == 12)
        // Opcode 8 moves as far as opcode 255: 17.
        #expect(info.location(at: code + 20)?.line == 12)
        #expect(info.location(at: code + 21) == nil)
    }

    @Test func functionsThatAreGoneAreLeftOut() throws {
        for tombstone: UInt64 in [0, 0xffff_ffff, 0xffff_fffe, 1_000_000] {
            let gone = Line.address(tombstone) + Line.copy + Line.advance(20) + Line.end
            let kept = Line.address(5) + Line.line(1) + Line.copy + Line.advance(9) + Line.end
            let info = try info(lineUnit(gone + kept))
            #expect(info.location(at: code + 2) == nil)
            #expect(info.location(at: code + 5)?.line == 2)
        }
    }

    @Test func addressesThatGoBackBeginAnotherSequence() throws {
        let program =
            Line.address(20) + Line.copy + Line.advance(4) + Line.line(1) + Line.copy
            + Line.address(8) + Line.line(1) + Line.copy + Line.advance(4) + Line.end
        let info = try info(lineUnit(program))
        #expect(info.location(at: code + 20)?.line == 1)
        #expect(info.location(at: code + 8)?.line == 3)
        #expect(info.location(at: code + 11)?.line == 3)
        #expect(info.location(at: code + 12) == nil)
    }

    @Test func aDamagedUnitDoesNotHideTheNext() throws {
        let program = Line.address(5) + Line.copy + Line.advance(9) + Line.end
        let damaged = lineUnit(program, lineRange: 0)
        let info = try info(damaged + lineUnit(program))
        #expect(info.location(at: code + 5)?.line == 1)
    }

    @Test func aFileThatIsNotThereHasNoPlace() throws {
        let program = Line.address(5) + [4, 77] + Line.copy + Line.advance(9) + Line.end
        #expect(try info(lineUnit(program)).location(at: code + 5) == nil)
    }
}
