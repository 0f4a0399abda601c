import WasmInterpreter
import WasmdHTTP

/// The routes that a module names itself, as WAGI has it: its export `_routes` prints lines of a
/// path and the name of a function.
///
///     /hello hello
///     /goodbye/... goodbye
///
/// Of the lines that match a path, the last one wins.
public struct ModuleRoutes: Equatable, Sendable {
    public struct Fault: Error, Equatable, Sendable {
        /// From 1.
        public let line: Int
        public let reason: String
    }

    private struct Route: Equatable, Sendable {
        var segments: [[UInt8]]
        var isFolder: Bool
        /// Whether paths below match too: `/...`.
        var isPrefix: Bool
        var pattern: [UInt8]
        var function: Name
    }

    private var routes: [Route] = []

    /// The most lines.
    static let limit = 1024

    /// Reads the lines.
    public init(_ text: [UInt8]) throws(Fault) {
        var number = 0
        for line in text.split(separator: 0x0a, omittingEmptySubsequences: false) {
            number += 1
            let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
            if words.isEmpty { continue }
            guard words.count == 2 else {
                throw Fault(line: number, reason: "a path and the name of a function are expected")
            }
            guard routes.count < Self.limit else {
                throw Fault(line: number, reason: "there are more than \(Self.limit) routes")
            }
            guard let route = Self.route(words[0], Name(utf8: Array(words[1]))) else {
                throw Fault(line: number, reason: "the path is malformed")
            }
            routes.append(route)
        }
        if routes.isEmpty { throw Fault(line: 1, reason: "there are no routes") }
    }

    private static func route(_ word: ArraySlice<UInt8>, _ function: Name) -> Route? {
        var text = Array(word)
        if text.first != UInt8(ascii: "/") { text.insert(UInt8(ascii: "/"), at: 0) }
        let isPrefix = text.suffix(4).elementsEqual("/...".utf8)
        if isPrefix { text.removeLast(4) }
        guard let path = try? Path(text.isEmpty ? [UInt8(ascii: "/")] : text[...]) else {
            return nil
        }
        return Route(
            segments: path.segments, isFolder: path.isFolder, isPrefix: isPrefix,
            pattern: isPrefix ? text + Array("/...".utf8) : text, function: function)
    }

    /// The functions that are named.
    public var functions: [Name] { routes.map(\.function) }

    /// The function for a path, given by its segments after those of the module.
    ///
    /// - Returns: nil if no line matches; how many segments are the function's path.
    func match(
        _ segments: ArraySlice<[UInt8]>, isFolder: Bool
    ) -> (function: Name, count: Int, pattern: [UInt8])? {
        let route = routes.last { route in
            guard segments.starts(with: route.segments) else { return false }
            if route.isPrefix { return true }
            return segments.count == route.segments.count && isFolder == route.isFolder
        }
        guard let route else { return nil }
        return (route.function, route.segments.count, route.pattern)
    }
}
