import WasmSystem

/// The guest's environment: inherited variables, then those that options set. A later variable
/// replaces an earlier one of the same name.
struct GuestEnvironment {
    private(set) var variables: [(name: Word, value: Word)] = []

    init(inheriting: Bool, entries: [RunOptions.EnvironmentEntry]) {
        if inheriting { variables = Self.ofThisProcess() }
        for entry in entries {
            switch entry {
            case .set(let name, let value):
                set(name, value)
            case .copy(let name):
                if let value = CurrentProcess.variable(name.cString) {
                    set(name, Word(bytes: value))
                }
            }
        }
    }

    private mutating func set(_ name: Word, _ value: Word) {
        if let index = variables.firstIndex(where: { $0.name == name }) {
            variables[index].value = value
        } else {
            variables.append((name, value))
        }
    }

    private static func ofThisProcess() -> [(name: Word, value: Word)] {
        CurrentProcess.environment.compactMap { entry in
            guard let (name, value) = Word(bytes: entry).split(at: "="), !name.isEmpty else {
                return nil
            }
            return (name, value)
        }
    }
}
