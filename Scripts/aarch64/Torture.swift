// Many instructions on a small native stack: a handler that returned to another one instead of
// jumping would use it up.

import Glibc
import Synchronization
import WasmMachine

enum Torture {
    /// Times the loop goes round; it is six instructions long.
    static let rounds = 20_000_000
    /// The least that the C library gives a thread on aarch64.
    static let stackBytes = 131_072

    static func run() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        guard pthread_attr_setstacksize(&attributes, stackBytes) == 0 else {
            return print("torture no small stack")
        }
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { _ in
                Torture.loop()
                return nil
            }, nil)
        guard status == 0 else { return print("torture no thread") }
        pthread_join(thread, nil)
        let memory = Stage.memory0.load(fromByteOffset: 16, as: UInt64.self)
        print(
            "torture rounds \(rounds) exit \(Stage.exchange.pointee.exitCode) counter \(Stage.frame[12]) sum \(Stage.frame[10]) result \(Stage.frame[13]) memory \(memory)"
        )
    }

    /// slot 10 += slot 11; memory[16] = slot 10; r = memory[16]; a call that returns r in slot 20;
    /// slot 11 = slot 12; slot 13 = slot 20; slot 12 += 1, and again while it is below the limit.
    private static func loop() {
        Stage.memories[0] = MemoryRecord(base: Stage.memory0, byteCount: 256)
        let cx = Stage.context(0)
        cx.storeBytes(of: 1 << 40, toByteOffset: ContextOffset.budget, as: Int64.self)
        cx.storeBytes(
            of: Stage.number(Stage.frame + 1000), toByteOffset: ContextOffset.stackLimit,
            as: UInt64.self)
        cx.storeBytes(
            of: Stage.number(Stage.memories), toByteOffset: ContextOffset.memory0, as: UInt64.self)
        for slot in 0..<64 { Stage.frame[slot] = 0 }
        Stage.frame[11] = 3
        Stage.entries[1] = Stage.number(Stage.code + 512)
        Stage.code[512] = Instruction.returnValue(.integer, .register).handler
        Stage.code[513] = 2
        let code = Stage.code + 320
        let words: [(Instruction?, UInt64)] = [
            (.integerCommutative(.i32Add, .slotSlot, .toSlot), fields(10, 10, 11, 0)),
            (.store(.i64Store, .constant, .slot), fields(10, 0, 16, 0)),
            (.load(.i64Load, .constant, .toRegister), fields(0, 0, 16, 0)),
            (.call, Stage.number(Stage.entries + 1)), (nil, fields(20, 2, 0, 0)),
            (.copyTwo, fields(11, 12, 13, 20)),
            (.addBranchWide(.i32LtS, .immediate), fields(12, 1, rounds & 0xffff, rounds >> 16)),
        ]
        var word = 0
        for (instruction, operands) in words {
            if let instruction {
                code[word] = instruction.handler
                word += 1
            }
            code[word] = operands
            word += 1
        }
        // Back to the first instruction, from the last one.
        code[word] = UInt64(UInt32(bitPattern: Int32(-8 * (word - 2)))) &<< 32
        Landing.write(at: 320 + word + 1)
        Stage.exchange.pointee = MachineExchange(
            top: Stage.frame, stopWord: Stage.stopWord, upcalls: Upcalls.shared)
        Stage.stopWord.pointee.store(0, ordering: .relaxed)
        Machine.run(code: code, stack: Stage.frame, context: cx)
    }

    private static func fields(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> UInt64 {
        UInt64(a) | UInt64(b) &<< 16 | UInt64(c) &<< 32 | UInt64(d) &<< 48
    }
}
