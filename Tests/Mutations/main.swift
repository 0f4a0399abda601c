import Glibc

// The mutated-input loop: see README.md beside this file.

guard var options = Options(Array(CommandLine.arguments.dropFirst())) else {
    Files.print(Options.usage, toErrors: true)
    exit(2)
}

/// What the cases start from.
func loadSource() -> CaseSource {
    guard let source = CaseSource(options) else {
        Files.print("nothing to start from", toErrors: true)
        exit(2)
    }
    return source
}

switch options.mode {
case .mutate:
    let count = loadSource().moduleCount
    if options.isUnchanged { options.cases = count }
    exit(Supervisor(options).run() ? 0 : 1)
case .work(let board, let range):
    guard let board = Board(board) else { exit(2) }
    exit(Worker.run(loadSource(), range, board))
case .single(let number):
    let source = loadSource()
    if let output = options.output {
        exit(Files.write(source.bytes(of: number), to: output) ? 0 : 2)
    }
    let start = Worker.processorTime()
    let tally = source.run(number)
    let outcome = Outcome.allCases.first { tally.outcomes[$0.rawValue] > 0 }
    Files.print(
        "case \(number): \(outcome?.label ?? ""), \(tally.calls) calls, \(tally.returns) returned, "
            + "\((Worker.processorTime() - start) / 1000) ms, "
            + "\(Worker.residentBytes() >> 20) MB")
    if options.layer == .differential {
        let random = RandomNumbers(seed: options.seed, case: UInt64(number))
        Files.print(DifferentialCases.explanation(random))
    }
case .dump:
    let source = loadSource()
    for number in options.first..<(options.first + options.cases) {
        let path = "\(options.output ?? ".")/\(number)\(options.layer.ending)"
        guard Files.write(source.bytes(of: number), to: path) else {
            Files.print("\(path): cannot be written", toErrors: true)
            exit(2)
        }
    }
case .generate(let count):
    let folder = options.output ?? "."
    for number in options.first..<(options.first + count) {
        var random = RandomNumbers(seed: options.seed, case: UInt64(number))
        for (index, bytes) in ProgramGenerator.modules(&random, usesRelaxed: false).enumerated() {
            let path = "\(folder)/\(number)\(index == 0 ? "a" : "b").wasm"
            guard Files.write(bytes, to: path) else {
                Files.print("\(path): cannot be written", toErrors: true)
                exit(2)
            }
        }
    }
case .execute:
    exit(Execution.run(Files.inputs(options.paths)) ? 0 : 1)
}
