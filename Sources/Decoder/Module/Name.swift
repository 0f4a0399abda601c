/// A name of the module: valid UTF-8, compared byte by byte.
///
/// Swift's `String` compares by Unicode normalisation, under which two different wasm names can be
/// equal; names therefore stay bytes and become strings only for people to read.
public struct Name: Hashable, Sendable {
    public let utf8: [UInt8]

    public init(utf8: [UInt8]) { self.utf8 = utf8 }
    public init(_ string: String) { utf8 = Array(string.utf8) }

    /// All bytes at once: those of an array are taken one by one.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(utf8.count)
        utf8.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension Name: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self.init(value) }
}

extension Name: CustomStringConvertible {
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}
