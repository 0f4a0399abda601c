/// What a case exercises: one layer of the engine, or several together.
enum Layer: String, CaseIterable {
    /// Sections, custom sections and descriptions of errors; nothing is validated.
    case decoding
    /// The text of a module.
    case text
    /// A script, and the modules in it.
    case script
    /// A module printed, parsed and printed again.
    case printing
    /// Validation and translation; nothing runs.
    case translation
    /// Linking and running.
    case running
    /// One program in several modes of the engine, which must agree.
    case differential
    /// Functions of WASI with arguments that no guest in its right mind would give.
    case wasi
    /// Modules as transports: what `wasmd watm validate` says of them, and a connection through those
    /// that can be used.
    case transports
    /// Readers of documents, which start from documents of their own and from given files.
    case json, toml, bson, form, multipart
    /// Messages and files of the resolver.
    case names

    var isDocument: Bool {
        switch self {
        case .json, .toml, .bson, .form, .multipart, .names: true
        default: false
        }
    }

    /// Whether cases start from texts.
    var isTextual: Bool { self == .text || self == .script }

    /// Endings of the names of the files that cases start from.
    var endings: [String] {
        if isDocument { return [".\(rawValue)"] }
        return isTextual ? [".wast", ".wat"] : [".wasm", ".wast", ".wat"]
    }

    /// Ending of the names of files with cases.
    var ending: String { isDocument ? ".\(rawValue)" : isTextual ? ".wat" : ".wasm" }
}
