import WasmInterpreter
import WasmText

/// The text (`.wat`) that a module was made from, to find positions of its code.
struct SourceText {
    private let path: String
    private let module: Module
    private let map: TextMap

    /// Parses the text again; nil for a module from a binary.
    init?(_ file: ModuleFile, _ module: Module) {
        guard let map = file.textMap else { return nil }
        path = file.path
        self.module = module
        self.map = map
    }

    /// `math.wat:3:6` for an offset of the module.
    func position(at offset: Int, in module: Module) -> String? {
        guard module === self.module, let place = map.place(at: offset) else { return nil }
        let (line, column) = map.position(of: place)
        return "\(printable(path)):\(line):\(column)"
    }

    /// The lines that a function's code is in; the first is that of the function itself.
    func lines(of body: ByteRange, in file: String) -> [LineEntry] {
        func entry(_ offset: Int, _ place: TextPlace) -> LineEntry {
            let (line, column) = map.position(of: place)
            return LineEntry(
                offset: offset, location: SourceLocation(file: file, line: line, column: column),
                isStatement: true)
        }
        // Before the body is its size, and in the text the word `func`.
        let head = map.place(at: body.start - 1).map { [entry(body.start, $0)] } ?? []
        return head + map.places(in: body.start..<body.end).map { entry($0.offset, $0.place) }
    }
}
