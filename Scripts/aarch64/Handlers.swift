// Every instruction of the table, with all its operand values.

import WasmMachine

enum Handlers {
    /// Runs of each instruction: every pair of the first two operands' values.
    static let runs = 1024

    /// Prints a line for each instruction: its number and name, how many runs ended in a trap, calls
    /// out of the machine, and a digest of all results.
    static func runAll() {
        Trial.prepareStage()
        var executed = 0, results = 0
        for family in instructionFamilies {
            for number in family.base..<(family.base + family.count) {
                let subject = Subject(number, family)
                var digest = Digest(), traps = 0
                Script.calls = 0
                for run in 0..<runs {
                    var trial = Trial(subject, run: run)
                    trial.prepare()
                    trial.execute()
                    trial.digest(into: &digest)
                    let exit = Stage.exchange.pointee.exitCode
                    if exit != 0 && exit < suspended { traps += 1 }
                    results += 1
                }
                executed += 1
                print(
                    "handler \(number) \(digest.value) traps \(traps) calls \(Script.calls) \(subject.name)"
                )
            }
        }
        print("handlers \(executed) of \(Instruction.count), runs \(results)")
    }
}
