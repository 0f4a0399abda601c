import WasmText

/// The cases of one layer: what each starts from, and how it runs.
struct CaseSource {
    let layer: Layer
    private let modules: Mutator
    private let texts: TextMutator
    private let documents: DocumentMutator
    private let seed: UInt64
    /// A folder of the host that guests of WASI may read.
    private let hostFolder: String

    /// Reads the files to start from; nil if there are none.
    init?(_ options: Options) {
        let files = Files.inputs(options.paths, endings: options.layer.endings)
            .compactMap { Files.read($0) }
        if files.isEmpty, options.layer != .differential, options.layer != .wasi,
            !options.layer.isDocument
        {
            return nil
        }
        layer = options.layer
        seed = options.seed
        hostFolder = options.paths.first { !$0.contains(".") } ?? "/"
        modules = Mutator(
            seed: seed,
            modules: Self.modules(for: layer, in: files),
            isUnchanged: options.isUnchanged)
        texts = TextMutator(
            seed: seed, texts: layer.isTextual ? files : [], isModule: layer == .text)
        documents = DocumentMutator(seed: seed, layer: layer, files: files)
    }

    private static func modules(for layer: Layer, in files: [[UInt8]]) -> [[UInt8]] {
        if layer.isTextual || layer.isDocument { return [] }
        let all = files.flatMap(modules)
        return layer == .transports
            ? TransportCases.guests + all.filter(TransportCases.isTransport) : all
    }

    /// The module that a file is, or those in a script.
    private static func modules(in file: [UInt8]) -> [[UInt8]] {
        if file.starts(with: [0x00, 0x61, 0x73, 0x6d]) { return [file] }
        guard var reader = try? ScriptReader(file) else { return [] }
        var modules: [[UInt8]] = []
        while let command = try? reader.nextCommand() {
            switch command.kind {
            case .module(let module), .assertInvalid(let module, _):
                if let bytes = try? module.encode() { modules.append(bytes) }
            default: break
            }
        }
        return modules
    }

    /// How many modules cases start from.
    var moduleCount: Int { modules.modules.count }

    /// The bytes that a case is about; none where it makes its own.
    func bytes(of number: Int) -> [UInt8] {
        switch layer {
        case .text, .script: texts.text(of: number).text
        case .differential:
            DifferentialCases.modules(RandomNumbers(seed: seed, case: UInt64(number))).last ?? []
        case .wasi: []
        case .json, .toml, .bson, .form, .multipart, .names: documents.document(of: number).bytes
        default: modules.module(of: number).bytes
        }
    }

    /// Runs a case.
    func run(_ number: Int) -> Tally {
        switch layer {
        case .text, .script:
            var (text, random) = texts.text(of: number)
            return layer == .text
                ? TextCases.parse(text, &random) : TextCases.read(text, &random)
        case .differential:
            var random = RandomNumbers(seed: seed, case: UInt64(number))
            return DifferentialCases.run(&random)
        case .wasi:
            return WASICases.run(
                RandomNumbers(seed: seed, case: UInt64(number)), hostFolder: hostFolder)
        case .json, .toml, .bson, .form, .multipart, .names:
            var (bytes, random) = documents.document(of: number)
            return DocumentCases.run(bytes, layer, &random)
        case .transports:
            return TransportCases.run(modules.module(of: number).bytes)
        case .decoding, .printing, .translation, .running:
            let (bytes, random) = modules.module(of: number)
            return Self.run(bytes, layer, random)
        }
    }

    /// Runs a case that starts from a module.
    static func run(_ bytes: [UInt8], _ layer: Layer, _ random: RandomNumbers) -> Tally {
        var random = random
        switch layer {
        case .decoding: return BinaryCases.decode(bytes, &random)
        case .printing: return BinaryCases.print(bytes, &random)
        case .translation: return BinaryCases.translate(bytes, &random)
        default: return CaseRunner.run(bytes, random: random)
        }
    }
}
