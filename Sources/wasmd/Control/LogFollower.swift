import Synchronization
import WasmSystem
import WasmdDocuments
import WasmdHTTP

/// Prints the events of `/admin/logs` as they come.
final class LogFollower: Sendable {
    private let parser = Mutex(ServerSentEventParser())
    private let printsJSON: Bool

    init(printsJSON: Bool) { self.printsJSON = printsJSON }

    @Sendable func take(_ bytes: [UInt8]) throws {
        let events = try parser.withLock { parser in
            var events: [ServerSentEvent] = []
            var position = 0
            let span = bytes.span
            while let event = try parser.next(span, at: &position) { events.append(event) }
            return events
        }
        var text = ""
        for event in events {
            guard let document = try? JSONReader.read(event.data) else { continue }
            if printsJSON {
                text += String(decoding: JSONWriter.write(document), as: UTF8.self) + "\n"
            } else if let lost = document["lost"]?.integerValue {
                text += "(\(lost) lines were lost: they came too fast)\n"
            } else {
                text += ControlReport.line(document) + "\n"
            }
        }
        if let error = writeAll(Array(text.utf8), to: Kernel.standardOutput) {
            throw Refusal(file: "standard output", reason: error.text)
        }
    }
}
