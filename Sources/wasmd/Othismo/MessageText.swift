import WasmDecoder
import WasmdDocuments

/// The members of a message from the words of a command line.
///
/// - `type.key=value`: the member `key` of the payload `type`. The last dot separates them, because
///   names of types have dots themselves. `key=value` is a payload by itself.
/// - `type`: a payload without members.
/// - `@FILE`: the members of the JSON object in a file, a template for what follows.
///
/// Values are JSON if they can be read as that, otherwise text.
enum MessageText {
    static func payload(_ words: [Word]) throws(Refusal) -> [Document.Member] {
        var members: [Document.Member] = []
        for word in words {
            if word.hasPrefix("@") {
                for member in try template(Word(bytes: word.bytes.dropFirst())) {
                    set(member.name, member.value, &members)
                }
                continue
            }
            guard let (name, value) = word.split(at: "=") else {
                set(word.text, .object([]), &members)
                continue
            }
            let path = name.text
            let parsed = self.value(value)
            guard let dot = path.utf8.lastIndex(of: UInt8(ascii: ".")) else {
                set(path, parsed, &members)
                continue
            }
            let type = String(path[..<dot])
            let key = String(path[path.index(after: dot)...])
            var fields =
                members.last { $0.name.utf8.elementsEqual(type.utf8) }?.value.objectValue ?? []
            set(key, parsed, &fields)
            set(type, .object(fields), &members)
        }
        return members
    }

    private static func set(
        _ name: String, _ value: Document, _ members: inout [Document.Member]
    ) {
        if let index = members.firstIndex(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
            members[index].value = value
        } else {
            members.append(Document.Member(name, value))
        }
    }

    private static func value(_ word: Word) -> Document {
        guard let document = try? JSONReader.read(word.bytes) else { return .string(word.text) }
        return narrowed(document)
    }

    /// Integers as guests are used to them: 32 bits where that is enough.
    private static func narrowed(_ document: Document) -> Document {
        switch document {
        case .integer(let value): Int32(exactly: value).map { .integer32($0) } ?? document
        case .unsigned(let value): .double(Double(value))
        default: document
        }
    }

    private static func template(_ file: Word) throws(Refusal) -> [Document.Member] {
        let bytes: ModuleBytes
        do throws(FileError) {
            bytes = try ModuleBytes(path: file.bytes)
        } catch {
            throw Refusal(error, file: file.text)
        }
        guard let document = try? JSONReader.read(bytes[bytes.range]),
            let members = document.objectValue
        else { throw Refusal(file: file.text, reason: "the template is no JSON object") }
        return members
    }

    /// One document as a line of JSON.
    static func line(_ document: Document) -> String {
        var options = JSONWriter.Options()
        options.bytes = .object
        return String(decoding: JSONWriter.write(document, options: options), as: UTF8.self)
    }
}
