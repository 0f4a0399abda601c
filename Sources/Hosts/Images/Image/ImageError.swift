import WasmSystem

/// Why an operation on an image failed.
public enum ImageError: Error, Hashable, Sendable {
    /// `create` found a file of this name.
    case imageExists(path: [UInt8])
    /// There is no file of this name.
    case noImage(path: [UInt8])
    /// The file is no image: not a SQLite 3 database, or one without the tables of an image.
    case notAnImage(Reason)
    /// The file breaks the format. Nothing was written by the transaction that found it.
    case damaged(Damage)
    /// The file uses a feature of SQLite that is not supported. Reported before the first write.
    case unsupported(Feature)
    /// Another process holds the lock of the file, and did not release it within
    /// `Image.Options.patience`.
    case busy
    /// The image was opened to be read, or its file may not be written.
    case readOnly
    /// The disk, a quota or the limit on the size of files leaves no room. The transaction is
    /// undone; a later one may succeed.
    case full(SystemError)
    /// The disk reported that it could not write, so what it has is unknown: the image must be
    /// opened again.
    case failedSync(SystemError)
    /// The system refused a call on a file.
    case system(SystemError, Operation)
    /// Another program changed the image after what a change is based on was read.
    case changed
    /// `close` was called, or a transaction is used after its end.
    case closed
    /// The namespace has an object at this path.
    case objectExists(path: [UInt8])
    /// The namespace has no object at this path, or there is none of this key.
    case noObject(path: [UInt8])
    /// The object is the target of a link.
    case objectLinked(path: [UInt8])
    /// A value has more bytes than the format allows: `Image.maximumBytes`.
    case tooLarge(Int)
    /// A range is not inside of an object's bytes.
    case outOfRange(offset: Int, count: Int)
    /// The number of pages, or of keys of a table, has reached its maximum.
    case exhausted

    /// Why a file is no image.
    public enum Reason: Hashable, Sendable {
        /// It does not begin as a SQLite 3 database.
        case header
        /// It is shorter than a page.
        case size(Int)
        /// A table of an image is not there.
        case noTable(String)
        /// A table of an image has no such column.
        case noColumn(table: String, String)
    }

    /// A broken rule of the format, and the page where it was found; page 1 is the first one.
    public struct Damage: Hashable, Sendable {
        public var page: UInt32
        public var rule: Rule

        public enum Rule: String, Hashable, Sendable {
            case header = "the database header is invalid"
            case pageNumber = "a page number is outside of the file"
            case pageKind = "the page is not of the expected kind"
            case cell = "a cell is not inside of its page"
            case order = "keys are not in order"
            case depth = "the tree is too deep or its leaves are not at one depth"
            case cycle = "pages form a cycle"
            case payload = "a payload is longer than the file"
            case overflow = "a chain of overflow pages has the wrong length"
            case record = "a record is invalid"
            case freeList = "the free list is invalid"
            case index = "an index and its table differ"
            case schema = "a definition in the schema is invalid"
            case reused = "a page is used twice"
            case unused = "a page is neither used nor free"
            case shortFile = "the file is shorter than its header says"
            case value = "a value does not fit its column"
        }

        public init(page: UInt32, _ rule: Rule) {
            self.page = page
            self.rule = rule
        }
    }

    /// What of SQLite's format is not supported.
    public enum Feature: Hashable, Sendable {
        /// `PRAGMA auto_vacuum` is on: the file has pointer maps. Only reading is supported.
        case autoVacuum
        /// Text is stored as UTF-16. Only reading is supported.
        case utf16
        /// The file says that it needs a newer version of the format.
        case formatVersion(UInt8)
        /// The definition of a table of an image cannot be kept in step: a trigger, an index with
        /// an expression, `WITHOUT ROWID` and others. The name is that of the object in the schema.
        case definition(name: [UInt8])
    }

    /// A call of the system.
    public enum Operation: String, Hashable, Sendable {
        case open, read, write, size, lock, delete, journal
    }
}
