import WasmInterpreter
import WasmdHTTP

/// Which program serves a request, and where its path is divided (RFC 3875, 4.1.5 and 4.1.13).
public struct ProgramRoute: Equatable, Sendable {
    /// The path that leads to the program, decoded: `SCRIPT_NAME`.
    public var scriptName: [UInt8]
    /// What follows it in the path, decoded: `PATH_INFO`.
    public var pathInfo: [UInt8]
    /// The same as it was sent: `X_RAW_PATH_INFO`.
    public var rawPathInfo: [UInt8]
    /// The pattern, for example `/users/[id]` or `/hello/...`: `X_MATCHED_ROUTE`.
    public var pattern: [UInt8]
    /// What the parameters of the pattern stand for, decoded.
    public var parameters: [ProgramParameter] = []
    /// The export that is called.
    public var function: Name = "_start"

    /// A route whose program is named by the first segments of a path.
    ///
    /// - Parameters:
    ///   - count: how many segments name the program; the others are `PATH_INFO`.
    ///   - raw: the path as it was sent.
    init(
        _ path: Path, raw: ArraySlice<UInt8>, scriptSegments count: Int, pattern: [UInt8],
        parameters: [ProgramParameter] = []
    ) {
        self.pattern = pattern
        self.parameters = parameters
        scriptName = []
        for segment in path.segments.prefix(count) { scriptName += [UInt8(ascii: "/")] + segment }
        let rest = path.segments.dropFirst(count)
        pathInfo = []
        for segment in rest { pathInfo += [UInt8(ascii: "/")] + segment }
        if path.isFolder { pathInfo.append(UInt8(ascii: "/")) }
        rawPathInfo = Self.rawRest(of: path, raw, after: count)
    }

    /// A program that is the index of a folder: the whole path is its name.
    init(
        index path: Path, raw: ArraySlice<UInt8>, pattern: [UInt8], parameters: [ProgramParameter]
    ) {
        self.init(
            path, raw: raw, scriptSegments: path.segments.count, pattern: pattern,
            parameters: parameters)
        scriptName.append(UInt8(ascii: "/"))
        pathInfo = []
        rawPathInfo = []
    }

    /// The end of a path as it was sent. If dot segments were removed, the segments are encoded
    /// anew.
    private static func rawRest(
        of path: Path, _ raw: ArraySlice<UInt8>, after count: Int
    ) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        if count == 0 { return Array(raw) }
        var found = 0
        var end: Int?
        for index in raw.indices {
            if raw[index] == slash {
                if found == count, end == nil { end = index }
            } else if index == raw.startIndex || raw[index - 1] == slash {
                found += 1
            }
        }
        guard found == path.segments.count else {
            var bytes: [UInt8] = []
            for segment in path.segments.dropFirst(count) {
                bytes += [slash] + PercentCoding.encode(segment)
            }
            return path.isFolder ? bytes + [slash] : bytes
        }
        return end.map { Array(raw[$0...]) } ?? []
    }
}

/// A part of a path that a pattern leaves open.
public struct ProgramParameter: Equatable, Sendable {
    /// Letters, digits, `_` and `-`.
    public var name: [UInt8]
    /// The segment, decoded; for `[...name]` the segments with slashes between them.
    public var value: [UInt8]

    public init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }

    /// `X_PATH_MATCH_NAME`, in upper case and with `_` for `-`.
    var variable: [UInt8] {
        Array("X_PATH_MATCH_".utf8)
            + name.map { byte in
                switch byte {
                case UInt8(ascii: "-"): UInt8(ascii: "_")
                case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 0x20
                default: byte
                }
            }
    }
}
