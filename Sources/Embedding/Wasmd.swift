/// A program that runs guests needs only `import Wasmd`: the engine, the text format and WASI.
@_exported import WasmInterpreter
@_exported import WasmText
@_exported import WasmWASI
