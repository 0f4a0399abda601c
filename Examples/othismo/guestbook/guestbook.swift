// A guestbook: GET / is the page, POST /entries adds a line. Each view of the page is counted by
// another object, /visits, whose answer the page waits for.

nonisolated(unsafe) var entries: [[UInt8]] = []
/// Requests that wait for the number of visits, by the handle of the message to /visits.
nonisolated(unsafe) var waiting: [(handle: UInt32, asker: Asker)] = []

func receive(_ message: Message) {
    if let request = message.http {
        if request.isMethod("GET", "/") {
            let handle = send("/visits") { $0.document("counter.add") { $0.integer("by", 1) } }
            waiting.append((handle, message.asker))
        } else if request.isMethod("POST", "/entries") {
            let text = Form.value(of: "text", in: request.body)
            if !text.isEmpty, entries.count < 1000 { entries.append(Array(text.prefix(500))) }
            message.asker.redirect(to: "/")
        } else {
            message.asker.respond(404, type: "text/plain", [UInt8]("There is no such page.\n"))
        }
        return
    }
    guard let index = waiting.firstIndex(where: { $0.handle == message.answered }) else { return }
    let asker = waiting.remove(at: index).asker
    let visits = message["counter.value"]?.document?["value"]?.integer ?? 0
    asker.respond(200, type: "text/html; charset=utf-8", page(visits))
}

func page(_ visits: Int64) -> [UInt8] {
    var page = [UInt8](
        "<!doctype html><title>Guestbook</title><link rel=stylesheet href=/style.css>")
    page.add("<h1>Guestbook</h1><p>Visit ")
    page.add(decimal: visits)
    page.add("</p><form method=post action=/entries><input name=text><button>Sign</button></form>")
    page.add("<ul>")
    for entry in entries {
        page.add("<li>")
        page.add(escaping: entry)
    }
    page.add("</ul>\n")
    return page
}

extension [UInt8] {
    init(_ text: StaticString) { self = text.withUTF8Buffer { Array($0) } }

    mutating func add(_ text: StaticString) { text.withUTF8Buffer { append(contentsOf: $0) } }

    mutating func add(decimal number: Int64) {
        if number >= 10 { add(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }

    mutating func add(escaping text: [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "<"): add("&lt;")
            case UInt8(ascii: ">"): add("&gt;")
            case UInt8(ascii: "&"): add("&amp;")
            default: append(byte)
            }
        }
    }
}

/// What a form of HTML sends.
enum Form {
    static func value(of name: StaticString, in body: ArraySlice<UInt8>) -> [UInt8] {
        for part in body.split(separator: UInt8(ascii: "&")) {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")),
                part[part.startIndex..<equals].isEqual(name)
            else { continue }
            return decoded(part[(equals + 1)...])
        }
        return []
    }

    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            if byte == UInt8(ascii: "%"), index + 2 < text.endIndex,
                let high = digit(text[index + 1]), let low = digit(text[index + 2])
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
