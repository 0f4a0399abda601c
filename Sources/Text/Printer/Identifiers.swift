import WasmDecoder

/// The identifiers of one index space: unique, so that the text means the right thing.
struct Identifiers {
    /// All of them as they are printed, one after another.
    private var text: [UInt8] = []
    /// Where those of an index are in `text`; empty for none.
    private var ranges: [Range<Int>] = []
    /// Names that could not become identifiers as they are: empty, or those of another index too.
    private var originals: [UInt32: [UInt8]] = [:]

    static let none = Identifiers()

    private init() {}

    /// - Parameters:
    ///   - names: names in the module, if it has any. Those of indices beyond `count` are ignored.
    ///   - generated: makes up identifiers for the rest: this and the index.
    init(_ names: NameMap?, count: Int, generated prefix: StaticString? = nil) {
        let named = names.map(Self.distinct) ?? []
        guard count > 0, !named.isEmpty || prefix != nil else { return }
        ranges = Array(repeating: 0..<0, count: count)
        // What is first named so in the order of indices keeps its name.
        var owners: [[UInt8]: UInt32] = [:]
        owners.reserveCapacity(named.count)
        for (index, name) in named where owners[name] == nil { owners[name] = index }
        for (index, name) in named where Int(index) < count {
            if !name.isEmpty, owners[name] == index {
                add(name, at: Int(index))
            } else {
                originals[index] = name
                if !name.isEmpty { add(free(name + [0x2e], index, &owners), at: Int(index)) }
            }
        }
        guard let prefix else { return }
        // Those made up are different from each other, and have no dot: only names are in the way.
        for index in ranges.indices where ranges[index].isEmpty {
            let start = text.count
            text.append(0x24)
            appendGenerated(prefix, index, to: &text)
            if !owners.isEmpty {
                while owners[Array(text[(start + 1)...])] != nil {
                    appendGenerated("", index, to: &text)
                }
            }
            ranges[index] = start..<text.count
        }
    }

    /// The first name of every index.
    private static func distinct(_ names: NameMap) -> [(index: UInt32, name: [UInt8])] {
        var result: [(index: UInt32, name: [UInt8])] = []
        result.reserveCapacity(names.count)
        for (index, name) in names.all where result.last?.index != index {
            result.append((index, name.utf8))
        }
        return result
    }

    /// `stem` with the index after it, once or, as long as that is taken, more often.
    private func free(
        _ stem: [UInt8], _ index: UInt32, _ owners: inout [[UInt8]: UInt32]
    ) -> [UInt8] {
        var name = stem
        repeat { name += Array(String(index).utf8) } while owners[name] != nil
        owners[name] = index
        return name
    }

    private mutating func add(_ name: [UInt8], at index: Int) {
        let start = text.count
        text += textIdentifier(name)
        ranges[index] = start..<text.count
    }

    /// Whether nothing has an identifier or a name.
    var isEmpty: Bool { ranges.isEmpty }

    /// The identifier of an index with its `$`, or nil if there is none.
    @inline(__always)
    subscript(index: UInt32) -> ArraySlice<UInt8>? {
        guard index < ranges.count else { return nil }
        let range = ranges[Int(index)]
        return range.isEmpty ? nil : text[range]
    }

    /// The name in the module, if the identifier does not say it.
    func original(_ index: UInt32) -> [UInt8]? {
        originals.isEmpty ? nil : originals[index]
    }
}

/// A stem and a number.
func appendGenerated(_ stem: StaticString, _ number: Int, to text: inout [UInt8]) {
    stem.withUTF8Buffer { text.append(contentsOf: $0) }
    text.append(contentsOf: String(number).utf8)
}
