import WasmdDocuments

/// What an orchestrator sends to a supervisor: modules to fetch, their endpoints, and who is called
/// with a result.
public struct DeploymentNode: Sendable, Equatable {
    public struct Module: Sendable, Equatable {
        public var id: String
        public var name: String
        /// URL of the binary.
        public var binary: String
        /// URL of the description.
        public var description: String?
        /// URLs of data files by the names of their mounts.
        public var other: NamedValues<String>

        public init(
            id: String, name: String, binary: String, description: String?,
            other: NamedValues<String>
        ) {
            self.id = id
            self.name = name
            self.binary = binary
            self.description = description
            self.other = other
        }
    }

    /// What is to be done with the result of a function.
    public struct Instruction: Sendable, Equatable {
        public var from: Endpoint
        /// The endpoint that is called with the result.
        public var to: Endpoint?

        public init(from: Endpoint, to: Endpoint?) {
            self.from = from
            self.to = to
        }
    }

    public var deployment: String
    public var modules: [Module]
    public var endpoints: FunctionTable<Endpoint>
    public var instructions: FunctionTable<Instruction>
    public var mounts: FunctionTable<FunctionMounts>

    public init(deployment: String) {
        self.deployment = deployment
        modules = []
        endpoints = FunctionTable()
        instructions = FunctionTable()
        mounts = FunctionTable()
    }

    public var document: Document {
        .object([
            .init("deploymentId", .string(deployment)),
            .init("modules", .array(modules.map(\.document))),
            .init("endpoints", endpoints.document { $0.document(\.document) }),
            .init(
                "instructions",
                .object([
                    .init("modules", instructions.document { $0.document(\.document) })
                ])),
            .init("mounts", mounts.document { $0.document(\.document) }),
        ])
    }

    /// Reads a node. Members that are not known are passed over; `endpoints`, `mounts` and
    /// `instructions` may be missing, and `other` may be an empty array, as older orchestrators
    /// send them.
    public init(_ document: Document) throws(DocumentFault) {
        let root = Reading(document)
        _ = try root.members()
        deployment = try root.member("deploymentId").string()
        modules = []
        for element in try root.member("modules").elements() {
            modules.append(try Module(element))
        }
        endpoints = try FunctionTable(root.optional("endpoints")) {
            module throws(DocumentFault) in
            try NamedValues(module) { function throws(DocumentFault) in try Endpoint(function) }
        }
        instructions = try FunctionTable(root.optional("instructions")?.optional("modules")) {
            module throws(DocumentFault) in
            try NamedValues(module) { function throws(DocumentFault) in
                try Instruction(function)
            }
        }
        mounts = try FunctionTable(root.optional("mounts")) { module throws(DocumentFault) in
            try NamedValues(module) { function throws(DocumentFault) in
                try FunctionMounts(function)
            }
        }
    }
}

extension DeploymentNode.Module {
    var document: Document {
        var urls: [Document.Member] = [.init("binary", .string(binary))]
        if let description { urls.append(.init("description", .string(description))) }
        urls.append(.init("other", other.document { .string($0) }))
        return .object([
            .init("id", .string(id)), .init("name", .string(name)),
            .init("urls", .object(urls)),
        ])
    }

    fileprivate init(_ reading: Reading) throws(DocumentFault) {
        name = try reading.member("name").string()
        id = try reading.optional("id")?.string() ?? name
        let urls = try reading.member("urls")
        binary = try urls.member("binary").string()
        description = urls.document["description"]?.stringValue
        other = try NamedValues(urls.optional("other")) { url throws(DocumentFault) in
            try url.string()
        }
    }
}

extension DeploymentNode.Instruction {
    var document: Document {
        .object([.init("from", from.document), .init("to", to?.document ?? .null)])
    }

    fileprivate init(_ reading: Reading) throws(DocumentFault) {
        from = try Endpoint(try reading.member("from"))
        if let next = reading.optional("to") { to = try Endpoint(next) }
    }
}
