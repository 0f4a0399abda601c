// Invariants: a reference of type exnref is 0 or the address of an object that this store made:
// a header word, the unretained `TagStorage`, and as many slots as the tag's values take. The store
// keeps tags and objects until it dies, so that every reference stays good.

/// The exceptions that somebody holds a reference to.
final class ExceptionObjects {
    /// Bytes that objects may take together.
    var byteLimit = 256 << 20
    /// Words in front of the payload.
    static let headerWords = 2

    private var objects: [UnsafeMutablePointer<UInt64>] = []
    private var byteCount = 0

    deinit {
        for object in objects { object.deallocate() }
    }

    fileprivate func make(_ wordCount: Int) -> UnsafeMutablePointer<UInt64>? {
        byteCount += wordCount * 8
        guard byteCount <= byteLimit else {
            byteCount -= wordCount * 8
            return nil
        }
        let object = UnsafeMutablePointer<UInt64>.allocate(capacity: wordCount)
        object.initialize(repeating: 0, count: wordCount)
        objects.append(object)
        return object
    }
}

extension Store {
    /// Makes an exception of the values at `payload`, as many slots as the tag says, and answers
    /// the reference to it; nil if there is no room for it.
    func makeException(
        _ tag: TagStorage, payload: UnsafePointer<UInt64>?
    ) -> UInt64? {
        let slots = tag.slotCount
        guard let object = exceptions.make(ExceptionObjects.headerWords + slots) else { return nil }
        object[1] = UInt64(UInt(bitPattern: Unmanaged.passUnretained(tag).toOpaque()))
        if let payload {
            (object + ExceptionObjects.headerWords).update(from: payload, count: slots)
        }
        return UInt64(UInt(bitPattern: object))
    }
}

/// An exception that is being thrown.
struct ThrownException {
    let tag: Unmanaged<TagStorage>
    /// Its values: on the value stack or in an object.
    let payload: UnsafePointer<UInt64>
    /// The object, or 0 as long as nobody asked for it.
    var reference: UInt64

    init(_ tag: TagStorage, payload: UnsafePointer<UInt64>) {
        self.tag = .passUnretained(tag)
        self.payload = payload
        reference = 0
    }

    /// Throws an object again. `reference` must not be null.
    init(reference: UInt64) {
        let object = UnsafePointer<UInt64>(bitPattern: UInt(reference)).unsafelyUnwrapped
        tag = .fromOpaque(UnsafeRawPointer(bitPattern: UInt(object[1])).unsafelyUnwrapped)
        payload = object + ExceptionObjects.headerWords
        self.reference = reference
    }
}
