/// Cases in which one program runs in several modes of the engine.
enum DifferentialCases {
    /// Makes a program, maybe changes instructions of it, and compares what it does.
    ///
    /// The checksum counts programs as they were made: they end by themselves and keep the bits of
    /// NaN, which builds of the engine may choose differently, to themselves.
    static func run(_ random: inout RandomNumbers) -> Tally {
        var modules = ProgramGenerator.modules(&random)
        let isChanged = random.oneIn(3)
        if isChanged, let last = modules.popLast() {
            modules.append(changed(last, &random))
        }
        let fuel = isChanged || random.oneIn(2) ? CaseRunner.fuel : nil
        var tally = compare(modules, fuel: fuel, isStressed: random.oneIn(3))
        if isChanged { tally.checksum = 0 }
        return tally
    }

    /// Runs modules, of which each imports from the one before it, in several modes.
    static func compare(_ modules: [[UInt8]], fuel: UInt64?, isStressed: Bool) -> Tally {
        let first = Execution.lines(modules, .lazy, fuelPerCall: fuel)
        var others: [Execution.Mode] = [.eager]
        if isStressed { others.append(.stressed) }
        if fuel == nil { others += [.unlimited, .interrupted, .observed, .canonical] }
        var tally = Tally(.ran)
        for mode in others where Execution.lines(modules, mode, fuelPerCall: fuel) != first {
            tally = Tally(.disagreed)
        }
        tally.calls = first.count
        var sum = Checksum()
        for line in first where !line.hasPrefix("fuel") { sum.add(line) }
        tally.checksum = Int(truncatingIfNeeded: sum.value)
        return tally
    }

    /// The module and the differences of the first mode that disagrees, for people.
    static func explanation(_ random: RandomNumbers) -> String {
        var random = random
        var modules = ProgramGenerator.modules(&random)
        let isChanged = random.oneIn(3)
        if isChanged, let last = modules.popLast() { modules.append(changed(last, &random)) }
        let fuel = isChanged || random.oneIn(2) ? CaseRunner.fuel : nil
        let first = Execution.lines(modules, .lazy, fuelPerCall: fuel)
        let modes: [Execution.Mode] =
            fuel == nil ? Execution.Mode.allCases : [.eager, .stressed]
        for mode in modes {
            let lines = Execution.lines(modules, mode, fuelPerCall: fuel)
            for (left, right) in zip(first, lines) where left != right {
                return "lazy: \(left)\n\(mode): \(right)"
            }
        }
        return "all modes agree"
    }

    /// The modules before anything was changed.
    static func modules(_ random: RandomNumbers) -> [[UInt8]] {
        var random = random
        return ProgramGenerator.modules(&random)
    }

    private static func changed(_ bytes: [UInt8], _ random: inout RandomNumbers) -> [UInt8] {
        guard var module = EditableModule(bytes) else { return bytes }
        let other = module
        for _ in 0..<random.between(1...4) {
            InstructionMutations.mutate(&module, other: other, &random)
        }
        return module.bytes
    }
}
