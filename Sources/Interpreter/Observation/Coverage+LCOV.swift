import WasmDebugInfo

extension Coverage {
    /// The counts as a tracefile of lcov, which `genhtml` and editors read.
    ///
    /// Of functions that DWARF line tables cover, every line of the source that code was made of:
    /// the largest count of its code within a function, and the sum of those of all functions. The
    /// others count as functions, as if they stood in `moduleFile`, each in the line of its index,
    /// counted from 1.
    ///
    /// - Parameters:
    ///   - moduleFile: the module's file.
    ///   - lines: other lines of a function than those of the module's line tables, if there are:
    ///     for a module that was made of a text, those of the text. The first is the function's own.
    ///
    /// Format: geninfo(1), section FILES.
    public func lcov(
        moduleFile: String, lines: ((Function) -> [LineEntry])? = nil
    ) -> String {
        var files: [String: SourceFile] = [:]
        for function in functions {
            let entries = lines?(function) ?? module.debugInfo?.lines(in: function.body) ?? []
            if add(function, entries, to: &files) { continue }
            let line = Int(function.index) + 1
            files[moduleFile, default: SourceFile()].add(
                Self.name(of: function), line: line, count: function.count)
            files[moduleFile, default: SourceFile()].lines[line] = function.count
        }
        var text = "TN:\n"
        for (path, file) in files.sorted(by: { $0.key < $1.key }) {
            file.write(Self.line(path), to: &text)
        }
        return text
    }

    /// False if no entry names a line.
    private func add(
        _ function: Function, _ entries: [LineEntry], to files: inout [String: SourceFile]
    ) -> Bool {
        struct Line: Hashable {
            var path: String
            var number: Int
        }
        var lines: [Line: UInt64] = [:]
        var isFirst = true
        for entry in entries {
            guard let location = entry.location else { continue }
            let path = location.path
            let count = function.count(at: entry.offset)
            lines[Line(path: path, number: location.line), default: 0].raise(to: count)
            // The function's own line: what is put into it from elsewhere comes later.
            if isFirst {
                files[path, default: SourceFile()].add(
                    Self.name(of: function), line: location.line, count: function.count)
                isFirst = false
            }
        }
        for (line, count) in lines {
            files[line.path, default: SourceFile()].lines[line.number, default: 0] &+= count
        }
        return !isFirst
    }

    private static func name(of function: Function) -> String {
        line(function.name ?? "function \(function.index)")
    }

    /// Names are parts of a line.
    private static func line(_ text: String) -> String {
        String(decoding: text.utf8.map { $0 < 0x20 ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    }
}

/// What is known of a file of the source.
private struct SourceFile {
    var lines: [Int: UInt64] = [:]
    private var functions: [(name: String, line: Int, count: UInt64)] = []
    private var names: Set<String> = []

    mutating func add(_ name: String, line: Int, count: UInt64) {
        // lcov knows functions by their name alone.
        let unique = names.contains(name) ? "\(name)#\(functions.count)" : name
        names.insert(unique)
        functions.append((unique, line, count))
    }

    func write(_ path: String, to text: inout String) {
        text += "SF:\(path)\n"
        for function in functions { text += "FN:\(function.line),\(function.name)\n" }
        for function in functions { text += "FNDA:\(function.count),\(function.name)\n" }
        text += "FNF:\(functions.count)\nFNH:\(functions.count { $0.count > 0 })\n"
        for (line, count) in lines.sorted(by: { $0.key < $1.key }) {
            text += "DA:\(line),\(count)\n"
        }
        text += "LF:\(lines.count)\nLH:\(lines.count { $0.value > 0 })\nend_of_record\n"
    }
}

extension UInt64 {
    fileprivate mutating func raise(to other: UInt64) { self = Swift.max(self, other) }
}
