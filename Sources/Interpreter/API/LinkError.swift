/// The imports of a module that could not be resolved: all of them.
public struct LinkError: Error {
    /// An import and what is wrong with it.
    public struct Failure: Sendable {
        public enum Reason: Hashable, Sendable {
            /// Nothing has these names.
            case unknown
            /// What has these names is of another type. Type indices are numbers of the engine.
            case incompatible(expected: ExternalType, actual: ExternalType)
            /// What has these names lives in another store.
            case foreignStore
            /// What has these names belongs to a store: a module cannot be prepared with it.
            case ownedByStore
            /// The function was not made for several threads: a module cannot be prepared with it.
            case notShared
        }

        public let module: Name
        public let name: Name
        /// What the module asks for; type indices are the module's own.
        public let type: ExternalType
        public let reason: Reason
        /// The types as text, for messages.
        let detail: String
    }

    /// In the order of the module's imports; never empty.
    public let failures: [Failure]
}

extension LinkError.Failure: CustomStringConvertible {
    /// `unknown import "env" "log" (function (i32) -> ())`
    public var description: String {
        "\(message) \"\(module)\" \"\(name)\"\(detail)"
    }

    /// The suite's words.
    public var message: String {
        switch reason {
        case .unknown: "unknown import"
        case .incompatible, .foreignStore: "incompatible import type"
        case .ownedByStore, .notShared: "import that cannot be prepared"
        }
    }
}

extension LinkError: CustomStringConvertible {
    /// One line a failure.
    public var description: String { failures.map(\.description).joined(separator: "\n") }
}

/// A module and a store that belong to different engines were put together.
public struct EngineMismatch: Error, Hashable, Sendable {}

extension EngineMismatch: CustomStringConvertible {
    public var description: String { "the module and the store belong to different engines" }
}
