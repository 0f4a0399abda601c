import Testing

@testable import WasmDecoder

@Suite struct InstructionTableTests {
    @Test func everyOpcodeHasItsRow() {
        for opcode in Opcode.allCases {
            #expect(opcode.info.opcode == opcode)
            #expect(opcode.rawValue < Opcode.rawLimit)
        }
        let rows = [
            controlInstructions, numericInstructions, referenceInstructions,
            miscellaneousInstructions, atomicInstructions, vectorInstructions,
        ]
        #expect(rows.reduce(0) { $0 + $1.count } == Opcode.allCases.count)
        #expect(Opcode.allCases.count == 575)
    }

    /// Case names follow from the names of the text format, so that a row cannot be shifted.
    @Test func namesAgreeWithCases() {
        for opcode in Opcode.allCases where opcode != .selectTyped {
            let parts = opcode.name.split(whereSeparator: { "._ ".contains($0) })
            let name = parts.enumerated().map { index, part in
                index == 0 ? String(part) : part.prefix(1).uppercased() + part.dropFirst()
            }.joined()
            #expect("\(opcode)" == name)
        }
    }

    @Test func samples() {
        #expect(Opcode.i32Add.rawValue == 0x6a)
        #expect(Opcode.f64ReinterpretI64.rawValue == 0xbf)
        #expect(Opcode.brOnNonNull.rawValue == 0xd6)
        #expect(Opcode.i31GetU.rawValue == 0x100 + 30)
        #expect(Opcode.refCastNull.rawValue == 0x100 + 23)
        #expect(Opcode.tableFill.rawValue == 0x200 + 17)
        #expect(Opcode.i64MulWideU.rawValue == 0x200 + 22)
        #expect(Opcode.i64AtomicRmw32CmpxchgU.rawValue == 0x300 + 0x4e)
        #expect(Opcode.f64x2ConvertLowI32x4U.rawValue == 0x400 + 0xff)
        #expect(Opcode.i32x4RelaxedDotI8x16I7x16AddS.rawValue == 0x400 + 0x113)
        #expect(Opcode.i64x2ExtmulHighI32x4U.rawValue == 0x400 + 0xdf)

        let load = Opcode.i64Load32U.info
        #expect(load.immediates == .memoryArgument && load.accessLog2 == 2)
        #expect(load.signature == .load(.i64))
        let lane = Opcode.v128Store16Lane.info
        #expect(lane.immediates == .memoryArgumentLane)
        #expect(lane.laneCount == 8 && lane.accessLog2 == 1)
        #expect(Opcode.i8x16ExtractLaneU.info.laneCount == 16)
        #expect(Opcode.f32x4RelaxedMadd.info.feature == [.simd, .relaxedSIMD])
        #expect(Opcode.f32x4RelaxedMadd.info.signature == .ternary(.v128))
        #expect(Opcode.returnCallRef.info.feature == [.tailCalls, .functionReferences])
        #expect(Opcode.i32AtomicRmwCmpxchg.info.feature == .threads)
        #expect(Opcode.i64Eq.info.signature == .comparison(.i64))
        #expect(Opcode.select.info.signature == nil)
        #expect(Opcode.i32WrapI64.info.signature == .conversion(.i64, to: .i32))
    }

    /// What an opcode is called in a message.
    @Test func encodings() {
        #expect(Opcode.nop.encoding == "0x01")
        #expect(Opcode.i8x16Neg.encoding == "0xfd 0x61")
        #expect(Opcode.f32x4RelaxedMin.encoding == "0xfd 0x10d")
        #expect(Opcode.memoryCopy.encoding == "0xfc 0x0a")
    }

    /// Memory instructions take an address first, and only they have a size.
    @Test func memoryInstructions() {
        for opcode in Opcode.allCases {
            let info = opcode.info
            switch info.immediates {
            case .memoryArgument, .memoryArgumentLane:
                #expect(info.signature?.operand(at: 0) == .i32)
                #expect(info.accessLog2 <= 4)
            default:
                #expect(info.accessLog2 == 0)
            }
        }
    }
}
