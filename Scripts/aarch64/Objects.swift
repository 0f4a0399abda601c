// Objects of the stage's heap, by their byte offset, and the records of their types.

import WasmMachine

enum Objects {
    static let structure = 0x40
    static let extended = 0xc0
    static let array = 0x140
    static let spare = [0x240, 0x2c0]
    static let end = 0x340
    /// Elements of the array; the largest ones have 16 bytes.
    static let length: UInt32 = 12
    /// The size class of the spare cells.
    static let sizeClass = 14

    static func reference(_ offset: Int) -> UInt64 { Stage.number(Stage.objects + offset) }

    /// 16 types; type i has i % 4 supertypes, among them those of types 3 and 5.
    static func defineTypes() {
        Stage.heap.storeBytes(
            of: Stage.number(Stage.types), toByteOffset: HeapOffset.types, as: UInt64.self)
        for type in 0..<16 {
            let ancestors = Stage.ancestors + 4 * type
            ancestors[0] = 3
            ancestors[1] = 5
            ancestors[2] = UInt32(type)
            ancestors[3] = 7
            var record = TypeRecord()
            record.ancestors = UnsafePointer(ancestors)
            record.depth = UInt32(type % 4)
            Stage.types[type] = record
        }
    }

    static func reset(_ random: inout Random, hasCell: Bool) {
        for offset in stride(from: 0, to: end, by: 8) {
            Stage.objects.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
        }
        Stage.objects.storeBytes(of: 3, toByteOffset: structure, as: UInt32.self)
        Stage.objects.storeBytes(of: 6, toByteOffset: extended, as: UInt32.self)
        Stage.objects.storeBytes(
            of: ObjectKind.array.header(4), toByteOffset: array, as: UInt32.self)
        Stage.objects.storeBytes(of: length, toByteOffset: array + 4, as: UInt32.self)
        Stage.objects.storeBytes(
            of: reference(spare[1]), toByteOffset: spare[0] + 8, as: UInt64.self)
        Stage.objects.storeBytes(of: 0, toByteOffset: spare[1] + 8, as: UInt64.self)
        Stage.heap.storeBytes(
            of: hasCell ? reference(spare[0]) : 0,
            toByteOffset: HeapOffset.freeList(sizeClass), as: UInt64.self)
    }
}
