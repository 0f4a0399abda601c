import WasmdDocuments

/// What a module's author says about an exported function: how it is called, what it takes and
/// returns.
public struct FunctionDescription: Sendable, Equatable {
    public struct Parameter: Sendable, Equatable {
        public var name: String
        /// `integer`, `float` and others: what clients wrote.
        public var type: String

        public init(_ name: String, type: String) {
            self.name = name
            self.type = type
        }
    }

    public struct Mount: Sendable, Equatable {
        public var name: String
        public var stage: MountStage
        /// As declared; used only for the type of the output.
        public var mediaType: String?

        public init(_ name: String, stage: MountStage, mediaType: String? = nil) {
            self.name = name
            self.stage = stage
            self.mediaType = mediaType
        }
    }

    /// Of HTTP, in small letters.
    public var method: String
    public var parameters: [Parameter]
    /// A type of a value, or a media type.
    public var output: String
    public var mounts: [Mount]

    public init(method: String, parameters: [Parameter], output: String, mounts: [Mount] = []) {
        self.method = method
        self.parameters = parameters
        self.output = output
        self.mounts = mounts
    }

    /// The media type of the first output mount that has one, otherwise `output`. Of several output
    /// mounts it is `multipart/mixed`, unless `output` is a type of values or another multipart.
    public var outputType: String {
        let outputs = outputMounts
        let declared = outputs.first { $0.mediaType != nil }?.mediaType
        guard outputs.count > 1 else { return declared ?? output }
        switch OutputType(output) {
        case .value, .values: return declared == nil ? output : OutputType.severalFiles
        case .file(let type): return OutputType.isSeveral(type) ? type : OutputType.severalFiles
        }
    }

    public var outputMounts: [Mount] { mounts.filter { $0.stage == .output } }
}

/// Descriptions of functions by their names, as clients send them in JSON or as bracketed fields of
/// a form, which are read into a document before.
public struct ModuleFunctions: Sendable, Equatable {
    public var functions: NamedValues<FunctionDescription>

    public init() { functions = NamedValues() }

    /// Methods that OpenAPI knows and that can reach a function.
    private static let methods = ["get", "head", "post", "put", "patch", "delete", "options"]

    /// Reads a map of functions. Members that are no objects are passed over.
    public init(_ document: Document) throws(DocumentFault) {
        functions = NamedValues()
        let reading = Reading(document)
        let members = try reading.members()
        try reading.checkNames(members)
        for (name, function) in members where function.document.objectValue != nil {
            guard !name.isEmpty else { throw function.fault("a function with a name") }
            functions[name] = try Self.function(function)
        }
    }

    private static func function(_ reading: Reading) throws(DocumentFault) -> FunctionDescription {
        let method = try reading.member("method")
        let name = try method.string().lowercased()
        guard methods.contains(name) else { throw method.fault("a method of HTTP") }
        let output = reading.optional("output")
        var text = ""
        if let output { text = try types(output) }
        let description = FunctionDescription(
            method: name, parameters: try parameters(reading),
            output: text, mounts: try mounts(reading))
        guard !description.outputType.isEmpty else {
            throw (output ?? reading).fault("a type of the output")
        }
        return description
    }

    /// A type, or an array of the types of several values.
    private static func types(_ reading: Reading) throws(DocumentFault) -> String {
        guard reading.document.arrayValue != nil else { return try reading.string() }
        var types: [String] = []
        for element in try reading.elements() { types.append(try element.string()) }
        return types.joined(separator: ", ")
    }

    /// `parameters: [{name, type}]`, or members whose names begin with `param`.
    private static func parameters(
        _ reading: Reading
    ) throws(DocumentFault) -> [FunctionDescription.Parameter] {
        var parameters: [FunctionDescription.Parameter] = []
        var names: Set<NameKey> = []
        func append(_ name: String, _ type: String, _ place: Reading) throws(DocumentFault) {
            guard names.insert(NameKey(name)).inserted else {
                throw place.fault("a name that no other parameter has")
            }
            guard parameters.count < NameLimits.list else {
                throw reading.fault("at most \(NameLimits.list) parameters")
            }
            parameters.append(.init(name, type: type))
        }
        if let list = reading.optional("parameters") {
            for element in try list.elements() {
                try append(
                    try element.member("name").string(), try element.member("type").string(),
                    element)
            }
            return parameters
        }
        for (name, value) in try reading.members() where name.utf8.starts(with: "param".utf8) {
            try append(name, try value.string(), value)
        }
        return parameters
    }

    private static func mounts(
        _ reading: Reading
    ) throws(DocumentFault) -> [FunctionDescription.Mount] {
        guard let list = reading.optional("mounts") else { return [] }
        var mounts: [FunctionDescription.Mount] = []
        var names: Set<NameKey> = []
        // Forms with large indices make an object.
        let elements =
            list.document.objectValue == nil
            ? try list.elements() : try list.members().map(\.value)
        for element in elements {
            let place = try element.member("name")
            let name = try place.string()
            guard MountName.isSafe(name) else {
                throw place.fault("a name of a file: 1 to 255 bytes, no '/', not '.' or '..'")
            }
            guard names.insert(NameKey(name)).inserted else {
                throw place.fault("a name that no other mount has")
            }
            guard mounts.count < NameLimits.list else {
                throw list.fault("at most \(NameLimits.list) mounts")
            }
            let stage = try element.member("stage")
            guard let known = MountStage(rawValue: try stage.string()) else {
                throw stage.fault("deployment, execution or output")
            }
            let mediaType = try element.optional("mediaType")?.string()
            mounts.append(
                .init(name, stage: known, mediaType: mediaType?.isEmpty == true ? nil : mediaType))
        }
        return mounts
    }
}

/// Names of files that clients choose.
public enum MountName {
    /// Whether a name is one file in a folder: 1 to 255 bytes, without slash, backslash and NUL, and
    /// neither `.` nor `..`.
    public static func isSafe(_ name: String) -> Bool {
        let bytes = name.utf8
        return (1...255).contains(bytes.count)
            && !bytes.contains { $0 == 0 || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
            && !bytes.elementsEqual(".".utf8) && !bytes.elementsEqual("..".utf8)
    }
}
