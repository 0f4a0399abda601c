import WasmSystem
import WasmdDocuments

/// `wasmd top`: what a server does, second by second, from its admin interface.
///
/// A terminal shows one page, drawn anew each second; anything else gets a line for each second.
struct TopCommand {
    let server: ControlServer
    let tokenFile: Word?
    let printsJSON: Bool
    /// How many seconds are shown; nil for no end.
    let count: Int?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        server = try ControlServer(arguments)
        tokenFile = arguments.word(of: .tokenFile)
        printsJSON = arguments.has(.json)
        count = try arguments.read(.count, expected: "a number from 1 on") { text in
            Int(text).flatMap { $0 > 0 ? $0 : nil }
        }
    }

    func perform(_ console: Console) -> Int32 {
        do throws(Refusal) {
            try watch(console)
            return ExitCode.success
        } catch {
            if printsJSON { console.output.writeLine(JSON.object(("error", error.json)).text) }
            // Also beside JSON: who reads that is another program, and not the one that looks why.
            console.complain(error.text)
            return ExitCode.refused
        }
    }

    private func watch(_ console: Console) throws(Refusal) {
        let client = try ControlClient(server, tokenFile: tokenFile)
        // A terminal that calls itself dumb cannot be drawn on: it gets lines.
        let isTerminal =
            Kernel.isTerminal(Kernel.standardOutput) && !printsJSON
            && CurrentProcess.variable("TERM").map { $0 != Array("dumb".utf8) } ?? true
        var page = TopPage(server: server.text)
        // The first look has no rates: nothing to compare it with.
        var last = try look(client)
        var end = SystemClock.monotonic.now
        var shown = 0
        var absence: Refusal?
        while count.map({ shown < $0 }) ?? true {
            end += 1_000_000_000
            console.output.flush()
            if console.output.failure != nil { return }
            SystemClock.sleep(until: end)
            let size = Kernel.terminalSize(Kernel.standardOutput) ?? (24, 80)
            do throws(Refusal) {
                let now = try look(client)
                absence = nil
                let sample = TopSample(from: last, to: now)
                last = now
                page.add(sample)
                if printsJSON {
                    console.output.writeLine(sample.document.text)
                } else if isTerminal {
                    console.output.write(page.screen(rows: size.rows, columns: size.columns))
                } else {
                    if shown.isMultiple(of: 20) { console.output.writeLine(TopPage.heading) }
                    console.output.writeLine(sample.line)
                }
            } catch {
                // It may be starting again, and that is worth seeing.
                let gone = Refusal(
                    file: error.file,
                    reason: "the server does not answer any more: \(error.reason)",
                    hint: "Its log says why it ended; 'wasmd serve' starts one again.")
                guard isTerminal else { throw gone }
                absence = gone
                console.output.write(page.absence(error.reason, columns: size.columns))
            }
            shown += 1
        }
        if let absence {
            // The error is the last word: below the page's first line, in place of an old page.
            if isTerminal { console.output.write("\u{1b}[J") }
            console.output.flush()
            throw absence
        }
    }

    private func look(_ client: ControlClient) throws(Refusal) -> TopReading {
        TopReading(
            status: try client.json(.get, "/admin/status"),
            modules: try client.json(.get, "/admin/modules?limit=1000")["items"]?.arrayValue ?? [],
            active: try client.json(.get, "/admin/runs")["active"]?.arrayValue ?? [])
    }
}
