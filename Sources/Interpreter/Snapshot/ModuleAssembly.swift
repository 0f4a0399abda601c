import WasmDecoder

/// A module with some of its sections replaced; all others are copied as they are in the file.
///
/// Specification: 5.5 (modules).
package struct ModuleAssembly {
    private let parsed: ParsedModule
    /// The new contents of known sections by their number; an empty one removes the section.
    private var replaced: [UInt8: [UInt8]] = [:]
    /// The new contents of custom sections that the module has; nil removes the section.
    private var replacedCustom: [Name: [UInt8]?] = [:]
    private var added: [(name: Name, content: [UInt8])] = []
    private let isPadded: Bool

    package static let importSection: UInt8 = 2
    package static let tableSection: UInt8 = 4
    package static let memorySection: UInt8 = 5
    package static let globalSection: UInt8 = 6
    package static let exportSection: UInt8 = 7
    package static let startSection: UInt8 = 8
    package static let elementSection: UInt8 = 9
    package static let dataCountSection: UInt8 = 12
    package static let dataSection: UInt8 = 11

    /// Numbers of the sections in the order of the format.
    private static let order: [UInt8] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]

    /// - Parameter isPadded: whether the sizes of new sections take five bytes, so that what
    ///   follows stays in its place.
    package init(_ parsed: ParsedModule, padded isPadded: Bool = false) {
        self.parsed = parsed
        self.isPadded = isPadded
    }

    /// Replaces a section that is a vector of `count` entries; without entries it is left out.
    package mutating func replace(_ section: UInt8, count: Int, entries: [UInt8]) {
        guard count > 0 else { return remove(section) }
        var writer = BinaryWriter(padded: isPadded)
        writer.count(count)
        writer.append(entries)
        replaced[section] = writer.bytes
    }

    package mutating func replace(_ section: UInt8, content: [UInt8]) {
        replaced[section] = content
    }

    package mutating func remove(_ section: UInt8) { replaced[section] = [] }

    /// Replaces all custom sections of a name by one at the end.
    package mutating func setCustom(_ name: Name, _ content: [UInt8]) {
        replacedCustom[name] = .some(nil)
        added.removeAll { $0.name == name }
        added.append((name, content))
    }

    /// Replaces the content of custom sections in their places.
    package mutating func replaceCustom(_ name: Name, _ content: [UInt8]?) {
        replacedCustom[name] = .some(content)
    }

    /// The whole module. Cost: proportional to its bytes.
    package func bytes() -> [UInt8] {
        // Spans of known sections, and of custom ones by the known section before them.
        var known: [UInt8: ByteRange] = [:]
        var custom: [UInt8: [(CustomSection, ByteRange)]] = [:]
        var last: UInt8 = 0
        var customs = parsed.customSections[...]
        for span in parsed.sections {
            if span.id != 0 {
                last = span.id
                known[last] = span.range
            } else if let section = customs.popFirst() {
                custom[last, default: []].append((section, span.range))
            }
        }
        var writer = BinaryWriter(padded: isPadded)
        writer.bytes.reserveCapacity(
            parsed.bytes.count + replaced.values.reduce(0) { $0 + $1.count })
        writer.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00])
        for id in [0] + Self.order {
            if let content = replaced[id] {
                if !content.isEmpty { write(id, content, &writer) }
            } else if let range = known[id] {
                copy(range, &writer)
            }
            for (section, range) in custom[id] ?? [] {
                guard let content = replacedCustom[section.name] else {
                    copy(range, &writer)
                    continue
                }
                if let content { write(section.name, content, &writer) }
            }
        }
        for (name, content) in added { write(name, content, &writer) }
        return writer.bytes
    }

    private func copy(_ range: ByteRange, _ writer: inout BinaryWriter) {
        parsed.bytes.withUnsafeBytes { all in
            guard range.start >= 0, range.end <= all.count, range.count > 0 else { return }
            writer.append(all[range.start..<range.end])
        }
    }

    private func write(_ id: UInt8, _ content: [UInt8], _ writer: inout BinaryWriter) {
        writer.byte(id)
        writer.size(content.count)
        writer.append(content)
    }

    private func write(_ name: Name, _ content: [UInt8], _ writer: inout BinaryWriter) {
        var section = BinaryWriter()
        section.vector(name.utf8)
        section.append(content)
        write(0, section.bytes, &writer)
    }
}
