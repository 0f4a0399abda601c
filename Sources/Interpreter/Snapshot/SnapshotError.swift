/// Why a snapshot cannot be made, read or restored.
public enum SnapshotError: Error, Hashable, Sendable {
    /// Where in an instance a reference is.
    public enum Place: Hashable, Sendable {
        case global(index: Int)
        case table(index: Int, element: UInt64)
        case elementSegment(index: Int)
        /// A structure or array whose type has this index in the module.
        case object(type: TypeIndex)
    }

    /// What a reference refers to that means something in one store only.
    public enum Referent: Hashable, Sendable {
        /// A function that is neither the instance's own nor one of its imports.
        case foreignFunction
        /// A value of the host, as an externref.
        case host
        case exception
        /// A structure or array of a type that the module does not define.
        case foreignType
    }

    /// What is wrong with the bytes of a snapshot.
    public enum Malformation: Hashable, Sendable {
        case magic
        case version(UInt32)
        case unexpectedEnd
        /// Bytes after the end, or fewer than the header says.
        case length
        case checksum
        /// There are not as many as the module defines.
        case count
        /// A memory or table that the type does not allow to have this size.
        case size
        /// Pages that are not ascending, or outside of the memory.
        case pages
        /// A state, number or reference that there is none of.
        case value
        /// A value or reference that is not of the type of its place.
        case type
    }

    /// Guest code of the store runs, or waits for the host.
    case running
    /// A memory of the instance is shared with other threads.
    case sharedMemory(index: Int)
    case reference(Referent, Place)
    /// The snapshot is of another module.
    case otherModule
    /// The bytes are no snapshot; the offset is where that shows.
    case malformed(Malformation, offset: Int)
    /// The store's limits or the system do not allow it.
    case resource(ResourceError)
}

extension SnapshotError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .running: "the store runs guest code"
        case .sharedMemory(let index): "memory \(index) is shared"
        case .reference(let referent, let place):
            "\(place) refers to \(referent), which a snapshot cannot hold"
        case .otherModule: "the snapshot is of another module"
        case .malformed(let malformation, let offset):
            "0x\(String(offset, radix: 16)): malformed snapshot: \(malformation)"
        case .resource(let error): error.description
        }
    }
}

extension SnapshotError.Place: CustomStringConvertible {
    public var description: String {
        switch self {
        case .global(let index): "global \(index)"
        case .table(let index, let element): "element \(element) of table \(index)"
        case .elementSegment(let index): "element segment \(index)"
        case .object(let type): "an object of type \(type)"
        }
    }
}

extension SnapshotError.Referent: CustomStringConvertible {
    public var description: String {
        switch self {
        case .foreignFunction: "a function of another instance or of the host"
        case .host: "a value of the host"
        case .exception: "an exception"
        case .foreignType: "an object of another module's type"
        }
    }
}

extension SnapshotError.Malformation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .magic: "it does not begin as one"
        case .version(let version): "version \(version) is unknown"
        case .unexpectedEnd: "unexpected end"
        case .length: "its length is not what it says"
        case .checksum: "the checksum differs"
        case .count: "the module defines another number of these"
        case .size: "the type does not allow this size"
        case .pages: "pages are out of order or out of bounds"
        case .value: "there is no such value"
        case .type: "the value is of another type"
        }
    }
}
