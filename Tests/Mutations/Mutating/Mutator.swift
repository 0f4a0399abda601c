/// Makes the module of every case, from a seed number and the modules to start from.
struct Mutator {
    let seed: UInt64
    let modules: [[UInt8]]
    /// The same taken apart; nil where that failed.
    private let parts: [EditableModule?]
    /// Indices of the modules with more code than most.
    private let largeModules: [Int]
    /// Case K is module K as it is.
    private let isUnchanged: Bool

    init(seed: UInt64, modules: [[UInt8]], isUnchanged: Bool = false) {
        self.seed = seed
        self.modules = modules
        self.isUnchanged = isUnchanged
        parts = isUnchanged ? [] : modules.map { EditableModule($0) }
        largeModules = modules.indices.filter { modules[$0].count > 4000 }
    }

    /// The bytes of case `number`, and random numbers for running it.
    func module(of number: Int) -> (bytes: [UInt8], random: RandomNumbers) {
        var random = RandomNumbers(seed: seed, case: UInt64(number))
        let bytes = isUnchanged ? modules[safe: number] ?? [] : mutant(&random)
        return (bytes, random)
    }

    private func mutant(_ random: inout RandomNumbers) -> [UInt8] {
        if modules.isEmpty || random.oneIn(6) {
            let programs = ProgramGenerator.modules(&random)
            let program = random.element(of: programs) ?? []
            guard var module = EditableModule(program), !random.oneIn(8) else { return program }
            for _ in 0..<random.between(1...5) {
                let other = parts[safe: random.below(parts.count)]?.flatMap { $0 } ?? module
                InstructionMutations.mutate(&module, other: other, &random)
            }
            return module.bytes
        }
        let any = random.below(modules.count)
        let index = random.oneIn(4) ? random.element(of: largeModules) ?? any : any
        guard var module = parts[index] else {
            var bytes = modules[index]
            damage(&bytes, &random)
            return bytes
        }
        var rounds = 1
        while rounds < 8, random.oneIn(2) { rounds += 1 }
        var isDamaged = false
        for _ in 0..<rounds {
            let other = parts[random.below(parts.count)] ?? module
            switch random.weighted([65, 22, 13]) {
            case 0: InstructionMutations.mutate(&module, other: other, &random)
            case 1: StructureMutations.mutate(&module, other: other, &random)
            default: isDamaged = true
            }
        }
        var bytes = module.bytes
        if isDamaged { damage(&bytes, &random) }
        return bytes
    }

    /// Changes the bytes of the whole file.
    private func damage(_ bytes: inout [UInt8], _ random: inout RandomNumbers) {
        let other = modules[random.below(modules.count)]
        for _ in 0..<random.between(1...3) {
            ByteMutations.mutate(&bytes, other: other, &random)
        }
    }
}

extension Array {
    subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
