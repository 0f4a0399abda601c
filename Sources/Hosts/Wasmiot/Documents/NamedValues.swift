import WasmdDocuments

/// A name that is hashed and compared by its bytes. (Strings that normalisation makes equal have one
/// hash: a sender could make any number of them.)
public struct NameKey: Hashable, Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public static func == (left: NameKey, right: NameKey) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        var count = 0
        for byte in text.utf8 {
            word = word << 8 | UInt64(byte)
            count += 1
            if count & 7 == 0 {
                hasher.combine(word)
                word = 0
            }
        }
        hasher.combine(word)
        hasher.combine(count)
    }
}

/// What objects whose names others choose may have.
public enum NameLimits {
    /// Names of one object: modules of a device, functions of a module.
    public static let count = 10_000
    /// Bytes of one name.
    public static let length = 4096
    /// Parameters of one function, and mounts of one of its stages.
    public static let list = 1000
}

/// Values with names, in the order in which they were added: what an object of JSON is.
///
/// Names are compared by their bytes. A lookup takes the same time however many there are; removing
/// a name takes time in proportion to their number.
public struct NamedValues<Value: Sendable>: Sendable {
    public struct Entry: Sendable {
        public let name: String
        public var value: Value
    }

    public private(set) var entries: [Entry] = []
    /// The places of all names, once they are too many to be compared one by one.
    private var places: [NameKey: Int] = [:]

    private static var comparedNames: Int { 16 }

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }
    public var names: [String] { entries.map(\.name) }

    private func index(_ name: String) -> Int? {
        guard places.isEmpty else { return places[NameKey(name)] }
        return entries.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
    }

    private mutating func append(_ name: String, _ value: Value) {
        entries.append(Entry(name: name, value: value))
        if places.isEmpty {
            findPlaces()
        } else {
            places[NameKey(name)] = entries.count - 1
        }
    }

    private mutating func remove(at index: Int) {
        entries.remove(at: index)
        places = [:]
        findPlaces()
    }

    private mutating func findPlaces() {
        guard entries.count > Self.comparedNames else { return }
        for (index, entry) in entries.enumerated() { places[NameKey(entry.name)] = index }
    }

    /// Setting a new name appends it; setting nil removes one.
    public subscript(name: String) -> Value? {
        get { index(name).map { entries[$0].value } }
        set {
            switch (index(name), newValue) {
            case (let index?, let value?): entries[index].value = value
            case (nil, let value?): append(name, value)
            case (let index?, nil): remove(at: index)
            case (nil, nil): break
            }
        }
    }

    /// Changes the value of a name in its place, without a copy of it; a new name has `value` before.
    public mutating func change(
        _ name: String, default value: Value, _ body: (inout Value) -> Void
    ) {
        if let index = index(name) {
            body(&entries[index].value)
        } else {
            var made = value
            body(&made)
            append(name, made)
        }
    }

    /// As an object.
    public func document(_ value: (Value) -> Document) -> Document {
        .object(entries.map { Document.Member($0.name, value($0.value)) })
    }

    init(
        _ reading: Reading?, _ value: (Reading) throws(DocumentFault) -> Value
    ) throws(DocumentFault) {
        guard let reading else { return }
        let members = try reading.members(orEmptyArray: true)
        try reading.checkNames(members)
        for (name, member) in members { self[name] = try value(member) }
    }
}

extension NamedValues: Equatable where Value: Equatable {
    public static func == (left: Self, right: Self) -> Bool {
        left.entries.count == right.entries.count
            && zip(left.entries, right.entries).allSatisfy {
                $0.name.utf8.elementsEqual($1.name.utf8) && $0.value == $1.value
            }
    }
}

/// Values of functions by the names of module and function.
public typealias FunctionTable<Value: Sendable> = NamedValues<NamedValues<Value>>

extension NamedValues {
    /// The value of a function of a module.
    public subscript<Inner: Sendable>(module: String, function: String) -> Inner?
    where Value == NamedValues<Inner> {
        get { self[module]?[function] }
        set {
            change(module, default: NamedValues<Inner>()) { functions in
                functions[function] = newValue
            }
        }
    }
}
