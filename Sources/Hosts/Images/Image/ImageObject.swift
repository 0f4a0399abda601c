/// The key of an object: `object.object_key`.
public struct ObjectKey: Hashable, Comparable, Sendable {
    public var rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (first: ObjectKey, second: ObjectKey) -> Bool {
        first.rawValue < second.rawValue
    }
}

/// What an object is: `object.kind`.
public enum ObjectKind: String, Hashable, Sendable {
    /// A module as it was imported.
    case module = "MODULE"
    /// A module that holds the state of an instance.
    case instance = "INSTANCE"
}

/// An entry of the namespace with the object that it names.
public struct ImageObject: Hashable, Sendable {
    /// `namespace.path`.
    public var path: [UInt8]
    public var key: ObjectKey
    public var kind: ObjectKind
    /// The size of `object.bytes`.
    public var byteCount: Int

    public init(path: [UInt8], key: ObjectKey, kind: ObjectKind, byteCount: Int) {
        self.path = path
        self.key = key
        self.kind = kind
        self.byteCount = byteCount
    }
}

/// A row of `link`: `from` was made of `to`.
public struct ImageLink: Hashable, Sendable {
    /// `link.link_key`.
    public var key: Int64
    public var from: ObjectKey
    public var to: ObjectKey
}

/// A message that was accepted and not yet handled: a row of `wasmd_queue`, a table of ours that
/// the original ignores.
public struct QueuedMessage: Hashable, Sendable {
    /// `wasmd_queue.message_key`: messages are delivered in this order.
    public var key: Int64
    /// The path of the receiver.
    public var target: [UInt8]
    /// The path of the sender; nil for a message from outside.
    public var sender: [UInt8]?
    /// A BSON document.
    public var bytes: [UInt8]

    public init(key: Int64, target: [UInt8], sender: [UInt8]?, bytes: [UInt8]) {
        self.key = key
        self.target = target
        self.sender = sender
        self.bytes = bytes
    }
}

/// A name that is no object: a row of `wasmd_binding`, a table of ours that the original ignores.
public struct ImageBinding: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        /// A folder made by `make_path`.
        case folder = "FOLDER"
        /// A symbolic link to `target`.
        case symbolicLink = "SYM_LINK"
        /// A subtree that begins at `target`.
        case mount = "MOUNT"
        /// An object of the host, such as `othismo.http`, whose name is `target`.
        case native = "NATIVE"
    }

    public var path: [UInt8]
    public var kind: Kind
    /// Empty for a folder.
    public var target: [UInt8]

    public init(path: [UInt8], kind: Kind, target: [UInt8]) {
        self.path = path
        self.kind = kind
        self.target = target
    }
}
