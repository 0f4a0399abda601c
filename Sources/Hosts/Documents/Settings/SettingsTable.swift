/// What is wrong with a setting.
public struct SettingsProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// As `listen[1].address`; empty for the whole.
    public var path: String
    public var place: DocumentPlace?
    /// The variable of the environment that has the setting; nil for one of the text.
    public var variable: String?
    public var text: String

    public init(
        path: String, place: DocumentPlace? = nil, variable: String? = nil, text: String
    ) {
        self.path = path
        self.place = place
        self.variable = variable
        self.text = text
    }

    public var description: String {
        if let variable { return "\(variable): \(text)" }
        let start = place.map { "line \($0.line), column \($0.column): " } ?? ""
        return path.isEmpty ? start + text : "\(start)\(path): \(text)"
    }
}

/// Settings as variables of the environment, which go before those of the text: `limits.run_time` is
/// `PREFIX_LIMITS_RUN_TIME`. Lists are separated by commas. Settings inside of lists have none.
public struct SettingsVariables: Sendable, Equatable {
    public let prefix: String
    public let values: [String: String]

    /// - Parameter values: by their full names; those without the prefix are ignored.
    public init(prefix: String, _ values: [String: String]) {
        self.prefix = prefix
        self.values = values.filter { $0.key.hasPrefix("\(prefix)_") }
    }

    /// The variable of a setting.
    func name(of path: String) -> String? {
        guard !path.contains("[") else { return nil }
        let word = path.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 }
        return "\(prefix)_\(String(word))"
    }

    /// What a text may mean, in the order in which it is tried.
    static func documents(_ text: String) -> [Document] {
        var documents: [Document] = [.string(text)]
        if let number = Int64(text) { documents.append(.integer(number)) }
        if let number = Double(text) { documents.append(.double(number)) }
        if text == "true" || text == "false" { documents.append(.boolean(text == "true")) }
        return documents
    }

    /// The parts of a text that are separated by commas.
    static func list(_ text: String) -> Document {
        .array(
            text.split(separator: ",").map { part in
                Document.string(String(part.drop { $0 == " " }))
            })
    }
}

/// Reads settings from a table of a document, and collects everything that is wrong with them: a
/// person who corrects a file wants to see all faults at once.
///
/// ```swift
/// let settings = Settings(source)
/// let limits = settings.root.table("limits")
/// let memory = limits.bytes("memory") ?? 256 << 20
/// let problems = settings.finish()
/// ```
///
/// A function returns nil if the setting is not there or is wrong; what is wrong was noted then.
/// Keys that nobody has asked for are wrong as well.
public final class Settings {
    private let source: TOML.Source
    private var problems: [SettingsProblem] = []
    /// For each table that was asked for: its members, path, and the keys that were asked for.
    fileprivate var tables: [(members: [Document.Member], path: String, knownKeys: [String])] = []
    /// Finds the known word that a misspelled one may mean.
    private let suggest: (_ word: String, _ candidates: [String]) -> String?
    private let variables: SettingsVariables?
    private var knownVariables: Set<String> = []

    public init(
        _ source: TOML.Source, variables: SettingsVariables? = nil,
        suggest: @escaping (_ word: String, _ candidates: [String]) -> String? = { _, _ in nil }
    ) {
        self.source = source
        self.variables = variables
        self.suggest = suggest
    }

    /// The whole document.
    public private(set) lazy var root = table(source.document, "")

    fileprivate func table(_ document: Document, _ path: String) -> SettingsTable {
        tables.append((document.objectValue ?? [], path, []))
        return SettingsTable(settings: self, index: tables.count - 1)
    }

    /// Notes that a setting is wrong.
    public func complain(_ path: String, _ text: String) {
        problems.append(SettingsProblem(path: path, place: source.place(of: path), text: text))
    }

    /// The variable that has a setting, and its text; nil without one.
    fileprivate func variable(_ path: String) -> (name: String, text: String)? {
        guard let variables, let name = variables.name(of: path) else { return nil }
        knownVariables.insert(name)
        return variables.values[name].map { (name, $0) }
    }

    fileprivate func complain(variable: String, _ path: String, _ text: String) {
        problems.append(SettingsProblem(path: path, variable: variable, text: text))
    }

    /// Variables with the prefix that are no setting; to be asked when all was read.
    public var unknownVariables: [String] {
        (variables?.values.keys).map { Set($0).subtracting(knownVariables).sorted() } ?? []
    }

    /// The known word that a misspelled one may mean.
    public func suggestion(for word: String, in candidates: [String]) -> String? {
        suggest(word, candidates)
    }

    /// What is wrong so far, without keys that nobody has asked for.
    public var found: [SettingsProblem] { problems }

    /// What is wrong, in the order of the text; what is not there comes first.
    public func finish() -> [SettingsProblem] {
        for (members, path, knownKeys) in tables {
            let known = Set(knownKeys)
            for key in members.map(\.name) where !known.contains(key) {
                let meant = suggest(key, knownKeys).map { "; did you mean '\($0)'?" } ?? ""
                complain(path.isEmpty ? key : "\(path).\(key)", "unknown setting\(meant)")
            }
        }
        return problems.sorted { ($0.place?.offset ?? -1) < ($1.place?.offset ?? -1) }
    }
}

/// One table of settings.
public struct SettingsTable {
    fileprivate let settings: Settings
    fileprivate let index: Int

    /// The known word that a misspelled one may mean.
    public func suggestion(for word: String, in candidates: [String]) -> String? {
        settings.suggestion(for: word, in: candidates)
    }

    /// From the root on, as `tokens[0]`; empty for the root.
    public var path: String { settings.tables[index].path }

    private var members: [Document.Member] { settings.tables[index].members }

    private func path(of key: String) -> String {
        key.isEmpty || path.isEmpty ? path + key : "\(path).\(key)"
    }

    /// Notes that a setting of this table is wrong; without a key, the table.
    public func complain(_ key: String, _ text: String) {
        settings.complain(path(of: key), text)
    }

    /// Whether the setting is there.
    public func has(_ key: String) -> Bool { members.contains { $0.name == key } }

    private func value(_ key: String) -> Document? {
        settings.tables[index].knownKeys.append(key)
        return members.first { $0.name == key }?.value
    }

    /// A setting that `convert` understands, of the text or of a variable.
    ///
    /// - Parameter expected: what it should be, for the message, as `"an address"`.
    public func read<Value>(
        _ key: String, expected: String, _ convert: (Document) -> Value?
    ) -> Value? {
        if let (name, text) = settings.variable(path(of: key)) {
            _ = value(key)
            for document in SettingsVariables.documents(text) {
                if let value = convert(document) { return value }
            }
            settings.complain(variable: name, path(of: key), "expected \(expected)")
            return nil
        }
        return readText(key, expected: expected, convert)
    }

    /// The same, of the text only.
    private func readText<Value>(
        _ key: String, expected: String, _ convert: (Document) -> Value?
    ) -> Value? {
        guard let document = value(key) else { return nil }
        if let value = convert(document) { return value }
        complain(key, "expected \(expected)")
        return nil
    }

    /// A text that `convert` understands.
    ///
    /// - Parameter expected: what the text should be, for the message, as `"an address"`.
    public func text<Value>(
        _ key: String, expected: String, _ convert: (String) -> Value?
    ) -> Value? {
        read(key, expected: expected) { $0.stringValue.flatMap(convert) }
    }

    public func text(_ key: String) -> String? { text(key, expected: "a text in quotes") { $0 } }

    public func boolean(_ key: String) -> Bool? {
        read(key, expected: "true or false") {
            if case .boolean(let value) = $0 { value } else { nil }
        }
    }

    public func integer(_ key: String, in range: ClosedRange<Int64>) -> Int64? {
        read(
            key, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)"
        ) { document in
            document.integerValue.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A number, whole or not, in a range.
    public func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        read(key, expected: "a number from \(range.lowerBound) to \(range.upperBound)") {
            $0.doubleValue.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A size: a number of bytes, or a text as `"64MiB"`; at most `Quantity.largestSize`.
    public func bytes(_ key: String) -> UInt64? {
        read(key, expected: "a size, for example \"64MiB\"") { document in
            document.integerValue.flatMap { UInt64(exactly: $0) }
                .map { min($0, Quantity.largestSize) }
                ?? document.stringValue.flatMap(Quantity.bytes)
        }
    }

    /// A time: a number of seconds, or a text as `"500ms"`.
    public func duration(_ key: String) -> Duration? {
        read(key, expected: "a duration, for example \"500ms\" or \"10s\"") { document in
            if let text = document.stringValue {
                return Quantity.nanoseconds(text).map { .nanoseconds($0) }
            }
            guard let seconds = document.doubleValue, seconds > 0, seconds <= 9e9 else {
                return nil
            }
            return .seconds(seconds)
        }
    }

    /// Texts that `convert` understands, or one of them.
    public func texts<Value>(
        _ key: String, expected: String, _ convert: (String) -> Value?
    ) -> [Value]? {
        let path = path(of: key)
        let variable = settings.variable(path)
        let document = value(key)
        guard let given = variable.map({ SettingsVariables.list($0.text) }) ?? document else {
            return nil
        }
        func complain(_ text: String) {
            if let variable {
                settings.complain(variable: variable.name, path, text)
            } else {
                settings.complain(path, text)
            }
        }
        let elements = given.arrayValue ?? [given]
        let texts = elements.compactMap(\.stringValue)
        guard texts.count == elements.count else {
            complain("expected a list of texts, each \(expected)")
            return nil
        }
        var values: [Value] = []
        for (index, text) in texts.enumerated() {
            if let value = convert(text) {
                values.append(value)
            } else {
                complain("text \(index + 1) of the list: expected \(expected)")
            }
        }
        return values
    }

    public func texts(_ key: String) -> [String]? { texts(key, expected: "in quotes") { $0 } }

    /// A table; an empty one if it is not there.
    public func table(_ key: String) -> SettingsTable {
        let document = readText(key, expected: "a table") { $0.objectValue == nil ? nil : $0 }
        return settings.table(document ?? .object([]), path(of: key))
    }

    /// An array of tables; none if it is not there.
    public func tables(_ key: String) -> [SettingsTable] {
        let elements = readText(key, expected: "tables: [[\(path(of: key))]]") { document in
            document.arrayValue.flatMap { elements in
                elements.allSatisfy { $0.objectValue != nil } ? elements : nil
            }
        }
        return (elements ?? []).enumerated().map { index, element in
            settings.table(element, "\(path(of: key))[\(index)]")
        }
    }

    /// Tables by their names: `[modules.NAME]`; none if there are none.
    public func namedTables(_ key: String) -> [(name: String, table: SettingsTable)] {
        let members = readText(key, expected: "tables: [\(path(of: key)).NAME]") { document in
            document.objectValue.flatMap { members in
                members.allSatisfy { $0.value.objectValue != nil } ? members : nil
            }
        }
        return (members ?? []).map { member in
            (member.name, settings.table(member.value, "\(path(of: key)).\(member.name)"))
        }
    }
}
