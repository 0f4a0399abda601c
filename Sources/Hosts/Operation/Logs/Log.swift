import Synchronization
import WasmSystem
import WasmdDocuments

/// The log of the daemon: one line for each event, as text for people or as JSON for machines.
///
/// ```swift
/// log.write(.information, "listening", ["address": "127.0.0.1:8080"])
/// ```
///
///     2026-11-28T12:00:00.123Z INFO listening address=127.0.0.1:8080
///     {"time":"2026-11-28T12:00:00.123Z","level":"info","message":"listening","address":"127.0.0.1:8080"}
///
/// Control characters of messages and values are escaped in both forms, so that a client cannot add
/// lines or commands for a terminal.
public final class Log: Sendable {
    public enum Level: Int, Comparable, Sendable, CaseIterable {
        case debug, information, warning, error

        public static func < (one: Level, other: Level) -> Bool { one.rawValue < other.rawValue }

        /// As the configuration has it.
        public var name: String {
            switch self {
            case .debug: "debug"
            case .information: "info"
            case .warning: "warn"
            case .error: "error"
            }
        }

        public init?(name: String) {
            guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
            self = level
        }
    }

    public enum Form: String, Sendable { case text, json }

    private struct Settings: Sendable {
        var level: Level
        var form: Form
    }

    private let settings: Mutex<Settings>
    public let output: LogOutput

    /// A log on an output of its own, or on one that several share: the last of them tells in its form
    /// how many lines were lost.
    public init(_ output: LogOutput, level: Level = .information, form: Form = .text) {
        self.output = output
        settings = Mutex(Settings(level: level, form: form))
        output.describeLosses { [weak self] count in
            guard let self, self.form == .json else { return nil }
            return Self.line(
                .warning, "the log was read too slowly", ["lost": .count(of: count)], .json)
        }
    }

    /// Events below this level are not written.
    public var level: Level {
        get { settings.withLock(\.level) }
        set { settings.withLock { $0.level = newValue } }
    }

    /// Whether events of a level are written.
    public func writes(_ level: Level) -> Bool { level >= self.level }

    public var form: Form {
        get { settings.withLock(\.form) }
        set { settings.withLock { $0.form = newValue } }
    }

    /// Writes an event; returns at once.
    ///
    /// - Parameter fields: names are words of letters, digits, `_` and `.`.
    public func write(
        _ level: Level, _ message: String, _ fields: KeyValuePairs<String, Document> = [:]
    ) {
        let settings = settings.withLock { $0 }
        guard level >= settings.level else { return }
        output.write(Self.line(level, message, fields, settings.form))
    }

    private static func line(
        _ level: Level, _ message: String, _ fields: KeyValuePairs<String, Document>, _ form: Form
    ) -> [UInt8] {
        let time = Timestamp(nanoseconds: SystemClock.realtime.now)
        var line: [UInt8]
        switch form {
        case .json:
            var members = [
                Document.Member("time", .string(time.description)),
                Document.Member("level", .string(level.name)),
                Document.Member("message", .string(message)),
            ]
            members += fields.map { Document.Member($0.key, $0.value) }
            line = JSONWriter.write(.object(members))
        case .text:
            var text = "\(time) \(level.name.uppercased()) \(LogText.escaped(message))"
            for (name, value) in fields { text += " \(name)=\(LogText.value(value))" }
            line = Array(text.utf8)
        }
        line.append(0x0a)
        return line
    }
}

/// The text form of values.
enum LogText {
    /// The text with control characters, and those that change the direction of text, as escapes.
    static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isControl(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A value; in quotes if a reader could not see where it ends.
    static func value(_ document: Document) -> String {
        guard let text = document.stringValue else {
            return String(decoding: JSONWriter.write(document), as: UTF8.self)
        }
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy {
                !isControl($0) && $0 != " " && $0 != "\"" && $0 != "="
            }
        if isPlain { return text }
        // Scalar by scalar: a combining mark after it does not make a quote harmless.
        let parts = text.unicodeScalars.split(separator: "\"", omittingEmptySubsequences: false)
        return "\"\(escaped(parts.map { String($0) }.joined(separator: "\\\"")))\""
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
