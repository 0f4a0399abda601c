/// An image as one moment shows it, inside of `Image.read` or `Image.write`. Used after its
/// transaction, each call throws `ImageError.closed`.
public class ImageView {
    // MARK: Objects
    /// The object at a path, compared byte by byte; nil if there is none. Two lookups in trees.
    public func object(at path: [UInt8]) throws(ImageError) -> ImageObject? { nil }

    /// Objects whose path begins with `prefix` and is after `last`, in the order of their bytes, at
    /// most `limit`.
    public func objects(
        prefix: [UInt8] = [], after last: [UInt8]? = nil, limit: Int = .max
    ) throws(ImageError) -> [ImageObject] { [] }

    /// All bytes of an object.
    public func bytes(of key: ObjectKey) throws(ImageError) -> [UInt8] { [] }

    /// A part of the bytes of an object. Pages before it are passed by, one read each.
    public func bytes(of key: ObjectKey, in range: Range<Int>) throws(ImageError) -> [UInt8] { [] }

    /// Lends the bytes of an object piece by piece, each at most a page, until `body` returns false.
    public func forEachPiece(
        of key: ObjectKey, _ body: (ArraySlice<UInt8>) throws(ImageError) -> Bool
    ) throws(ImageError) {}

    // MARK: Links, messages, bindings, values
    public func links(from key: ObjectKey) throws(ImageError) -> [ImageLink] { [] }
    public func links(to key: ObjectKey) throws(ImageError) -> [ImageLink] { [] }
    /// Messages after a key, in order, at most `limit`.
    public func messages(
        after key: Int64 = 0, limit: Int = .max
    ) throws(ImageError) -> [QueuedMessage] { [] }
    public func binding(at path: [UInt8]) throws(ImageError) -> ImageBinding? { nil }
    public func bindings(prefix: [UInt8] = []) throws(ImageError) -> [ImageBinding] { [] }
    /// A value that the host keeps in the image, such as a counter: a row of `wasmd_setting`.
    public func setting(_ name: String) throws(ImageError) -> [UInt8]? { nil }
}
