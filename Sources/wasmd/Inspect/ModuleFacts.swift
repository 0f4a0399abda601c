import WasmDecoder
import WasmValidator

/// What `wasmd inspect` reports about a module, collected once for both of its forms.
struct ModuleFacts {
    let file: String
    let module: ParsedModule
    let names: NameSection?
    let sections: [Section]
    /// The tools that made the module, by role; empty if it does not name them.
    let producers: [Producer]
    /// Features that the tools relied on, according to the module: `+simd128`.
    let targetFeatures: [String]
    /// Nil if the module is not valid.
    let requiredFeatures: Features?
    /// Why it is not valid.
    let refusal: Refusal?

    /// A section as it is in the file.
    struct Section {
        let id: UInt8
        /// Name of the section, of a custom section in quotes.
        let title: String
        /// The name of a custom section.
        let customName: String?
        let range: ByteRange
        /// The number of its entries; nil for sections without entries.
        let entryCount: Int?
    }

    /// A role (`language`, `processed-by`, `sdk`) and the tools with that role.
    struct Producer: Equatable {
        let role: String
        let tools: [(name: String, version: String)]

        static func == (a: Producer, b: Producer) -> Bool {
            a.role == b.role && a.tools.elementsEqual(b.tools) { $0 == $1 }
        }
    }

    /// Decodes with every feature on, to show everything that the module contains.
    static let features: Features = [.all, .legacyExceptions]

    init(file path: Word) throws(Refusal) {
        let file = try ModuleFile(path)
        do throws(DecodingError) {
            try self.init(file, decode(file.bytes, features: Self.features))
        } catch {
            throw file.refusal(error)
        }
    }

    init(_ file: ModuleFile, _ module: ParsedModule) {
        self.file = file.path
        self.module = module
        names = module.names()
        sections = Self.sections(of: module)
        let custom = CustomSections(module)
        producers = custom.producers()
        targetFeatures = custom.targetFeatures()
        do throws(ValidationError) {
            requiredFeatures = try validate(module, types: TypeRegistry()).requiredFeatures
            refusal = nil
        } catch {
            requiredFeatures = nil
            refusal = file.refusal(error)
        }
    }

    private static func sections(of module: ParsedModule) -> [Section] {
        var customSections = module.customSections.makeIterator()
        return module.sections.map { span in
            let custom = span.id == 0 ? customSections.next()?.name.description : nil
            return Section(
                id: span.id,
                title: custom.map { "custom \"\(printable($0))\"" } ?? name(ofSection: span.id),
                customName: custom, range: span.range,
                entryCount: entryCount(ofSection: span.id, in: module))
        }
    }

    /// The specification's names (5.5.2).
    static func name(ofSection id: UInt8) -> String {
        switch id {
        case 0: "custom"
        case 1: "type"
        case 2: "import"
        case 3: "function"
        case 4: "table"
        case 5: "memory"
        case 6: "global"
        case 7: "export"
        case 8: "start"
        case 9: "element"
        case 10: "code"
        case 11: "data"
        case 12: "data count"
        case 13: "tag"
        default: "section \(id)"
        }
    }

    private static func entryCount(ofSection id: UInt8, in module: ParsedModule) -> Int? {
        switch id {
        case 1: module.types.count
        case 2: module.imports.count
        case 3, 10: module.bodies.count
        case 4: module.tableDefinitions.count
        case 5: module.memories.count - module.importedMemoryCount
        case 6: module.globalDefinitions.count
        case 7: module.exports.count
        case 9: module.elementSegments.count
        case 11: module.dataSegments.count
        case 13: module.tags.count - module.importedTagCount
        default: nil
        }
    }

    /// The function's name in the name section.
    func functionName(_ index: FunctionIndex) -> String? {
        names?.functions[index]?.description
    }
}
