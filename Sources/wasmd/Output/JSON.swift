import WasmdDocuments

/// The documents that `--json` prints.
typealias JSON = Document

extension Document {
    static func count(_ value: Int) -> Document { .integer(Int64(value)) }

    /// An object without the members whose value is nil.
    static func object(_ members: (String, Document?)...) -> Document {
        .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    static func strings(_ values: [String]) -> Document { .array(values.map { .string($0) }) }

    /// The document as text, two spaces of indentation per level. Arrays and objects without
    /// arrays and objects inside are on one line if that is short.
    var text: String { text(indentation: 0) }

    /// The same at nesting depth `indentation`.
    fileprivate func text(indentation: Int) -> String {
        String(decoding: JSONWriter.indented(self, indentation: indentation), as: UTF8.self)
    }
}

/// An object that is written member by member, each on its own line, in the form of
/// `Document.text`.
struct JSONStream {
    private let output: Output
    private var isEmpty = true

    init(_ output: Output) {
        self.output = output
        output.write("{")
    }

    /// Writes a member; nothing if the value is nil.
    mutating func member(_ name: String, _ value: JSON?) {
        guard let value else { return }
        begin(name)
        output.write(value.text(indentation: 1))
    }

    /// Writes an array of objects with members, one by one.
    mutating func member(_ name: String, objects: some Sequence<JSON>) {
        begin(name)
        output.write("[")
        var isFirst = true
        for object in objects {
            output.write(isFirst ? "\n    " : ",\n    ")
            output.write(object.text(indentation: 2))
            isFirst = false
        }
        output.write(isFirst ? "]" : "\n  ]")
    }

    private mutating func begin(_ name: String) {
        output.write(isEmpty ? "\n  " : ",\n  ")
        isEmpty = false
        output.write(JSON.string(name).text)
        output.write(": ")
    }

    func end() { output.write("\n}\n") }
}
