import WasmDecoder
import WasmSystem

/// The destination of a command's output.
enum OutputFile: Equatable {
    case standardOutput
    case path(Word)

    /// What `--output` says; `-` is standard output.
    init(_ word: Word) { self = word == "-" ? .standardOutput : .path(word) }

    /// The name of `file`, without its folder, with another ending: `module.wasm` for
    /// `tests/module.wat`, and another name than its own for `module.wasm`. For standard input it
    /// is standard output.
    init(insteadOf file: Word, ending: String) {
        guard file != "-" else {
            self = .standardOutput
            return
        }
        var name = file.lastComponent ?? ""
        if let dot = name.bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0, !name.hasSuffix(ending) {
            name = Word(bytes: name.bytes[..<dot])
        }
        self = .path(Word(bytes: name.bytes + ending.utf8))
    }

    /// Writes all bytes. An existing file is replaced when all of them are written, and left
    /// unchanged if that fails.
    func write(_ bytes: UnsafeBufferPointer<UInt8>, _ console: Console) throws(Refusal) {
        var draft = OutputDraft(self, console)
        draft.write(bytes)
        try draft.finish()
    }
}

/// An output file that is written piece by piece. `finish` replaces an existing file, which is not
/// changed before.
///
/// The new file is made in the same folder, because only then can it replace the old one in one
/// step. Anything else than a file (a device, a link), and a file in a folder that must not be
/// written, is opened directly at the first piece.
struct OutputDraft {
    private let console: Console
    /// Nil for standard output.
    private let path: Word?
    private var descriptor: Int32?
    /// The new file, in the folder of the one that it will replace.
    private var draft: Word?
    /// The first error.
    private var failure: SystemError?

    init(_ file: OutputFile, _ console: Console) {
        self.console = console
        if case .path(let path) = file { self.path = path } else { path = nil }
    }

    /// Writes more bytes; false if no more can be written.
    @discardableResult
    mutating func write(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let path else {
            console.output.write(bytes)
            return console.output.failure == nil
        }
        if descriptor == nil, failure == nil { open(path) }
        if failure == nil, let descriptor {
            failure = writeAll(UnsafeRawBufferPointer(bytes), to: descriptor)
        }
        return failure == nil
    }

    private mutating func open(_ path: Word) {
        let old = try? Kernel.status(path.cString, followsLink: false)
        if old.map({ $0.kind == .regular && Kernel.isAccessible(path.cString, for: .write) })
            ?? true
        {
            let draft = Word(bytes: path.bytes + ".\(CurrentProcess.identifier)".utf8)
            if let file = try? Kernel.open(draft.cString, [.writeOnly, .create, .exclusive]) {
                if let old { try? Kernel.setPermissions(file, old.permissions & 0o777) }
                descriptor = file
                self.draft = draft
                return
            }
        }
        do throws(SystemError) {
            descriptor = try Kernel.open(path.cString, [.writeOnly, .create, .truncate])
        } catch {
            failure = error
        }
    }

    /// Ends writing: the new file replaces the old one.
    mutating func finish() throws(Refusal) {
        guard let path else { return }
        if descriptor == nil, failure == nil { open(path) }
        closeFile()
        if failure == nil, let draft { failure = Self.rename(draft, path) }
        guard let failure else { return }
        if let draft { try? Kernel.unlink(draft.cString) }
        throw Refusal(FileError(failure, path: path.text), file: path.text)
    }

    /// Returns the error; nil if there is none.
    private static func rename(_ old: Word, _ new: Word) -> SystemError? {
        do throws(SystemError) {
            try Kernel.rename(old.cString, new.cString)
            return nil
        } catch {
            return error
        }
    }

    /// Removes the new file.
    mutating func discard() {
        closeFile()
        if let draft { try? Kernel.unlink(draft.cString) }
    }

    private mutating func closeFile() {
        guard let descriptor else { return }
        // Some file systems report only now that the disk is full.
        do throws(SystemError) {
            try Kernel.close(descriptor)
        } catch {
            failure = failure ?? error
        }
        self.descriptor = nil
    }
}
