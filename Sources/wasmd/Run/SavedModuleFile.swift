// Invariant: buffers are valid for the time of a call.

import WasmInterpreter

/// The file of `--save-module`.
enum SavedModuleFile {
    /// Writes the module that holds the state of an instance. Replaces an existing file.
    ///
    /// - Parameter entry: what was called; `_initialize` must not run again.
    static func write(
        to path: Word, _ instance: Instance, _ entry: EntryPoint, _ options: RunOptions,
        _ console: Console
    ) throws(Refusal) {
        let bytes: [UInt8]
        do throws(SavedModuleError) {
            bytes = try instance.savedModule(removingExports: entry.finished)
        } catch {
            throw Refusal(unsavable: error, file: options.file)
        }
        try bytes.withUnsafeBufferPointer { (bytes) throws(Refusal) in
            try OutputFile(path).write(bytes, console)
        }
    }
}
