/// Collects the names of what a module is made of, for its name section.
///
/// Specification: 7.7.1 (name section).
struct NameRecorder {
    struct Entry {
        var index: UInt32
        var name: Symbol
    }

    struct InnerEntry {
        var outer: UInt32
        var index: UInt32
        var name: Symbol
    }

    var module: Symbol?
    var functions: [Entry] = []
    /// By function, in ascending order, as labels; fields by type.
    var locals: [InnerEntry] = []
    var labels: [InnerEntry] = []
    var types: [Entry] = []
    var tables: [Entry] = []
    var memories: [Entry] = []
    var globals: [Entry] = []
    var elementSegments: [Entry] = []
    var dataSegments: [Entry] = []
    var fields: [InnerEntry] = []
    var tags: [Entry] = []

    /// The content of the name section, or nil if nothing has a name.
    func encode(_ symbols: Interner) -> [UInt8]? {
        var section = ByteWriter()
        if let module {
            var content = ByteWriter()
            content.vector(symbols[module])
            section.byte(0)
            section.vector(content.bytes)
        }
        write(1, functions, symbols, to: &section)
        write(2, locals, symbols, to: &section)
        write(3, labels, symbols, to: &section)
        write(4, types, symbols, to: &section)
        write(5, tables, symbols, to: &section)
        write(6, memories, symbols, to: &section)
        write(7, globals, symbols, to: &section)
        write(8, elementSegments, symbols, to: &section)
        write(9, dataSegments, symbols, to: &section)
        write(10, fields, symbols, to: &section)
        write(11, tags, symbols, to: &section)
        return section.bytes.isEmpty ? nil : section.bytes
    }

    private func write(
        _ id: UInt8, _ entries: [Entry], _ symbols: Interner, to section: inout ByteWriter
    ) {
        guard !entries.isEmpty else { return }
        var content = ByteWriter()
        content.count(entries.count)
        for entry in entries {
            content.index(entry.index)
            content.vector(symbols[entry.name])
        }
        section.byte(id)
        section.vector(content.bytes)
    }

    private func write(
        _ id: UInt8, _ entries: [InnerEntry], _ symbols: Interner, to section: inout ByteWriter
    ) {
        guard !entries.isEmpty else { return }
        var content = ByteWriter()
        var groups = 0
        var start = 0
        while start < entries.count {
            let end =
                entries[start...].firstIndex { $0.outer != entries[start].outer } ?? entries.count
            groups += 1
            content.index(entries[start].outer)
            content.count(end - start)
            for entry in entries[start..<end] {
                content.index(entry.index)
                content.vector(symbols[entry.name])
            }
            start = end
        }
        section.byte(id)
        var count = ByteWriter()
        count.count(groups)
        section.count(count.count + content.count)
        section.append(count)
        section.append(content)
    }
}
