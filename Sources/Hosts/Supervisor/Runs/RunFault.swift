import WasmdHTTP

/// Why a run failed before or after the guest ran; the texts are those that clients know.
enum RunFault: Error, Sendable {
    case noFunction(String)
    case integer(String)
    case real(String)
    case argumentCount(given: Int, expected: Int)
    case signature(String)
    case unexpectedFile(String)
    case filesMissing([String])
    case fileMissing(String)
    case outputCount(String)
    case outputMissing(String)
    case module(String)
    case guest(String)
    /// A limit ended the run: its name, and the text.
    case limit(String, String)
    case cancelled
    case noAllocator
    case noText(String)
    case next(String)
    case server(String)
    /// The instance was moved to another device, or released, while the run waited for it.
    case moved
    case released
}

extension RunFault {
    /// What HTTP calls this, for `Supervisor.Options.usesRightStatuses`.
    var status: Status {
        switch self {
        case .noFunction: .notFound
        case .integer, .real, .argumentCount, .signature, .unexpectedFile, .filesMissing:
            .badRequest
        case .limit("time", _): .gatewayTimeout
        case .limit("running", _), .limit("waiting", _), .limit("waiting-time", _),
            .limit("instance_memory", _), .moved, .released:
            .serviceUnavailable
        case .cancelled: .conflict
        case .next: .badGateway
        case .fileMissing, .outputCount, .outputMissing, .module, .guest, .limit, .noAllocator,
            .noText, .server:
            .internalServerError
        }
    }
}

extension RunFault: CustomStringConvertible {
    /// As Python writes a string.
    private static func quoted(_ text: String) -> String {
        let quote = text.utf8.contains(UInt8(ascii: "'")) && !text.utf8.contains(0x22) ? "\"" : "'"
        var result = quote
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0a: result += "\\n"
            case 0x0d: result += "\\r"
            case 0x09: result += "\\t"
            case 0x5c: result += "\\\\"
            case 0x27 where quote == "'": result += "\\'"
            case 0..<0x20, 0x7f:
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + quote
    }

    var description: String {
        switch self {
        case .noFunction(let name): Self.quoted(name)
        case .integer(let text):
            "invalid literal for int() with base 10: \(Self.quoted(text))"
        case .real(let text): "could not convert string to float: \(Self.quoted(text))"
        case .argumentCount(let given, let expected):
            "too few parameters provided: given \(given), expected \(expected)"
        case .signature(let type):
            "the function is \(type): only numbers can be given by a query"
        case .unexpectedFile(let name): "Unexpected input file \"\(name)\""
        case .filesMissing(let names):
            "required input files not found:  {"
                + names.map(Self.quoted).joined(separator: ", ") + "}"
        case .fileMissing(let name): "Missing input file \"\(name)\""
        case .outputCount(let type):
            "One and only one output file expected for media type \"\(type)\""
        case .outputMissing(let name): "the function did not write its output file \"\(name)\""
        case .module(let text), .guest(let text), .next(let text), .server(let text),
            .limit(_, let text):
            text
        case .cancelled: "the run was cancelled"
        case .noAllocator: "the module exports no 'alloc(size)' for the text"
        case .noText(let reason): "the function returned no text: \(reason)"
        case .moved, .released: "the instance is not here any more: try again"
        }
    }
}
