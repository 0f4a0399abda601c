import WasmDecoder

/// Reads the custom sections of the tool conventions; malformed ones count as absent.
struct CustomSections {
    private let module: ParsedModule

    init(_ module: ParsedModule) { self.module = module }

    /// The section "producers" (tool-conventions, ProducersSection.md).
    func producers() -> [ModuleFacts.Producer] {
        read("producers") { reader throws(DecodingError) in
            var producers: [ModuleFacts.Producer] = []
            for _ in 0..<(try reader.count()) {
                let role = try reader.name().description
                var tools: [(name: String, version: String)] = []
                for _ in 0..<(try reader.count()) {
                    let name = try reader.name().description
                    tools.append((name, try reader.name().description))
                }
                producers.append(ModuleFacts.Producer(role: role, tools: tools))
            }
            return producers
        } ?? []
    }

    /// The section "target_features" (tool-conventions, Linking.md): prefix and name.
    func targetFeatures() -> [String] {
        read("target_features") { reader throws(DecodingError) in
            var features: [String] = []
            for _ in 0..<(try reader.count()) {
                let prefix = Unicode.Scalar(try reader.byte())
                features.append(String(Character(prefix)) + (try reader.name().description))
            }
            return features
        } ?? []
    }

    private func read<Value>(
        _ name: Name, _ body: (inout BinaryReader) throws(DecodingError) -> Value
    ) -> Value? {
        guard let section = module.customSections.first(where: { $0.name == name }) else {
            return nil
        }
        var reader = BinaryReader(
            module.bytes, range: section.content, features: module.features)
        do throws(DecodingError) {
            return try body(&reader)
        } catch {
            return nil
        }
    }
}
