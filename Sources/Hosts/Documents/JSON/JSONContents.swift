/// An array or object that has not ended: where its contents begin in `JSONContents`.
struct JSONFrame: Sendable {
    let isObject: Bool
    /// Its first element or member.
    fileprivate var start = 0
    /// Its first mark.
    fileprivate var firstMark = 0
    /// All names, once there are more than can be compared one by one.
    fileprivate var names: Set<ByteName> = []

    init(isObject: Bool) { self.isObject = isObject }
}

/// Elements and members of all arrays and objects that have not ended, the outermost first, so that
/// each needs one allocation, of its size, when it ends.
struct JSONContents: Sendable {
    private var elements: [Document] = []
    /// The last member of an object whose value has not been read has `null` meanwhile.
    private var members: [Document.Member] = []
    /// Four bytes for each of the first names of an object.
    private var marks: [UInt32] = []
    /// The elements of the innermost array, as long as all are bytes and the options pack them.
    private var packed: [UInt8] = []

    private static let comparedNames = 16

    func begin(isObject: Bool) -> JSONFrame {
        var frame = JSONFrame(isObject: isObject)
        frame.start = isObject ? members.count : elements.count
        frame.firstMark = marks.count
        return frame
    }

    /// Takes an element, or the value of the member that was named last.
    @inline(__always)
    mutating func add(_ value: Document, to frame: JSONFrame) {
        if frame.isObject {
            members[members.count - 1].value = value
        } else {
            if !packed.isEmpty { unpack() }
            elements.append(value)
        }
    }

    /// Takes an element of an array that holds nothing but bytes; false if it holds other values.
    mutating func pack(_ byte: UInt8, in frame: JSONFrame) -> Bool {
        guard !frame.isObject, elements.count == frame.start else { return false }
        packed.append(byte)
        return true
    }

    var packedCount: Int { packed.count }

    /// Makes elements of packed bytes.
    mutating func unpack() {
        guard !packed.isEmpty else { return }
        elements.append(contentsOf: packed.lazy.map { .integer(Int64($0)) })
        packed = []
    }

    /// Takes the contents of the innermost array or object away.
    mutating func end(_ frame: JSONFrame) -> Document {
        guard frame.isObject else {
            if !packed.isEmpty {
                defer { packed = [] }
                return .bytes(packed)
            }
            return .array(Self.tail(&elements, from: frame.start))
        }
        marks.removeSubrange(frame.firstMark...)
        return .object(Self.tail(&members, from: frame.start))
    }

    /// Takes the elements from an index on away.
    @inline(__always)
    private static func tail<Element>(_ list: inout [Element], from start: Int) -> [Element] {
        if start == list.count { return [] }
        // Where that wastes less than half of the memory, nothing is copied.
        if start == 0, list.count > list.capacity / 2, list.count > 64 {
            var taken: [Element] = []
            swap(&taken, &list)
            return taken
        }
        let taken = Array(list[start...])
        list.removeSubrange(start...)
        return taken
    }

    /// Begins a member; whether its name repeats in the object.
    mutating func take(
        name: String, mark: UInt32, in frame: inout JSONFrame
    ) -> Bool {
        defer { members.append(Document.Member(name, .null)) }
        let start = frame.start
        let count = members.count - start
        if count < Self.comparedNames {
            var repeats = false
            for index in 0..<count {
                let other = marks[frame.firstMark + index]
                if other == mark || other == .max || mark == .max,
                    members[start + index].name.hasSameBytes(as: name)
                {
                    repeats = true
                }
            }
            marks.append(mark)
            return repeats
        }
        if frame.names.isEmpty {
            frame.names = Set(members[start...].map { ByteName(text: $0.name) })
        }
        return !frame.names.insert(ByteName(text: name)).inserted
    }
}
