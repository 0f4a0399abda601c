import WasmSystem
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// What the verbs of `wasmd othismo IMAGE` need of an image: a file that this process has the right
/// to run, or a server that has it.
protocol ImageSession {
    /// Paths that begin with `prefix`, in the order of their bytes.
    func entries(prefix: [UInt8]) throws(OthismoFailure) -> [ImageEntry]
    func importModule(_ bytes: [UInt8], named name: [UInt8]) throws(OthismoFailure)
    func importNative(_ kind: NativeKind, named name: [UInt8]) throws(OthismoFailure)
    func remove(_ path: [UInt8]) throws(OthismoFailure)
    /// Sends a message to the namespace; throws what it answers if that is an error.
    func change(_ request: Document.Member) throws(OthismoFailure)
    /// Sends a message, and prints what arrives at the console; nil only handles what waits.
    ///
    /// - Returns: how many messages are in flight when the time is over; nil if it is not.
    func send(
        _ envelope: Envelope?, for nanoseconds: Int64, _ print: (Document) -> Void
    ) throws(OthismoFailure) -> Int?
}

/// The file of an image.
enum ImageFile {
    /// `NAME.simg`, unless the name ends like that.
    static func file(_ name: Word) -> [UInt8] {
        name.hasSuffix(".simg") ? name.bytes : name.bytes + Array(".simg".utf8)
    }

    /// The same, or the name itself if only that is there.
    static func path(_ name: Word) -> [UInt8] {
        let path = file(name)
        if (try? Kernel.status(CString(path: path), followsLink: true)) == nil,
            (try? Kernel.status(name.cString, followsLink: true)) != nil
        {
            return name.bytes
        }
        return path
    }

    /// The right to run an image; nil if another process has it.
    static func hold(_ path: [UInt8], _ name: Word) throws(OthismoFailure) -> ImageHold? {
        do throws(SystemError) {
            return try ImageHold(path: path)
        } catch {
            if error == .noent { throw .image(.noImage(path: path)) }
            throw .text("\(printable(name.text)): \(error.text)")
        }
    }

    static func isHeld(_ name: Word) -> OthismoFailure {
        .text(
            "\(printable(name.text)): another process runs the instances of this image; stop it "
                + "first, or use its shell")
    }

    /// Runs the image, or speaks to the server that does.
    static func session(_ path: [UInt8], _ name: Word) throws(OthismoFailure) -> any ImageSession {
        // Before the file is opened for its contents: see `ImageHold`.
        if let hold = try hold(path, name) { return try LocalSession(path, hold) }
        guard let session = ServedSession(path) else { throw isHeld(name) }
        return session
    }
}

/// An image that only reads.
struct ReadingSession: ImageSession {
    private let image: Image

    init(_ path: [UInt8]) throws(OthismoFailure) {
        image = try OthismoFailure.wrapping { () throws(ImageError) in
            var options = Image.Options()
            options.isReadOnly = true
            return try Image(path: path, options)
        }
    }

    func entries(prefix: [UInt8]) throws(OthismoFailure) -> [ImageEntry] {
        try OthismoFailure.wrapping { () throws(ImageError) in
            try ImageEntry.all(in: image, prefix: prefix, after: nil, limit: .max)
        }
    }

    func importModule(_ bytes: [UInt8], named name: [UInt8]) throws(OthismoFailure) {
        throw .image(.readOnly)
    }
    func importNative(_ kind: NativeKind, named name: [UInt8]) throws(OthismoFailure) {
        throw .image(.readOnly)
    }
    func remove(_ path: [UInt8]) throws(OthismoFailure) { throw .image(.readOnly) }
    func change(_ request: Document.Member) throws(OthismoFailure) { throw .image(.readOnly) }
    func send(
        _ envelope: Envelope?, for nanoseconds: Int64, _ print: (Document) -> Void
    ) throws(OthismoFailure) -> Int? { throw .image(.readOnly) }
}
