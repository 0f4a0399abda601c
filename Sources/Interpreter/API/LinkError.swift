/// The imports of a module that could not be resolved: all of them, up to a thousand.
public struct LinkError: Error {
    /// An import and the reason why it could not be resolved.
    public struct Failure: Sendable {
        public enum Reason: Hashable, Sendable {
            /// There is no definition with these names.
            case unknown
            /// The definition has another type. Type indices are numbers of the engine.
            case incompatible(expected: ExternalType, actual: ExternalType)
            /// The definition belongs to another store.
            case foreignStore
            /// The definition belongs to a store: a module cannot be prepared with it.
            case ownedByStore
            /// The function was not made for several threads: a module cannot be prepared with it.
            case notShared
        }

        public let module: Name
        public let name: Name
        /// The type that the module imports; type indices are the module's own.
        public let type: ExternalType
        public let reason: Reason
        /// The types as text, for messages.
        let detail: String
    }

    /// In the order of the module's imports; never empty.
    public private(set) var failures: [Failure] = []
    /// How many there are beyond those.
    public private(set) var omittedCount = 0

    /// A module of some megabytes may have a million imports.
    private static let limit = 1000

    /// Adds a failure, which is made only if it is kept.
    mutating func add(_ failure: () -> Failure) {
        if failures.count < Self.limit {
            failures.append(failure())
        } else {
            omittedCount += 1
        }
    }

    /// Throws this error if there are failures.
    func check() throws(LinkError) { if !failures.isEmpty { throw self } }
}

extension LinkError.Failure: CustomStringConvertible {
    /// `unknown import "env" "log" (function (i32) -> ())`
    public var description: String {
        "\(message) \"\(module)\" \"\(name)\"\(detail)"
    }

    /// The text of the specification's suite.
    public var message: String {
        switch reason {
        case .unknown: "unknown import"
        case .incompatible, .foreignStore: "incompatible import type"
        case .ownedByStore, .notShared: "import that cannot be prepared"
        }
    }
}

extension LinkError: CustomStringConvertible {
    /// One line per failure.
    public var description: String {
        failures.map(\.description).joined(separator: "\n")
            + (omittedCount > 0 ? "\nand \(omittedCount) more" : "")
    }
}

/// A module and a store of different engines were used together.
public struct EngineMismatch: Error, Hashable, Sendable {}

extension EngineMismatch: CustomStringConvertible {
    public var description: String { "the module and the store belong to different engines" }
}
