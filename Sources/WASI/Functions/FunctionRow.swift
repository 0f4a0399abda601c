import WasmInterpreter

/// The meaning of a function's parameter.
enum ParameterMeaning: Sendable {
    /// A number: a descriptor, a size, an offset, a time.
    case number
    case signedNumber
    /// An address or value that is returned to the guest unchanged.
    case opaque
    /// A member of an enumeration, with the specification's names by number.
    case word([String])
    /// `whence`, whose numbers differ between the versions.
    case whence
    /// Bits, the lowest first.
    case flags([String])
    /// A path: address and byte count.
    case path
    /// Buffers with content that the call reads: address and count of their `iovec`s.
    case contents
    /// Buffers that the call fills, given as for `contents`; the first `result32` is the number of
    /// bytes.
    case filledBuffers
    /// Address of subscriptions; their number is two parameters further.
    case subscriptions

    /// Memory that the call fills, not shown in a trace.
    case memory
    // The rest are addresses of results.
    case result32
    case result64
    case result16(flags: [String])
    case filestat
    case fdstat
    case prestat
    /// Text; the next parameter is its size.
    case text
    /// Text; the first `result32` is its size.
    case usedText
    /// Entries of a folder; the first `result32` is their size in bytes.
    case entries
    /// Events; the first `result32` is their number.
    case events
    case arguments
    case environment
}

/// A parameter of a function: its name in the specification and its meaning. `Value` is the type
/// that the body receives.
struct Parameter<Value: SlotReadable>: Sendable {
    let name: String
    let meaning: ParameterMeaning
}

/// A type that can be read from the slots of a call.
protocol SlotReadable: Sendable {
    static var types: [ValueType] { get }
    /// Reads the value at a slot, and moves `slot` after it.
    init(_ slots: borrowing CallSlots, _ slot: inout Int)
}

extension UInt32: SlotReadable {
    static var types: [ValueType] { [.i32] }
    @inline(__always)
    init(_ slots: borrowing CallSlots, _ slot: inout Int) {
        self = slots.u32(slot)
        slot &+= 1
    }
}

extension UInt64: SlotReadable {
    static var types: [ValueType] { [.i64] }
    @inline(__always)
    init(_ slots: borrowing CallSlots, _ slot: inout Int) {
        self = slots.u64(slot)
        slot &+= 1
    }
}

extension Int64: SlotReadable {
    static var types: [ValueType] { [.i64] }
    @inline(__always)
    init(_ slots: borrowing CallSlots, _ slot: inout Int) {
        self = slots.i64(slot)
        slot &+= 1
    }
}

/// An address in the guest's memory with a count of bytes or of array elements.
struct GuestSpan: SlotReadable {
    let address: UInt32
    let count: UInt32

    static var types: [ValueType] { [.i32, .i32] }
    @inline(__always)
    init(_ slots: borrowing CallSlots, _ slot: inout Int) {
        address = slots.u32(slot)
        count = slots.u32(slot &+ 1)
        slot &+= 2
    }
}

extension Parameter where Value == UInt32 {
    static func descriptor(_ name: String = "fd") -> Self { Self(name: name, meaning: .number) }
    static func size(_ name: String) -> Self { Self(name: name, meaning: .number) }
    static func number(_ name: String) -> Self { Self(name: name, meaning: .number) }
    static func opaque(_ name: String) -> Self { Self(name: name, meaning: .opaque) }
    static func word(_ name: String, _ words: [String]) -> Self {
        Self(name: name, meaning: .word(words))
    }
    static func whence(_ name: String) -> Self { Self(name: name, meaning: .whence) }
    static func flags(_ name: String, _ words: [String]) -> Self {
        Self(name: name, meaning: .flags(words))
    }
    static func subscriptions(_ name: String) -> Self { Self(name: name, meaning: .subscriptions) }
    /// The number of elements of the array before; a trace shows it there.
    static func count(_ name: String) -> Self { Self(name: name, meaning: .memory) }
    static func memory(_ name: String) -> Self { Self(name: name, meaning: .memory) }
    static func result32(_ name: String) -> Self { Self(name: name, meaning: .result32) }
    static func result64(_ name: String) -> Self { Self(name: name, meaning: .result64) }
    static func resultFlags(_ name: String, _ words: [String]) -> Self {
        Self(name: name, meaning: .result16(flags: words))
    }
    static func filestat(_ name: String) -> Self { Self(name: name, meaning: .filestat) }
    static func fdstat(_ name: String) -> Self { Self(name: name, meaning: .fdstat) }
    static func prestat(_ name: String) -> Self { Self(name: name, meaning: .prestat) }
    static func text(_ name: String) -> Self { Self(name: name, meaning: .text) }
    static func usedText(_ name: String) -> Self { Self(name: name, meaning: .usedText) }
    static func entries(_ name: String) -> Self { Self(name: name, meaning: .entries) }
    static func events(_ name: String) -> Self { Self(name: name, meaning: .events) }
    static func arguments(_ name: String) -> Self { Self(name: name, meaning: .arguments) }
    static func environment(_ name: String) -> Self { Self(name: name, meaning: .environment) }
}

extension Parameter where Value == UInt64 {
    static func filesize(_ name: String) -> Self { Self(name: name, meaning: .number) }
    static func timestamp(_ name: String) -> Self { Self(name: name, meaning: .number) }
    static func cookie(_ name: String) -> Self { Self(name: name, meaning: .number) }
    static func rights(_ name: String) -> Self {
        Self(name: name, meaning: .flags(TraceWords.rights))
    }
}

extension Parameter where Value == Int64 {
    static func filedelta(_ name: String) -> Self { Self(name: name, meaning: .signedNumber) }
}

extension Parameter where Value == GuestSpan {
    static func path(_ name: String = "path") -> Self { Self(name: name, meaning: .path) }
    static func contents(_ name: String) -> Self { Self(name: name, meaning: .contents) }
    static func filled(_ name: String) -> Self { Self(name: name, meaning: .filledBuffers) }
}

/// A function that guests of WASI can import: names, meanings, and body.
struct WASIFunction: Sendable {
    /// The body, which gets the caller's guest.
    typealias Body =
        @Sendable (WASIGuest, borrowing Caller, borrowing CallSlots) throws -> Void

    struct ParameterRow: Sendable {
        let name: String
        let meaning: ParameterMeaning
        /// The first slot of the argument.
        let slot: Int
    }

    enum Result: Sendable {
        case none
        case errno
        /// The number of a thread, or the negative number of an error.
        case thread
    }

    let name: Name
    let version: Version
    let parameters: [ParameterRow]
    let type: FunctionType
    let result: Result
    let body: Body

    /// - Parameter body: reads the parameters from the slots.
    @inline(__always)
    init<each Value: SlotReadable>(
        _ name: Name, _ version: Version, result: Result,
        _ parameters: repeat Parameter<each Value>,
        body: @escaping Body
    ) {
        var rows: [ParameterRow] = []
        var types: [ValueType] = []
        for (parameter, value) in repeat (each parameters, (each Value).self) {
            rows.append(
                ParameterRow(name: parameter.name, meaning: parameter.meaning, slot: types.count))
            types += value.types
        }
        self.name = name
        self.version = version
        self.result = result
        self.parameters = rows
        self.body = body
        type = FunctionType(parameters: types, results: result == .none ? [] : [.i32])
    }
}

// Conversion to host functions.
extension WASIFunction {
    /// For one guest, in any store.
    func function(for binding: GuestBinding) -> HostFunction {
        if binding.isTraced {
            return .trusted(type) { caller, slots in try traced(binding, caller, slots) }
        }
        return .trusted(type) { [body, guest = binding.guest] caller, slots in
            try body(guest, caller, slots)
        }
    }

    /// For the guest of the caller's store.
    var shared: HostFunction {
        .trusted(type) { [body, key = GuestBinding.key] caller, slots in
            guard let binding = caller.unretained(key)?.takeUnretainedValue() else {
                throw NoWASIGuest()
            }
            if binding.isTraced { return try traced(binding, caller, slots) }
            try body(binding.guest, caller, slots)
        }
    }

    @inline(never)
    private func traced(
        _ binding: GuestBinding, _ caller: borrowing Caller, _ slots: borrowing CallSlots
    ) throws {
        guard let trace = binding.guest.trace else { return try body(binding.guest, caller, slots) }
        try trace.call(self, binding, caller, slots)
    }
}
