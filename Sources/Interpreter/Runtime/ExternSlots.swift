// References to values of the host: three low bits distinguish them from the addresses of objects
// and function records, which are multiples of 8, and leave the lowest bit to i31.

extension Store {
    private static let handleTag: UInt64 = 6

    /// The slot of an externref, or of the same reference as an anyref.
    func slot(of reference: ExternReference) throws(ValueError) -> UInt64 {
        switch reference.kind {
        case .handle(let handle): return handle << 3 | Self.handleTag
        case .value(let value):
            do throws(ResourceError) {
                return try heap.externs.slot(of: value)
            } catch {
                throw .resource(error)
            }
        case .guest(let reference): return try slot(of: reference)
        }
    }

    func slot(of reference: AnyReference) throws(ValueError) -> UInt64 {
        switch reference.storage {
        case .i31(let value): return value
        case .host(let reference): return try slot(of: reference)
        case .object(let object):
            guard object.store === self else { throw .foreignStore }
            return object.slot
        }
    }

    /// What a slot of an extern or any type refers to; nil for null.
    func anyReference(slot: UInt64) -> AnyReference? {
        if slot & 1 != 0 { return AnyReference(storage: .i31(slot)) }
        switch slot & 7 {
        case Self.handleTag:
            return AnyReference(storage: .host(ExternReference(handle: slot >> 3)))
        case ExternTable.tag:
            return heap.externs.value(slot).map {
                AnyReference(storage: .host(ExternReference($0)))
            }
        case 0 where heap.space.isObject(slot):
            return AnyReference(storage: .object(ObjectHandle(store: self, slot: slot)))
        default:
            return nil
        }
    }

    func externReference(slot: UInt64) -> ExternReference? {
        anyReference(slot: slot).map { ExternReference(externalizing: $0) }
    }
}

/// An i31 in a slot: the value, shifted left, with the lowest bit set.
enum I31 {
    static func slot(_ value: UInt32) -> UInt64 { UInt64(value << 1 | 1) }
    static func signed(_ slot: UInt64) -> Int32 { Int32(truncatingIfNeeded: slot) >> 1 }
}
