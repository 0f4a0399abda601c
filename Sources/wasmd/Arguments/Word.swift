// Invariants: C strings end with a NUL, before which all bytes can be read.

import WasmDecoder
import WasmSystem

/// A word of the command line or of the environment: bytes, which need not be UTF-8.
///
/// The system takes paths and arguments as bytes. A `String` would repair malformed UTF-8, and so
/// name another file; it is also compared and split by characters instead of bytes.
struct Word: Hashable, Sendable {
    let bytes: [UInt8]

    init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
    init(_ text: String) { bytes = Array(text.utf8) }

    /// For people to read, and for options whose values are ASCII: bytes that are not UTF-8 are
    /// shown as `\xff`.
    var text: String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = ""
        var rest = bytes[...]
        while let first = rest.first {
            // The longest character of UTF-8 has four bytes.
            let character = (1...4).lazy.compactMap { count in
                String(validating: rest.prefix(count), as: UTF8.self)
            }.first
            text += character ?? "\\x" + String(first, radix: 16)
            rest = rest.dropFirst(character?.utf8.count ?? 1)
        }
        return text
    }

    var isEmpty: Bool { bytes.isEmpty }

    func hasPrefix(_ text: String) -> Bool { bytes.starts(with: text.utf8) }
    func hasSuffix(_ text: String) -> Bool { bytes.reversed().starts(with: text.utf8.reversed()) }

    /// What is before the first `separator` and after it; nil if there is none.
    func split(at separator: String) -> (before: Word, after: Word)? {
        let separator = Array(separator.utf8)
        let places = bytes.indices.lazy.filter { [bytes] in bytes[$0...].starts(with: separator) }
        guard let place = places.first else { return nil }
        return (
            Word(bytes: bytes[..<place]), Word(bytes: bytes[(place + separator.count)...])
        )
    }

    /// The word as a path without its folders; nil if there is none.
    var lastComponent: Word? {
        bytes.split(separator: UInt8(ascii: "/")).last.map { Word(bytes: $0) }
    }

    /// The bytes with a NUL after them, for the system.
    var cString: CString { CString(path: bytes) }

    /// Opens the file that the word names.
    func opened(_ flags: FileFlags) throws(Refusal) -> Int32 {
        do throws(SystemError) {
            return try Kernel.open(cString, flags)
        } catch {
            throw Refusal(FileError(error, path: text), file: text)
        }
    }
}

extension Word: ExpressibleByStringLiteral {
    init(stringLiteral value: String) { self.init(value) }
}

extension Word: CustomStringConvertible {
    var description: String { text }
}

extension Word {
    /// The bytes of a C string.
    init(cString: UnsafePointer<CChar>) {
        var end = cString
        while end.pointee != 0 { end += 1 }
        self.init(
            bytes: UnsafeBufferPointer(start: cString, count: end - cString)
                .map { UInt8(bitPattern: $0) })
    }

    /// The words after the name of the program.
    static func commandLine() -> [Word] {
        let words = UnsafeBufferPointer(
            start: CommandLine.unsafeArgv, count: Int(CommandLine.argc))
        return words.dropFirst().compactMap { $0.map { Word(cString: $0) } }
    }
}
