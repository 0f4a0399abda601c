/// A WebAssembly value for the host.
///
/// Two values are equal if their bits are: a NaN equals itself, 0.0 and -0.0 differ.
/// Specification: 4.2.1 (values).
public enum Value {
    case i32(Int32)
    case i64(Int64)
    case f32(Float)
    case f64(Double)
    case v128(low: UInt64, high: UInt64)
    /// A reference to a function, or a null reference of a function type.
    case function(Function?)
    /// A reference to a value of the host, or a null reference of type externref.
    case extern(ExternReference?)
    /// A reference to an exception, or a null reference of type exnref.
    case exception(Exception?)
    /// A reference to a structure, an array or an i31, or a null reference below anyref.
    case any(AnyReference?)

    /// The i32 with the bits of `value`.
    public static func i32(bits value: UInt32) -> Value { .i32(Int32(bitPattern: value)) }
    /// The i64 with the bits of `value`.
    public static func i64(bits value: UInt64) -> Value { .i64(Int64(bitPattern: value)) }
}

extension Value: Hashable {
    public static func == (a: Value, b: Value) -> Bool {
        switch (a, b) {
        case (.i32(let a), .i32(let b)): a == b
        case (.i64(let a), .i64(let b)): a == b
        case (.f32(let a), .f32(let b)): a.bitPattern == b.bitPattern
        case (.f64(let a), .f64(let b)): a.bitPattern == b.bitPattern
        case (.v128(let aLow, let aHigh), .v128(let bLow, let bHigh)):
            aLow == bLow && aHigh == bHigh
        case (.function(let a), .function(let b)): a == b
        case (.extern(let a), .extern(let b)): a == b
        case (.exception(let a), .exception(let b)): a == b
        case (.any(let a), .any(let b)): a == b
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .i32(let value): hasher.combine(value)
        case .i64(let value): hasher.combine(value)
        case .f32(let value): hasher.combine(value.bitPattern)
        case .f64(let value): hasher.combine(value.bitPattern)
        case .v128(let low, let high):
            hasher.combine(low)
            hasher.combine(high)
        case .function(let function): hasher.combine(function)
        case .extern(let reference): hasher.combine(reference)
        case .exception(let exception): hasher.combine(exception)
        case .any(let reference): hasher.combine(reference)
        }
    }
}

extension Value: CustomStringConvertible {
    /// The number, or `v128 0x...` with the most significant digit first, or a word for a
    /// reference.
    public var description: String {
        switch self {
        case .i32(let value): "\(value)"
        case .i64(let value): "\(value)"
        case .f32(let value): "\(value)"
        case .f64(let value): "\(value)"
        case .v128(let low, let high): "v128 0x" + Value.hex(high) + Value.hex(low)
        case .function(nil): "null function"
        case .function(.some(let function)): "function \(function.type)"
        case .extern(nil): "null external reference"
        case .extern(.some(let reference)): "external reference \(reference)"
        case .exception(nil): "null exception"
        case .exception(.some(let exception)): "\(exception)"
        case .any(nil): "null reference"
        case .any(.some(let reference)): "\(reference)"
        }
    }

    static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// The content of an externref: a value of the host that is opaque to the guest.
///
/// Equal external references are one and the same reference for the guest.
public struct ExternReference: Hashable {
    enum Kind: Hashable {
        case handle(UInt64)
        case value(AnyHashable)
        /// A guest's reference that was converted with `extern.convert_any`.
        indirect case guest(AnyReference)
    }
    let kind: Kind

    init(kind: Kind) { self.kind = kind }

    /// The largest number that fits a reference itself.
    static let handleLimit: UInt64 = 1 << 61

    /// A number that the host chooses, which the reference itself contains. Costs nothing.
    public init(handle: UInt64) {
        kind = handle < Self.handleLimit ? .handle(handle) : .value(AnyHashable(handle))
    }

    /// Any value. After it was passed to a guest, the store keeps it until a collection finds that
    /// no guest refers to it. For a value that keeps the store alive, use `init(handle:)` and your
    /// own table, because the store would never be freed.
    public init(_ value: some Hashable) { kind = .value(AnyHashable(value)) }

    /// The number that `init(handle:)` was given, if the reference was made by it.
    public var handle: UInt64? {
        switch kind {
        case .handle(let handle): handle
        case .value(let value): value.base as? UInt64
        case .guest: nil
        }
    }

    /// The value that the reference was made from.
    public var value: any Hashable {
        switch kind {
        case .handle(let handle): handle
        case .value(let value): value.base as? any Hashable ?? value
        case .guest(let reference): reference
        }
    }
}

extension ExternReference: CustomStringConvertible {
    public var description: String { "\(value)" }
}
