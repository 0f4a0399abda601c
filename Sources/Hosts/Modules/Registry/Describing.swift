import WasmdDocuments
import WasmdWasmiot

/// A description of a module's functions with the files that came with it, checked.
struct Describing: Sendable {
    let functions: NamedValues<FunctionDescription>
    /// The last of those with one field's name.
    let files: [UploadedFile]
    /// Their places by the names of their fields.
    private let places: [NameKey: Int]

    /// Names of files that the routes of a module have for something else.
    private static let reserved = ["wasm", "description"]
    private static let fileLimit = 200

    /// Reads the functions from a body: a field `functions` with JSON, or the map itself.
    ///
    /// - Parameters:
    ///   - files: those that are no binary of the module.
    ///   - creates: whether the body also creates the module, and its fields may be other than
    ///     functions.
    /// - Returns: nil if the body creates a module and describes nothing.
    static func read(
        _ document: Document, files: [UploadedFile], creates: Bool
    ) throws -> Describing? {
        var map = document
        if let text = document["functions"]?.stringValue {
            do throws(JSONError) {
                map = try JSONReader.read(Array(text.utf8), options: .tolerant)
            } catch {
                throw Failure(.badRequest, "the field 'functions' is no JSON", "\(error)")
            }
        } else if creates,
            document.objectValue?.contains(where: { $0.value.objectValue != nil }) != true
        {
            return nil
        }
        let functions: NamedValues<FunctionDescription>
        do throws(DocumentFault) {
            functions = try ModuleFunctions(map).functions
        } catch {
            // What the original cannot read ends in its 500.
            let isKnown = error.place.utf8.suffix(7).elementsEqual(".method".utf8)
            throw Failure(
                isKnown ? .internalServerError : .badRequest, right: .badRequest, "unknown error",
                "the description is malformed: \(error)")
        }
        return try Describing(functions, files)
    }

    private init(
        _ functions: NamedValues<FunctionDescription>, _ files: [UploadedFile]
    ) throws {
        var unique: [UploadedFile] = []
        for file in files {
            guard file.mediaType != "application/wasm" else {
                throw Failure(
                    .badRequest, "failed attaching file to module", "data cannot be wasm")
            }
            guard MountName.isSafe(file.field), !Self.reserved.contains(file.field) else {
                throw Failure(
                    .badRequest, "failed attaching file to module",
                    "'\(file.field)' cannot be the name of a data file")
            }
            unique.removeAll { $0.field.utf8.elementsEqual(file.field.utf8) }
            unique.append(file)
        }
        guard unique.count <= Self.fileLimit else {
            throw Failure(
                .badRequest, "failed attaching file to module",
                "a module has at most \(Self.fileLimit) data files")
        }
        self.functions = functions
        self.files = unique
        var places: [NameKey: Int] = [:]
        for (index, file) in unique.enumerated() { places[NameKey(file.field)] = index }
        self.places = places
        try checkMounts()
    }

    /// Functions of a core module, which need no files.
    init(core functions: NamedValues<FunctionDescription>) {
        self.functions = functions
        files = []
        places = [:]
    }

    /// Every deployment mount needs a file, unless the init function makes it.
    private func checkMounts() throws {
        let made = Set(
            (functions[SignatureWarnings.initFunction]?.mounts ?? []).map { NameKey($0.name) })
        var missing: [Document] = []
        var isFatal = false
        for entry in functions.entries {
            for mount in entry.value.mounts where mount.stage == .deployment {
                guard file(mount.name) == nil else { continue }
                missing.append(.array([.string(entry.name), .string(mount.name)]))
                if !made.contains(NameKey(mount.name)) { isFatal = true }
            }
        }
        guard isFatal else { return }
        let list = String(decoding: JSONWriter.write(.array(missing)), as: UTF8.self)
        throw Failure(.badRequest, "Functions missing mounts: \(list)")
    }

    private func file(_ name: String) -> UploadedFile? {
        places[NameKey(name)].map { files[$0] }
    }

    /// The mounts of a function; their types are those of the files that came for them.
    private func mounts(
        _ function: String
    ) -> [(name: String, mediaType: String, stage: MountStage)] {
        (functions[function]?.mounts ?? []).map { mount in
            (mount.name, file(mount.name)?.mediaType ?? "application/octet-stream", mount.stage)
        }
    }

    /// Writes description, mounts and warnings into a module's document.
    func apply(to record: inout ModuleRecord, files: [(name: String, file: StoredFile)]) {
        record.setFiles(binary: record.binary, data: files)
        record.document.set(
            "dataFiles", .object(files.map { .init($0.name, $0.file.json) }))
        record.document.set(
            "mounts",
            .object(
                functions.names.map { name in
                    .init(
                        name,
                        .object(
                            mounts(name).map { mount in
                                .init(
                                    mount.name,
                                    .object([
                                        .init("mediaType", .string(mount.mediaType)),
                                        .init("stage", .string(mount.stage.rawValue)),
                                    ]))
                            }))
                }))
        record.document.set(
            "description",
            OpenAPIDescription.make(module: record.name, functions, mounts: mounts))
        record.document.set(
            "warnings", SignatureWarnings.check(functions, record.document["exports"]))
    }
}
