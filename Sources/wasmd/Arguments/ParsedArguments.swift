/// A command line that matches the table: a command, its options and its operands.
struct ParsedArguments: Equatable {
    let verb: Command.Verb
    /// Options in the order in which they were given.
    var options: [(name: String, value: String)] = []
    var operands: [String] = []

    var command: Command { Command.of(verb) }

    func has(_ option: Option) -> Bool { options.contains { $0.name == option.name } }

    /// The value that counts: the last one.
    func value(of option: Option) -> String? { options.last { $0.name == option.name }?.value }

    func values(of option: Option) -> [String] {
        options.filter { $0.name == option.name }.map(\.value)
    }

    static func == (a: ParsedArguments, b: ParsedArguments) -> Bool {
        a.verb == b.verb && a.operands == b.operands
            && a.options.elementsEqual(b.options) { $0 == $1 }
    }
}
