import WasmDecoder
import WasmdDocuments
import WasmdOthismo

/// The members of a message from the words of a command line.
///
/// - `type.key=value`: the member `key` of the payload `type`. The last dot separates them, because
///   names of types have dots themselves. `key=value` is a payload by itself.
/// - `type`: a payload without members.
/// - `@FILE`: the members of the JSON object in a file, a template for what follows; `@@PATH` those
///   of a blob in the image.
///
/// Values are JSON if they can be read as that, otherwise text.
enum MessageText {
    /// The files and folders that the words of a message name: templates, and what is copied.
    static func files(_ words: some Sequence<Word>) -> [Word] {
        words.compactMap { word in
            if word.hasPrefix("@") {
                return word.hasPrefix("@@") ? nil : Word(bytes: word.bytes.dropFirst())
            }
            guard let (name, value) = word.split(at: "="),
                name.text == "cp" || name.hasSuffix(".cp")
            else { return nil }
            return Word(self.value(value).stringValue ?? value.text)
        }
    }

    /// The members of a message.
    ///
    /// - Parameter blob: reads a blob by its path in the image.
    static func payload(
        _ words: [Word], blob: (Word) throws(OthismoFailure) -> [UInt8]
    ) throws(OthismoFailure) -> [Document.Member] {
        var members: [Document.Member] = []
        for word in words {
            if word.hasPrefix("@@") {
                let name = Word(bytes: word.bytes.dropFirst(2))
                let bytes = try blob(name)
                for member in try self.members(bytes, name) {
                    set(member.name, member.value, &members)
                }
                continue
            }
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
        return MessageDocument.read(document)
    }

    private static func template(_ file: Word) throws(OthismoFailure) -> [Document.Member] {
        let bytes: ModuleBytes
        do throws(FileError) {
            bytes = try ModuleBytes(path: file.bytes)
        } catch {
            throw OthismoFailure(Refusal(error, file: file.text))
        }
        return try members(bytes[bytes.range], file)
    }

    private static func members(
        _ bytes: [UInt8], _ name: Word
    ) throws(OthismoFailure) -> [Document.Member] {
        guard let document = try? JSONReader.read(bytes),
            let members = MessageDocument.read(document).objectValue
        else {
            throw OthismoFailure(
                Refusal(file: name.text, reason: "the template is no JSON object"))
        }
        return members
    }
}
