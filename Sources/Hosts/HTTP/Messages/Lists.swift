/// Elements of a comma-separated list (RFC 9110 5.6.1), over all fields of one name. Commas in
/// quoted strings separate nothing; empty elements are left out.
public struct ListElements: Sequence, IteratorProtocol {
    private let values: [ArraySlice<UInt8>]
    private var index = 0
    private var rest: ArraySlice<UInt8> = []

    init(_ values: [ArraySlice<UInt8>]) { self.values = values }

    /// The next element, without blanks around it. The whole costs time linear in the fields' size.
    public mutating func next() -> ArraySlice<UInt8>? {
        while true {
            while rest.isEmpty {
                guard index < values.count else { return nil }
                rest = values[index]
                index &+= 1
            }
            let end = rest.firstOutsideQuotes(ASCII.comma)
            let element = rest[rest.startIndex..<end].trimmed
            rest = end == rest.endIndex ? [] : rest[(end &+ 1)...]
            if !element.isEmpty { return element }
        }
    }
}

extension ArraySlice<UInt8> {
    /// The first index of a byte that is not in a quoted string, or the end.
    func firstOutsideQuotes(_ wanted: UInt8) -> Int {
        var index = startIndex
        var isQuoted = false
        while index < endIndex {
            let byte = self[index]
            if isQuoted {
                if byte == ASCII.backslash { index &+= 1 }
                if byte == ASCII.quote { isQuoted = false }
            } else if byte == ASCII.quote {
                isQuoted = true
            } else if byte == wanted {
                return index
            }
            index &+= 1
        }
        return endIndex
    }

    /// The content of a quoted string with its pairs resolved, or the bytes themselves if they are
    /// a token; nil for anything else (RFC 9110 5.6.4).
    var tokenOrQuoted: [UInt8]? {
        guard let first else { return nil }
        guard first == ASCII.quote else {
            return allSatisfy(ByteSet.token.contains) ? Array(self) : nil
        }
        var content: [UInt8] = []
        var index = startIndex &+ 1
        while index < endIndex {
            let byte = self[index]
            if byte == ASCII.quote { return index &+ 1 == endIndex ? content : nil }
            if byte == ASCII.backslash {
                index &+= 1
                guard index < endIndex else { return nil }
            }
            guard self[index].isFieldByte else { return nil }
            content.append(self[index])
            index &+= 1
        }
        return nil
    }
}

/// A value with parameters after semicolons: `name; key=value; key="quoted"`.
public struct ParameterisedValue: Equatable, Sendable {
    /// What is before the first semicolon, as it was sent.
    public let value: ArraySlice<UInt8>
    /// Names in lower case, and values without quotes, in order.
    public let parameters: [(name: [UInt8], value: [UInt8])]

    /// Reads an element; nil if a parameter is no token with a token or quoted string.
    public init?(_ element: ArraySlice<UInt8>) {
        var end = element.firstOutsideQuotes(ASCII.semicolon)
        value = element[element.startIndex..<end].trimmed
        var parameters: [(name: [UInt8], value: [UInt8])] = []
        var rest = element
        while end < rest.endIndex {
            rest = rest[(end &+ 1)...]
            end = rest.firstOutsideQuotes(ASCII.semicolon)
            let part = rest[rest.startIndex..<end].trimmed
            if part.isEmpty { continue }
            guard let equals = part.firstIndex(of: ASCII.equals) else { return nil }
            let name = part[part.startIndex..<equals]
            guard !name.isEmpty, name.allSatisfy(ByteSet.token.contains),
                let value = part[(equals &+ 1)...].tokenOrQuoted
            else { return nil }
            parameters.append((name.map(\.lowercase), value))
        }
        self.parameters = parameters
    }

    /// The first parameter with a name in lower case.
    public subscript(name: StaticString) -> [UInt8]? {
        parameters.first { $0.name.equals(name) }?.value
    }

    public static func == (left: ParameterisedValue, right: ParameterisedValue) -> Bool {
        left.value == right.value
            && left.parameters.elementsEqual(right.parameters) {
                $0.name == $1.name && $0.value == $1.value
            }
    }
}

/// A quality of 0 to 1 with three digits (RFC 9110 12.4.2), in thousandths.
func readQuality(_ bytes: some Collection<UInt8>) -> Int? {
    var digits = Array(bytes)[...]
    guard let whole = digits.popFirst(), whole == 0x30 || whole == 0x31 else { return nil }
    var value = whole == 0x31 ? 1000 : 0
    guard let dot = digits.popFirst() else { return value }
    guard dot == ASCII.dot, digits.count <= 3 else { return nil }
    var weight = 100
    for byte in digits {
        guard let digit = byte.digit else { return nil }
        value &+= Int(digit) &* weight
        weight /= 10
    }
    return value <= 1000 ? value : nil
}

extension Fields {
    /// The elements of all fields of a name, as one list.
    ///
    /// - Parameter name: in lower case.
    public func list(_ name: StaticString) -> ListElements { ListElements(all(name)) }

    /// Whether a list has an element, both without regard to case.
    ///
    /// - Parameters:
    ///   - name: in lower case.
    ///   - element: in lower case.
    public func list(_ name: StaticString, contains element: StaticString) -> Bool {
        for value in list(name) where value.equals(lowercase: element) { return true }
        return false
    }
}
