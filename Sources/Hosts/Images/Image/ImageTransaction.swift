/// An image that is being changed, inside of `Image.write`.
public final class ImageTransaction: ImageView {
    // MARK: Objects
    /// Adds an object with its name.
    ///
    /// - Throws: `objectExists`, `tooLarge`.
    @discardableResult
    public func addObject(
        _ path: [UInt8], _ kind: ObjectKind, _ bytes: [UInt8]
    ) throws(ImageError) -> ObjectKey { ObjectKey(rawValue: 0) }

    /// Adds an object whose bytes come in pieces: `next` is called until it has given `byteCount`
    /// bytes; an empty piece before is an error (`outOfRange`).
    @discardableResult
    public func addObject(
        _ path: [UInt8], _ kind: ObjectKind, byteCount: Int,
        next: () throws(ImageError) -> ArraySlice<UInt8>
    ) throws(ImageError) -> ObjectKey { ObjectKey(rawValue: 0) }

    /// Adds an object with the bytes of another one.
    @discardableResult
    public func copyObject(
        _ source: ObjectKey, to path: [UInt8], _ kind: ObjectKind
    ) throws(ImageError) -> ObjectKey { ObjectKey(rawValue: 0) }

    /// Replaces the bytes of an object. If their count stays the same, only pages that differ are
    /// written.
    public func setBytes(of key: ObjectKey, _ bytes: [UInt8]) throws(ImageError) {}

    /// Overwrites a part of an object's bytes, whose count stays the same: only pages that differ
    /// are written.
    public func overwrite(
        _ key: ObjectKey, at offset: Int, with bytes: ArraySlice<UInt8>
    ) throws(ImageError) {}

    /// Removes an object, its name and the links from it.
    ///
    /// - Throws: `noObject`, `objectLinked`.
    public func removeObject(_ path: [UInt8]) throws(ImageError) {}

    /// Gives an object another path.
    public func renameObject(_ path: [UInt8], to new: [UInt8]) throws(ImageError) {}

    // MARK: Links, messages, bindings, values
    /// Records that `from` is an instance of `to`.
    @discardableResult
    public func addLink(from: ObjectKey, to: ObjectKey) throws(ImageError) -> Int64 { 0 }
    public func removeLink(_ key: Int64) throws(ImageError) {}
    /// Adds a message at the end; returns its key, which is above those of all that wait.
    @discardableResult
    public func enqueue(
        target: [UInt8], sender: [UInt8]?, _ bytes: [UInt8]
    ) throws(ImageError) -> Int64 { 0 }
    /// Removes a message; false if it was not there.
    @discardableResult
    public func dequeue(_ key: Int64) throws(ImageError) -> Bool { false }
    /// Adds a binding, or replaces the one at its path.
    public func setBinding(_ binding: ImageBinding) throws(ImageError) {}
    @discardableResult
    public func removeBinding(_ path: [UInt8]) throws(ImageError) -> Bool { false }
    /// Sets a value of the host; nil removes it.
    public func setSetting(_ name: String, _ value: [UInt8]?) throws(ImageError) {}
}
