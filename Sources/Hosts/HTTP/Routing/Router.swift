/// Finds what serves a request by its method and path.
///
///     var router = Router<Handler>()
///     try router.add(.get, "/wasm/:id", show)
///     try router.add(nil, "/files/...", files)     // any method, and all paths below /files
///
/// A pattern is a path whose segments are literal bytes, `:name` for one segment with any bytes, or a
/// final `...` for zero or more segments. Literals go before parameters, and both before `...`, so
/// that the most specific pattern wins whatever the order of adding. Without a route of its own, HEAD
/// is served by GET, and OPTIONS is answered by the table.
public struct Router<Value: Sendable>: Sendable {
    public enum Fault: Error, Equatable, Sendable {
        /// The pattern is no path, or something follows `...`, or a parameter has no name.
        case pattern
        /// Method and pattern are there already, perhaps with other names of parameters.
        case duplicate
    }

    /// What a path is to the table.
    public enum Match: Sendable {
        case found(Value, Parameters)
        /// The path is served, but not by this method: 405 with the methods in `Allow`.
        case methodNotAllowed(allow: [UInt8])
        /// OPTIONS of a path without a route for it: 204 with the methods in `Allow`.
        case options(allow: [UInt8])
        case notFound
    }

    /// What a pattern's variable parts stand for.
    public struct Parameters: Sendable {
        /// Names without colon, and decoded segments.
        public let values: [(name: [UInt8], value: [UInt8])]
        /// The segments that `...` stands for; nil without it.
        public let rest: ArraySlice<[UInt8]>?
        /// The pattern that matched.
        public let pattern: [UInt8]

        /// The segment of a parameter.
        public subscript(name: StaticString) -> [UInt8]? {
            values.first { $0.name.equals(name) }?.value
        }
    }

    private struct Route: Sendable {
        let method: Method?
        let pattern: [UInt8]
        let names: [[UInt8]]
        let value: Value
    }

    private struct Node: Sendable {
        var literals: [[UInt8]: Int] = [:]
        var parameter: Int?
        /// Routes that end here.
        var routes: [Route] = []
        /// Routes with `...` here.
        var restRoutes: [Route] = []
    }

    private var nodes = [Node()]

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
        guard pattern.first == ASCII.slash else { throw .pattern }
        var names: [[UInt8]] = []
        var node = 0
        let parts = pattern.split(separator: ASCII.slash)
        for (index, part) in parts.enumerated() {
            if part.equals("...") {
                guard index == parts.count - 1 else { throw .pattern }
                let route = Route(method: method, pattern: pattern, names: names, value: value)
                try Self.insert(route, into: &nodes[node].restRoutes)
                return
            }
            if part.first == ASCII.colon {
                guard part.count > 1 else { throw .pattern }
                names.append(Array(part.dropFirst()))
                if let next = nodes[node].parameter {
                    node = next
                } else {
                    nodes.append(Node())
                    nodes[node].parameter = nodes.count - 1
                    node = nodes.count - 1
                }
                continue
            }
            guard let literal = PercentCoding.decode(part) else { throw .pattern }
            if let next = nodes[node].literals[literal] {
                node = next
            } else {
                nodes.append(Node())
                nodes[node].literals[literal] = nodes.count - 1
                node = nodes.count - 1
            }
        }
        let route = Route(method: method, pattern: pattern, names: names, value: value)
        try Self.insert(route, into: &nodes[node].routes)
    }

    private static func insert(_ route: Route, into routes: inout [Route]) throws(Fault) {
        if routes.contains(where: { $0.method == route.method }) { throw .duplicate }
        routes.append(route)
    }

    /// Finds the route of a path. Visits each node of the table at most once.
    public func match(_ method: Method, _ path: Path) -> Match {
        var search = Search(method: method, segments: path.segments)
        visit(0, 0, &search)
        if let found = search.found {
            let names = found.route.names
            let values = zip(names, search.foundValues).map { (name: $0, value: $1) }
            let rest = found.restStart.map { path.segments[$0...] }
            return .found(
                found.route.value,
                Parameters(values: values, rest: rest, pattern: found.route.pattern))
        }
        guard search.isPathKnown else { return .notFound }
        let allow = Self.allow(search.methods)
        return method == .options ? .options(allow: allow) : .methodNotAllowed(allow: allow)
    }

    private struct Search {
        let method: Method
        let segments: [[UInt8]]
        var values: [[UInt8]] = []
        var found: (route: Route, restStart: Int?)?
        var foundValues: [[UInt8]] = []
        var methods: [Method] = []
        var isPathKnown = false

        init(method: Method, segments: [[UInt8]]) {
            self.method = method
            self.segments = segments
        }

        /// Looks for the method among routes of a path; the methods of all that match are kept.
        mutating func take(_ routes: [Route], restStart: Int?) {
            guard !routes.isEmpty else { return }
            isPathKnown = true
            methods.append(contentsOf: routes.compactMap(\.method))
            let route =
                routes.first { $0.method == method }
                ?? (method == .head ? routes.first { $0.method == .get } : nil)
                ?? routes.first { $0.method == nil }
            if let route {
                found = (route, restStart)
                foundValues = values
            }
        }
    }

    /// Depth is at most that of the longest pattern.
    private func visit(_ index: Int, _ depth: Int, _ search: inout Search) {
        let node = nodes[index]
        if depth == search.segments.count {
            search.take(node.routes, restStart: nil)
        } else {
            let segment = search.segments[depth]
            if let next = node.literals[segment] { visit(next, depth + 1, &search) }
            if search.found != nil { return }
            if let next = node.parameter {
                search.values.append(segment)
                visit(next, depth + 1, &search)
                search.values.removeLast()
            }
        }
        if search.found == nil { search.take(node.restRoutes, restStart: depth) }
    }

    /// The methods for `Allow`, with those that the table adds.
    private static func allow(_ methods: [Method]) -> [UInt8] {
        var names = methods.map(\.name)
        if methods.contains(.get) { names.append("HEAD") }
        names.append("OPTIONS")
        var seen: Set<String> = []
        return Array(names.filter { seen.insert($0).inserted }.joined(separator: ", ").utf8)
    }
}
