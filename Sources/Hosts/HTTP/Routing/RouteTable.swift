/// The tree of a router's patterns; routes are numbers. Not generic, so that it is compiled once.
struct RouteTable: Sendable {
    struct Route: Sendable {
        let method: Method?
        let pattern: [UInt8]
        let names: [[UInt8]]
        let value: Int
    }

    struct Found {
        let route: Route
        let values: [[UInt8]]
        /// The first segment that `...` stands for.
        let restStart: Int?
    }

    enum Result {
        case found(Found)
        /// The path has routes, but none for the method. These are the methods.
        case otherMethods([Method])
        case notFound
    }

    enum Fault: Error {
        case pattern
        case duplicate
    }

    private struct Node: Sendable {
        var literals: [[UInt8]: Int] = [:]
        var parameter: Int?
        /// Routes that end here.
        var routes: [Route] = []
        /// Routes with `...` here.
        var restRoutes: [Route] = []
    }

    /// The most segments of a pattern: the search goes as deep as the longest one.
    static var maximumSegments: Int { 64 }

    private var nodes = [Node()]

    /// Adds a route.
    mutating func add(_ method: Method?, _ pattern: [UInt8], _ value: Int) throws(Fault) {
        guard pattern.first == ASCII.slash else { throw .pattern }
        var names: [[UInt8]] = []
        var node = 0
        let parts = pattern.split(separator: ASCII.slash)
        guard parts.count <= Self.maximumSegments else { throw .pattern }
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
                node = next(nodes[node].parameter) { nodes, new in nodes[node].parameter = new }
                continue
            }
            guard let literal = PercentCoding.decode(part) else { throw .pattern }
            node = next(nodes[node].literals[literal]) { nodes, new in
                nodes[node].literals[literal] = new
            }
        }
        let route = Route(method: method, pattern: pattern, names: names, value: value)
        try Self.insert(route, into: &nodes[node].routes)
    }

    /// The node that is there, or a new one that `link` connects.
    private mutating func next(_ known: Int?, link: (inout [Node], Int) -> Void) -> Int {
        if let known { return known }
        nodes.append(Node())
        link(&nodes, nodes.count - 1)
        return nodes.count - 1
    }

    private static func insert(_ route: Route, into routes: inout [Route]) throws(Fault) {
        if routes.contains(where: { $0.method == route.method }) { throw .duplicate }
        routes.append(route)
    }

    /// Finds the route of a path. Visits each node at most once.
    func match(_ method: Method, _ path: Path) -> Result {
        var search = Search(method: method, segments: path.segments)
        visit(0, 0, &search)
        if let found = search.found { return .found(found) }
        return search.isPathKnown ? .otherMethods(search.methods) : .notFound
    }

    private struct Search {
        let method: Method
        let segments: [[UInt8]]
        var values: [[UInt8]] = []
        var found: Found?
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
            let route =
                routes.first { $0.method == method }
                ?? (method == .head ? routes.first { $0.method == .get } : nil)
                ?? routes.first { $0.method == nil }
            if let route {
                found = Found(route: route, values: values, restStart: restStart)
            } else {
                methods.append(contentsOf: routes.compactMap { $0.method })
            }
        }
    }

    /// Depth is at most that of the longest pattern.
    private func visit(_ index: Int, _ depth: Int, _ search: inout Search) {
        if depth == search.segments.count {
            search.take(nodes[index].routes, restStart: nil)
        } else {
            let segment = search.segments[depth]
            if let next = nodes[index].literals[segment] { visit(next, depth + 1, &search) }
            if search.found != nil { return }
            if let next = nodes[index].parameter {
                search.values.append(segment)
                visit(next, depth + 1, &search)
                search.values.removeLast()
            }
        }
        if search.found == nil { search.take(nodes[index].restRoutes, restStart: depth) }
    }
}
