import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdExecutor
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// `wasmd serve` without a path: a server that stores modules and runs them.
struct DaemonCommand {
    private let file: ConfigurationFile

    init(_ arguments: ParsedArguments) throws(UsageError) {
        file = ConfigurationFile(try DaemonOptions(arguments))
    }

    /// Serves until a signal comes, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        let settings: DaemonSettings
        do throws(ConfigurationFile.Fault) {
            let (read, warnings) = try file.read()
            settings = read
            guard file.options.checked == nil else { return report(nil, warnings, console) }
            ServeMessages.form = settings.common.log.form ?? .text
            for warning in warnings { ServeMessages.write(printable(warning), .warning) }
        } catch {
            return report(error, [], console)
        }
        let data = Word(bytes: settings.common.data)
        do {
            try Daemon(settings, file).run()
            return ExitCode.success
        } catch let refusal as Refusal {
            ServeMessages.write(refusal.singleLine, .error)
        } catch let error as StorageError {
            ServeMessages.write(Refusal(storage: error, folder: data.text).singleLine, .error)
        } catch {
            ServeMessages.write("\(data.text): \(error)", .error)
        }
        return ExitCode.refused
    }

    /// Says what is wrong, or that nothing is.
    private func report(
        _ fault: ConfigurationFile.Fault?, _ warnings: [String], _ console: Console
    ) -> Int32 {
        if file.options.printsJSON {
            console.output.writeLine(
                JSON.object(
                    ("valid", .boolean(fault == nil)), ("problems", fault?.json ?? .array([])),
                    ("warnings", .strings(warnings))
                ).text)
        } else if let fault {
            for line in fault.lines { console.complain(line) }
        } else {
            for warning in warnings { console.complain("warning: \(printable(warning))") }
            console.output.writeLine("\(printable(file.name ?? "")): valid")
        }
        return fault == nil ? ExitCode.success : ExitCode.refused
    }
}
