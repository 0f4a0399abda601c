import WasmInterpreter
import WasmText

extension Module {
    /// Parses a text (`.wat`), decodes and validates it.
    ///
    ///     let module = try Module(
    ///         text: "(module (func (export \"two\") (result i32) (i32.const 2)))", engine: engine)
    ///
    /// - Throws: `TextError` with the place, or `ModuleError`.
    public convenience init(text: String, engine: Engine) throws {
        try self.init(try parseModule(Array(text.utf8)), engine: engine)
    }
}
