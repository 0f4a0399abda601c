import Synchronization
import WasmDecoder

/// What the DWARF sections of a module tell about its code: which file, line and function of the
/// source each instruction comes from.
///
/// Versions 2 to 5, in the custom sections that compilers for WebAssembly write. What is damaged is
/// left out: debug information means nothing to the program, and is never a reason to refuse it.
///
/// ```swift
/// if let debugInfo = DebugInfo(module), let place = debugInfo.location(at: 0x296) {
///     print(place)   // trap.c:9:20
/// }
/// ```
///
/// Specification: DWARF for WebAssembly (tool conventions); DWARF 5, chapters 3, 6 and 7.
public final class DebugInfo: Sendable {
    private let sections: DebugSections
    private let lineTable: LineTable
    private let unitTable: Mutex<UnitTable>

    /// Reads the line tables; nil if the module has none.
    ///
    /// Cost: proportional to the size of `.debug_line`, and to the number of units. Functions are
    /// read, unit by unit, when `frames(at:)` asks for them.
    public init?(_ module: ParsedModule) {
        guard let sections = DebugSections(module) else { return nil }
        let units = UnitTable(sections)
        var directories: [UInt64: StringPlace] = [:]
        for unit in units.units {
            if let program = unit.lineProgram { directories[program] = unit.compilationDirectory }
        }
        self.sections = sections
        lineTable = LineTable(sections, directories: directories)
        unitTable = Mutex(units)
    }

    /// Where the instruction at an offset of the module's file comes from; nil if that is not
    /// known, or if the compiler made it for no line.
    public func location(at offset: Int) -> SourceLocation? {
        address(of: offset).flatMap { lineTable.row(at: $0) }.flatMap(location)
    }

    /// The functions of the source that are running at an offset of the module's file, innermost
    /// first: those whose bodies are in others, and the one around them. Empty if not known.
    public func frames(at offset: Int) -> [SourceFrame] {
        guard let address = address(of: offset) else { return [] }
        var place = lineTable.row(at: address).flatMap(location)
        return unitTable.withLock { table in
            guard let (unit, functions) = table.functions(at: address),
                var index = functions.node(at: address)
            else { return [] }
            let files = unit.lineProgram.flatMap { lineTable.units[$0] }
            var frames: [SourceFrame] = []
            while index >= 0, frames.count < Self.frameLimit {
                let node = functions.nodes[index]
                frames.append(
                    SourceFrame(
                        function: table.name(of: node, in: unit), location: place,
                        isInlined: node.parent >= 0))
                place = location(
                    file: files?.file(node.callFile) ?? LineTable.noFile,
                    line: Int(clamping: node.callLine), column: Int(clamping: node.callColumn))
                index = node.parent
            }
            return frames
        }
    }

    /// Bodies that are in each other.
    private static let frameLimit = 256

    /// The rows of the line table for a range of the module's file, by offset. The first begins at
    /// the range's start if the code there is known.
    public func lines(in range: ByteRange) -> [LineEntry] {
        guard range.count > 0, let first = address(of: range.start) else { return [] }
        let last = address(of: range.end) ?? UInt32(clamping: sections.code.count)
        guard first < last else { return [] }
        // Most rows are of few files: their names are made once.
        var known: [UInt32: SourceLocation] = [:]
        return lineTable.rows(in: first..<last).map { row in
            var place = row.line > 0 ? known[row.file] : nil
            if place == nil {
                place = location(row)
                known[row.file] = place
            }
            place?.line = Int(row.line)
            place?.column = Int(row.column)
            return LineEntry(
                offset: sections.code.start + Int(row.address), location: place,
                isStatement: row.isStatement)
        }
    }

    private func address(of offset: Int) -> UInt32? {
        guard offset >= sections.code.start, offset < sections.code.end else { return nil }
        return UInt32(exactly: offset - sections.code.start)
    }

    private func location(_ row: LineTable.Row) -> SourceLocation? {
        location(file: row.file, line: Int(row.line), column: Int(row.column))
    }

    private func location(file: UInt32, line: Int, column: Int) -> SourceLocation? {
        guard line > 0, Int(file) < lineTable.files.count else { return nil }
        let file = lineTable.files[Int(file)]
        func text(_ position: Int?) -> String {
            position.map { StringPlace(position: $0).text(in: sections.bytes) } ?? ""
        }
        var name = text(file.name)
        let folder = text(file.directory)
        if !folder.isEmpty, !name.hasPrefix("/") { name = "\(folder)/\(name)" }
        return SourceLocation(
            file: name, compilationDirectory: text(file.compilationDirectory), line: line,
            column: column)
    }
}
