import WasmdDocuments

/// The wish for a deployment: functions that follow each other, each with the result of the one
/// before.
public struct Manifest: Sendable, Equatable {
    public struct Step: Sendable, Equatable {
        /// The id of a device; nil to choose one.
        public var device: String?
        /// Id or name.
        public var module: String
        public var function: String
        /// Ids of devices that may take over, as sent.
        public var failovers: [String]

        public init(device: String?, module: String, function: String, failovers: [String] = []) {
            self.device = device
            self.module = module
            self.function = function
            self.failovers = failovers
        }
    }

    /// Why a manifest is refused; the texts are those that clients know.
    public enum Fault: String, Error, Sendable, CustomStringConvertible {
        case name = "manifest must have a name"
        case sequence = "manifest must have a sequence of operations"
        case module = "manifest node must have a module"
        case function = "manifest node must have a function"
        case steps = "manifest may have at most 1000 steps"
        case failovers = "manifest node may have at most 1000 failovers"

        public var description: String { rawValue }
    }

    /// Steps of a sequence, and failovers of one step.
    public static let limit = 1000

    public var name: String
    public var sequence: [Step]
    /// An extension: a control flow other than one function after the other, and a schedule.
    public var workflow: Document?

    public init(name: String, sequence: [Step], workflow: Document? = nil) {
        self.name = name
        self.sequence = sequence
        self.workflow = workflow
    }

    /// Whether each function passes its result to the next one.
    public var isChain: Bool { workflow?["steps"] == nil }

    /// Reads a manifest. Members that are not known are passed over.
    public init(_ document: Document) throws(Fault) {
        guard let name = document["name"]?.stringValue else { throw .name }
        guard let sequence = document["sequence"]?.arrayValue else { throw .sequence }
        guard sequence.count <= Self.limit else { throw .steps }
        self.name = name
        self.sequence = []
        workflow = document["workflow"].flatMap { $0 == .null ? nil : $0 }
        for step in sequence {
            guard let module = step["module"]?.stringValue else { throw .module }
            guard let function = step["func"]?.stringValue else { throw .function }
            let failovers = step["failovers"]?.arrayValue?.compactMap(\.stringValue) ?? []
            guard failovers.count <= Self.limit else { throw .failovers }
            self.sequence.append(
                Step(
                    device: step["device"]?.stringValue, module: module, function: function,
                    failovers: failovers))
        }
    }
}
