/// Forms of `application/x-www-form-urlencoded`, and query strings.
///
///     let pairs = try URLEncodedForm.pairs(bytes)         // names and values as bytes
///     let document = try URLEncodedForm.read(bytes)       // a[b]=1&a[c][]=2 as nested objects
///
/// Specification: WHATWG URL, section 5.1; brackets as the package `qs` of JavaScript reads them.
public enum URLEncodedForm {
    /// A name and its value, decoded, as bytes.
    public struct Pair: Sendable, Equatable {
        public var name: [UInt8]
        public var value: [UInt8]
    }

    public struct Options: Sendable, Equatable {
        public var bytes = 16 << 20
        public var parameters = 10_000
        /// Pairs of brackets that nest; what is in further ones becomes one name with its brackets.
        public var depth = 16
        /// Largest index of an array; a larger one makes an object.
        public var arrayIndex = 1000
        /// Whether a `%` without two digits is an error. Otherwise it stands for itself, as WHATWG
        /// says.
        public var refusesMalformedEscapes = false

        public init() {}
    }

    /// The parameters in order. Empty items (`a=1&&b=2`) are passed over.
    public static func pairs(
        _ bytes: [UInt8], options: Options = Options()
    ) throws(FormError) -> [Pair] {
        guard bytes.count <= options.bytes else { throw .limit(.bytes, options.bytes) }
        var pairs: [Pair] = []
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.count
            if end > start {
                guard pairs.count < options.parameters else {
                    throw .limit(.parameters, options.parameters)
                }
                let equals = bytes[start..<end].firstIndex(of: UInt8(ascii: "=")) ?? end
                pairs.append(
                    Pair(
                        name: try decode(bytes[start..<equals], options),
                        value: try decode(bytes[min(equals + 1, end)..<end], options)))
            }
            start = end + 1
        }
        return pairs
    }

    /// The form as an object. Values are strings, or bytes if they are no UTF-8; a name that
    /// repeats, `a[]` and `a[0]` make arrays, `a[b]` an object. Members keep the order in which
    /// their names come first.
    public static func read(
        _ bytes: [UInt8], options: Options = Options()
    ) throws(FormError) -> Document {
        let root = FormNode()
        for pair in try pairs(bytes, options: options) {
            root.insert(FormPath(pair.name, depth: min(max(options.depth, 0), 64)), pair.value)
        }
        return .object(root.members(options))
    }

    private static func decode(
        _ bytes: ArraySlice<UInt8>, _ options: Options
    ) throws(FormError) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let byte = bytes[at]
            if byte == UInt8(ascii: "%") {
                if at + 2 < bytes.endIndex, let high = bytes[at + 1].hexDigit,
                    let low = bytes[at + 2].hexDigit
                {
                    result.append(high << 4 | low)
                    at += 3
                    continue
                }
                if options.refusesMalformedEscapes { throw .malformedEscape(offset: at) }
            }
            result.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            at += 1
        }
        return result
    }
}

/// A name cut at its brackets: `a[b][]` is `a`, `b` and the empty name.
struct FormPath {
    let names: [ArraySlice<UInt8>]

    init(_ name: [UInt8], depth: Int) {
        var names: [ArraySlice<UInt8>] = []
        let open = name.firstIndex(of: UInt8(ascii: "[")) ?? name.count
        // A name that begins with a bracket, or has one that does not close, is a plain name.
        var at = open
        if open > 0 { names.append(name[..<open]) }
        while at < name.count, name[at] == UInt8(ascii: "["), names.count <= depth,
            let close = name[at...].firstIndex(of: UInt8(ascii: "]"))
        {
            names.append(name[at + 1..<close])
            at = close + 1
        }
        if names.isEmpty || at < name.count && names.count == 1 && at == open {
            self.names = [name[...]]
            return
        }
        if at < name.count { names.append(name[at...]) }
        self.names = names
    }
}

/// A value of a form while it is read.
private final class FormNode {
    private var values: [[UInt8]] = []
    private var children: [[UInt8]: FormNode] = [:]
    private var order: [[UInt8]] = []
    /// Values of `name[]`.
    private var appended: [FormNode] = []

    func insert(_ path: FormPath, _ value: [UInt8]) {
        var node = self
        for (index, name) in path.names.enumerated() {
            node = name.isEmpty && index > 0 ? node.append() : node.child(Array(name))
        }
        node.values.append(value)
    }

    private func append() -> FormNode {
        let node = FormNode()
        appended.append(node)
        return node
    }

    private func child(_ name: [UInt8]) -> FormNode {
        if let child = children[name] { return child }
        let child = FormNode()
        children[name] = child
        order.append(name)
        return child
    }

    func members(_ options: URLEncodedForm.Options) -> [Document.Member] {
        order.compactMap { name in
            children[name].map {
                Document.Member(String(decoding: name, as: UTF8.self), $0.document(options))
            }
        }
    }

    private func document(_ options: URLEncodedForm.Options) -> Document {
        let own = values.map(Self.text)
        if children.isEmpty, appended.isEmpty, own.count == 1 { return own[0] }
        if let indexed = indexed(options) {
            return .array(own + indexed + appended.map { $0.document(options) })
        }
        var members = members(options)
        // The least numbers that are no names yet.
        var index = 0
        for element in own + appended.map({ $0.document(options) }) {
            while children[Array(String(index).utf8)] != nil { index += 1 }
            members.append(Document.Member(String(index), element))
            index += 1
        }
        return .object(members)
    }

    /// The children in the order of their indices; nil if a name is no index of an array.
    private func indexed(_ options: URLEncodedForm.Options) -> [Document]? {
        var result: [(index: Int, value: FormNode)] = []
        for (name, child) in children {
            guard let text = String(validating: name, as: UTF8.self), let index = Int(text),
                index >= 0, index <= options.arrayIndex, name.elementsEqual(String(index).utf8)
            else { return nil }
            result.append((index, child))
        }
        return result.sorted { $0.index < $1.index }.map { $0.value.document(options) }
    }

    private static func text(_ bytes: [UInt8]) -> Document {
        String(validating: bytes, as: UTF8.self).map { .string($0) } ?? .bytes(bytes)
    }
}
