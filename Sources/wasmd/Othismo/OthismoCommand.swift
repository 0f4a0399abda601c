import WasmDecoder
import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdImages
import WasmdOthismo

/// `wasmd othismo`: images, their modules and instances, and messages to them.
struct OthismoCommand {
    private let options: OthismoOptions

    init(_ arguments: ParsedArguments) throws(UsageError) {
        options = try OthismoOptions(arguments)
    }

    /// Does it, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        do throws(OthismoFailure) {
            switch options.action {
            case .nothing(let message):
                console.error.writeLine(message)
                return ExitCode.success
            case .newImage(let name):
                let image = try OthismoFailure.wrapping { () throws(ImageError) in
                    try Image.create(Self.file(name))
                }
                image.close()
                console.output.writeLine("Image created")
                return ExitCode.success
            case .perform(let verb, let image, let words):
                return try perform(verb, image, words, console)
            }
        } catch {
            console.error.writeLine("Error: \(error.text)")
            return ExitCode.refused
        }
    }

    /// `NAME.simg`, unless the name ends like that.
    private static func file(_ name: Word) -> [UInt8] {
        name.hasSuffix(".simg") ? name.bytes : name.bytes + Array(".simg".utf8)
    }

    private func perform(
        _ verb: OthismoOptions.Verb, _ name: Word, _ words: [Word], _ console: Console
    ) throws(OthismoFailure) -> Int32 {
        var path = Self.file(name)
        if (try? Kernel.status(CString(path: path), followsLink: true)) == nil,
            (try? Kernel.status(name.cString, followsLink: true)) != nil
        {
            path = name.bytes
        }
        // Before the file is opened for its contents: see `ImageHold`.
        var hold: ImageHold?
        if verb != .listObjects {
            hold = try Self.hold(path, name)
        }
        defer { withExtendedLifetime(hold) {} }
        let image = try OthismoFailure.wrapping { () throws(ImageError) in
            var options = Image.Options()
            options.isReadOnly = verb == .listObjects
            return try Image(path: path, options)
        }
        defer { image.close() }
        let store = ImageStore(image)
        switch verb {
        case .listObjects: try list(store, words.first, console)
        case .importModule: try importModule(words[0], store)
        case .removeModule, .deleteInstance: try remove(words[0], store)
        case .instantiateInstance: try instantiate(words[0], words[1], store)
        case .makePath: try bind(words[0], .folder, Word(""), store)
        case .symbolicLink: try bind(words[1], .symbolicLink, words[0], store)
        case .mount: try bind(words[1], .mount, words[0], store)
        case .sendMessage: return try send(words, store, console)
        case .run: return try send([], store, console)
        }
        return ExitCode.success
    }

    private static func hold(_ path: [UInt8], _ name: Word) throws(OthismoFailure) -> ImageHold {
        do throws(SystemError) {
            if let hold = try ImageHold(path: path) { return hold }
        } catch {
            if error == .noent { throw .image(.noImage(path: path)) }
            throw .text("\(printable(name.text)): \(error.text)")
        }
        throw .text(
            "\(printable(name.text)): another process runs the instances of this image; stop it "
                + "first, or send messages to it")
    }

    // MARK: Objects

    private func list(
        _ store: ImageStore, _ prefix: Word?, _ console: Console
    ) throws(OthismoFailure) {
        let paths = try OthismoFailure.wrapping { () throws(ImageError) in
            var paths = try store.objects(prefix: prefix?.bytes ?? []).map(\.path)
            paths += try store.bindings().map(\.path).filter {
                $0.starts(with: prefix?.bytes ?? [])
            }
            return paths.sorted { $0.lexicographicallyPrecedes($1) }
        }
        for path in paths { console.output.writeLine(printable(Word(bytes: path).text)) }
    }

    private func importModule(_ file: Word, _ store: ImageStore) throws(OthismoFailure) {
        let bytes: [UInt8]
        do throws(Refusal) {
            let module = try ModuleFile(file)
            bytes = module.bytes[module.bytes.range]
        } catch {
            throw .text(error.text)
        }
        var name = self.name(of: file)
        if let given = options.name { name = given.bytes }
        guard !name.isEmpty, name != Array("/".utf8), name != Array("/othismo".utf8) else {
            throw .text("\(printable(Word(bytes: name).text)) is a name of the host")
        }
        let rewritten: [UInt8]
        do throws(ImportedModule.Failure) {
            rewritten = try ImportedModule.rewritten(bytes, engine: Engine())
        } catch {
            switch error {
            case .invalid(let reason): throw .text("\(printable(file.text)): \(reason)")
            case .unsupported(let what):
                throw .original("UnsupportedModuleDefinition(\"\(what)\")")
            }
        }
        var changes = ObjectChanges()
        changes.objects = [.init(path: name, kind: .module, source: .bytes(rewritten))]
        try commit(changes, store)
    }

    /// The file's name without its folder and ending.
    private func name(of file: Word) -> [UInt8] {
        let name = file.lastComponent ?? file
        guard let dot = name.bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0 else {
            return name.bytes
        }
        return Array(name.bytes[..<dot])
    }

    private func remove(_ path: Word, _ store: ImageStore) throws(OthismoFailure) {
        var changes = ObjectChanges()
        let bindings = try OthismoFailure.wrapping { () throws(ImageError) in
            try store.bindings()
        }
        if bindings.contains(where: { $0.path == path.bytes }) {
            changes.removedBindings = [path.bytes]
        } else {
            changes.removedObjects = [path.bytes]
        }
        try commit(changes, store)
    }

    private func instantiate(
        _ module: Word, _ name: Word, _ store: ImageStore
    ) throws(OthismoFailure) {
        try request(
            "othismo.namespace.instantiate",
            [("module", module), ("name", name)], store)
    }

    private func bind(
        _ path: Word, _ kind: ImageBinding.Kind, _ target: Word, _ store: ImageStore
    ) throws(OthismoFailure) {
        var fields = [("path", path)]
        if kind != .folder { fields.append(("target", target)) }
        let key =
            switch kind {
            case .symbolicLink: "othismo.namespace.sym_link"
            case .mount: "othismo.namespace.mount"
            default: "othismo.namespace.make_path"
            }
        try request(key, fields, store)
    }

    private func commit(_ changes: ObjectChanges, _ store: ImageStore) throws(OthismoFailure) {
        _ = try OthismoFailure.wrapping { () throws(ImageError) in try store.commit(changes) }
    }

    /// Asks the namespace itself.
    private func request(
        _ key: String, _ fields: [(String, Word)], _ store: ImageStore
    ) throws(OthismoFailure) {
        let member = Document.Member(
            key, .object(fields.map { Document.Member($0.0, .string($0.1.text)) }))
        let refusal = try OthismoFailure.wrapping { () throws(ImageError) in
            try Exchange.change(store, member)
        }
        if let refusal { throw OthismoFailure(refusal) }
    }

    // MARK: Messages

    private func send(
        _ words: [Word], _ store: ImageStore, _ console: Console
    ) throws(OthismoFailure) -> Int32 {
        let end = ContinuousClock.now + .nanoseconds(options.timeout)
        let exchange: Exchange
        do {
            exchange = try Exchange(store)
            if let target = words.first {
                var envelope = Envelope(
                    sendTo: target.bytes, payload: try MessageText.payload(Array(words.dropFirst()))
                )
                envelope.replyTo = Array("/".utf8)
                envelope.requestID = .integer(1)
                try exchange.post(envelope)
            }
            while !exchange.isIdle, .now < end {
                for output in try exchange.runBatch() {
                    if case .console(let document) = output {
                        console.output.writeLine(MessageText.line(document))
                    }
                }
                console.output.flush()
            }
        } catch {
            throw OthismoFailure(error)
        }
        guard exchange.isIdle else {
            console.complain(
                "\(counted(exchange.waitingCount, "message")) still in flight after the time of "
                    + "\(Option.messageTimeout.flag); they wait in the image")
            return ExitCode.refused
        }
        return ExitCode.success
    }
}
