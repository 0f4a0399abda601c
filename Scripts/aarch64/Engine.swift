// What the translator names of the parts of the engine that are not compiled here.

@_exported import WasmDecoder
import WasmMachine

enum Engine {
    struct Configuration {
        var observesCalls = false
        var countsBlocks = false
        var canonicalizesNaNs = false
        var capturesLocals = false
    }
}

/// Nobody stops a translation here.
struct TranslationClient {
    var stop: TrapCode? { nil }
}
