/// Finds what serves a request by its method and path.
///
///     var router = Router<Handler>()
///     try router.add(.get, "/wasm/:id", show)
///     try router.add(nil, "/files/...", files)     // any method, and all paths below /files
///
/// A pattern is a path whose segments are literal bytes, `:name` for one segment with any bytes, or
/// a final `...` for zero or more segments. Literals go before parameters, and both before `...`,
/// so that the most specific pattern wins whatever the order of adding. Without a route of its own,
/// HEAD is served by GET, and OPTIONS is answered by the table.
public struct Router<Value: Sendable>: Sendable {
    public enum Fault: Error, Equatable, Sendable {
        /// The pattern is no path, something follows `...`, a parameter has no name, or there are
        /// more than 64 segments.
        case pattern
        /// Method and pattern are there already, perhaps with other names of parameters.
        case duplicate
    }

    /// What a path is to the table.
    public enum Match: Sendable {
        case found(Value, RouteParameters)
        /// The path is served, but not by this method: 405 with the methods in `Allow`.
        case methodNotAllowed(allow: [UInt8])
        /// OPTIONS of a path without a route for it: 204 with the methods in `Allow`.
        case options(allow: [UInt8])
        case notFound
    }

    private var table = RouteTable()
    private var values: [Value] = []

    public init() {}

    /// Adds a route.
    ///
    /// - Parameters:
    ///   - method: nil for all methods that have no route of their own.
    ///   - pattern: starts with a slash; a final slash means nothing.
    public mutating func add(_ method: Method?, _ pattern: String, _ value: Value) throws(Fault) {
        try add(method, Array(pattern.utf8), value)
    }

    /// Adds a route with a pattern of bytes.
    public mutating func add(_ method: Method?, _ pattern: [UInt8], _ value: Value) throws(Fault) {
        do throws(RouteTable.Fault) {
            try table.add(method, pattern, values.count)
        } catch {
            throw error == .pattern ? .pattern : .duplicate
        }
        values.append(value)
    }

    /// Finds the route of a path. Visits each node of the table at most once.
    public func match(_ method: Method, _ path: Path) -> Match {
        switch table.match(method, path) {
        case .found(let found):
            .found(values[found.route.value], RouteParameters(found, path))
        case .otherMethods(let methods):
            method == .options
                ? .options(allow: RouteParameters.allow(methods))
                : .methodNotAllowed(allow: RouteParameters.allow(methods))
        case .notFound: .notFound
        }
    }
}

/// What a pattern's variable parts stand for.
public struct RouteParameters: Sendable {
    /// Names without colon, and decoded segments.
    public let values: [(name: [UInt8], value: [UInt8])]
    /// The segments that `...` stands for; nil without it.
    public let rest: ArraySlice<[UInt8]>?
    /// The pattern that matched.
    public let pattern: [UInt8]

    init(_ found: RouteTable.Found, _ path: Path) {
        values = zip(found.route.names, found.values).map { (name: $0, value: $1) }
        rest = found.restStart.map { path.segments[$0...] }
        pattern = found.route.pattern
    }

    /// The segment of a parameter.
    public subscript(name: StaticString) -> [UInt8]? {
        values.first { $0.name.equals(name) }?.value
    }

    /// The methods for `Allow`, with those that the table adds.
    static func allow(_ methods: [Method]) -> [UInt8] {
        var names = methods.map { $0.name }
        if methods.contains(.get) { names.append("HEAD") }
        names.append("OPTIONS")
        var seen: Set<String> = []
        return Array(names.filter { seen.insert($0).inserted }.joined(separator: ", ").utf8)
    }
}
