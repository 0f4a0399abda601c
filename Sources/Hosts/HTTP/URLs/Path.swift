/// The decoded segments of a path. No segment is `.`, `..` or empty, and none holds NUL; a segment
/// may hold a slash that was written as `%2F`, which is never a separator.
public struct Path: Equatable, Sendable {
    public enum Fault: Error, Equatable, Sendable {
        /// The path does not start with a slash.
        case relative
        /// A percent sign without two digits.
        case encoding
        /// NUL in a segment.
        case nul
        /// `..` leads above the root.
        case escape
    }

    public private(set) var segments: [[UInt8]] = []
    /// Whether the path ends with a slash, or with a dot segment; true of `/`.
    public private(set) var isFolder = true

    /// Decodes a path and removes its dot segments, also those that are written as `%2e`. Repeated
    /// slashes count as one.
    ///
    /// - Throws: Why a server refuses the path with 400.
    public init(_ bytes: ArraySlice<UInt8>) throws(Fault) {
        guard bytes.first == ASCII.slash else { throw .relative }
        var start = bytes.startIndex &+ 1
        while start <= bytes.endIndex {
            var end = start
            while end < bytes.endIndex, bytes[end] != ASCII.slash { end &+= 1 }
            try append(bytes[start..<end])
            start = end &+ 1
        }
    }

    private mutating func append(_ raw: ArraySlice<UInt8>) throws(Fault) {
        isFolder = true
        if raw.isEmpty { return }
        guard let segment = raw.contains(ASCII.percent) ? PercentCoding.decode(raw) : Array(raw)
        else { throw .encoding }
        if segment.contains(0) { throw .nul }
        if segment.equals(".") { return }
        if segment.equals("..") {
            guard segments.popLast() != nil else { throw .escape }
            return
        }
        segments.append(segment)
        isFolder = false
    }

    /// Whether each segment is a name of a file on any system of ours: no slash, no `..`, at most
    /// 255 bytes.
    public var isSafeForFiles: Bool {
        segments.allSatisfy { $0.count <= 255 && !$0.contains(ASCII.slash) }
    }

    /// The path as it is sent, normalised: equal paths have the same bytes.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for segment in segments {
            bytes.append(ASCII.slash)
            bytes.append(contentsOf: PercentCoding.encode(segment, keeping: .path))
        }
        if isFolder { bytes.append(ASCII.slash) }
        return bytes
    }
}

/// The parameters of a query, as forms send them: pairs that `&` separates.
public struct Query: Equatable, Sendable {
    /// Decoded names and values, in order and with repetitions; a part without `=` has an empty
    /// value. Empty parts, as in `?&a=1`, are left out.
    public let parameters: [(name: [UInt8], value: [UInt8])]

    /// - Parameter bytes: what is after the question mark.
    public init(_ bytes: ArraySlice<UInt8>?) {
        var parameters: [(name: [UInt8], value: [UInt8])] = []
        for part in (bytes ?? []).split(separator: 0x26) {
            let equals = part.firstIndex(of: ASCII.equals) ?? part.endIndex
            parameters.append(
                (
                    PercentCoding.decodeForm(part[part.startIndex..<equals]),
                    PercentCoding.decodeForm(part[equals...].dropFirst())
                ))
        }
        self.parameters = parameters
    }

    /// The first value of a name.
    public subscript(name: StaticString) -> [UInt8]? {
        parameters.first { $0.name.equals(name) }?.value
    }

    public static func == (left: Query, right: Query) -> Bool {
        left.parameters.elementsEqual(right.parameters) {
            $0.name == $1.name && $0.value == $1.value
        }
    }
}
