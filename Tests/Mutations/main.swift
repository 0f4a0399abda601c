import Glibc

// The mutated-input loop: see README.md beside this file.

guard var options = Options(Array(CommandLine.arguments.dropFirst())) else {
    Files.print(Options.usage, toErrors: true)
    exit(2)
}

/// The modules that the cases start from.
func loadMutator() -> Mutator {
    let modules = Files.modules(options.paths).compactMap { Files.read($0) }
    if modules.isEmpty {
        Files.print("no modules to start from", toErrors: true)
        exit(2)
    }
    return Mutator(seed: options.seed, modules: modules, isUnchanged: options.isUnchanged)
}

switch options.mode {
case .mutate:
    let count = loadMutator().modules.count
    if options.isUnchanged { options.cases = count }
    exit(Supervisor(options).run() ? 0 : 1)
case .work(let board, let range):
    guard let board = Board(board) else { exit(2) }
    exit(Worker.run(loadMutator(), range, board))
case .single(let number):
    let (bytes, random) = loadMutator().module(of: number)
    if let output = options.output { exit(Files.write(bytes, to: output) ? 0 : 2) }
    let start = Worker.processorTime()
    let tally = CaseRunner.run(bytes, random: random)
    let outcome = Outcome.allCases.first { tally.outcomes[$0.rawValue] > 0 }
    Files.print(
        "case \(number): \(outcome?.label ?? ""), \(tally.calls) calls, \(tally.returns) returned, "
            + "\((Worker.processorTime() - start) / 1000) ms, "
            + "\(Worker.residentBytes() >> 20) MB")
case .dump:
    let mutator = loadMutator()
    for number in options.first..<(options.first + options.cases) {
        let path = "\(options.output ?? ".")/\(number).wasm"
        guard Files.write(mutator.module(of: number).bytes, to: path) else {
            Files.print("\(path): cannot be written", toErrors: true)
            exit(2)
        }
    }
case .generate(let count):
    let folder = options.output ?? "."
    for number in options.first..<(options.first + count) {
        var random = RandomNumbers(seed: options.seed, case: UInt64(number))
        for (index, bytes) in ProgramGenerator.modules(&random).enumerated() {
            let path = "\(folder)/\(number)\(index == 0 ? "a" : "b").wasm"
            guard Files.write(bytes, to: path) else {
                Files.print("\(path): cannot be written", toErrors: true)
                exit(2)
            }
        }
    }
case .execute:
    exit(Execution.run(Files.modules(options.paths)) ? 0 : 1)
}
