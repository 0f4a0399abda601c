/// What the name of a file or folder means for paths.
enum FolderName: Equatable, Sendable {
    /// `index.wasm`: the folder itself. Of files only.
    case index
    /// Stands for itself, byte by byte.
    case literal([UInt8])
    /// `[name]`: one segment.
    case parameter([UInt8])
    /// `[...name]`: zero or more segments. Of files only.
    case rest([UInt8])
    /// Hidden, or no module.
    case ignored
    /// In brackets, but not as a parameter is written.
    case malformed

    private static let ending = Array(".wasm".utf8)
    private static let dot = UInt8(ascii: ".")

    /// - Parameter file: the name of a file, with its ending.
    init(file name: [UInt8]) {
        guard name.count > Self.ending.count, name.suffix(Self.ending.count) == Self.ending[...]
        else {
            self = .ignored
            return
        }
        let stem = Array(name.dropLast(Self.ending.count))
        if stem == Array("index".utf8) {
            self = .index
        } else {
            self.init(stem, allowsRest: true)
        }
    }

    /// - Parameter folder: the name of a folder.
    init(folder name: [UInt8]) { self.init(name, allowsRest: false) }

    private init(_ name: [UInt8], allowsRest: Bool) {
        guard let first = name.first, first != Self.dot else {
            self = .ignored
            return
        }
        guard first == UInt8(ascii: "["), name.last == UInt8(ascii: "]"), name.count >= 2 else {
            self = .literal(name)
            return
        }
        var inner = name.dropFirst().dropLast()
        let isRest = inner.starts(with: [Self.dot, Self.dot, Self.dot])
        if isRest { inner = inner.dropFirst(3) }
        guard !inner.isEmpty, inner.allSatisfy(Self.isNameByte), !isRest || allowsRest else {
            self = .malformed
            return
        }
        self = isRest ? .rest(Array(inner)) : .parameter(Array(inner))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
