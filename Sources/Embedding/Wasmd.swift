/// `import Wasmd` is all that a program needs that runs guests: the engine, the text format and WASI.
@_exported import WasmInterpreter
@_exported import WasmText
@_exported import WasmWASI
