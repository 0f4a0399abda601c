import WasmdDocuments

/// Why a document is not what it should be: where, and what was expected there.
public struct DocumentFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// Names and indices from the root on, as `modules[0].urls.binary`; empty for the root.
    public let place: String
    public let expected: String

    public init(_ place: String, expected: String) {
        self.place = place
        self.expected = expected
    }

    public var description: String {
        place.isEmpty ? "expected \(expected)" : "'\(place)': expected \(expected)"
    }
}

/// A document and where it is, to read its members with faults that name their place.
struct Reading {
    let document: Document
    let place: String

    init(_ document: Document, _ place: String = "") {
        self.document = document
        self.place = place
    }

    func fault(_ expected: String) -> DocumentFault { DocumentFault(place, expected: expected) }

    /// Names are cut: each member of an object repeats that of the object.
    private func place(of name: String) -> String {
        let short =
            name.utf8.count <= Self.placeLength
            ? name : String(decoding: name.utf8.prefix(Self.placeLength), as: UTF8.self) + "…"
        return place.isEmpty ? short : "\(place).\(short)"
    }

    private static let placeLength = 255

    /// A member; nil if it is missing or null.
    func optional(_ name: String) -> Reading? {
        guard let value = document[name], value != .null else { return nil }
        return Reading(value, place(of: name))
    }

    /// A member that must be there.
    func member(_ name: String) throws(DocumentFault) -> Reading {
        guard let member = optional(name) else {
            throw DocumentFault(place(of: name), expected: "a value")
        }
        return member
    }

    func string() throws(DocumentFault) -> String {
        guard let text = document.stringValue else { throw fault("a string") }
        return text
    }

    func elements() throws(DocumentFault) -> [Reading] {
        guard let elements = document.arrayValue else { throw fault("an array") }
        return elements.enumerated().map { Reading($1, "\(place)[\($0)]") }
    }

    func members() throws(DocumentFault) -> [(name: String, value: Reading)] {
        guard let members = document.objectValue else { throw fault("an object") }
        return members.map { ($0.name, Reading($0.value, place(of: $0.name))) }
    }

    /// Members as a list; an empty array stands for an empty object, as older senders write it.
    func members(orEmptyArray: Bool) throws(DocumentFault) -> [(name: String, value: Reading)] {
        if orEmptyArray, document == .array([]) { return [] }
        return try members()
    }

    /// - Throws: if there are too many names, or one is too long.
    func checkNames(_ members: [(name: String, value: Reading)]) throws(DocumentFault) {
        guard members.count <= NameLimits.count else {
            throw fault("at most \(NameLimits.count) names")
        }
        for (name, value) in members where name.utf8.count > NameLimits.length {
            throw value.fault("a name of at most \(NameLimits.length) bytes")
        }
    }
}
