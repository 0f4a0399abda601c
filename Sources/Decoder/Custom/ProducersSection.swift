/// One field of the custom section "producers": `language`, `processed-by` or `sdk`, with the names
/// and versions of what was used.
public struct ProducersField: Hashable, Sendable {
    public var name: Name
    public var values: [Value]

    public struct Value: Hashable, Sendable {
        public var name: Name
        public var version: Name
    }
}

extension ParsedModule {
    /// Decodes the custom section "producers" of the tool conventions: which tools made the module.
    ///
    /// Empty if there is none or it is malformed. Cost: proportional to its size.
    public func producers() -> [ProducersField] {
        guard let section = customSections.first(where: { $0.name == "producers" }) else {
            return []
        }
        var reader = reader(of: section.content)
        return (try? Self.producers(&reader)) ?? []
    }

    private static func producers(
        _ reader: inout BinaryReader
    ) throws(DecodingError) -> [ProducersField] {
        var fields: [ProducersField] = []
        for _ in 0..<(try reader.count()) {
            var field = ProducersField(name: try reader.name(), values: [])
            for _ in 0..<(try reader.count()) {
                let name = try reader.name()
                field.values.append(.init(name: name, version: try reader.name()))
            }
            fields.append(field)
        }
        return fields
    }
}
