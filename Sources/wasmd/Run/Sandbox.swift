import WasmSystem
import WasmWASI

/// `--sandbox`: the process keeps only the rights that the run needs, so that a program that broke out
/// of the engine would find the kernel's wall behind it.
enum Sandbox: Equatable {
    /// What the kernel does not have is left out; with a warning if that is one of the two walls.
    case asFarAsPossible
    /// The program does not run unless the kernel has all of it.
    case strict

    static let words = ["strict"]

    init?(word: String) {
        switch word {
        case "": self = .asFarAsPossible
        case "strict": self = .strict
        default: return nil
        }
    }

    /// Restricts the process, which has opened what the program gets.
    func enter(_ options: RunOptions, _ console: Console) throws(Refusal) {
        let report: Confinement.Report
        do throws(Confinement.Failure) {
            report = try Self.confinement(options).enforce()
        } catch {
            throw Refusal(file: options.file, reason: "--sandbox: \(error)")
        }
        guard !report.isWhole, self == .strict else {
            // One line before the first of the program's: whoever asks for it sees what holds.
            console.complain(
                report.isWhole
                    ? "sandbox: \(report)"
                    : "this kernel restricts the program only in part: \(report)")
            console.error.flush()
            return
        }
        throw Refusal(
            file: options.file, reason: "--sandbox=strict: \(report)",
            hint: "Leave out 'strict' to run with what the kernel has.")
    }

    /// Restricts `wasmd othismo`, which has opened an image and runs its instances: it writes the
    /// folder of the image, whose journal is beside it, and nothing else.
    ///
    /// - Parameter tells: whether a line says what the kernel enforces, as `wasmd run --sandbox` does.
    func enter(
        image: [UInt8], _ name: Word, reading files: [Word], tells: Bool, _ console: Console
    ) throws(OthismoFailure) {
        // One that is not there is told of when it is read.
        let there = files.filter { (try? Kernel.status($0.cString, followsLink: true)) != nil }
        let confinement = Confinement.serving(
            there.map(\.bytes), folders: [(ServedImage.folder(of: image), false)])
        let report: Confinement.Report
        do throws(Confinement.Failure) {
            report = try confinement.enforce()
        } catch {
            throw .text(
                "\(printable(name.text)): cannot be restricted: \(error); --no-sandbox runs without "
                    + "the kernel's restrictions")
        }
        guard report.isWhole || self != .strict else {
            throw .text("\(printable(name.text)): --sandbox=strict: \(report)")
        }
        if report.isWhole {
            if tells { console.complain("sandbox: \(report)") }
        } else if tells || !report.isUseful {
            console.complain("this kernel restricts the process only in part: \(report)")
        }
        console.error.flush()
    }

    /// The folders of the program, and what wasmd still writes itself.
    private static func confinement(_ options: RunOptions) -> Confinement {
        var confinement = Confinement()
        for folder in options.folders {
            confinement.landlock.allow(
                .path(folder.hostPathBytes), folder.isReadOnly ? .read : .readWrite)
        }
        // Terminals are opened again, so that a wait for them can end.
        for stream in 0...2 as ClosedRange<Int32> where Kernel.isTerminal(stream) {
            confinement.landlock.allow(.descriptor(stream), [.read, .writeFiles, .devices])
        }
        // Files that are written at the end replace older ones in their folder.
        let outputs = [
            options.profile, options.flamegraph, options.coverage, options.coredump,
            options.savedModule,
        ]
        for file in outputs.compactMap(\.self) {
            confinement.landlock.allow(
                .path(folder(of: file.bytes)), [.writeFiles, .make, .remove])
        }
        // The file of a unix socket goes when the program ends.
        for path in options.listeners.compactMap(\.path) {
            confinement.landlock.allow(.path(folder(of: path)), .remove)
        }
        if options.allowedHosts.isEmpty {
            confinement.landlock.connectPorts = []
        } else {
            confinement.calls = Confinement.serverCalls(hasUnixSockets: false)
        }
        confinement.landlock.bindPorts = []
        return confinement
    }

    private static func folder(of file: [UInt8]) -> [UInt8] {
        guard let slash = file.lastIndex(of: UInt8(ascii: "/")) else { return [UInt8(ascii: ".")] }
        return slash == 0 ? [UInt8(ascii: "/")] : Array(file[..<slash])
    }
}

extension ParsedArguments {
    /// How a command that serves restricts itself: as far as possible unless `--sandbox` says more;
    /// nil for `--no-sandbox`.
    func servingSandbox(_ verb: Command.Verb) throws(UsageError) -> Sandbox? {
        if has(.noSandbox), has(.sandbox) { throw .conflict(.noSandbox, .sandbox, verb) }
        if has(.noSandbox) { return nil }
        return try read(.sandbox, expected: "strict, or nothing", Sandbox.init(word:))
            ?? .asFarAsPossible
    }
}
