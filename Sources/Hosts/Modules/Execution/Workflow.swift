import WasmdDocuments

/// Why a workflow is refused.
struct WorkflowFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The control flow of a deployment: an extension of manifests, as their member `workflow`, which
/// older programs pass over.
///
/// ```json
/// {"start": "a", "limit": 1000, "schedule": {"every": 60}, "arguments": {"param0": 1},
///  "steps": [{"id": "a", "step": 0, "arguments": {"param0": "$input.param0"},
///             "next": [{"when": "<", "value": 100, "to": "a"}, {"to": "b"}]},
///            {"id": "b", "step": 1}]}
/// ```
///
/// The orchestrator itself calls one function after the other, and decides by its result which one
/// is next.
struct Workflow: Sendable {
    /// Where the flow goes after a step.
    struct Branch: Sendable {
        /// Nil for always.
        let condition: Condition?
        /// Nil to end.
        let target: String?
    }

    struct Condition: Sendable {
        enum Comparison: String, Sendable, CaseIterable {
            case equal = "=="
            case unequal = "!="
            case less = "<"
            case lessOrEqual = "<="
            case greater = ">"
            case greaterOrEqual = ">="
        }

        let comparison: Comparison
        /// What is compared: the step's result if it is nil.
        let left: Document?
        let right: Document
    }

    struct Step: Sendable {
        let id: String
        /// The place in the manifest's `sequence`.
        let index: Int
        /// By the names of parameters; nil to take those of the request in the first step, and the
        /// result before in others.
        let arguments: [Document.Member]?
        let branches: [Branch]
    }

    let start: String
    let steps: [Step]
    /// Calls of one execution at most.
    let limit: Int

    static let stepLimit = 1000
    static let callLimit = 1_000_000

    /// One step after the other: for a sequence whose devices cannot call each other.
    init(chainOf count: Int) {
        steps = (0..<count).map { index in
            let next = Branch(condition: nil, target: "\(index + 1)")
            return Step(
                id: "\(index)", index: index, arguments: nil,
                branches: index + 1 < count ? [next] : [])
        }
        start = "0"
        limit = count
    }

    /// - Parameter stepCount: of the manifest's `sequence`.
    init(_ document: Document, stepCount: Int) throws(WorkflowFault) {
        guard let list = document["steps"]?.arrayValue, !list.isEmpty,
            list.count <= Self.stepLimit
        else { throw WorkflowFault("'workflow.steps' must be 1 to \(Self.stepLimit) steps") }
        var steps: [Step] = []
        for (number, entry) in list.enumerated() {
            let step = try Self.step(entry, "workflow.steps[\(number)]", stepCount)
            guard !steps.contains(where: { $0.id.utf8.elementsEqual(step.id.utf8) }) else {
                throw WorkflowFault("two steps of the workflow have the id '\(step.id)'")
            }
            steps.append(step)
        }
        self.steps = steps
        start = document["start"]?.stringValue ?? steps[0].id
        limit = try Self.limit(document["limit"])
        let targets = [start] + steps.flatMap(\.branches).compactMap(\.target)
        for target in targets where step(target) == nil {
            throw WorkflowFault("the workflow has no step '\(target)'")
        }
    }

    private static func limit(_ document: Document?) throws(WorkflowFault) -> Int {
        guard let document, document != .null else { return 1000 }
        guard let number = document.integerValue, (1...Int64(callLimit)).contains(number) else {
            throw WorkflowFault("'workflow.limit' must be a number from 1 to \(callLimit)")
        }
        return Int(clamping: number)
    }

    func step(_ id: String) -> Step? {
        steps.first { $0.id.utf8.elementsEqual(id.utf8) }
    }

    private static func step(
        _ document: Document, _ place: String, _ count: Int
    ) throws(WorkflowFault) -> Step {
        guard let id = document["id"]?.stringValue, !id.isEmpty, id.utf8.count <= 255 else {
            throw WorkflowFault("'\(place).id' must be a name")
        }
        let number = document["step"]?.integerValue.flatMap { Int(exactly: $0) }
        guard let number, (0..<count).contains(number) else {
            throw WorkflowFault("'\(place).step' must be a place in 'sequence', from 0 on")
        }
        var arguments: [Document.Member]?
        if let given = document["arguments"], given != .null {
            guard let members = given.objectValue else {
                throw WorkflowFault("'\(place).arguments' must be an object")
            }
            arguments = members
        }
        return Step(
            id: id, index: number, arguments: arguments,
            branches: try branches(document["next"] ?? .null, "\(place).next"))
    }

    private static func branches(
        _ document: Document, _ place: String
    ) throws(WorkflowFault) -> [Branch] {
        if document == .null { return [] }
        if let target = document.stringValue { return [Branch(condition: nil, target: target)] }
        guard let list = document.arrayValue, list.count <= stepLimit else {
            throw WorkflowFault("'\(place)' must be a step's id, or an array of branches")
        }
        var branches: [Branch] = []
        for branch in list {
            guard branch.objectValue != nil, let target = branch["to"],
                target == .null || target.stringValue != nil
            else { throw WorkflowFault("'\(place)': each branch needs 'to': a step's id or null") }
            branches.append(
                Branch(condition: try condition(branch, place), target: target.stringValue))
        }
        return branches
    }

    private static func condition(
        _ branch: Document, _ place: String
    ) throws(WorkflowFault) -> Condition? {
        guard let word = branch["when"], word != .null else { return nil }
        guard let comparison = word.stringValue.flatMap({ Condition.Comparison(rawValue: $0) }),
            let right = branch["value"]
        else {
            let words = Condition.Comparison.allCases.map(\.rawValue).joined(separator: " ")
            throw WorkflowFault("'\(place)': 'when' must be one of \(words), with a 'value'")
        }
        return Condition(comparison: comparison, left: branch["of"], right: right)
    }
}

/// Values of a workflow while it runs.
struct WorkflowValues: Sendable {
    /// Fields of the request.
    let input: Document
    /// The result of the step before.
    private(set) var result = Document.null
    private var steps: [(id: String, value: Document, byteCount: Int)] = []
    private var byteCount = 0

    /// Bytes that the results of all steps take in memory.
    static let byteLimit = 64 << 20

    init(input: Document) { self.input = input }

    /// Sets the result of a step; false if all results take too much memory.
    mutating func set(_ id: String, _ value: Document) -> Bool {
        let size = value.heapSize
        let index = steps.firstIndex { $0.id.utf8.elementsEqual(id.utf8) }
        let before = index.map { steps[$0].byteCount } ?? 0
        guard byteCount - before + size <= Self.byteLimit else { return false }
        byteCount += size - before
        result = value
        if let index {
            steps[index] = (id, value, size)
        } else {
            steps.append((id, value, size))
        }
        return true
    }

    /// What a document stands for: `$result`, `$input.NAME` and `$steps.ID` are replaced; `$$` at the
    /// beginning is one `$`. Nil for what is not known.
    func value(_ document: Document) -> Document? {
        guard let text = document.stringValue, text.utf8.first == UInt8(ascii: "$") else {
            return document
        }
        let word = text.dropFirst()
        if word.utf8.first == UInt8(ascii: "$") { return .string(String(word)) }
        if word == "result" { return result }
        if word.utf8.starts(with: "input.".utf8) { return input[String(word.dropFirst(6))] }
        if word.utf8.starts(with: "steps.".utf8) {
            let id = word.dropFirst(6)
            return steps.first { $0.id.utf8.elementsEqual(id.utf8) }?.value
        }
        return nil
    }

    /// Whether a condition holds. Numbers are compared by value; other values are equal or not, and
    /// neither less nor greater.
    func holds(_ condition: Workflow.Condition) -> Bool {
        let left = condition.left.map { value($0) ?? .null } ?? result
        let right = value(condition.right) ?? .null
        let order = Self.order(left, right)
        switch condition.comparison {
        case .equal: return order.map { $0 == 0 } ?? (left == right)
        case .unequal: return order.map { $0 != 0 } ?? (left != right)
        case .less: return order.map { $0 < 0 } ?? false
        case .lessOrEqual: return order.map { $0 <= 0 } ?? false
        case .greater: return order.map { $0 > 0 } ?? false
        case .greaterOrEqual: return order.map { $0 >= 0 } ?? false
        }
    }

    /// -1, 0 or 1; nil if one is no number, or not a number.
    private static func order(_ left: Document, _ right: Document) -> Int? {
        if let left = left.integerValue, let right = right.integerValue {
            return left < right ? -1 : (left == right ? 0 : 1)
        }
        guard let left = number(left), let right = number(right), !left.isNaN, !right.isNaN else {
            return nil
        }
        return left < right ? -1 : (left == right ? 0 : 1)
    }

    private static func number(_ document: Document) -> Double? {
        switch document {
        case .double(let value): value
        default: document.integerValue.map { Double($0) }
        }
    }

    /// A result as a value: the value of a supervisor's pair or object; texts of numbers are
    /// numbers.
    static func plain(_ document: Document) -> Document {
        var value = document
        for _ in 0..<8 {
            if let pair = value.arrayValue, pair.count == 2, pair[1] == .null {
                value = pair[0]
            } else if let members = value.objectValue, members.count == 1,
                let inner = value["result"]
            {
                value = inner
            } else {
                break
            }
        }
        guard let text = value.stringValue else { return value }
        if let number = Int64(text, radix: 10) { return .integer(number) }
        let isNumber = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+-.eE".utf8.contains($0)
        }
        if isNumber, let number = Double(text) { return .double(number) }
        if text == "true" { return .boolean(true) }
        if text == "false" { return .boolean(false) }
        return value
    }
}
