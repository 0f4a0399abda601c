import Glibc

/// The guest's environment: what is inherited, then what options set, a later one of the same name
/// in the place of an earlier one.
struct GuestEnvironment {
    private(set) var variables: [(name: String, value: String)] = []

    init(inheriting: Bool, entries: [RunOptions.EnvironmentEntry]) {
        if inheriting { variables = Self.ofThisProcess() }
        for entry in entries {
            switch entry {
            case .set(let name, let value):
                set(name, value)
            case .copy(let name):
                if let value = getenv(name) { set(name, String(cString: value)) }
            }
        }
    }

    private mutating func set(_ name: String, _ value: String) {
        if let index = variables.firstIndex(where: { $0.name == name }) {
            variables[index].value = value
        } else {
            variables.append((name, value))
        }
    }

    private static func ofThisProcess() -> [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = []
        var cursor = environ
        while let entry = cursor.pointee {
            let parts = String(cString: entry).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, !parts[0].isEmpty {
                variables.append((String(parts[0]), String(parts[1])))
            }
            cursor += 1
        }
        return variables
    }
}
