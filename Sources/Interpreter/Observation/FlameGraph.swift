/// Functions that called each other in the same order, taken together: what a flame graph shows.
struct CallTree {
    struct Node: Hashable {
        /// -1 for none; smaller than the node's own number.
        var parent: Int
        var kind: Profile.Frame.Kind
        var function: String
        var module: String?
    }

    private(set) var nodes: [Node] = []
    /// Nanoseconds in each node and what it called.
    private(set) var totals: [UInt64] = []
    /// Nodes below each node, by name; at the end those below none.
    private(set) var children: [[Int]] = []
    private(set) var total: UInt64 = 0

    init(_ profile: Profile) {
        var numbers: [Node: Int] = [:]
        var nodeOfStack: [Int] = []
        for stack in profile.stacks {
            let frame = profile.frames[stack.frame]
            let node = Node(
                parent: stack.caller.map { nodeOfStack[$0] } ?? -1, kind: frame.kind,
                function: frame.function, module: frame.module)
            let number = numbers[node] ?? nodes.count
            if number == nodes.count {
                numbers[node] = number
                nodes.append(node)
            }
            nodeOfStack.append(number)
        }
        totals = Array(repeating: 0, count: nodes.count)
        for sample in profile.samples where sample.stack >= 0 {
            totals[nodeOfStack[Int(sample.stack)]] &+= sample.weight
            total &+= sample.weight
        }
        children = Array(repeating: [], count: nodes.count + 1)
        for number in nodes.indices.reversed() {
            let parent = nodes[number].parent
            if parent >= 0 { totals[parent] &+= totals[number] }
            children[parent >= 0 ? parent : nodes.count].append(number)
        }
        for index in children.indices {
            children[index].sort { nodes[$0].function < nodes[$1].function }
        }
    }
}

extension Profile {
    /// A flame graph, a picture in SVG: a box for every function in every stack, as wide as the time
    /// that it took with what it called, callers below. Boxes have a title that is shown when the
    /// mouse is over them. Functions that took less than a thousandth are left out. The picture is
    /// dark where its viewer prefers that.
    public func flameGraph(title: String) -> String {
        FlameGraph(CallTree(self), title: title).text
    }
}

/// Draws a call tree.
private struct FlameGraph {
    private static let width = 1200.0
    private static let margin = 10.0
    private static let rowHeight = 17.0
    private static let characterWidth = 6.6
    /// Boxes that are narrower are not seen.
    private static let smallestWidth = 0.4

    private let tree: CallTree
    private var boxes = ""
    private var hues: Set<Int> = []
    private var depth = 0

    private let title: String

    init(_ tree: CallTree, title: String) {
        self.tree = tree
        self.title = title
        draw()
    }

    private struct Box {
        var node: Int
        var x: Double
        var depth: Int
    }

    private mutating func draw() {
        guard tree.total > 0 else { return }
        let scale = (Self.width - 2 * Self.margin) / Double(tree.total)
        // Not by recursion: stacks are as deep as guests make them.
        var pending: [Box] = []
        func put(_ children: [Int], _ x: Double, _ depth: Int) {
            var x = x
            for child in children {
                let width = Double(tree.totals[child]) * scale
                if width >= Self.smallestWidth {
                    pending.append(Box(node: child, x: x, depth: depth))
                }
                x += width
            }
        }
        put(tree.children[tree.nodes.count], Self.margin, 0)
        while let box = pending.popLast() {
            depth = max(depth, box.depth + 1)
            draw(box, width: Double(tree.totals[box.node]) * scale)
            put(tree.children[box.node], box.x, box.depth + 1)
        }
    }

    private mutating func draw(_ box: Box, width: Double) {
        let node = tree.nodes[box.node]
        let share = Double(tree.totals[box.node]) / Double(tree.total)
        // Callers are below: rows are counted from the bottom, the picture's height is not known yet.
        let y = -Self.rowHeight * Double(box.depth + 1)
        var name = node.function
        if node.kind == .inlined { name += " (inlined)" }
        var words = "\(name), \(Self.milliseconds(tree.totals[box.node])) ms"
        words += ", \(Self.decimal(share * 100)) %"
        if let module = node.module { words += ", in \(module)" }
        boxes += "<g><title>\(Self.escape(words))</title>"
        boxes += "<rect x=\"\(Self.decimal(box.x))\" y=\"\(Self.decimal(y))\""
        boxes += " width=\"\(Self.decimal(width))\" height=\"\(Self.decimal(Self.rowHeight - 1))\""
        let color = Color(node)
        hues.insert(color.hue)
        boxes += " fill=\"\(color.light)\" class=\"h\(color.hue)\" rx=\"2\"/>"
        let room = Int((width - 6) / Self.characterWidth)
        if room >= 3 {
            let label = name.count <= room ? name : "\(name.prefix(room - 1))\u{2026}"
            boxes += "<text x=\"\(Self.decimal(box.x + 3))\" y=\"\(Self.decimal(y + 12))\">"
            boxes += "\(Self.escape(label))</text>"
        }
        boxes += "</g>\n"
    }

    var text: String {
        let height = Self.rowHeight * Double(depth) + 60
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(Self.width))" \
            height="\(Int(height))" viewBox="0 0 \(Int(Self.width)) \(Int(height))">
            <style>
            text { font: 11px monospace; fill: #222; }
            text.title { font: 15px sans-serif; }
            rect:hover { stroke: #222; }
            @media (prefers-color-scheme: dark) {
            text { fill: #f2f2f5; }
            rect:hover { stroke: #f2f2f5; }
            .ground { fill: #15161a; }
            \(darkColors)}
            </style>
            <rect class="ground" width="100%" height="100%" fill="#fdfdfb"/>
            <text class="title" x="\(Int(Self.margin))" y="24">\(Self.escape(title)): \
            \(Self.milliseconds(tree.total)) ms\(tree.total > 0 ? "" : ": nothing ran")</text>
            <g transform="translate(0 \(Int(height) - 10))">
            \(boxes)</g>
            </svg>

            """
    }

    // MARK: Details

    /// The same function has the same colour; guests are warm, inlined bodies green, hosts blue.
    private struct Color {
        let hue: Int
        /// For a light ground, as an attribute: viewers without styles know it too.
        let light: String

        init(_ node: CallTree.Node) {
            var hash: UInt32 = 2_166_136_261
            for byte in node.function.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
            let shade = Int(hash >> 8 & 0x1f)
            hue =
                switch node.kind {
                case .guest: 16 + shade
                case .inlined: 90 + shade
                case .host: 200 + shade / 2
                }
            light = "hsl(\(hue),\(65 + shade / 3)%,\(68 + Int(hash >> 16 & 7))%)"
        }
    }

    /// For a dark ground: a rule for each hue that is there, at most 80. Dark enough for white text.
    private var darkColors: String {
        hues.sorted().map { ".h\($0) { fill: hsl(\($0),45%,26%); }\n" }.joined()
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        decimal(Double(nanoseconds) / 1e6)
    }

    /// Two digits after the point.
    private static func decimal(_ value: Double) -> String {
        let hundredths = Int(exactly: (value * 100).rounded()) ?? 0
        let digits = String(hundredths.magnitude % 100)
        let fraction = digits.utf8.count == 1 ? "0\(digits)" : digits
        return "\(hundredths < 0 ? "-" : "")\(hundredths.magnitude / 100).\(fraction)"
    }

    private static func escape(_ text: some StringProtocol) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            // XML has no place for control characters and the like, not even escaped.
            case "\u{0}"..<"\u{20}", "\u{fffe}"..."\u{ffff}": escaped += "?"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
