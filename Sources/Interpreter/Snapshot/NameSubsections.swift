import WasmDecoder

/// The parts of a name section.
///
/// Specification: 7.7.1 (name section).
enum NameSubsections {
    private static let elementSegments: UInt8 = 8
    private static let dataSegments: UInt8 = 9

    /// The content without names of segments; nil if it has none, or is malformed.
    static func withoutSegments(_ parsed: ParsedModule, _ content: ByteRange) -> [UInt8]? {
        var reader = parsed.reader(of: content)
        var left: [UInt8] = []
        var isChanged = false
        while !reader.isAtEnd {
            let start = reader.offset
            do throws(DecodingError) {
                let id = try reader.byte()
                try reader.skip(Int(try reader.unsigned32()))
                if id == elementSegments || id == dataSegments {
                    isChanged = true
                } else {
                    left += parsed.bytes[ByteRange(start: start, end: reader.offset)]
                }
            } catch {
                return nil
            }
        }
        return isChanged ? left : nil
    }
}
