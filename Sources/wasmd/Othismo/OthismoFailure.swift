import WasmSystem
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// Why a command on an image failed. The only place that turns this into text.
enum OthismoFailure: Error {
    case image(ImageError)
    /// A name of the original's errors, as it prints them.
    case original(String)
    case text(String)

    init(_ error: any Error) {
        switch error {
        case let error as OthismoFailure: self = error
        case let error as ImageError: self = .image(error)
        case MessageError.objectExists: self = .original("ObjectAlreadyExists")
        case MessageError.noObject: self = .original("ObjectDoesNotExist")
        case let error as MessageError: self = .text(error.description)
        case ImportedModule.Failure.invalid(let reason): self = .text(reason)
        case ImportedModule.Failure.unsupported(let what):
            self = .original("UnsupportedModuleDefinition(\"\(what)\")")
        case let error as Refusal: self = .text(error.text)
        default: self = .text("\(error)")
        }
    }

    /// What an answer says if it is an error; nil for others.
    init?(answer: Document?) {
        guard let error = answer?["othismo.error"] else { return nil }
        switch error["code"]?.stringValue {
        case "object_exists": self = .original("ObjectAlreadyExists")
        case "no_object": self = .original("ObjectDoesNotExist")
        default: self = .text(printable(error["message"]?.stringValue ?? "it failed"))
        }
    }

    static func wrapping<Value>(
        _ body: () throws(ImageError) -> Value
    ) throws(OthismoFailure) -> Value {
        do throws(ImageError) {
            return try body()
        } catch {
            throw .image(error)
        }
    }

    var text: String {
        switch self {
        case .original(let name): "Othismo(\(name))"
        case .text(let text): text
        case .image(let error): Self.text(error)
        }
    }

    private static func text(_ error: ImageError) -> String {
        switch error {
        case .imageExists: return "Othismo(ImageAlreadyExists)"
        case .objectExists: return "Othismo(ObjectAlreadyExists)"
        case .noObject: return "Othismo(ObjectDoesNotExist)"
        case .objectLinked: return "Othismo(ObjectNotFree)"
        case .noImage(let path):
            return "\(file(path)): there is no such image; make it with 'wasmd othismo new-image'"
        case .notAnImage(let reason):
            switch reason {
            case .header: return "the file is no SQLite 3 database"
            case .size(let count): return "the file has only \(counted(count, "byte"))"
            case .noTable(let name): return "the file is no image: it has no table \(name)"
            case .noColumn(let table, let name):
                return "the file is no image: its table \(table) has no column \(name)"
            }
        case .damaged(let damage):
            return "the image is damaged, page \(damage.page): \(damage.rule.rawValue)"
        case .unsupported(let feature):
            switch feature {
            case .autoVacuum:
                return "the image has PRAGMA auto_vacuum on and can only be read; switch it off "
                    + "with 'PRAGMA auto_vacuum = NONE; VACUUM'"
            case .utf16: return "the image stores text as UTF-16 and can only be read"
            case .formatVersion(let version):
                return "the image needs version \(version) of the format, which is not supported"
            case .definition(let name):
                return "the definition of \(file(name)) in the image is not supported"
            }
        case .busy: return "another process holds the lock of the image; try again"
        case .readOnly: return "the image may not be written"
        case .full(let error): return "there is no room to write the image: \(error.text)"
        case .failedSync(let error): return "the disk did not write the image: \(error.text)"
        case .system(let error, let operation): return "\(operation.rawValue): \(error.text)"
        case .changed: return "another program changed the image meanwhile; try again"
        case .closed: return "the image is closed"
        case .tooLarge(let count): return "a value of \(counted(count, "byte")) is too large"
        case .outOfRange: return "a range is outside of an object"
        case .exhausted: return "the image has no more numbers for its rows"
        }
    }

    private static func file(_ path: [UInt8]) -> String { printable(Word(bytes: path).text) }
}
