/// A place in a text that was read.
public struct DocumentPlace: Sendable, Equatable, CustomStringConvertible {
    /// Lines, from 1; a line ends with LF.
    public var line = 1
    /// Unicode scalars since the line began, from 1.
    public var column = 1
    /// Bytes since the text began, from 0.
    public var offset = 0

    public init(line: Int = 1, column: Int = 1, offset: Int = 0) {
        self.line = line
        self.column = column
        self.offset = offset
    }

    public var description: String { "line \(line), column \(column) (offset \(offset))" }

    /// Goes over bytes that follow this place.
    mutating func advance(over bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if byte == 0x0a {
                line += 1
                column = 1
            } else if byte & 0xc0 != 0x80 {
                column += 1
            }
        }
        offset += bytes.count
    }
}
