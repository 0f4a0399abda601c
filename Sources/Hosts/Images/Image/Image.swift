import WasmSystem

/// An image: a `.simg` file, which is a SQLite 3 database with the tables `namespace`, `object` and
/// `link`, and the objects in it.
///
/// All calls wait for the disk; on an event loop they belong into its pool of threads. Any thread
/// may call; transactions run one after the other. Threads that call `write` at the same time share
/// one commit.
///
///     let image = try Image(path: Array("app.simg".utf8))
///     try image.write { transaction throws(ImageError) in
///         let object = try transaction.object(at: Array("counter".utf8))
///         ...
///     }
public final class Image: @unchecked Sendable {
    public struct Options: Hashable, Sendable {
        /// Whether nothing is ever written, not even the rollback of another process's unfinished
        /// transaction: such a file cannot be read then.
        public var isReadOnly = false
        /// How long to wait for the lock of another process, in nanoseconds.
        public var patience: UInt64 = 5_000_000_000
        /// Memory for pages, in bytes. Transactions that change more write early.
        public var cacheBytes = 16 << 20
        /// The page size of a new file: a power of 2 from 512 to 65,536.
        public var pageSize = 4096

        public init() {}
    }

    /// The largest value that the format allows, in bytes.
    public static let maximumBytes = 1_000_000_000
}

extension Image {
    // To be filled in:
    //
    //     convenience init(path: [UInt8], _ options: Options = Options()) throws(ImageError)
    //     static func create(_ path: [UInt8], _ options: Options = Options()) throws(ImageError) -> Image
    //     func read<Value>(_ body: (ImageView) throws(ImageError) -> Value) throws(ImageError) -> Value
    //     func write<Value>(
    //         _ body: (ImageTransaction) throws(ImageError) -> Value) throws(ImageError) -> Value
    //     func check() throws(ImageError) -> [ImageError.Damage]
    //     func close()
}
