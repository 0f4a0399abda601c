// Where instructions find their operands, and where results go. Everything here is inlined into the
// generated handlers; the protocols cost nothing at run time.

/// A type that slots and accumulators hold.
protocol RegisterValue {
    init(bits: Slot)
    /// The value as a slot holds it: zero-extended to 64 bits.
    var bits: Slot { get }
    /// The accumulator of this type's class.
    static func register(_ state: State) -> Self
    static func immediate(_ value: Int32) -> Self
    /// Puts the value into its accumulator and continues at `pc`.
    func advance(_ state: State, to pc: CodePointer, _ sp: StackPointer)
}

extension RegisterValue {
    @inline(__always) func advance(_ state: State, _ words: Int) {
        advance(state, to: state.pc + words, state.sp)
    }
}

extension UInt32: RegisterValue {
    @inline(__always) init(bits: Slot) { self.init(truncatingIfNeeded: bits) }
    @inline(__always) var bits: Slot { UInt64(self) }
    @inline(__always) static func register(_ state: State) -> UInt32 {
        UInt32(truncatingIfNeeded: state.r)
    }
    @inline(__always) static func immediate(_ value: Int32) -> UInt32 { UInt32(bitPattern: value) }
    @inline(__always) func advance(_ m: State, to pc: CodePointer, _ sp: StackPointer) {
        dispatch(pc, sp, m.md, m.ms, m.cx, UInt64(self), m.f, m.g)
    }
}

extension UInt64: RegisterValue {
    @inline(__always) init(bits: Slot) { self = bits }
    @inline(__always) var bits: Slot { self }
    @inline(__always) static func register(_ state: State) -> UInt64 { state.r }
    @inline(__always) static func immediate(_ value: Int32) -> UInt64 {
        UInt64(bitPattern: Int64(value))
    }
    @inline(__always) func advance(_ m: State, to pc: CodePointer, _ sp: StackPointer) {
        dispatch(pc, sp, m.md, m.ms, m.cx, self, m.f, m.g)
    }
}

extension Double: RegisterValue {
    @inline(__always) init(bits: Slot) { self.init(bitPattern: bits) }
    @inline(__always) var bits: Slot { bitPattern }
    @inline(__always) static func register(_ state: State) -> Double { state.f }
    /// Floats have no 32-bit immediates.
    @inline(__always) static func immediate(_ value: Int32) -> Double { 0 }
    @inline(__always) func advance(_ m: State, to pc: CodePointer, _ sp: StackPointer) {
        dispatch(pc, sp, m.md, m.ms, m.cx, m.r, self, m.g)
    }
}

extension Float: RegisterValue {
    @inline(__always) init(bits: Slot) {
        self.init(bitPattern: UInt32(truncatingIfNeeded: bits))
    }
    @inline(__always) var bits: Slot { UInt64(bitPattern) }
    @inline(__always) static func register(_ state: State) -> Float { state.g }
    @inline(__always) static func immediate(_ value: Int32) -> Float { 0 }
    @inline(__always) func advance(_ m: State, to pc: CodePointer, _ sp: StackPointer) {
        dispatch(pc, sp, m.md, m.ms, m.cx, m.r, m.f, self)
    }
}

// MARK: Sources

protocol Source {
    static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T
    /// Words that the source takes after the two of every instruction.
    static var extraWords: Int { get }
}

extension Source {
    @inline(__always) static var extraWords: Int { 0 }
}

enum Slot0: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T(bits: m.sp[m.field(0)])
    }
}
enum Slot1: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T(bits: m.sp[m.field(1)])
    }
}
enum Slot2: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T(bits: m.sp[m.field(2)])
    }
}
enum Slot3: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T(bits: m.sp[m.field(3)])
    }
}
enum Register: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T.register(m)
    }
}
enum Immediate32: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T.immediate(m.signedHalf)
    }
}
enum Immediate0: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T.immediate(m.signedField(0))
    }
}
enum Immediate1: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T.immediate(m.signedField(1))
    }
}
enum Immediate2: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T.immediate(m.signedField(2))
    }
}
enum Wide: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T(bits: m.word(2))
    }
    @inline(__always) static var extraWords: Int { 1 }
}

/// The sum of two i32.
enum Sum<A: Source, B: Source>: Source {
    @inline(__always) static func get<T: RegisterValue>(_ m: State, _ type: T.Type) -> T {
        T(bits: (A.get(m, UInt32.self) &+ B.get(m, UInt32.self)).bits)
    }
}

// MARK: Destinations

/// A result always goes to the accumulator of its class; some instructions store it as well.
protocol Destination {
    static func put(_ m: State, _ value: Slot)
}

enum ToSlot: Destination {
    @inline(__always) static func put(_ m: State, _ value: Slot) { m.sp[m.field(0)] = value }
}
enum ToRegister: Destination {
    @inline(__always) static func put(_ m: State, _ value: Slot) {}
}

// MARK: Addresses

/// An effective address in a 32-bit memory 0; the sum never overflows 64 bits.
protocol Address {
    static func effective(_ m: State) -> UInt
}

@inline(__always) private func slot32(_ m: State, _ field: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: m.sp[m.field(field)])
}
@inline(__always) private func register32(_ m: State) -> UInt32 {
    UInt32(truncatingIfNeeded: m.r)
}

enum AtSlot: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(slot32(m, 1)) &+ m.unsignedHalf
    }
}
/// As `AtSlot`, with fields of word 2.
enum AtSlot5: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(slot32(m, 5)) &+ UInt(UInt32(bitPattern: m.farHalf))
    }
}
/// As `AtSlotImmediate`, with fields of word 2.
enum AtSlot5Immediate: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(slot32(m, 5) &+ UInt32(bitPattern: m.signedField(6))) &+ UInt(bitPattern: m.field(7))
    }
}
enum AtRegister: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(register32(m)) &+ m.unsignedHalf
    }
}
enum AtConstant: Address {
    @inline(__always) static func effective(_ m: State) -> UInt { m.unsignedHalf }
}
enum AtSlotImmediate: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(slot32(m, 1) &+ UInt32(bitPattern: m.signedField(2))) &+ UInt(bitPattern: m.field(3))
    }
}
enum AtRegisterImmediate: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(register32(m) &+ UInt32(bitPattern: m.signedField(2))) &+ UInt(bitPattern: m.field(3))
    }
}
enum AtSlotSlot: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(slot32(m, 1) &+ slot32(m, 2)) &+ UInt(bitPattern: m.field(3))
    }
}
@inline(__always) private func scaled(_ m: State, _ shift: UInt32) -> UInt {
    UInt(slot32(m, 1) &+ (register32(m) &<< shift)) &+ UInt(bitPattern: m.field(3))
}
enum AtSlotRegister0: Address {
    @inline(__always) static func effective(_ m: State) -> UInt { scaled(m, 0) }
}
enum AtSlotRegister1: Address {
    @inline(__always) static func effective(_ m: State) -> UInt { scaled(m, 1) }
}
enum AtSlotRegister2: Address {
    @inline(__always) static func effective(_ m: State) -> UInt { scaled(m, 2) }
}
enum AtSlotRegister3: Address {
    @inline(__always) static func effective(_ m: State) -> UInt { scaled(m, 3) }
}

enum AtSlotWide: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(slot32(m, 1) &+ UInt32(truncatingIfNeeded: m.unsignedHalf))
    }
}
enum AtRegisterWide: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(register32(m) &+ UInt32(truncatingIfNeeded: m.unsignedHalf))
            &+ UInt(bitPattern: m.field(1))
    }
}

/// Multiplies an index by the size of an element.
@inline(__always) private func offset<T: FixedWidthInteger>(_ index: UInt32, _: T.Type) -> UInt32 {
    index &<< UInt32(truncatingIfNeeded: T.bitWidth.trailingZeroBitCount &- 3)
}
enum AtSlotScaledSlot<Element: FixedWidthInteger>: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(slot32(m, 1) &+ offset(slot32(m, 2), Element.self)) &+ UInt(bitPattern: m.field(3))
    }
}
enum AtRegisterScaledSlot<Element: FixedWidthInteger>: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(register32(m) &+ offset(slot32(m, 2), Element.self)) &+ UInt(bitPattern: m.field(3))
    }
}
enum AtScaledSlotWide<Element: FixedWidthInteger>: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(offset(slot32(m, 1), Element.self) &+ UInt32(truncatingIfNeeded: m.unsignedHalf))
    }
}
enum AtScaledRegisterWide<Element: FixedWidthInteger>: Address {
    @inline(__always) static func effective(_ m: State) -> UInt {
        UInt(offset(register32(m), Element.self) &+ UInt32(truncatingIfNeeded: m.unsignedHalf))
            &+ UInt(bitPattern: m.field(1))
    }
}

// MARK: Directions and conditions

/// How a branch is taken.
protocol Direction {
    static func take(_ m: State, _ offset: Int32)
}

enum Forward: Direction {
    @inline(__always) static func take(_ m: State, _ offset: Int32) {
        dispatch(m.target(offset), m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    }
}
enum Loop: Direction {
    @inline(__always) static func take(_ m: State, _ offset: Int32) {
        if _slowPath(m.useBudget()) {
            return refillBudget(m.target(offset), m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
        }
        dispatch(m.target(offset), m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    }
}

protocol Condition {
    static func holds(_ value: UInt32) -> Bool
}
enum NonZero: Condition {
    @inline(__always) static func holds(_ value: UInt32) -> Bool { value != 0 }
}
enum Zero: Condition {
    @inline(__always) static func holds(_ value: UInt32) -> Bool { value == 0 }
}
