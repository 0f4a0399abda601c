import WasmDecoder

// The facts about a module as JSON. Later versions only add members.

extension ModuleFacts {
    /// Writes the facts entry by entry: the text may be much larger than the module.
    func writeJSON(to output: Output) {
        var stream = JSONStream(output)
        stream.member("file", .string(file))
        stream.member("bytes", .count(module.bytes.count))
        stream.member("name", names?.module.map { .string($0.description) })
        stream.member("valid", .boolean(refusal == nil))
        stream.member("error", refusal?.json)
        stream.member("features", requiredFeatures.map { .strings($0.names) })
        stream.member("sections", objects: sections.lazy.map(\.json))
        stream.member("types", objects: module.types.lazy.map(\.json))
        stream.member("imports", objects: module.imports.lazy.map(json))
        stream.member("exports", objects: module.exports.lazy.map(json))
        stream.member(
            "functions", json(module.functions.count, imported: module.importedFunctionCount))
        stream.member("start", module.start.map { .unsigned(UInt64($0)) })
        stream.member("tables", json(module.tables.map(\.members), module.importedTableCount))
        stream.member("memories", json(module.memories.map(\.members), module.importedMemoryCount))
        stream.member("globals", json(module.globals.map(\.members), module.importedGlobalCount))
        stream.member("tags", json(module.tags.count, imported: module.importedTagCount))
        stream.member("dataSegments", objects: module.dataSegments.lazy.map(\.json))
        stream.member("elementSegments", objects: module.elementSegments.lazy.map(\.json))
        stream.member("producers", .array(producers.map(\.json)))
        stream.member("targetFeatures", .strings(targetFeatures))
        stream.end()
    }

    private func json(_ wanted: Import) -> JSON {
        .object(
            [
                .init("module", .string(wanted.module.description)),
                .init("name", .string(wanted.name.description)),
                .init("kind", .string(wanted.type.kind.description)),
            ] + members(of: wanted.type))
    }

    private func json(_ export: Export) -> JSON {
        .object(
            [
                .init("name", .string(export.name.description)),
                .init("kind", .string(export.kind.description)),
                .init("index", .unsigned(UInt64(export.index))),
            ] + (module.type(of: export).map(members) ?? []))
    }

    private func members(of type: ExternalType) -> [JSON.Member] {
        switch type {
        case .function(let index), .tag(let index):
            let signature = module.functionType(typeIndex: index).map(\.members) ?? []
            return [.init("type", .unsigned(UInt64(index)))] + signature
        case .table(let type): return type.members
        case .memory(let type): return type.members
        case .global(let type): return type.members
        }
    }

    /// Things with types; the first `imported` are marked so.
    private func json(_ things: [[JSON.Member]], _ imported: Int) -> JSON {
        .array(
            things.enumerated().map { index, members in
                .object([.init("imported", .boolean(index < imported))] + members)
            })
    }

    private func json(_ count: Int, imported: Int) -> JSON {
        .object(("imported", .count(imported)), ("defined", .count(count - imported)))
    }
}

extension ModuleFacts.Section {
    fileprivate var json: JSON {
        .object(
            ("id", .unsigned(UInt64(id))),
            ("name", .string(customName ?? ModuleFacts.name(ofSection: id))),
            ("offset", .count(range.start)), ("bytes", .count(range.count)),
            ("items", entryCount.map(JSON.count)))
    }
}

extension ModuleFacts.Producer {
    fileprivate var json: JSON {
        let tools = self.tools.map { tool in
            JSON.object(("name", .string(tool.name)), ("version", .string(tool.version)))
        }
        return .object(("role", .string(role)), ("tools", .array(tools)))
    }
}

extension FunctionType {
    fileprivate var members: [JSON.Member] {
        [
            .init("parameters", .strings(parameters.map(\.description))),
            .init("results", .strings(results.map(\.description))),
        ]
    }
}

extension SubType {
    fileprivate var json: JSON {
        var members: [JSON.Member] = []
        switch composite {
        case .function(let type):
            members = [.init("kind", "function")] + type.members
        case .structure(let fields):
            members = [.init("kind", "struct"), .init("fields", .array(fields.map(\.json)))]
        case .array(let field):
            members = [.init("kind", "array"), .init("element", field.json)]
        }
        if !isFinal { members.append(.init("final", false)) }
        if !supertypes.isEmpty {
            let indices = supertypes.map { JSON.unsigned(UInt64($0)) }
            members.append(.init("supertypes", .array(indices)))
        }
        return .object(members)
    }
}

extension FieldType {
    fileprivate var json: JSON {
        .object(("type", .string(storage.text)), ("mutable", .boolean(isMutable)))
    }
}

extension Limits {
    fileprivate var members: [JSON.Member] {
        [.init("minimum", .unsigned(minimum))]
            + (maximum.map { [.init("maximum", .unsigned($0))] } ?? [])
    }
}

extension MemoryType {
    fileprivate var members: [JSON.Member] {
        [.init("address", .string(addressType.valueType.description))] + limits.members
            + [
                .init("pageBytes", .unsigned(1 << (UInt64(pageSizeLog2) & 63))),
                .init("shared", .boolean(isShared)),
            ]
    }
}

extension TableType {
    fileprivate var members: [JSON.Member] {
        [
            .init("element", .string(element.description)),
            .init("address", .string(addressType.valueType.description)),
        ] + limits.members
    }
}

extension GlobalType {
    fileprivate var members: [JSON.Member] {
        [.init("value", .string(value.description)), .init("mutable", .boolean(isMutable))]
    }
}

extension SegmentMode {
    fileprivate var members: [JSON.Member] {
        switch self {
        case .passive: [.init("mode", "passive")]
        case .declarative: [.init("mode", "declarative")]
        case .active(let index, _):
            [.init("mode", "active"), .init("index", .unsigned(UInt64(index)))]
        }
    }
}

extension DataSegment {
    fileprivate var json: JSON { .object(mode.members + [.init("bytes", .count(content.count))]) }
}

extension ElementSegment {
    fileprivate var json: JSON {
        .object(
            mode.members + [
                .init("type", .string(type.description)), .init("items", .count(count)),
            ])
    }
}
