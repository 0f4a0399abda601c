import WasmdHTTP

/// The programs of a folder by the paths that they serve.
///
/// Segments are compared from left to right, each in this order: a folder of that name, a program of
/// that name, folders that are parameters, a program that is a parameter, a program for the rest.
/// What is further left decides first.
struct FolderTree: Sendable {
    struct Found: Equatable {
        /// The number that the program was added with.
        var program: Int
        /// Segments that name the program; the others are `PATH_INFO`.
        var segmentCount: Int
        /// Whether the program is the index of a folder.
        var isIndex: Bool
        /// Whether the path names this program and no other one could: no parameter, no rest, no
        /// `PATH_INFO`.
        var isExact: Bool
        var parameters: [ProgramParameter]
        /// As `/users/[id]`, `/hello/...`, `/sub/`.
        var pattern: [UInt8]
    }

    enum Match: Equatable {
        case program(Found)
        /// The path without its slash at the end is that of a folder with an index.
        case folderWithoutSlash
        case nothing
    }

    private struct Node: Sendable {
        var pattern: [UInt8] = []
        var folders: [[UInt8]: Int] = [:]
        var programs: [[UInt8]: Int] = [:]
        /// In the order of their names.
        var parameterFolders: [(name: [UInt8], node: Int)] = []
        var index: Int?
        var parameter: (name: [UInt8], program: Int)?
        var rest: (name: [UInt8], program: Int)?
    }

    /// The most folders within each other: the search goes as deep.
    static let maximumDepth = 32

    private var nodes = [Node()]

    /// The root.
    static let root = 0

    /// Adds a folder. To be called in the order of the names.
    ///
    /// - Returns: its number; nil for a name that no path has.
    mutating func addFolder(_ name: [UInt8], to parent: Int) -> Int? {
        let number = nodes.count
        switch FolderName(folder: name) {
        case .literal(let name): nodes[parent].folders[name] = number
        case .parameter(let parameter):
            nodes[parent].parameterFolders.append((parameter, number))
        default: return nil
        }
        var node = Node()
        node.pattern = nodes[parent].pattern + [UInt8(ascii: "/")] + name
        nodes.append(node)
        return number
    }

    /// Adds a program by the name of its file. To be called in the order of the names.
    ///
    /// - Returns: whether it is served: false if no path has the name, or another program of the
    ///   folder takes the same paths.
    mutating func add(_ program: Int, file name: [UInt8], to parent: Int) -> Bool {
        switch FolderName(file: name) {
        case .index: nodes[parent].index = program
        case .literal(let name): nodes[parent].programs[name] = program
        case .parameter(let name):
            guard nodes[parent].parameter == nil else { return false }
            nodes[parent].parameter = (name, program)
        case .rest(let name):
            guard nodes[parent].rest == nil else { return false }
            nodes[parent].rest = (name, program)
        case .ignored, .malformed: return false
        }
        return true
    }

    func match(_ path: Path) -> Match {
        var search = Search(segments: path.segments, isFolder: path.isFolder)
        return visit(Self.root, 0, &search)
    }

    /// The indexes of the folders that a path goes through, the deepest first: they may have routes
    /// of their own. Folders that are parameters are left out.
    func indexes(on path: Path) -> [(program: Int, segmentCount: Int, pattern: [UInt8])] {
        var node = nodes[Self.root]
        var found: [(program: Int, segmentCount: Int, pattern: [UInt8])] = []
        var count = 0
        while true {
            if let index = node.index {
                found.append((index, count, node.pattern + [UInt8(ascii: "/")]))
            }
            guard count < path.segments.count, let next = node.folders[path.segments[count]] else {
                return found.reversed()
            }
            node = nodes[next]
            count += 1
        }
    }

    private struct Search {
        let segments: [[UInt8]]
        let isFolder: Bool
        var parameters: [ProgramParameter] = []
    }

    /// Goes at most as deep as the folders are nested.
    private func visit(_ number: Int, _ depth: Int, _ search: inout Search) -> Match {
        let node = nodes[number]
        if depth == search.segments.count {
            if let index = node.index {
                guard search.isFolder else { return .folderWithoutSlash }
                return found(index, depth, [UInt8(ascii: "/")], node, search, isIndex: true)
            }
            return rest(node, depth, search)
        }
        let segment = search.segments[depth]
        if let folder = node.folders[segment] {
            // Without a slash, a program of this name goes before the folder.
            let isLast = depth + 1 == search.segments.count && !search.isFolder
            if !isLast || node.programs[segment] == nil {
                let match = visit(folder, depth + 1, &search)
                if match != .nothing { return match }
            }
        }
        if let program = node.programs[segment] {
            let pattern = [UInt8(ascii: "/")] + segment + Array("/...".utf8)
            return found(program, depth + 1, pattern, node, search)
        }
        for folder in node.parameterFolders {
            search.parameters.append(ProgramParameter(name: folder.name, value: segment))
            let match = visit(folder.node, depth + 1, &search)
            if match != .nothing { return match }
            search.parameters.removeLast()
        }
        if let parameter = node.parameter, depth + 1 == search.segments.count, !search.isFolder {
            var search = search
            search.parameters.append(ProgramParameter(name: parameter.name, value: segment))
            let pattern = Array("/[".utf8) + parameter.name + [UInt8(ascii: "]")]
            return found(parameter.program, depth + 1, pattern, node, search)
        }
        return rest(node, depth, search)
    }

    private func rest(_ node: Node, _ depth: Int, _ search: Search) -> Match {
        guard let rest = node.rest else { return .nothing }
        var search = search
        let value = search.segments[depth...].joined(separator: [UInt8(ascii: "/")])
        search.parameters.append(ProgramParameter(name: rest.name, value: Array(value)))
        return found(rest.program, depth, Array("/...".utf8), node, search)
    }

    private func found(
        _ program: Int, _ count: Int, _ pattern: [UInt8], _ node: Node, _ search: Search,
        isIndex: Bool = false
    ) -> Match {
        let isWhole = count == search.segments.count && (isIndex || !search.isFolder)
        return .program(
            Found(
                program: program, segmentCount: count, isIndex: isIndex,
                isExact: isWhole && search.parameters.isEmpty, parameters: search.parameters,
                pattern: node.pattern + pattern))
    }
}
