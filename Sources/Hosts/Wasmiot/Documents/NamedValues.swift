import WasmdDocuments

/// Values with names, in the order in which they were added: what an object of JSON is.
///
/// Names are compared by their bytes. A lookup takes time in proportion to the number of names,
/// which are few: functions of a module, modules of a device.
public struct NamedValues<Value: Sendable>: Sendable {
    public struct Entry: Sendable {
        public let name: String
        public var value: Value
    }

    public private(set) var entries: [Entry] = []

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }
    public var names: [String] { entries.map(\.name) }

    private func index(_ name: String) -> Int? {
        entries.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
    }

    /// Setting a new name appends it; setting nil removes one.
    public subscript(name: String) -> Value? {
        get { index(name).map { entries[$0].value } }
        set {
            switch (index(name), newValue) {
            case (let index?, let value?): entries[index].value = value
            case (nil, let value?): entries.append(Entry(name: name, value: value))
            case (let index?, nil): entries.remove(at: index)
            case (nil, nil): break
            }
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
        for (name, member) in try reading.members(orEmptyArray: true) {
            self[name] = try value(member)
        }
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
            var functions = self[module] ?? NamedValues<Inner>()
            functions[function] = newValue
            self[module] = functions
        }
    }
}
