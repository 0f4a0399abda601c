import Testing

@testable import WasmDecoder

/// Opcodes and immediates (5.4).
@Suite struct InstructionReadingTests {
    /// Every opcode is read back from its encoding, also with padded numbers.
    @Test func everyOpcode() {
        for opcode in Opcode.allCases {
            let result = read(encoding(of: opcode), features: [.all, .legacyExceptions]) {
                r throws(DecodingError) in
                let opcode = try r.opcode()
                return (opcode, r.isAtEnd)
            }
            #expect(result.value?.0 == opcode && result.value?.1 == true)
        }
        #expect(opcode([0xfd, 0x80, 0x80, 0x00]).value == .v128Load)
    }

    /// All 256 first bytes and all numbers of the pages: either an opcode or illegal.
    @Test func everyIllegalOpcode() {
        let legal = Set(Opcode.allCases.map(\.rawValue))
        for byte in UInt8.min...0xff where !(0xfb...0xfe).contains(byte) {
            let result = read([byte], features: [.all, .legacyExceptions]) {
                r throws(DecodingError) in try r.opcode()
            }
            #expect((result.value != nil) == legal.contains(UInt16(byte)))
            if result.value == nil { #expect(result.reason == .illegalOpcode) }
        }
        for (prefix, base, size) in [
            (0xfb, 0x100, 0x100), (0xfc, 0x200, 0x100), (0xfe, 0x300, 0x100), (0xfd, 0x400, 600),
        ] as [(UInt8, Int, Int)] {
            for number in 0..<size {
                let result = opcode([prefix] + Wasm.unsigned(UInt64(number)))
                let isLegal = legal.contains(UInt16(base + number))
                #expect((result.value != nil) == isLegal)
                if !isLegal { #expect(result.reason == .illegalOpcode && result.offset == 0) }
            }
            #expect(opcode([prefix, 0xff, 0xff, 0xff, 0xff, 0x0f]).reason == .illegalOpcode)
            #expect(opcode([prefix]).reason == .unexpectedEnd)
            #expect(
                opcode([prefix, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]).reason
                    == .integerRepresentationTooLong)
        }
    }

    @Test func messagesOfIllegalOpcodes() {
        #expect(message(opcode([0xff])) == "illegal opcode ff")
        #expect(message(opcode([0xfc, 0xc0, 0x01])) == "illegal opcode fc c0")
    }

    /// Where a range ends inside the file, an `end` is missing.
    @Test func missingEnd() {
        let bytes = ModuleBytes([0x01, 0x01])
        for (end, reason) in [(1, DecodingError.Reason.endExpected), (2, .unexpectedEnd)] {
            var reader = BinaryReader(
                bytes, range: ByteRange(start: end, end: end), features: .all)
            #expect(throws: DecodingError(reason, at: end)) { _ = try reader.opcode() }
        }
    }

    @Test func featuresOfOpcodes() {
        for opcode in Opcode.allCases where opcode.info.feature != [] {
            for feature in Features.named.map(\.feature)
            where opcode.info.feature.contains(feature) {
                let features = Features([.all, .legacyExceptions]).subtracting(feature)
                let result = read(encoding(of: opcode), features: features) {
                    r throws(DecodingError) in try r.opcode()
                }
                #expect(result == .failure(.requires(feature, at: 0)))
            }
        }
    }

    @Test func blockTypes() {
        #expect(blockType([0x40]).value == .empty)
        #expect(blockType([0x7f]).value == .value(.i32))
        #expect(blockType([0x7b]).value == .value(.v128))
        #expect(blockType([0x63, 0x05]).value == .value(.ref(.index(5), nullable: true)))
        #expect(blockType([0x64, 0x70]).value == .value(.ref(.func, nullable: false)))
        #expect(blockType([0x05]).value == .type(5))
        #expect(blockType([0xff, 0x00]).value == .type(127))
        #expect(blockType([0xff, 0xff, 0xff, 0xff, 0x0f]).value == .type(.max))
        #expect(blockType([0x41]).reason == .malformedBlockType)
        #expect(blockType([0xff, 0x7f]).reason == .malformedBlockType)
        #expect(blockType([0x80, 0x80, 0x80, 0x80, 0x70]).reason == .malformedBlockType)
        #expect(blockType([]).reason == .unexpectedEnd)
        #expect(blockType([0x05], features: .wasm1).reason == .featureRequired)
    }

    @Test func memoryArguments() {
        #expect(argument([0x02, 0x08]).value == MemoryArgument(alignLog2: 2, offset: 8))
        #expect(
            argument([0x43, 0x05, 0x80, 0x01]).value
                == MemoryArgument(alignLog2: 3, memory: 5, offset: 128))
        #expect(
            argument([0x00] + Wasm.unsigned(.max)).value
                == MemoryArgument(alignLog2: 0, offset: .max))
        #expect(argument([0x80, 0x01, 0x00]).reason == .malformedMemoryArgument)
        #expect(argument([0x02]).reason == .unexpectedEnd)
        #expect(argument([0x42, 0x01, 0x00], features: .wasm2).reason == .featureRequired)
        #expect(
            argument([0x02, 0x80, 0x80, 0x80, 0x80, 0x10], features: .wasm2).reason
                == .integerTooLarge)
    }

    @Test func indicesThatOnceWereZeroBytes() {
        let index = { (bytes: [UInt8], features: Features) in
            read(bytes, features: features) { r throws(DecodingError) in try r.memoryIndex() }
        }
        #expect(index([0x00], .wasm1).value == 0)
        #expect(index([0x80, 0x00], .wasm1).reason == .zeroByteExpected)
        #expect(index([0x01], .wasm1).reason == .featureRequired)
        #expect(index([0x80, 0x01], .wasm3).value == 128)
    }

    @Test func catchesAndCasts() {
        let clause = { (bytes: [UInt8]) in
            read(bytes) { r throws(DecodingError) in try r.catchClause() }
        }
        #expect(clause([0x00, 0x03, 0x01]).value == CatchClause(kind: .catch, tag: 3, label: 1))
        #expect(clause([0x03, 0x04]).value == CatchClause(kind: .catchAllRef, tag: 0, label: 4))
        #expect(clause([0x04, 0x00]).reason == .malformedCatchClause)
        let flags = { (bytes: [UInt8]) in
            read(bytes) { r throws(DecodingError) in try r.castFlags() }
        }
        #expect(flags([0x02]).value?.source == false && flags([0x02]).value?.target == true)
        #expect(flags([0x04]).reason == .malformedCastFlags)
    }

    @Test func vectors() {
        let bytes: [UInt8] = Array(1...16)
        let result = read(bytes) { r throws(DecodingError) in try r.vector128() }.value
        #expect(result?.low == 0x0807_0605_0403_0201 && result?.high == 0x100f_0e0d_0c0b_0a09)
        #expect(
            read(Array(bytes.dropLast())) { r throws(DecodingError) in try r.vector128() }.reason
                == .unexpectedEnd)
    }

    /// One instruction of each kind of immediates is skipped whole.
    @Test func skipping() {
        let samples: [(Opcode, [UInt8])] = [
            (.nop, []), (.block, [0x40]), (.br, [0x80, 0x01]),
            (.brTable, [0x02, 0x00, 0x01, 0x02]),
            (.call, [0x05]), (.callRef, [0x05]), (.callIndirect, [0x05, 0x01]),
            (.localGet, [0xff, 0x01]), (.globalSet, [0x00]), (.tableGet, [0x01]),
            (.memorySize, [0x01]), (.i32Load, [0x02, 0x80, 0x01]), (.v128Load8Lane, [0, 0, 15]),
            (.i8x16ExtractLaneS, [0x03]), (.i8x16Shuffle, Array(0..<16)),
            (.i32Const, [0x80, 0x7f]), (.i64Const, [0xff, 0x00]), (.f32Const, [1, 2, 3, 4]),
            (.f64Const, Array(0..<8)), (.v128Const, Array(0..<16)),
            (.selectTyped, [0x02, 0x7f, 0x63, 0x6e]), (.refNull, [0x6e]), (.dataDrop, [0x01]),
            (.elemDrop, [0x01]), (.memoryInit, [0x01, 0x00]), (.memoryCopy, [0x01, 0x00]),
            (.tableInit, [1, 2]), (.tableCopy, [1, 2]), (.structGet, [1, 2]),
            (.arrayNewFixed, [1, 2]), (.arrayNewData, [1, 2]), (.arrayNewElem, [1, 2]),
            (.arrayCopy, [1, 2]), (.brOnCast, [0x03, 0x00, 0x6e, 0x05]),
            (.tryTable, [0x40, 0x02, 0x00, 0x01, 0x02, 0x03, 0x00]), (.throw, [0x00]),
            (.atomicFence, [0x00]),
        ]
        #expect(
            Set(samples.map { $0.0.info.immediates }).count == Immediates.allCases.count)
        for (opcode, bytes) in samples {
            let end = read(bytes + [0x0b]) { r throws(DecodingError) in
                try r.skipImmediates(of: opcode)
                return r.offset
            }
            #expect(end.value == bytes.count, "\(opcode)")
            if !bytes.isEmpty {
                let cut = read(Array(bytes.dropLast())) { r throws(DecodingError) in
                    try r.skipImmediates(of: opcode)
                }
                #expect(cut.reason != nil, "\(opcode)")
            }
        }
        #expect(
            read([0x01]) { r throws(DecodingError) in
                try r.skipImmediates(of: .atomicFence)
            }.reason == .zeroByteExpected)
    }

    @Test func locals() {
        let result = read([0x02, 0x03, 0x7f, 0x01, 0x7e]) { r throws(DecodingError) in
            var groups: [(UInt32, ValueType)] = []
            let total = try r.forEachLocalGroup { (count, type) throws(DecodingError) in
                groups.append((count, type))
            }
            return (total, groups.map(\.0), groups.map(\.1), r.isAtEnd)
        }.value
        #expect(result?.0 == 4 && result?.1 == [3, 1] && result?.2 == [.i32, .i64])
        #expect(result?.3 == true)

        let locals = { (bytes: [UInt8]) in
            read(bytes) { r throws(DecodingError) in
                try r.forEachLocalGroup { (_, _) throws(DecodingError) in }
            }
        }
        let many = locals([0x02, 0x01, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f])
        #expect(many.reason == .tooManyLocals && many.offset == 3)
        #expect(locals([0x01] + Wasm.unsigned(50_000) + [0x7f]).value == 50_000)
        #expect(locals([0x01] + Wasm.unsigned(50_001) + [0x7f]).reason == .tooManyLocals)
        #expect(locals([0x01, 0x01, 0x10]).reason == .malformedValueType)
    }

    private func encoding(of opcode: Opcode) -> [UInt8] {
        let raw = opcode.rawValue
        switch raw {
        case 0..<0x100: return [UInt8(raw)]
        case 0x100..<0x200: return [0xfb] + Wasm.unsigned(UInt64(raw - 0x100))
        case 0x200..<0x300: return [0xfc] + Wasm.unsigned(UInt64(raw - 0x200))
        case 0x300..<0x400: return [0xfe] + Wasm.unsigned(UInt64(raw - 0x300))
        default: return [0xfd] + Wasm.unsigned(UInt64(raw - 0x400))
        }
    }

    private func opcode(_ bytes: [UInt8]) -> Result<Opcode, DecodingError> {
        read(bytes) { r throws(DecodingError) in try r.opcode() }
    }
    private func blockType(
        _ bytes: [UInt8], features: Features = .all
    ) -> Result<BlockType, DecodingError> {
        read(bytes, features: features) { r throws(DecodingError) in try r.blockType() }
    }
    private func argument(
        _ bytes: [UInt8], features: Features = .all
    ) -> Result<MemoryArgument, DecodingError> {
        read(bytes, features: features) { r throws(DecodingError) in try r.memoryArgument() }
    }
    private func message<T>(_ result: Result<T, DecodingError>) -> String? {
        if case .failure(let error) = result { error.message } else { nil }
    }
}
