import Glibc

/// The guest's environment: what is inherited, then what options set, a later one of the same name
/// in the place of an earlier one.
struct GuestEnvironment {
    private(set) var variables: [(name: Word, value: Word)] = []

    init(inheriting: Bool, entries: [RunOptions.EnvironmentEntry]) {
        if inheriting { variables = Self.ofThisProcess() }
        for entry in entries {
            switch entry {
            case .set(let name, let value):
                set(name, value)
            case .copy(let name):
                if let value = name.withCString({ getenv($0).map { Word(cString: $0) } }) {
                    set(name, value)
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
        var variables: [(name: Word, value: Word)] = []
        var cursor = environ
        while let entry = cursor.pointee {
            if let (name, value) = Word(cString: entry).split(at: "="), !name.isEmpty {
                variables.append((name, value))
            }
            cursor += 1
        }
        return variables
    }
}
