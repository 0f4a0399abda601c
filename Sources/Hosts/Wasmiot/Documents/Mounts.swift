import WasmdDocuments

/// When a file of a function gets its contents.
public enum MountStage: String, Sendable, CaseIterable {
    /// From the module's data files, when it is deployed.
    case deployment
    /// From each request.
    case execution
    /// Written by the function: its result.
    case output
}

/// A file that a function reads or writes, in its module's folder.
public struct Mount: Sendable, Equatable {
    /// The name of the file, of the form's field, and of the data file.
    public var path: String
    public var mediaType: String
    public var stage: MountStage

    /// Of files of which nothing else is known.
    public static let defaultMediaType = "application/octet-stream"

    public init(_ path: String, mediaType: String, stage: MountStage) {
        self.path = path
        self.mediaType = mediaType
        self.stage = stage
    }

    public var document: Document {
        .object([
            .init("path", .string(path)), .init("media_type", .string(mediaType)),
            .init("stage", .string(stage.rawValue)),
        ])
    }

    init(_ reading: Reading) throws(DocumentFault) {
        path = try reading.member("path").string()
        mediaType =
            try reading.optional("media_type")?.string() ?? Self.defaultMediaType
        let stage = try reading.member("stage")
        guard let known = MountStage(rawValue: try stage.string()) else {
            throw stage.fault("deployment, execution or output")
        }
        self.stage = known
    }
}

/// The files of a function by stage.
public struct FunctionMounts: Sendable, Equatable {
    public var execution: [Mount] = []
    public var deployment: [Mount] = []
    public var output: [Mount] = []

    public init() {}

    public subscript(stage: MountStage) -> [Mount] {
        get {
            switch stage {
            case .execution: execution
            case .deployment: deployment
            case .output: output
            }
        }
        set {
            switch stage {
            case .execution: execution = newValue
            case .deployment: deployment = newValue
            case .output: output = newValue
            }
        }
    }

    public var document: Document {
        .object(
            [MountStage.execution, .deployment, .output].map { stage in
                Document.Member(stage.rawValue, .array(self[stage].map(\.document)))
            })
    }

    init(_ reading: Reading) throws(DocumentFault) {
        for stage in MountStage.allCases {
            guard let list = reading.optional(stage.rawValue) else { continue }
            let elements = try list.elements()
            guard elements.count <= NameLimits.list else {
                throw list.fault("at most \(NameLimits.list) mounts")
            }
            var mounts: [Mount] = []
            for element in elements { mounts.append(try Mount(element)) }
            self[stage] = mounts
        }
    }
}
