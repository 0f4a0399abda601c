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
                    try Image.create(ImageFile.file(name))
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

    private func perform(
        _ verb: OthismoOptions.Verb, _ name: Word, _ words: [Word], _ console: Console
    ) throws(OthismoFailure) -> Int32 {
        let path = ImageFile.path(name)
        switch verb {
        case .listObjects:
            let session = try ReadingSession(path)
            try list(session, words.first, console)
            return ExitCode.success
        case .serve:
            do {
                try ImageServing(path, name, options.serving).run()
                return ExitCode.success
            } catch {
                throw OthismoFailure(error)
            }
        default: break
        }
        let session = try ImageFile.session(path, name)
        if verb.runsInstances, session is LocalSession, let sandbox = options.serving.sandbox {
            // Which files the lines of a shell name is not known yet.
            let files = verb == .shell ? [Word("/")] : MessageText.files(words.dropFirst())
            // A command that is over at once says it only if it was asked for.
            let tells = options.serving.asksForSandbox || verb == .shell || verb == .run
            try sandbox.enter(image: path, name, reading: files, tells: tells, console)
        }
        if verb == .shell { return try ImageShell(session, options.timeout, console).run() }
        let verbs = ImageVerbs(session, timeout: options.timeout)
        switch verb {
        case .importModule: try verbs.importModule(words[0], name: options.name)
        case .removeModule, .deleteInstance: try session.remove(words[0].bytes)
        case .instantiateInstance: try verbs.instantiate(words[0], words[1])
        case .makePath: try verbs.makePath(words[0])
        case .symbolicLink: try verbs.link(words[0], words[1])
        case .mount: try verbs.mount(words[0], words[1])
        case .sendMessage, .run: return try send(verbs, words, console)
        case .listObjects, .serve, .shell: break
        }
        return ExitCode.success
    }

    private func list(
        _ session: any ImageSession, _ prefix: Word?, _ console: Console
    ) throws(OthismoFailure) {
        for entry in try session.entries(prefix: prefix?.bytes ?? []) {
            console.output.writeLine(printable(Word(bytes: entry.path).text))
        }
    }

    private func send(
        _ verbs: ImageVerbs, _ words: [Word], _ console: Console
    ) throws(OthismoFailure) -> Int32 {
        let waiting = try verbs.send(words) { line in
            console.output.writeLine(line)
            console.output.flush()
        }
        guard let waiting else { return ExitCode.success }
        console.complain(
            "\(counted(waiting, "message")) still in flight after the time of "
                + "\(Option.messageTimeout.flag); they wait in the image")
        return ExitCode.refused
    }
}
