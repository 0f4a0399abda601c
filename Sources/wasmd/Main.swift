import WasmDecoder
import WasmSystem
import WasmText
import WasmWASI

/// The program. Does only what the command needs, because every run includes its start.
@main
enum Main {
    static func main() {
        // Files that are opened must not get the number of a closed standard stream.
        Kernel.fillStandardStreams()
        // A reader that closes its end, or the limit on the size of files, makes a write fail
        // instead of ending the process.
        WASI.ignoreBrokenPipes()
        let words = Word.commandLine()
        // Not for users: this process executes programs for another one (`Spawner`).
        if let first = words.first, first.bytes.elementsEqual(SpawnerProcess.verb.utf8),
            SpawnerProcess.run(programs: words.dropFirst().map(\.bytes))
        {
            return
        }
        let console = Console.standard()
        let status = perform(words, console)
        CurrentProcess.exit(finish(console, status))
    }

    /// Writes buffered output. A command whose output could not be written has failed.
    static func finish(_ console: Console, _ status: Int32) -> Int32 {
        console.output.flush()
        let failure = console.output.failure
        if let failure { console.complain(failure.description) }
        console.error.flush()
        return failure != nil && status == ExitCode.success ? ExitCode.refused : status
    }

    /// Performs a command line and returns the exit code.
    static func perform(_ arguments: [Word], _ console: Console) -> Int32 {
        do throws(UsageError) {
            return try perform(ArgumentParser.parse(arguments), console)
        } catch {
            console.error.write(error.text)
            return ExitCode.usage
        }
    }

    private static func perform(
        _ arguments: ParsedArguments, _ console: Console
    ) throws(UsageError) -> Int32 {
        if arguments.has(.help) {
            console.output.write(Help.text(for: arguments.command))
            return ExitCode.success
        }
        switch arguments.verb {
        case .run:
            return try RunCommand(RunOptions(arguments)).perform(console)
        case .serve:
            return arguments.words.isEmpty
                ? try DaemonCommand(arguments).perform(console)
                : try ServeCommand(arguments).perform(console)
        case .watm:
            return try TransportCommand(arguments).perform(console)
        case .services:
            return try ServicesCommand(arguments).perform(console)
        case .ctl:
            return try ControlCommand(arguments).perform(console)
        case .top:
            return try TopCommand(arguments).perform(console)
        case .token:
            return try TokenCommand(arguments).perform(console)
        case .data:
            return try DataCommand(arguments).perform(console)
        case .othismo:
            return try OthismoCommand(arguments).perform(console)
        case .validate:
            return try ValidateCommand(arguments).perform(console)
        case .inspect:
            return InspectCommand(arguments).perform(console)
        case .explore:
            return try ExploreCommand(arguments).perform(console)
        case .wat2wasm:
            return TextToWasmCommand(arguments).perform(console)
        case .wasm2wat:
            return try WasmToTextCommand(arguments).perform(console)
        case .wast:
            return try WastCommand(arguments).perform(console)
        case .completions:
            console.output.write(try shell(arguments.operands.first ?? "").script)
        case .version:
            console.output.write(Version.text)
        case .help:
            console.output.write(try helpText(arguments.operands.first))
        }
        return ExitCode.success
    }

    private static func shell(_ name: String) throws(UsageError) -> Shell {
        if let shell = Shell(rawValue: name) { return shell }
        let names = Shell.allCases.map(\.rawValue)
        throw .unknownShell(name, suggestion: Suggestion.best(for: name, in: names))
    }

    private static func helpText(_ topic: String?) throws(UsageError) -> String {
        guard let topic else { return Help.overview }
        if let command = Command.named(topic) { return Help.text(for: command) }
        let names = Command.all.map(\.name)
        throw .unknownCommand(topic, suggestion: Suggestion.best(for: topic, in: names))
    }
}

/// Exit codes of wasmd, unless the guest has its own.
enum ExitCode {
    static let success: Int32 = 0
    /// The module or its imports are refused.
    static let refused: Int32 = 1
    /// The command line cannot be understood.
    static let usage: Int32 = 2
    /// The guest was stopped by a trap: what a shell reports for a process that aborted.
    static let trap: Int32 = 134
}
