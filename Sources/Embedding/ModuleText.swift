import WasmDecoder
import WasmInterpreter
import WasmText

extension Module {
    /// Parses a text (`.wat`), decodes and validates it.
    ///
    ///     let module = try Module(
    ///         text: "(module (func (export \"two\") (result i32) (i32.const 2)))", engine: engine)
    ///
    /// - Throws: `TextError` with the position, or `ModuleError`.
    public convenience init(text: String, engine: Engine) throws {
        try self.init(try parseModule(Array(text.utf8)), engine: engine)
    }

    /// Reads the file at `path`, which is in the text format, and does the same.
    /// `Module(path:engine:)` is for the binary format.
    ///
    /// - Throws: also `ModuleError.file` if the file cannot be read.
    public convenience init(textPath path: String, engine: Engine) throws {
        let file: ModuleBytes
        do throws(FileError) {
            file = try ModuleBytes(path: path)
        } catch {
            throw ModuleError.file(error)
        }
        try self.init(try parseModule(file[file.range]), engine: engine)
    }
}
